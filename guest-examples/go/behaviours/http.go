//go:build !nethttp

package main

import (
	"flowmonkey"
	"flowmonkey/fetch"
)

func request(ctx *flowmonkey.Context, in Input) (any, error) {
	request := fetch.Request{Method: in.Method, URL: in.URL, Header: in.Headers}
	if in.Body != nil {
		request.Body = []byte(*in.Body)
	}
	response, err := fetch.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	return object{
		"status":  response.Status,
		"headers": response.Header,
		"body":    string(response.Body),
	}, nil
}
