// Package abi is how Go calls the host and is called by it: the functions of the WIT package
// flowmonkey:jobs in the component model's canonical form. Go's own rules for go:wasmimport do most of it:
// a string is an address and a length, a pointer an address. What is an option takes a flag before
// the value, and what is more than one number is written to where the last parameter points. Every string that
// is passed has to be UTF-8: see UTF8.
package abi

// interface job

//go:wasmimport flowmonkey:jobs/job@0.1.0 id
func JobID(*Text)

//go:wasmimport flowmonkey:jobs/job@0.1.0 handler
func JobHandler(*Text)

//go:wasmimport flowmonkey:jobs/job@0.1.0 execution-id
func JobExecutionID(*Optional)

//go:wasmimport flowmonkey:jobs/job@0.1.0 step-id
func JobStepID(*Optional)

//go:wasmimport flowmonkey:jobs/job@0.1.0 idempotency-key
func JobIdempotencyKey(*Text)

//go:wasmimport flowmonkey:jobs/job@0.1.0 attempt
func JobAttempt() uint32

//go:wasmimport flowmonkey:jobs/job@0.1.0 max-attempts
func JobMaxAttempts() uint32

//go:wasmimport flowmonkey:jobs/job@0.1.0 resumed-with
func JobResumedWith(*Optional)

//go:wasmimport flowmonkey:jobs/job@0.1.0 deadline-ms
func JobDeadlineMS(*OptionalNumber)

//go:wasmimport flowmonkey:jobs/job@0.1.0 trace-parent
func JobTraceParent(*Optional)

// interface control

// What the host wants of an attempt.
const (
	Proceed uint32 = iota
	Cancel
	Drain
)

//go:wasmimport flowmonkey:jobs/control@0.1.0 heartbeat
func Heartbeat() uint32

//go:wasmimport flowmonkey:jobs/control@0.1.0 cancelled
func Cancelled() bool

//go:wasmimport flowmonkey:jobs/control@0.1.0 progress
func Progress(percent float32, hasMessage bool, message string) uint32

// interface checkpoint

//go:wasmimport flowmonkey:jobs/checkpoint@0.1.0 save
func CheckpointSave(key, value string, answer *Answer)

//go:wasmimport flowmonkey:jobs/checkpoint@0.1.0 restore
func CheckpointRestore(key string, answer *Answer)

//go:wasmimport flowmonkey:jobs/checkpoint@0.1.0 keys
func CheckpointKeys(answer *Answer)

//go:wasmimport flowmonkey:jobs/checkpoint@0.1.0 delete
func CheckpointDelete(key string, answer *Answer)

//go:wasmimport flowmonkey:jobs/checkpoint@0.1.0 clear
func CheckpointClear(answer *Answer)

// interface log

//go:wasmimport flowmonkey:jobs/log@0.1.0 log
func Log(level uint32, message string, fields *Pair, count uint32)

// interface context

//go:wasmimport flowmonkey:jobs/context@0.1.0 get
func ContextGet(key string, answer *Answer)

//go:wasmimport flowmonkey:jobs/context@0.1.0 set
func ContextSet(key, value string, answer *Answer)

//go:wasmimport flowmonkey:jobs/context@0.1.0 delete
func ContextDelete(key string, answer *Answer)

//go:wasmimport flowmonkey:jobs/context@0.1.0 keys
func ContextKeys(answer *Answer)

// interface queue

//go:wasmimport flowmonkey:jobs/queue@0.1.0 enqueue
func QueueEnqueue(
	handler, input string,
	hasStart bool, startIsAfter bool, start uint64,
	hasPriority bool, priority uint32,
	hasMaxAttempts bool, maxAttempts uint32,
	hasUniqueKey bool, uniqueKey string,
	answer *Answer,
)

// interface idempotency

//go:wasmimport flowmonkey:jobs/idempotency@0.1.0 lookup
func IdempotencyLookup(key string, answer *Answer)

//go:wasmimport flowmonkey:jobs/idempotency@0.1.0 record
func IdempotencyRecord(key, value string, hasTTL bool, ttlMS uint64, answer *Answer)

// interface wasi:config/store; its error has two cases, both with a text

//go:wasmimport wasi:config/store@0.2.0-rc.1 get
func ConfigGet(key string, answer *Answer)

//go:wasmimport wasi:config/store@0.2.0-rc.1 get-all
func ConfigGetAll(answer *Answer)
