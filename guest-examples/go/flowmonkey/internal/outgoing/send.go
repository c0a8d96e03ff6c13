package outgoing

import (
	"cmp"
	"errors"
	"io"
	"net/url"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"flowmonkey/internal/abi"
)

// chunkBytesMax is what one call may write of a body.
const chunkBytesMax = 4096

// Field is one header field.
type Field struct{ Name, Value string }

// Request is what to send.
type Request struct {
	Method string // in capitals
	URL    *url.URL
	Host   string // instead of the URL's, unless empty
	Header []Field
	Body   io.Reader // or nil
	// Timeout is of each phase: connecting, the head of the response, and each part of its body. 0 leaves it to
	// the host.
	Timeout time.Duration
}

// Response is what came back. Its Body must be closed.
type Response struct {
	Status int
	Header []Field
	Body   io.ReadCloser
}

// Send sends a request, body and all, and returns when the head of the response is there.
func Send(r *Request) (*Response, error) {
	outgoing, body, err := prepare(r)
	if err != nil {
		return nil, err
	}
	coming, err := start(outgoing, r.Timeout)
	if err != nil {
		dropRequestBody(body)
		return nil, err
	}
	defer dropFuture(coming)
	// A server may answer before it has read all of the body, and then says more than our error.
	writeErr := send(body, r.Body)
	var failure *Error
	if writeErr != nil && !errors.As(writeErr, &failure) {
		return nil, writeErr
	}
	incoming, err := await(coming)
	if err != nil {
		return nil, err
	}
	return open(incoming)
}

// In the order of the cases of scheme.
var schemes = []string{"http", "https"}

// In the order of the cases of method.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func prepare(r *Request) (request, requestBody, error) {
	header, err := fieldsOf(r.Header)
	if err != nil {
		return 0, 0, err
	}
	outgoing := newRequest(header)
	method := slices.Index(methods, r.Method)
	if method < 0 {
		method = len(methods)
	}
	scheme := slices.Index(schemes, r.URL.Scheme)
	authority := cmp.Or(r.Host, r.URL.Host)
	result := new(handleOrNot)
	switch {
	case scheme < 0:
		err = Invalid("HTTP-request-URI-invalid", "the scheme is http or https")
	case authority == "":
		err = Invalid("HTTP-request-URI-invalid", "there is no host")
	case setMethod(outgoing, uint32(method), abi.UTF8(r.Method)):
		err = Invalid("HTTP-request-method-invalid", "")
	case setScheme(outgoing, true, uint32(scheme), ""),
		setAuthority(outgoing, true, abi.UTF8(authority)),
		setPath(outgoing, true, abi.UTF8(r.URL.RequestURI())):
		err = Invalid("HTTP-request-URI-invalid", "")
	default:
		if bodyOf(outgoing, result); result.failed == 0 {
			return outgoing, requestBody(result.handle), nil
		}
		err = &Error{Code: "HTTP-protocol-error", Text: "the request has no body to write"}
	}
	dropRequest(outgoing)
	return 0, 0, err
}

func fieldsOf(header []Field) (fields, error) {
	pairs := make([]abi.Pair, len(header))
	for i := range header {
		field := &header[i]
		field.Name = abi.UTF8(field.Name) // a value is any bytes
		pairs[i] = abi.Pair{Name: abi.TextOf(field.Name), Value: abi.TextOf(field.Value)}
	}
	result := new(handleOrNot)
	newFields(unsafe.SliceData(pairs), uint32(len(pairs)), result)
	runtime.KeepAlive(header)
	if result.failed != 0 {
		return 0, Invalid("HTTP-protocol-error", "a header field is not allowed or not well-formed")
	}
	return fields(result.handle), nil
}

func start(outgoing request, timeout time.Duration) (future, error) {
	var o options
	if timeout > 0 {
		o = newOptions()
		setConnectTimeout(o, true, uint64(timeout))
		setFirstByteTimeout(o, true, uint64(timeout))
		setBetweenBytesTimeout(o, true, uint64(timeout))
	}
	result := new(futureOrNot)
	var err error
	abi.Call(func() {
		if handle(outgoing, timeout > 0, o, result); result.failed != 0 {
			err = result.code.err()
		}
	})
	return future(result.code.number), err
}

// send writes the body and ends it; on an error it is dropped, which breaks the request off.
func send(body requestBody, from io.Reader) error {
	if from != nil {
		result := new(handleOrNot)
		writerOf(body, result) // fails only the second time
		stream := outputStream(result.handle)
		err := copyTo(stream, from)
		dropOutput(stream)
		if err != nil {
			dropRequestBody(body)
			return err
		}
	}
	end := new(optionalCode)
	var err error
	abi.Call(func() {
		if finish(body, false, 0, end); end.some != 0 {
			err = end.code.err()
		}
	})
	return err
}

func copyTo(stream outputStream, from io.Reader) error {
	chunk := make([]byte, chunkBytesMax)
	result := new(bytesOrNot)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			if write(stream, unsafe.SliceData(chunk), uint32(n), result); result.failed != 0 {
				return errStream(result)
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

func await(coming future) (response, error) {
	ready := subscribe(coming)
	block(ready)
	dropPollable(ready)
	result := new(arrival)
	var err error
	abi.Call(func() {
		if get(coming, result); result.failed != 0 {
			err = result.code.err()
		}
	})
	return response(result.code.number), err
}
