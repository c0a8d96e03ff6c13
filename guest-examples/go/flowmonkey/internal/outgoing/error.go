package outgoing

import (
	"fmt"
	"unsafe"

	"flowmonkey/internal/abi"
)

// Error is why an exchange came to nothing: the error-code of wasi:http.
type Error struct {
	Code string
	Text string // for people; may be empty

	invalid bool // it was refused for what it is, before it was sent
}

// Invalid is of a request that is malformed, and so is never sent.
func Invalid(code, text string) *Error { return &Error{Code: code, Text: text, invalid: true} }

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code
	}
	return e.Code + ": " + e.Text
}

// Unwrap tells what will never go better, since the request is malformed or the operator does not allow it, from
// all else.
func (e *Error) Unwrap() error {
	switch {
	case e.invalid:
		return abi.ErrInvalid
	case e.Code == "HTTP-request-denied", e.Code == "destination-IP-prohibited":
		return abi.ErrDenied
	default:
		return abi.ErrHTTP
	}
}

// In the order of the cases of error-code.
var codes = [...]string{
	"DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "destination-IP-prohibited",
	"destination-IP-unroutable", "connection-refused", "connection-terminated", "connection-timeout",
	"connection-read-timeout", "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error",
	"TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied", "HTTP-request-length-required",
	"HTTP-request-body-size", "HTTP-request-method-invalid", "HTTP-request-URI-invalid",
	"HTTP-request-URI-too-long", "HTTP-request-header-section-size", "HTTP-request-header-size",
	"HTTP-request-trailer-section-size", "HTTP-request-trailer-size", "HTTP-response-incomplete",
	"HTTP-response-header-section-size", "HTTP-response-header-size", "HTTP-response-body-size",
	"HTTP-response-trailer-section-size", "HTTP-response-trailer-size", "HTTP-response-transfer-coding",
	"HTTP-response-content-coding", "HTTP-response-timeout", "HTTP-upgrade-failed", "HTTP-protocol-error",
	"loop-detected", "configuration-error", "internal-error",
}

// err is to be called within abi.Call, since it reads memory.
func (c *code) err() *Error {
	if int(c.number) >= len(codes) {
		return &Error{Code: fmt.Sprintf("error-code %d", c.number)}
	}
	err := &Error{Code: codes[c.number]}
	if text := (*abi.Optional)(unsafe.Pointer(&c.payload)); err.Code == "internal-error" && text.Some != 0 {
		err.Text = text.Text.String()
	}
	return err
}

// errStream is of a stream that failed or closed before its end.
func errStream(result *bytesOrNot) error {
	if result.first != 0 {
		return &Error{Code: "connection-terminated", Text: "the stream is closed"}
	}
	found := new(optionalCode)
	err := &Error{Code: "connection-terminated"}
	abi.Call(func() {
		if codeOf(ioError(result.second), found); found.some != 0 {
			err = found.code.err()
		}
	})
	dropError(ioError(result.second))
	return err
}
