package abi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Why the host did not do what it was asked. Package flowmonkey says what each means.
var (
	ErrDenied        = errors.New("denied")
	ErrLimitExceeded = errors.New("limit exceeded")
	ErrLeaseLost     = errors.New("the job belongs to another attempt by now, or was cancelled")
	ErrUnavailable   = errors.New("unavailable")
	ErrInvalid       = errors.New("invalid")
	ErrHost          = errors.New("host error")
	ErrHTTP          = errors.New("the HTTP exchange failed")
)

// In the order of the cases of host-error.
var reasons = [...]error{ErrDenied, ErrLimitExceeded, ErrLeaseLost, ErrUnavailable, ErrInvalid, ErrHost}

// HostError is what the host answered instead of doing what it was asked.
type HostError struct {
	Call   string // such as `checkpoint.Save "report"`
	Reason error  // one of the errors above
	Text   string // for people; may be empty
}

func (e *HostError) Error() string {
	if e.Text == "" {
		return e.Call + ": " + e.Reason.Error()
	}
	return e.Call + ": " + e.Reason.Error() + ": " + e.Text
}

func (e *HostError) Unwrap() error { return e.Reason }

// Err is the error of an answer, if it is one. To be called within Call, since it reads memory.
func (a *Answer) Err(call string) error {
	if a.failed == 0 {
		return nil
	}
	err := &HostError{Call: call, Reason: reasons[a.words[0]]}
	if err.Reason != ErrLeaseLost {
		err.Text = Text{start: a.words[1], bytes: a.words[2]}.String()
	}
	return err
}

// ConfigErr is Err for wasi:config, which has no case for what is not granted: the host begins the text with it.
func (a *Answer) ConfigErr(call string) error {
	if a.failed == 0 {
		return nil
	}
	text := Text{start: a.words[1], bytes: a.words[2]}.String()
	if why, denied := strings.CutPrefix(text, "denied: "); denied {
		return &HostError{Call: call, Reason: ErrDenied, Text: why}
	}
	return &HostError{Call: call, Reason: ErrUnavailable, Text: text}
}

// Name is how errors name a call with a key.
func Name(function, key string) string { return fmt.Sprintf("%s %q", function, key) }

// Encode is the JSON of a value that call hands over.
func Encode(call string, value any) (string, error) {
	text, err := JSON(value)
	if err != nil {
		return "", fmt.Errorf("%s: %w", call, err)
	}
	return text, nil
}

// JSON is json.Marshal without escapes for HTML, since people read it. What a json.RawMessage holds is copied
// as it is, so it may not be UTF-8.
func JSON(value any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return UTF8(strings.TrimSuffix(text.String(), "\n")), err
}

// Decode puts the JSON that call has returned into what target points to.
func Decode(call, text string, target any) error {
	if err := json.Unmarshal([]byte(text), target); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}
