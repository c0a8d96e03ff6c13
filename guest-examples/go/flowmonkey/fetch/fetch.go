// Package fetch sends HTTP requests, without the weight of net/http.
//
// It needs the grant `http = ["api.example.com"]` in handler.toml, which names the hosts: https unless it
// says http://. Redirects are not followed. An attempt may send 100 requests, a body may have 8 MiB each
// way, and a request may take 30 s, unless handler.toml says otherwise.
package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"flowmonkey/internal/outgoing"
)

// Request is what to send.
type Request struct {
	Method string // GET if empty
	URL    string
	Header map[string]string
	Body   []byte
}

// Response is what came back, whatever its status.
type Response struct {
	Status int
	// Header has the names in lower case. Values of the same name are joined with commas.
	Header map[string]string
	Body   []byte
}

// Error is why an exchange came to nothing. Its Code is an error-code of wasi:http, such as
// connection-refused.
type Error = outgoing.Error

// Do sends a request and reads the response to its end. A deadline of ctx shortens the time that it may take.
//
// An error names the method and the URL and wraps an *Error, and that flowmonkey.ErrDenied if the operator does
// not allow the request, flowmonkey.ErrInvalid if its method, URL or header is malformed, else flowmonkey.ErrHTTP.
func Do(ctx context.Context, request Request) (*Response, error) {
	if request.Method == "" {
		request.Method = "GET"
	}
	response, err := do(ctx, &request)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", request.Method, request.URL, err)
	}
	return response, nil
}

func do(ctx context.Context, request *Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	target, err := url.Parse(request.URL)
	if err != nil {
		return nil, outgoing.Invalid("HTTP-request-URI-invalid", err.Error())
	}
	out := &outgoing.Request{Method: request.Method, URL: target}
	for name, value := range request.Header {
		name = strings.ToLower(name)
		if name == "content-length" && request.Body != nil {
			continue // ours follows, and two are refused
		}
		out.Header = append(out.Header, outgoing.Field{Name: name, Value: value})
	}
	if request.Body != nil {
		length := outgoing.Field{Name: "content-length", Value: fmt.Sprint(len(request.Body))}
		out.Header = append(out.Header, length)
		out.Body = bytes.NewReader(request.Body)
	}
	if deadline, ok := ctx.Deadline(); ok {
		out.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	in, err := outgoing.Send(out)
	if err != nil {
		return nil, err
	}
	defer in.Body.Close()
	response := &Response{Status: in.Status, Header: make(map[string]string, len(in.Header))}
	for _, field := range in.Header {
		if before, found := response.Header[field.Name]; found {
			field.Value = before + ", " + field.Value
		}
		response.Header[field.Name] = field.Value
	}
	response.Body, err = io.ReadAll(in.Body)
	return response, err
}
