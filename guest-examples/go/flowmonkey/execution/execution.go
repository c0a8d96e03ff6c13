// Package execution is the context of the workflow execution that the job belongs to: what its steps share.
//
// It needs the grant `context = true` in handler.toml. A job that belongs to no execution gets
// flowmonkey.ErrDenied. Other errors are as in package checkpoint.
package execution

import "flowmonkey/internal/abi"

// Get puts the value under a key into what target points to, and tells whether there is one.
func Get(key string, target any) (found bool, err error) {
	return abi.Get("execution.Get", abi.ContextGet, key, target)
}

// Set stores a value under a key: at most 1 MB of JSON a value, 10 MB in all, 500 keys, 15 levels deep.
func Set(key string, value any) error {
	return abi.Put("execution.Set", abi.ContextSet, key, value)
}

// Delete removes a key. It is no error when there is none.
func Delete(key string) error { return abi.Remove("execution.Delete", abi.ContextDelete, key) }

// Keys lists the keys that have a value, in order.
func Keys() ([]string, error) { return abi.Keys("execution.Keys", abi.ContextKeys) }
