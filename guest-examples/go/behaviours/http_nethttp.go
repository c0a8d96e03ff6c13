//go:build nethttp

// The same with net/http: GOFLAGS=-tags=nethttp flowmonkey build

package main

import (
	"io"
	"net/http"
	"strings"

	"flowmonkey"
	_ "flowmonkey/wasihttp" // http.DefaultClient sends with it
)

func request(ctx *flowmonkey.Context, in Input) (any, error) {
	var body io.Reader
	if in.Body != nil {
		body = strings.NewReader(*in.Body)
	}
	r, err := http.NewRequestWithContext(ctx, in.Method, in.URL, body)
	if err != nil {
		return nil, flowmonkey.Fatal("BAD_INPUT", err.Error())
	}
	for name, value := range in.Headers {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]string)
	for name, values := range response.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return object{"status": response.StatusCode, "headers": headers, "body": string(text)}, nil
}
