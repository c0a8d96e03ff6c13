// Package outgoing sends HTTP requests over wasi:http/outgoing-handler. Its imports follow the rules
// that package abi describes; a handle of a resource is a number.
package outgoing

import (
	"structs"
	"unsafe"

	"flowmonkey/internal/abi"
)

type (
	fields       uint32
	request      uint32
	requestBody  uint32
	outputStream uint32
	options      uint32
	future       uint32
	pollable     uint32
	response     uint32
	responseBody uint32
	inputStream  uint32
	ioError      uint32
)

// handleOrNot is result<own<T>, E> for an E that says no more, or that fits one more number.
type handleOrNot struct {
	_      structs.HostLayout
	failed uint32
	handle uint32
}

// bytesOrNot is result<list<u8>, stream-error>.
type bytesOrNot struct {
	_      structs.HostLayout
	failed uint32
	first  uint32 // the start of the bytes, or the case of the error
	second uint32 // their number, or the handle of the error
}

type list struct {
	_             structs.HostLayout
	start, length uint32
}

// code is error-code, of which some cases have a number of 64 bits.
type code struct {
	_       structs.HostLayout
	number  uint32
	_       uint32
	payload [3]uint64
}

// optionalCode is result<_, error-code> and option<error-code>.
type optionalCode struct {
	_    structs.HostLayout
	some uint32
	_    uint32
	code code
}

// futureOrNot is result<own<future-incoming-response>, error-code>.
type futureOrNot struct {
	_      structs.HostLayout
	failed uint32
	_      uint32
	code   code // or its first number is the handle
}

// arrival is option<result<result<own<incoming-response>, error-code>>>.
type arrival struct {
	_      structs.HostLayout
	ready  uint32
	_      uint32
	taken  uint32
	_      uint32
	failed uint32
	_      uint32
	code   code // or its first number is the handle
}

// The sizes that the component model gives these types; it does not compile with others.
var (
	_ = [1]int{}[unsafe.Sizeof(code{})-32]
	_ = [1]int{}[unsafe.Sizeof(arrival{})-56]
)

//go:wasmimport wasi:http/types@0.2.0 [static]fields.from-list
func newFields(pairs *abi.Pair, count uint32, result *handleOrNot)

//go:wasmimport wasi:http/types@0.2.0 [method]fields.entries
func fieldsEntries(fields, *list)

//go:wasmimport wasi:http/types@0.2.0 [constructor]outgoing-request
func newRequest(fields) request

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-method
func setMethod(r request, method uint32, other string) (failed bool)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-path-with-query
func setPath(r request, some bool, path string) (failed bool)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-scheme
func setScheme(r request, some bool, scheme uint32, other string) (failed bool)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.set-authority
func setAuthority(r request, some bool, authority string) (failed bool)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-request.body
func bodyOf(request, *handleOrNot)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-body.write
func writerOf(requestBody, *handleOrNot)

//go:wasmimport wasi:http/types@0.2.0 [static]outgoing-body.finish
func finish(body requestBody, hasTrailers bool, trailers fields, result *optionalCode)

//go:wasmimport wasi:io/streams@0.2.0 [method]output-stream.blocking-write-and-flush
func write(stream outputStream, bytes *byte, count uint32, result *bytesOrNot)

//go:wasmimport wasi:http/types@0.2.0 [constructor]request-options
func newOptions() options

//go:wasmimport wasi:http/types@0.2.0 [method]request-options.set-connect-timeout
func setConnectTimeout(o options, some bool, ns uint64) (failed bool)

//go:wasmimport wasi:http/types@0.2.0 [method]request-options.set-first-byte-timeout
func setFirstByteTimeout(o options, some bool, ns uint64) (failed bool)

//go:wasmimport wasi:http/types@0.2.0 [method]request-options.set-between-bytes-timeout
func setBetweenBytesTimeout(o options, some bool, ns uint64) (failed bool)

//go:wasmimport wasi:http/outgoing-handler@0.2.0 handle
func handle(r request, hasOptions bool, o options, result *futureOrNot)

//go:wasmimport wasi:http/types@0.2.0 [method]future-incoming-response.subscribe
func subscribe(future) pollable

//go:wasmimport wasi:io/poll@0.2.0 [method]pollable.block
func block(pollable)

//go:wasmimport wasi:http/types@0.2.0 [method]future-incoming-response.get
func get(future, *arrival)

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-response.status
func statusOf(response) uint32

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-response.headers
func headersOf(response) fields

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-response.consume
func consume(response, *handleOrNot)

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-body.stream
func readerOf(responseBody, *handleOrNot)

//go:wasmimport wasi:io/streams@0.2.0 [method]input-stream.blocking-read
func read(stream inputStream, bytesMax uint64, result *bytesOrNot)

//go:wasmimport wasi:http/types@0.2.0 http-error-code
func codeOf(ioError, *optionalCode)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]fields
func dropFields(fields)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]outgoing-request
func dropRequest(request)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]outgoing-body
func dropRequestBody(requestBody)

//go:wasmimport wasi:io/streams@0.2.0 [resource-drop]output-stream
func dropOutput(outputStream)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]future-incoming-response
func dropFuture(future)

//go:wasmimport wasi:io/poll@0.2.0 [resource-drop]pollable
func dropPollable(pollable)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]incoming-response
func dropResponse(response)

//go:wasmimport wasi:http/types@0.2.0 [resource-drop]incoming-body
func dropResponseBody(responseBody)

//go:wasmimport wasi:io/streams@0.2.0 [resource-drop]input-stream
func dropInput(inputStream)

//go:wasmimport wasi:io/error@0.2.0 [resource-drop]error
func dropError(ioError)
