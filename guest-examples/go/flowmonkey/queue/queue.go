// Package queue makes jobs for other handlers.
//
// It needs the grant `queue = ["digest-send"]` in handler.toml, which names the handlers.
package queue

import (
	"time"

	"flowmonkey/internal/abi"
)

// Option is something that the target handler's own settings decide otherwise.
type Option func(*request)

type request struct {
	hasStart, startIsAfter bool
	startMS                uint64
	hasPriority            bool
	priority               uint32
	hasMaxAttempts         bool
	maxAttempts            uint32
	uniqueKey              string
}

// At makes the job due at t instead of now.
func At(t time.Time) Option {
	return func(r *request) {
		r.hasStart, r.startIsAfter, r.startMS = true, false, uint64(max(0, t.UnixMilli()))
	}
}

// After makes the job due after d instead of now.
func After(d time.Duration) Option {
	return func(r *request) {
		r.hasStart, r.startIsAfter, r.startMS = true, true, uint64(max(0, d.Milliseconds()))
	}
}

// Priority is from 0 (first) to 9 (last).
func Priority(p uint8) Option {
	return func(r *request) { r.hasPriority, r.priority = true, uint32(p) }
}

// MaxAttempts is how many attempts the job has in all.
func MaxAttempts(n uint32) Option {
	return func(r *request) { r.hasMaxAttempts, r.maxAttempts = true, n }
}

// UniqueKey makes Enqueue return the id of the pending or running job of that handler with the same key,
// if there is one, instead of making a second job.
func UniqueKey(key string) Option {
	return func(r *request) { r.uniqueKey = key }
}

// Enqueue makes a job and returns its id. It is durable when Enqueue returns and stays even if this attempt
// fails: give it a UniqueKey, as the attempt may run again. The job belongs to this job's execution,
// as no step of it. Errors are as in package checkpoint.
func Enqueue(handler string, input any, options ...Option) (id string, err error) {
	call := abi.Name("queue.Enqueue", handler)
	text, err := abi.Encode(call, input)
	if err != nil {
		return "", err
	}
	var r request
	for _, option := range options {
		option(&r)
	}
	handler, r.uniqueKey = abi.UTF8(handler), abi.UTF8(r.uniqueKey)
	answer := new(abi.Answer)
	abi.Call(func() {
		abi.QueueEnqueue(handler, text,
			r.hasStart, r.startIsAfter, r.startMS,
			r.hasPriority, r.priority,
			r.hasMaxAttempts, r.maxAttempts,
			r.uniqueKey != "", r.uniqueKey,
			answer)
		if err = answer.Err(call); err == nil {
			id = answer.String()
		}
	})
	return id, err
}
