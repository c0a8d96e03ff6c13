package main

import (
	"encoding/json"
	"errors"
	"time"

	"flowmonkey"
	"flowmonkey/checkpoint"
)

func echo(_ *flowmonkey.Context, in Input) (any, error) { return in.Value, nil }

func nothing(*flowmonkey.Context, Input) (any, error) { return nil, nil }

func fail(_ *flowmonkey.Context, in Input) (any, error) {
	failure := &flowmonkey.Failure{Code: in.Code, Message: in.Message, Retry: in.Do == "retryable"}
	if in.Details != nil {
		failure.Details = in.Details
	}
	if in.AfterMS != nil {
		failure.After = milliseconds(*in.AfterMS)
	}
	return nil, failure
}

func deeper(_ *flowmonkey.Context, in Input) (any, error) { return deepest(in.Message), nil }

//go:noinline
func deepest(message string) any { panic(errors.New(message)) }

// trap panics where nobody can recover: in a goroutine of its own.
func trap(*flowmonkey.Context, Input) (any, error) {
	go func() { panic("trapped") }()
	select {}
}

func wait(ctx *flowmonkey.Context, in Input) (any, error) {
	var with json.RawMessage
	resumed, err := ctx.ResumedWith(&with)
	if err != nil {
		return nil, err
	}
	waited, err := checkpoint.Restore("waited", new(bool))
	if err != nil {
		return nil, err
	}
	if resumed || waited {
		return object{"resumedWith": with}, nil
	}
	if err := checkpoint.Save("waited", true); err != nil {
		return nil, err
	}
	switch {
	case in.Signal != "":
		return nil, flowmonkey.WaitForSignal(in.Signal, in.Reason)
	case in.AtMS != nil:
		return nil, flowmonkey.WaitUntil(time.UnixMilli(*in.AtMS), in.Reason)
	case in.AfterMS != nil:
		return nil, flowmonkey.WaitFor(milliseconds(*in.AfterMS), in.Reason)
	default:
		return nil, flowmonkey.Fatal("BAD_INPUT", "wait needs afterMs, atMs or signal")
	}
}

func spin(*flowmonkey.Context, Input) (any, error) {
	for turns := 0; ; turns++ {
	}
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
