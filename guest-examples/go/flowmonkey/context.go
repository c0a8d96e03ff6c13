package flowmonkey

import (
	"context"
	"log/slog"
	"time"

	"flowmonkey/internal/abi"
)

// Context is one attempt of one job: what is known of it, and the dialogue with the host while it runs.
//
// As a context.Context it is done once Heartbeat, Progress or Cancelled has heard that the attempt should
// stop; context.Cause then tells ErrCancelled from ErrDraining. Its deadline is when the attempt will be
// interrupted; it is not done then, as by then it is over.
type Context struct {
	context.Context
	cancel context.CancelCauseFunc
}

func newContext() *Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Context{ctx, cancel}
}

// Heartbeat says that the attempt is alive, and asks whether it should go on. It returns nil, ErrCancelled
// or ErrDraining; return the error from the handler to stop as told to. It is cheap: call it in
// every turn of a long loop. Only a handler with a heartbeat timeout has to.
func (c *Context) Heartbeat() error { return c.obey(abi.Heartbeat()) }

// Progress reports how far the work is, from 0 to 100, for people to see. It is a Heartbeat, too. The message
// may be empty. Reports that follow each other closely are thinned out; the last one is kept.
func (c *Context) Progress(percent float64, message string) error {
	return c.obey(abi.Progress(float32(percent), message != "", abi.UTF8(message)))
}

// Cancelled tells whether the job was cancelled or lost, without being a sign of life.
func (c *Context) Cancelled() bool {
	if !abi.Cancelled() {
		return false
	}
	c.cancel(ErrCancelled)
	return true
}

func (c *Context) obey(directive uint32) error {
	var err error
	switch directive {
	case abi.Proceed:
		return nil
	case abi.Drain:
		err = ErrDraining
	default:
		err = ErrCancelled
	}
	c.cancel(err)
	return err
}

// Deadline is when this attempt will be interrupted, if it will.
func (c *Context) Deadline() (deadline time.Time, ok bool) {
	ms := new(abi.OptionalNumber)
	abi.JobDeadlineMS(ms)
	if ms.Some == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(ms.Number)), true
}

// Log writes to the job's log, as slog.Default does in a handler. Never log secrets. Lines and bytes of an
// attempt are limited; what is over the limit is dropped and counted.
func (c *Context) Log() *slog.Logger { return logger }
