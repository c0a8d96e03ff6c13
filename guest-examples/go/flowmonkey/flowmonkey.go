// Package flowmonkey is for handlers of FlowMonkey Jobs: programs that run one attempt of one job, sandboxed.
//
//	package main
//
//	import "flowmonkey"
//
//	func main() {} // not called
//
//	func init() { flowmonkey.Handle(run) }
//
//	func run(ctx *flowmonkey.Context, in Input) (Output, error) { … }
//
// Input and Output are any types that encoding/json knows. What run returns decides how the attempt ends:
//
//	return out, nil                                         // success; the job is done
//	return out, flowmonkey.Fatal("BAD_NAME", "…")           // the job fails for good
//	return out, flowmonkey.Retryable("BUSY", "…")           // the job runs again, while it has attempts left
//	return out, flowmonkey.WaitFor(time.Hour, "…")          // the job goes on later; not a failure
//	return out, err                                         // err from ctx.Heartbeat: stopped as told to
//	return out, err                                         // any other error: retryable, with the code ERROR
//
// An error may be wrapped. A panic of run is retryable and has the code EXCEPTION; one of another
// goroutine, and whatever else ends a Go program, has the code TRAP.
//
// Every attempt starts afresh: nothing survives in variables. What must survive is kept with the package
// flowmonkey/checkpoint.
//
// Packages whose functions need a grant say so: flowmonkey/config, flowmonkey/execution (context),
// flowmonkey/fetch and flowmonkey/wasihttp (http), flowmonkey/idempotency and flowmonkey/queue. A handler that
// calls one of them asks for the grant, so handler.toml has to mention it under [grants].
//
// Goroutines, time.Sleep, the clocks, crypto/rand and math/rand work as everywhere, on one thread; a call of
// the host holds up all goroutines. What is printed goes to the job's log. There are no files, no sockets, no
// arguments and no environment. The garbage collector aims at 112 MiB in all; a handler with another memory limit
// in handler.toml than 128 MiB calls debug.SetMemoryLimit from init with a little less.
package flowmonkey

import (
	"encoding/json"

	"flowmonkey/internal/abi"
)

// handler is what Handle was given, without its types. Its result is JSON, or empty if there is none.
var handler func(ctx *Context, input string) (result string, err error)

// Handle makes run what the handler does. It is called once, from init.
//
// The job's input is decoded as json.Unmarshal does it: a field that is missing is left at its zero value,
// so take a pointer where that matters, or json.RawMessage for input as it was written. Input that does not
// fit fails the job with the code BAD_INPUT. An Output that is a nil interface is no result.
func Handle[Input, Output any](run func(ctx *Context, in Input) (Output, error)) {
	if handler != nil {
		panic("flowmonkey: Handle is called twice")
	}
	handler = func(ctx *Context, text string) (string, error) {
		var in Input
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			return "", Fatal("BAD_INPUT", err.Error())
		}
		out, err := run(ctx, in)
		if err != nil || any(out) == nil {
			return "", err
		}
		return abi.JSON(out)
	}
}

// Description is what a handler says of itself; it is read once, when the handler is pushed. Fields that
// are left out fall to handler.toml.
type Description struct {
	Name             string          `json:"name,omitempty"`
	Description      string          `json:"description,omitempty"`
	Category         string          `json:"category,omitempty"`
	Version          string          `json:"version,omitempty"`
	Stateful         *bool           `json:"stateful,omitempty"`
	Retryable        *bool           `json:"retryable,omitempty"`
	DefaultTimeoutMS int64           `json:"default-timeout-ms,omitempty"`
	ConfigSchema     json.RawMessage `json:"config-schema,omitempty"` // a JSON Schema, as are the next two
	InputSchema      json.RawMessage `json:"input-schema,omitempty"`
	OutputSchema     json.RawMessage `json:"output-schema,omitempty"`
}

var description Description

// Describe says what the handler is. It is called from init.
func Describe(d Description) { description = d }
