// Package wasihttp lets net/http send requests. Importing it is enough, since it takes the place of
// http.DefaultTransport:
//
//	import _ "flowmonkey/wasihttp"
//
//	response, err := http.Get("https://api.example.com/orders")
//
// It needs the grant `http = ["api.example.com"]` in handler.toml, which names the hosts: https unless it
// says http://. A redirect is a request of its own. An attempt may send 100 requests, a body may have 8 MiB
// each way, and a request may take 30 s, unless handler.toml says otherwise. A deadline of the request's
// context, or http.Client.Timeout, shortens that.
//
// An error wraps flowmonkey.ErrDenied if the operator does not allow the request, flowmonkey.ErrInvalid if its
// method, URL or header is malformed, else flowmonkey.ErrHTTP, and is an *Error. net/http makes a component 7 MB larger and three times as long to compile when it is pushed; where
// that matters and no library wants an http.Client, package fetch does the same without it.
package wasihttp

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"flowmonkey/internal/outgoing"
)

// Error is why an exchange came to nothing. Its Code is an error-code of wasi:http, such as
// connection-refused.
type Error = outgoing.Error

// Transport is an http.RoundTripper. Its zero value is ready to use. It neither pools connections nor follows
// redirects nor unpacks bodies: the first is the host's affair, the second http.Client's.
type Transport struct{}

func init() { http.DefaultTransport = Transport{} }

// RoundTrip sends one request.
func (Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	request := &outgoing.Request{Method: cmp.Or(r.Method, http.MethodGet), URL: r.URL, Host: r.Host, Header: header(r)}
	if r.Body != nil {
		request.Body = r.Body
	}
	if deadline, ok := r.Context().Deadline(); ok {
		request.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	response, err := outgoing.Send(request)
	if err != nil {
		return nil, err
	}
	return answer(r, response), nil
}

func header(r *http.Request) (fields []outgoing.Field) {
	for name, values := range r.Header {
		for _, value := range values {
			fields = append(fields, outgoing.Field{Name: strings.ToLower(name), Value: value})
		}
	}
	if r.ContentLength > 0 {
		fields = append(fields, outgoing.Field{Name: "content-length", Value: fmt.Sprint(r.ContentLength)})
	}
	return fields
}

func answer(r *http.Request, response *outgoing.Response) *http.Response {
	header := make(http.Header)
	for _, field := range response.Header {
		header.Add(field.Name, field.Value)
	}
	length := int64(-1)
	if _, err := fmt.Sscan(header.Get("Content-Length"), &length); err != nil {
		length = -1
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", response.Status, http.StatusText(response.Status)),
		StatusCode:    response.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          response.Body,
		ContentLength: length,
		Request:       r,
	}
}
