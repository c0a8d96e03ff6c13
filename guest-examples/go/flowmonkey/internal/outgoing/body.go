package outgoing

import (
	"io"

	"flowmonkey/internal/abi"
)

// open takes a response apart.
func open(incoming response) (*Response, error) {
	defer dropResponse(incoming)
	opened := &Response{Status: int(statusOf(incoming))}
	header := headersOf(incoming)
	abi.Call(func() {
		entries := new(list)
		fieldsEntries(header, entries)
		for _, pair := range abi.List[abi.Pair](entries.start, entries.length) {
			opened.Header = append(opened.Header, Field{pair.Name.String(), pair.Value.String()})
		}
	})
	dropFields(header)
	body, stream := new(handleOrNot), new(handleOrNot) // these calls fail only the second time
	consume(incoming, body)
	readerOf(responseBody(body.handle), stream)
	opened.Body = &reader{body: responseBody(body.handle), stream: inputStream(stream.handle)}
	return opened, nil
}

// reader is the body of a response.
type reader struct {
	body   responseBody
	stream inputStream
	end    error // once there is nothing more to read
}

func (r *reader) Read(into []byte) (n int, err error) {
	if r.end != nil || len(into) == 0 {
		return 0, r.end
	}
	result := new(bytesOrNot)
	abi.Call(func() {
		if read(r.stream, uint64(len(into)), result); result.failed == 0 {
			n = copy(into, abi.TextAt(result.first, result.second).Bytes())
		}
	})
	switch {
	case result.failed == 0:
		return n, nil
	case result.first != 0: // closed
		r.end = io.EOF
	default:
		r.end = errStream(result)
	}
	return 0, r.end
}

func (r *reader) Close() error {
	if r.stream != 0 {
		dropInput(r.stream)
		dropResponseBody(r.body)
		r.stream, r.end = 0, io.ErrClosedPipe
	}
	return nil
}
