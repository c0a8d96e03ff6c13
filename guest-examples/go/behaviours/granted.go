package main

import (
	"encoding/json"

	"flowmonkey"
	"flowmonkey/config"
	"flowmonkey/execution"
	"flowmonkey/idempotency"
	"flowmonkey/queue"
)

func configuration(_ *flowmonkey.Context, in Input) (any, error) {
	value, found, err := config.Get(in.Key)
	if err != nil {
		return nil, err
	}
	if !found {
		return object{"value": nil}, nil
	}
	return object{"value": value}, nil
}

func share(_ *flowmonkey.Context, in Input) (any, error) {
	if err := execution.Set(in.Key, in.Value); err != nil {
		return nil, err
	}
	var value json.RawMessage
	if _, err := execution.Get(in.Key, &value); err != nil {
		return nil, err
	}
	keys, err := execution.Keys()
	return object{"value": value, "keys": keys}, err
}

func enqueue(_ *flowmonkey.Context, in Input) (any, error) {
	id, err := queue.Enqueue("behaviours", in.Input, queue.UniqueKey(in.UniqueKey))
	return object{"id": id}, err
}

func once(_ *flowmonkey.Context, in Input) (any, error) {
	var value json.RawMessage
	found, err := idempotency.Lookup(in.Key, &value)
	if err != nil {
		return nil, err
	}
	if found {
		return object{"found": value}, nil
	}
	return object{"recorded": true}, idempotency.Record(in.Key, in.Value, 0)
}
