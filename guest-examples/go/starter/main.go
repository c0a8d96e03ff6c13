package main

import "flowmonkey"

type Input struct {
	Name string `json:"name"`
}

type Output struct {
	Greeting string `json:"greeting"`
}

func init() { flowmonkey.Handle(run) }

func run(ctx *flowmonkey.Context, in Input) (out Output, err error) {
	if in.Name == "" {
		return out, flowmonkey.Fatal("BAD_NAME", "the name is empty")
	}
	ctx.Log().Info("greeting", "name", in.Name)
	out.Greeting = "Hello, " + in.Name + "!"
	return out, nil
}

// A handler is called through Handle only, but Go wants a main.
func main() {}
