"""How a module declares its handler."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from . import _json
from ._context import Context
from ._errors import Fatal

F = TypeVar("F", bound=Callable[..., Any])


class Declared:
    """What the handler's module declared while it was loaded."""

    call: Callable[[Context, str], Any] | None = None
    """Runs the handler on the JSON of its input."""
    description = "{}"


def handler(function: F) -> F:
    """Makes a function the job's handler; the function itself stays, for tests.

    It takes the `Context` and, if it wants it, the job's input, converted to the type
    of its hint: input that does not fit fails the job with ``BAD_INPUT``. The package's
    documentation says how an attempt ends.
    """
    name = function.__qualname__
    if Declared.call is not None:
        raise TypeError(f"{name}: there is another function with @handler")
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{name}: a handler is no async function")
    match list(inspect.signature(function).parameters):
        case [_]:
            Declared.call = lambda ctx, _: function(ctx)
        case [_, parameter]:
            as_type = get_type_hints(function).get(parameter, Any)
            _json.reader(as_type)  # Fails the build, not the job, for an unknown type.
            Declared.call = lambda ctx, text: function(ctx, _input(text, as_type))
        case _:
            raise TypeError(f"{name}: a handler takes (ctx) or (ctx, input)")
    return function


def describe(
    *,
    name: str | None = None,
    description: str | None = None,
    category: str | None = None,
    version: str | None = None,
    stateful: bool | None = None,
    retryable: bool | None = None,
    default_timeout_ms: int | None = None,
    config_schema: dict[str, Any] | None = None,
    input_schema: dict[str, Any] | None = None,
    output_schema: dict[str, Any] | None = None,
) -> None:
    """Says what the handler is, at the top of its module.

    Schemas are JSON Schema: a job whose input does not fit is refused when it is
    created. `handler.toml` wins where both say something.
    """
    fields = {key.replace("_", "-"): value for key, value in locals().items()}
    given = {key: value for key, value in fields.items() if value is not None}
    Declared.description = _json.to_json(given)


def _input(text: str, as_type: Any) -> Any:
    try:
        return _json.from_json(text, as_type, "input")
    except _json.Mismatch as error:
        raise Fatal("BAD_INPUT", str(error)) from None
