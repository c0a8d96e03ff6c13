"""Job handlers for FlowMonkey Jobs, in Python.

    from dataclasses import dataclass
    from flowmonkey import Context, Fatal, handler

    @dataclass
    class Order:
        number: int
        lines: list[str]

    @handler
    def run(ctx: Context, order: Order) -> dict:
        if not order.lines:
            raise Fatal("EMPTY_ORDER", f"order {order.number} has no lines")
        return {"lines": len(order.lines)}

How an attempt ends:

=============================  =================================================
``return value``               success; the value, as JSON, is the job's result
``return wait_after(60_000)``  the job goes on later: also `wait_at`, `wait_signal`
``raise Retryable(...)``       failed; it runs again while it has attempts left
``raise Fatal(...)``           failed for good
``raise Cancelled``            stopped because it was told to: see `Context.heartbeat`
any other exception            as `Retryable`, with the code ``EXCEPTION``
=============================  =================================================

Modules are loaded once, when the component is built, and every attempt starts from that
state. So code outside functions runs at build time; modules must be imported, and files
of the handler's folder read, at the top of a module; and a `random.Random()` made there
gives each attempt the same numbers, unlike the functions of `random`, which are seeded
anew.

Python packages work if they are pure Python. There are no threads, no sockets and no
files. Recursion through built-in functions, such as `sorted` with a key, has room for
some 250 levels, and ends in ``STACK_OVERFLOW`` beyond: `stack` below `[limits]` in
`handler.toml` makes more.
"""

from ._context import (
    Checkpoint,
    Config,
    Context,
    Directive,
    ExecutionContext,
    Idempotency,
    Log,
    Queue,
)
from ._errors import (
    Cancelled,
    Denied,
    Failure,
    Fatal,
    HostError,
    HttpFailed,
    Invalid,
    LimitExceeded,
    Retryable,
    Unavailable,
)
from ._handler import describe, handler
from ._http import Http, Response
from ._json import Mismatch, camel_case, from_json, to_json
from ._waits import Wait, wait_after, wait_at, wait_signal

__all__ = [
    "Cancelled",
    "Checkpoint",
    "Config",
    "Context",
    "Denied",
    "Directive",
    "ExecutionContext",
    "Failure",
    "Fatal",
    "HostError",
    "Http",
    "HttpFailed",
    "Idempotency",
    "Invalid",
    "LimitExceeded",
    "Log",
    "Mismatch",
    "Queue",
    "Response",
    "Retryable",
    "Unavailable",
    "Wait",
    "camel_case",
    "describe",
    "from_json",
    "handler",
    "to_json",
    "wait_after",
    "wait_at",
    "wait_signal",
]
