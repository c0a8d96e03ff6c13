package flowmonkey

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"flowmonkey/internal/abi"
)

// stackBytesMax leaves room in the 16 KiB that the details of a failure may have.
const stackBytesMax = 12 << 10

// attempt runs the handler. What it ends in is a result, a *Wait, a *Failure or ErrCancelled.
func attempt(input string) (result string, end error) {
	ctx := newContext()
	defer func() {
		if cause := recover(); cause != nil {
			end = exception(cause)
		}
	}()
	if handler == nil {
		return "", Fatal("NO_HANDLER", "flowmonkey.Handle was not called from init")
	}
	result, err := handler(ctx, input)
	return result, ending(ctx, err)
}

func exception(cause any) error {
	// What comes before the call of panic is our own.
	stack := string(debug.Stack())
	if at := strings.Index(stack, "\npanic("); at >= 0 {
		stack = stack[at+1:]
	}
	details := map[string]string{"stack": stack[:min(len(stack), stackBytesMax)]}
	return &Failure{Code: "EXCEPTION", Message: fmt.Sprint(cause), Details: details, Retry: true}
}

// ending is what a handler's error means, as the documentation of this package says.
func ending(ctx *Context, err error) error {
	var wait *Wait
	var failure *Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failure):
		if err == error(failure) {
			return failure
		}
		wrapped := *failure
		wrapped.Message = err.Error()
		return &wrapped
	case errors.As(err, &wait):
		return wait
	case errors.Is(err, ErrCancelled), errors.Is(err, ErrDraining), errors.Is(err, ErrLeaseLost):
		return ErrCancelled
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return ErrCancelled
	case errors.Is(err, ErrDenied):
		return Fatal("DENIED", err.Error())
	case errors.Is(err, ErrLimitExceeded):
		return Fatal("LIMIT_EXCEEDED", err.Error())
	case errors.Is(err, ErrInvalid):
		return Fatal("INVALID", err.Error())
	case errors.Is(err, ErrUnavailable):
		return Retryable("UNAVAILABLE", err.Error())
	case errors.Is(err, ErrHost):
		return Retryable("HOST_ERROR", err.Error())
	case errors.Is(err, ErrHTTP):
		return Retryable("HTTP_FAILED", err.Error())
	default:
		return Retryable("ERROR", err.Error())
	}
}

//go:wasmexport flowmonkey:jobs/handler@0.1.0#run
func exportRun(input *byte, bytes uint32) *abi.Outcome {
	text := abi.Received(input, bytes)
	abi.CollectGarbage()
	result, end := attempt(text)
	switch end := end.(type) {
	case nil:
		return abi.EndedWell(result)
	case *Wait:
		return waiting(end)
	case *Failure:
		return failed(end)
	default:
		return abi.EndedCancelled()
	}
}

func waiting(wait *Wait) *abi.Outcome {
	switch {
	case wait.Signal != "":
		return abi.WaitsForSignal(wait.Signal, wait.Reason)
	case !wait.At.IsZero():
		return abi.WaitsUntil(uint64(max(0, wait.At.UnixMilli())), wait.Reason)
	default:
		return abi.WaitsFor(milliseconds(wait.After), wait.Reason)
	}
}

func failed(failure *Failure) *abi.Outcome {
	var details string
	if failure.Details != nil {
		var err error
		if details, err = abi.JSON(failure.Details); err != nil {
			details, _ = abi.JSON(fmt.Sprintf("%+v", failure.Details))
		}
	}
	if !failure.Retry {
		return abi.EndedFatal(failure.Code, failure.Message, details)
	}
	return abi.EndedRetryable(failure.Code, failure.Message, details, milliseconds(failure.After))
}

func milliseconds(d time.Duration) uint64 { return uint64(max(0, d.Milliseconds())) }

//go:wasmexport flowmonkey:jobs/metadata@0.1.0#describe
func exportDescribe() *abi.Text {
	abi.CollectGarbage()
	text, err := abi.JSON(description)
	if err != nil {
		panic(err) // a schema is not JSON
	}
	return abi.Described(text)
}
