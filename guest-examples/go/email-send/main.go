// Renders a mail from a template. Shows how a handler reads its input, which failures are fatal because another
// attempt would meet them again, how it remembers what it has sent, and how it logs. input.json has a sample.
//
// With a messageId, which takes the grant `idempotency`, no second mail of that id goes to the address.
package main

import (
	"flowmonkey"
	"flowmonkey/idempotency"
)

func main() {}

func init() { flowmonkey.Handle(run) }

// Input is a mail to be. A pointer tells what is missing from what is empty.
type Input struct {
	To        *string           `json:"to"`
	Subject   *string           `json:"subject"`
	Body      *string           `json:"body"`
	Vars      map[string]string `json:"vars"`
	MessageID *string           `json:"messageId"`
}

// Mail is the result of a mail that was rendered.
type Mail struct {
	Sent           bool   `json:"sent"`
	To             string `json:"to"`
	Subject        string `json:"subject"`
	Body           string `json:"body"`
	IdempotencyKey string `json:"idempotencyKey"`
}

// AlreadySent is the result where there was nothing to do.
type AlreadySent struct {
	AlreadySent bool `json:"alreadySent"`
}

func run(ctx *flowmonkey.Context, in Input) (any, error) {
	if in.To == nil || in.Subject == nil || in.Body == nil {
		return nil, flowmonkey.Fatal("BAD_INPUT", "to, subject and body are needed")
	}
	if !isAddress(*in.To) {
		return nil, flowmonkey.Fatalf("BAD_ADDRESS", "%q is not a mail address", *in.To)
	}
	var key string
	if in.MessageID != nil {
		key = "email-" + *in.To + "-" + *in.MessageID
		sent, err := idempotency.Lookup(key, nil)
		if err != nil {
			return nil, err
		}
		if sent {
			return AlreadySent{true}, nil
		}
	}
	subject, err := render(*in.Subject, in.Vars)
	if err != nil {
		return nil, err
	}
	body, err := render(*in.Body, in.Vars)
	if err != nil {
		return nil, err
	}

	// Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the result. A real sender
	// would hand the key to the mail service, which then drops the second request of a job that runs twice.
	ctx.Log().Info("mail rendered", "to", *in.To, "bodyBytes", len(body))
	if key != "" {
		if err := idempotency.Record(key, true, 0); err != nil {
			return nil, err
		}
	}
	return Mail{true, *in.To, subject, body, ctx.IdempotencyKey()}, nil
}
