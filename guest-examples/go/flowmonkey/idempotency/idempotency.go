// Package idempotency answers "has this been done already?" for all jobs of the handler.
//
// It needs the grant `idempotency = true` in handler.toml. Errors are as in package checkpoint.
package idempotency

import (
	"time"

	"flowmonkey/internal/abi"
)

// Lookup puts what was recorded under a key into what target points to, and tells whether there is anything
// whose time is not over. target may be nil if that is all that is asked.
func Lookup(key string, target any) (found bool, err error) {
	if target == nil {
		target = new(any)
	}
	return abi.Get("idempotency.Lookup", abi.IdempotencyLookup, key, target)
}

// Record stores a value, of 64 KiB of JSON at most, under a key of 1 to 256 bytes, for a time or, if ttl is
// zero, for good. What is recorded first stands until its time is over: the same value again changes
// nothing, another is flowmonkey.ErrInvalid.
func Record(key string, value any, ttl time.Duration) error {
	record := func(key, value string, answer *abi.Answer) {
		abi.IdempotencyRecord(key, value, ttl > 0, uint64(ttl.Milliseconds()), answer)
	}
	return abi.Put("idempotency.Record", record, key, value)
}
