package flowmonkey

import (
	"errors"
	"fmt"
	"time"

	"flowmonkey/internal/abi"
)

// What Heartbeat and Progress return when the attempt should stop. A handler that returns one of
// them, wrapped or not, ends as cancelled.
var (
	// ErrCancelled: the job was cancelled or belongs to another attempt by now. Nothing that this attempt
	// records is kept. After a grace period it is interrupted.
	ErrCancelled = errors.New("the job was cancelled")
	// ErrDraining: the runner is stopping. Save a checkpoint and return this error, or finish if that is
	// quicker. The job is due again at once, and the attempt does not count.
	ErrDraining = errors.New("the runner is stopping")
)

// Why the host did not do what it was asked. Errors of this module wrap one of them; test with errors.Is. A
// handler that returns one ends as said here.
var (
	// ErrDenied: the operator has not granted this. Fatal, DENIED.
	ErrDenied = abi.ErrDenied
	// ErrLimitExceeded: the value, or the number of calls, is over a limit. Fatal, LIMIT_EXCEEDED.
	ErrLimitExceeded = abi.ErrLimitExceeded
	// ErrLeaseLost: the job belongs to another attempt by now, or was cancelled. Cancelled.
	ErrLeaseLost = abi.ErrLeaseLost
	// ErrUnavailable: the database or the network did not answer. Retryable, UNAVAILABLE.
	ErrUnavailable = abi.ErrUnavailable
	// ErrInvalid: the argument is not acceptable, such as an empty key or a malformed URL. Fatal, INVALID.
	ErrInvalid = abi.ErrInvalid
	// ErrHost: anything else. Retryable, HOST_ERROR.
	ErrHost = abi.ErrHost
	// ErrHTTP: a request could not be sent, or its response not be read. Retryable, HTTP_FAILED.
	ErrHTTP = abi.ErrHTTP
)

// Failure is an error that says how the attempt ends. Fatal and Retryable make plain ones.
type Failure struct {
	// Code is a short, stable name in capitals, such as BAD_ADDRESS. Programs match on it.
	Code string
	// Message is a sentence for the person who reads the job. Cut at 4,096 bytes.
	Message string
	// Details is encoded as JSON, for whoever looks for the cause. Dropped when over 16 KiB.
	Details any
	// Retry tells whether another attempt may go better.
	Retry bool
	// After is how long to wait before it, such as a server's Retry-After: at most 30 days. Zero leaves it to
	// the handler's retry policy.
	After time.Duration
	// Err is what led to it, for errors.Is and errors.As. It is not recorded.
	Err error
}

// Error is the message.
func (f *Failure) Error() string { return f.Message }

// Unwrap is what led to it.
func (f *Failure) Unwrap() error { return f.Err }

// Fatal is a failure that will never go better, such as an address that is none: the job fails now.
func Fatal(code, message string) error { return &Failure{Code: code, Message: message} }

// Fatalf is Fatal with the message, and the cause, of fmt.Errorf.
func Fatalf(code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Failure{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Retryable is a failure that may go better next time: the job runs again until its attempts are used up.
func Retryable(code, message string) error {
	return &Failure{Code: code, Message: message, Retry: true}
}

// Retryablef is Retryable with the message, and the cause, of fmt.Errorf.
func Retryablef(code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Failure{Code: code, Message: err.Error(), Retry: true, Err: errors.Unwrap(err)}
}

// Wait is not a failure: it is the error with which a handler says that the job goes on later. The
// attempt does not count, and the checkpoints stay. WaitFor, WaitUntil and WaitForSignal make one.
// How often one job may wait is limited, by default to 1000 times.
type Wait struct {
	// After is a time from now. Used if the two below are empty.
	After time.Duration
	// At is a moment.
	At time.Time
	// Signal names an event that somebody reports for this job, with a payload if they like: see
	// Context.ResumedWith. The name is for people; whoever resumes the job names the job.
	Signal string
	// Reason is shown to people who look at the waiting job. Cut at 4,096 bytes.
	Reason string
}

func (w *Wait) Error() string {
	switch {
	case w.Signal != "":
		return "wait for the signal " + w.Signal
	case !w.At.IsZero():
		return "wait until " + w.At.Format(time.RFC3339)
	default:
		return "wait for " + w.After.String()
	}
}

// WaitFor ends the attempt; the job is due again after d, counted from when the host records it.
func WaitFor(d time.Duration, reason string) error { return &Wait{After: d, Reason: reason} }

// WaitUntil ends the attempt; the job is due again at t.
func WaitUntil(t time.Time, reason string) error { return &Wait{At: t, Reason: reason} }

// WaitForSignal ends the attempt; the job is due again when somebody resumes it.
func WaitForSignal(name, reason string) error { return &Wait{Signal: name, Reason: reason} }
