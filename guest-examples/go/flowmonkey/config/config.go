// Package config is the configuration that the operator has set for the handler: texts under keys.
//
// It needs the grant `config = ["region"]` in handler.toml, which names the keys.
package config

import "flowmonkey/internal/abi"

// Get returns the value under a key, and whether the operator has set one. A key that is not granted is
// flowmonkey.ErrDenied; without an answer the error is flowmonkey.ErrUnavailable.
func Get(key string) (value string, found bool, err error) {
	call := abi.Name("config.Get", key)
	key = abi.UTF8(key)
	answer := new(abi.Answer)
	abi.Call(func() {
		abi.ConfigGet(key, answer)
		if err = answer.ConfigErr(call); err == nil {
			value, found = answer.Optional()
		}
	})
	return value, found, err
}

// All returns what is set of the keys that are granted.
func All() (values map[string]string, err error) {
	answer := new(abi.Answer)
	abi.Call(func() {
		abi.ConfigGetAll(answer)
		if err = answer.ConfigErr("config.All"); err == nil {
			values = make(map[string]string)
			for _, pair := range answer.Pairs() {
				values[pair.Name.String()] = pair.Value.String()
			}
		}
	})
	return values, err
}
