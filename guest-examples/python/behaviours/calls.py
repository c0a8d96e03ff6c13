"""The behaviours that call the host."""

import time
from typing import Any

from flowmonkey import Context, Fatal, Retryable


def run(ctx: Context, input: dict[str, Any]) -> Any:
    match input:
        case {"do": "facts"}:
            return facts(ctx)
        case {"do": "heartbeat", "turns": turns, "pauseMs": pause_ms}:
            for _ in range(turns):
                ctx.heartbeat()
                time.sleep(pause_ms / 1000)
            return {"turns": turns}
        case {"do": "progress", "percent": percent, **rest}:
            ctx.progress(percent, rest.get("message"))
            return {"percent": percent}
        case {"do": "checkpoint", "times": times}:
            return checkpoint(ctx, times)
        case {"do": "log"}:
            for level in ("trace", "debug", "info", "warn", "error"):
                write = getattr(ctx.log, level)
                write(f"at {level}", level=level)
        case {"do": "config", "key": key}:
            return {"value": ctx.config.get(key)}
        case {"do": "http", "method": method, "url": url, **rest}:
            headers, body = rest.get("headers"), rest.get("body")
            response = ctx.http.send(method, url, headers=headers, body=body)
            return {
                "status": response.status,
                "headers": response.headers,
                "body": response.text,
            }
        case {"do": "context", "key": key, "value": value}:
            ctx.context.set(key, value)
            return {"value": ctx.context.get(key), "keys": ctx.context.keys()}
        case {"do": "enqueue", "input": child, **rest}:
            unique_key = rest.get("uniqueKey")
            return {"id": ctx.queue.enqueue("behaviours", child, unique_key=unique_key)}
        case {"do": "idempotency", "key": key, "value": value}:
            if (found := ctx.idempotency.lookup(key)) is not None:
                return {"found": found}
            ctx.idempotency.record(key, value)
            return {"recorded": True}
        case _:
            raise Fatal("BAD_INPUT", f"there is no behaviour {input.get('do')!r}")


def facts(ctx: Context) -> dict[str, Any]:
    return {
        "id": ctx.id,
        "handler": ctx.handler,
        "attempt": ctx.attempt,
        "maxAttempts": ctx.max_attempts,
        "idempotencyKey": ctx.idempotency_key,
        "executionId": ctx.execution_id,
        "stepId": ctx.step_id,
        "deadlineMs": ctx.deadline_ms,
        "resumedWith": ctx.resumed_with,
        "traceParent": ctx.trace_parent,
    }


def checkpoint(ctx: Context, times: int) -> dict[str, Any]:
    n = (ctx.checkpoint.restore("n", int) or 0) + 1
    ctx.checkpoint.save("n", n)
    ctx.checkpoint.save("last", {"attempt": ctx.attempt})
    if n < times:
        raise Retryable("AGAIN", f"{n} of {times}")
    keys = ctx.checkpoint.keys()
    ctx.checkpoint.delete("last")
    return {"n": n, "keys": keys, "left": ctx.checkpoint.keys()}
