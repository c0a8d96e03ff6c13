// Package checkpoint keeps what must survive an attempt. Keys belong to the job: a later attempt of the same
// job reads what an earlier one saved. A value is whatever encoding/json can encode.
//
// Errors wrap one of those that package flowmonkey lists, or come from encoding/json.
package checkpoint

import "flowmonkey/internal/abi"

// Save stores a value under a key of 1 to 256 bytes, replacing what was there and leaving other keys alone.
// It is durable when Save returns. One value may have 1 MiB of JSON and all of a job 4 MiB, unless handler.toml
// says otherwise.
func Save(key string, value any) error {
	return abi.Put("checkpoint.Save", abi.CheckpointSave, key, value)
}

// Restore puts the value under a key into what target points to, and tells whether there is one. An error of
// encoding/json means that the value does not fit, as one that another version of the handler left.
func Restore(key string, target any) (found bool, err error) {
	return abi.Get("checkpoint.Restore", abi.CheckpointRestore, key, target)
}

// Keys lists the keys that have a value, in order.
func Keys() ([]string, error) { return abi.Keys("checkpoint.Keys", abi.CheckpointKeys) }

// Delete removes one key. It is no error when there is none.
func Delete(key string) error {
	return abi.Remove("checkpoint.Delete", abi.CheckpointDelete, key)
}

// Clear removes all keys.
func Clear() (err error) {
	answer := new(abi.Answer)
	abi.Call(func() {
		abi.CheckpointClear(answer)
		err = answer.Err("checkpoint.Clear")
	})
	return err
}
