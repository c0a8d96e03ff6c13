package flowmonkey

import (
	"flowmonkey/internal/abi"
)

// JobID is the job's id, the same in every attempt.
func (c *Context) JobID() string { return text(abi.JobID) }

// Handler is the name under which the handler was enqueued.
func (c *Context) Handler() string { return text(abi.JobHandler) }

// IdempotencyKey is the same in every attempt of this job and differs between jobs: hand it to services that
// drop repeated requests.
func (c *Context) IdempotencyKey() string { return text(abi.JobIdempotencyKey) }

// Attempt is the number of this attempt; the first is 1.
func (c *Context) Attempt() int { return int(abi.JobAttempt()) }

// MaxAttempts is how many attempts the job has in all.
func (c *Context) MaxAttempts() int { return int(abi.JobMaxAttempts()) }

// ExecutionID is the workflow execution that the job belongs to; empty if it belongs to none.
func (c *Context) ExecutionID() string { return optional(abi.JobExecutionID) }

// StepID is the step of that execution that the job is; empty if it is none.
func (c *Context) StepID() string { return optional(abi.JobStepID) }

// TraceParent is the W3C traceparent under which the job was enqueued; empty if there is none.
func (c *Context) TraceParent() string { return optional(abi.JobTraceParent) }

// ResumedWith puts what the job was resumed with after its last wait into what target points to, and tells
// whether there was anything. It is the same in every attempt until the handler waits again.
func (c *Context) ResumedWith(target any) (resumed bool, err error) {
	text := optional(abi.JobResumedWith)
	if text == "" { // JSON is never empty
		return false, nil
	}
	return true, abi.Decode("ResumedWith", text, target)
}

func text(fact func(*abi.Text)) (value string) {
	area := new(abi.Text)
	abi.Call(func() {
		fact(area)
		value = area.String()
	})
	return value
}

func optional(fact func(*abi.Optional)) (value string) {
	area := new(abi.Optional)
	abi.Call(func() {
		if fact(area); area.Some != 0 {
			value = area.Text.String()
		}
	})
	return value
}
