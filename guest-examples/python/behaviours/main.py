"""Does what its input says: every way to end, and every function of the binding."""

import os
import random
import sys
import time
from typing import Any

import calls
from flowmonkey import (
    Context,
    Fatal,
    Retryable,
    describe,
    handler,
    wait_after,
    wait_at,
    wait_signal,
)

describe(
    name="behaviours",
    description="Does what its input says",
    input_schema={"type": "object", "required": ["do"]},
)


@handler
def run(ctx: Context, input: dict[str, Any]) -> Any:
    match input:
        case {"do": "echo", "value": value}:
            return value
        case {"do": "nothing"}:
            return None
        case {"do": "retryable", "code": code, "message": message, **rest}:
            after_ms = rest.get("afterMs")
            raise Retryable(code, message, rest.get("details"), after_ms=after_ms)
        case {"do": "fatal", "code": code, "message": message, **rest}:
            raise Fatal(code, message, rest.get("details"))
        case {"do": "throw", "message": message}:
            deeper(message)
        case {"do": "trap"}:
            print("trapped", file=sys.stderr)
            os.abort()
        case {"do": "wait"}:
            return wait(ctx, input)
        case {"do": "spin"}:
            while True:
                pass
        case {"do": "print", "out": out, "err": err}:
            print(out)
            print(err, file=sys.stderr)
        case {"do": "random"}:
            return {"random": str(random.random())}
        case {"do": "now"}:
            return {"ms": round(time.time() * 1000)}
        case {"do": "sleep", "ms": ms}:
            time.sleep(ms / 1000)
        case _:
            return calls.run(ctx, input)


def deeper(message: str) -> None:
    deepest(message)


def deepest(message: str) -> None:
    raise RuntimeError(message)


def wait(ctx: Context, input: dict[str, Any]) -> Any:
    if ctx.resumed_with is not None or ctx.checkpoint.restore("waited"):
        return {"resumedWith": ctx.resumed_with}
    ctx.checkpoint.save("waited", True)
    reason = input.get("reason")
    match input:
        case {"afterMs": ms}:
            return wait_after(ms, reason)
        case {"atMs": ms}:
            return wait_at(ms, reason)
    return wait_signal(input["signal"], reason)
