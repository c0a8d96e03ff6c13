package abi

import (
	"structs"
	"unsafe"
)

// Outcome is what a handler returns: result<outcome, job-error>.
type Outcome struct {
	_       structs.HostLayout
	failed  uint32
	_       uint32
	kind    uint32
	_       uint32
	payload [6]uint64
}

const (
	kindSuccess uint32 = iota // of outcome
	kindWait
)

const (
	kindRetryable uint32 = iota // of job-error
	kindFatal
	kindCancelled
)

type wait struct {
	_      structs.HostLayout
	kind   uint32
	_      uint32
	number uint64
	reason Optional
}

type waitForSignal struct {
	_      structs.HostLayout
	kind   uint32
	_      uint32
	name   Text
	reason Optional
}

// Of the cases of wake.
const (
	wakeAt uint32 = iota
	wakeAfter
	wakeSignal
)

type failure struct {
	_             structs.HostLayout
	code, message Text
	details       Optional
	_             uint32
	after         OptionalNumber // of retryable only
}

// The sizes that the component model gives these types; it does not compile with others.
var (
	_ = [1]int{}[unsafe.Sizeof(Outcome{})-64]
	_ = [1]int{}[unsafe.Sizeof(failure{})-48]
	_ = [1]int{}[unsafe.Offsetof(wait{}.reason)-16]
	_ = [1]int{}[unsafe.Offsetof(waitForSignal{}.reason)-16]
)

// What was returned last. The host reads it after the return, when no Go code runs. So it is the texts that it
// points to that are kept: those that UTF8 has made, where that made new ones.
var (
	outcome     Outcome
	outcomeText [3]string // keeps what outcome points to
	description Text
)

func end[T any](failed bool, kind uint32, payload T, texts ...string) *Outcome {
	outcome = Outcome{kind: kind}
	if failed {
		outcome.failed = 1
	}
	*(*T)(unsafe.Pointer(&outcome.payload)) = payload
	copy(outcomeText[:], texts)
	return &outcome
}

// EndedWell is success; the result may be empty.
func EndedWell(result string) *Outcome {
	result = UTF8(result)
	return end(false, kindSuccess, someUnlessEmpty(result), result)
}

// WaitsUntil is a wait until a moment; the reason may be empty, as in the next two.
func WaitsUntil(ms uint64, reason string) *Outcome {
	reason = UTF8(reason)
	return end(false, kindWait, wait{kind: wakeAt, number: ms, reason: someUnlessEmpty(reason)}, reason)
}

// WaitsFor is a wait for a time.
func WaitsFor(ms uint64, reason string) *Outcome {
	reason = UTF8(reason)
	return end(false, kindWait, wait{kind: wakeAfter, number: ms, reason: someUnlessEmpty(reason)}, reason)
}

// WaitsForSignal is a wait for an event.
func WaitsForSignal(name, reason string) *Outcome {
	name, reason = UTF8(name), UTF8(reason)
	payload := waitForSignal{kind: wakeSignal, name: TextOf(name), reason: someUnlessEmpty(reason)}
	return end(false, kindWait, payload, name, reason)
}

// EndedFatal is a failure for good; the details may be empty, as in the next.
func EndedFatal(code, message, details string) *Outcome {
	code, message, details = UTF8(code), UTF8(message), UTF8(details)
	return end(true, kindFatal, failureOf(code, message, details), code, message, details)
}

// EndedRetryable is a failure; the retry policy decides when to try again if afterMS is zero.
func EndedRetryable(code, message, details string, afterMS uint64) *Outcome {
	code, message, details = UTF8(code), UTF8(message), UTF8(details)
	payload := failureOf(code, message, details)
	if afterMS != 0 {
		payload.after = OptionalNumber{Some: 1, Number: afterMS}
	}
	return end(true, kindRetryable, payload, code, message, details)
}

// EndedCancelled is the answer to a handler that was told to stop.
func EndedCancelled() *Outcome { return end(true, kindCancelled, Optional{}) }

// Described is what a handler says of itself.
func Described(text string) *Text {
	text = UTF8(text)
	outcomeText[0] = text
	description = TextOf(text)
	return &description
}

// Received is the input that the host has put at an address.
func Received(start *byte, bytes uint32) string { return unsafe.String(start, bytes) }

func failureOf(code, message, details string) failure {
	return failure{code: TextOf(code), message: TextOf(message), details: someUnlessEmpty(details)}
}

func someUnlessEmpty(text string) Optional {
	if text == "" {
		return Optional{}
	}
	return Some(text)
}
