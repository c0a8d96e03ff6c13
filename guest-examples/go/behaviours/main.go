// Uses every function of the binding, as its input says. The suite that compares languages drives it.
package main

import (
	"encoding/json"

	"flowmonkey"
)

func main() {}

func init() {
	flowmonkey.Handle(run)
	flowmonkey.Describe(flowmonkey.Description{
		Name:        "behaviours",
		Description: "Uses every function of the binding for Go",
		InputSchema: json.RawMessage(`{"type": "object", "required": ["do"]}`),
	})
}

// Input has what any of the behaviours needs.
type Input struct {
	Do        string            `json:"do"`
	Value     json.RawMessage   `json:"value"`
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Details   json.RawMessage   `json:"details"`
	AfterMS   *int64            `json:"afterMs"`
	AtMS      *int64            `json:"atMs"`
	Signal    string            `json:"signal"`
	Reason    string            `json:"reason"`
	Turns     int               `json:"turns"`
	PauseMS   int64             `json:"pauseMs"`
	Percent   float64           `json:"percent"`
	Times     int               `json:"times"`
	Out       string            `json:"out"`
	Err       string            `json:"err"`
	Key       string            `json:"key"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      *string           `json:"body"`
	Input     json.RawMessage   `json:"input"`
	UniqueKey string            `json:"uniqueKey"`
	MS        int64             `json:"ms"`
}

type object = map[string]any

var behaviours = map[string]func(ctx *flowmonkey.Context, in Input) (any, error){
	"echo":        echo,
	"nothing":     nothing,
	"facts":       facts,
	"retryable":   fail,
	"fatal":       fail,
	"throw":       deeper,
	"trap":        trap,
	"wait":        wait,
	"heartbeat":   heartbeat,
	"progress":    progress,
	"checkpoint":  count,
	"log":         log,
	"print":       print,
	"config":      configuration,
	"http":        request,
	"context":     share,
	"enqueue":     enqueue,
	"idempotency": once,
	"random":      random,
	"now":         now,
	"sleep":       sleep,
	"spin":        spin,
}

func run(ctx *flowmonkey.Context, in Input) (any, error) {
	behaviour, found := behaviours[in.Do]
	if !found {
		return nil, flowmonkey.Fatalf("BAD_INPUT", "there is no behaviour %q", in.Do)
	}
	return behaviour(ctx, in)
}
