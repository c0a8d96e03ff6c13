package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"flowmonkey"
	"flowmonkey/checkpoint"
)

func facts(ctx *flowmonkey.Context, _ Input) (any, error) {
	var resumedWith, deadlineMS any
	if _, err := ctx.ResumedWith(&resumedWith); err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		deadlineMS = deadline.UnixMilli()
	}
	return object{
		"id":             ctx.JobID(),
		"handler":        ctx.Handler(),
		"attempt":        ctx.Attempt(),
		"maxAttempts":    ctx.MaxAttempts(),
		"idempotencyKey": ctx.IdempotencyKey(),
		"executionId":    nullIfEmpty(ctx.ExecutionID()),
		"stepId":         nullIfEmpty(ctx.StepID()),
		"deadlineMs":     deadlineMS,
		"resumedWith":    resumedWith,
		"traceParent":    nullIfEmpty(ctx.TraceParent()),
	}, nil
}

func nullIfEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func heartbeat(ctx *flowmonkey.Context, in Input) (any, error) {
	for range in.Turns {
		if err := ctx.Heartbeat(); err != nil {
			return nil, err
		}
		time.Sleep(milliseconds(in.PauseMS))
	}
	return object{"turns": in.Turns}, nil
}

func progress(ctx *flowmonkey.Context, in Input) (any, error) {
	if err := ctx.Progress(in.Percent, in.Message); err != nil {
		return nil, err
	}
	return object{"percent": in.Percent}, nil
}

func count(ctx *flowmonkey.Context, in Input) (any, error) {
	var n int
	if _, err := checkpoint.Restore("n", &n); err != nil {
		return nil, err
	}
	n++
	if err := checkpoint.Save("n", n); err != nil {
		return nil, err
	}
	if err := checkpoint.Save("last", object{"attempt": ctx.Attempt()}); err != nil {
		return nil, err
	}
	if n < in.Times {
		return nil, flowmonkey.Retryablef("AGAIN", "%d of %d times", n, in.Times)
	}
	keys, err := checkpoint.Keys()
	if err != nil {
		return nil, err
	}
	if err := checkpoint.Delete("last"); err != nil {
		return nil, err
	}
	left, err := checkpoint.Keys()
	return object{"n": n, "keys": keys, "left": left}, err
}

func log(ctx *flowmonkey.Context, _ Input) (any, error) {
	levels := map[string]slog.Level{
		"trace": flowmonkey.LevelTrace,
		"debug": slog.LevelDebug,
		"info":  slog.LevelInfo,
		"warn":  slog.LevelWarn,
		"error": slog.LevelError,
	}
	for _, name := range strings.Fields("trace debug info warn error") {
		ctx.Log().Log(ctx, levels[name], "at "+name, "level", name)
	}
	return nil, nil
}

func print(_ *flowmonkey.Context, in Input) (any, error) {
	fmt.Println(in.Out)
	fmt.Fprintln(os.Stderr, in.Err)
	return nil, nil
}

func random(*flowmonkey.Context, Input) (any, error) {
	return object{"random": fmt.Sprint(rand.Float64())}, nil
}

func now(*flowmonkey.Context, Input) (any, error) {
	return object{"ms": time.Now().UnixMilli()}, nil
}

func sleep(_ *flowmonkey.Context, in Input) (any, error) {
	time.Sleep(milliseconds(in.MS))
	return nil, nil
}
