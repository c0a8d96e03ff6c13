"""The functions of the host, as componentize-py generates them at build time.

Everything else in this package can be imported without them, for an editor or a unit
test.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ._errors import (
    Cancelled,
    Denied,
    HostError,
    Invalid,
    LimitExceeded,
    Unavailable,
)

_GRANTS = {
    "context": "context = true",
    "idempotency": "idempotency = true",
    "queue": 'queue = ["other-handler"]',
    "config": 'config = ["key"]',
    "http": 'http = ["api.example.com"]',
}


class _Absent:
    """Stands for an interface that the component does not import."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __getattr__(self, name: str) -> Any:
        raise Denied(self._why)


def _interface(name: str, grant: str | None = None) -> Any:
    # Must happen at build time: an attempt has no files to load a module from.
    try:
        return import_module(f"wit_world.imports.{name}")
    except ModuleNotFoundError:
        if grant is None:
            return _Absent("this function works only in a job, not outside a component")
        line = _GRANTS[grant]
        return _Absent(f"add `{line}` under [grants] in handler.toml and build again")


types = _interface("flowmonkey_jobs_types_0_1_0")
job = _interface("flowmonkey_jobs_job_0_1_0")
control = _interface("flowmonkey_jobs_control_0_1_0")
checkpoint = _interface("flowmonkey_jobs_checkpoint_0_1_0")
log = _interface("flowmonkey_jobs_log_0_1_0")
context = _interface("flowmonkey_jobs_context_0_1_0", "context")
queue = _interface("flowmonkey_jobs_queue_0_1_0", "queue")
idempotency = _interface("flowmonkey_jobs_idempotency_0_1_0", "idempotency")
config = _interface("wasi_config_store_0_2_0_rc_1", "config")
http_types = _interface("wasi_http_types_0_2_0", "http")
http_handler = _interface("wasi_http_outgoing_handler_0_2_0", "http")
io_streams = _interface("wasi_io_streams_0_2_0", "http")

try:
    Err: Any = import_module("componentize_py_types").Err
except ModuleNotFoundError:

    class Err(Exception):  # type: ignore[no-redef]
        """Never raised: outside a component there are no host calls."""


_ERRORS: dict[str, Callable[[str], BaseException]] = {
    "HostError_Denied": Denied,
    "HostError_Invalid": Invalid,
    "HostError_LimitExceeded": LimitExceeded,
    "HostError_Unavailable": Unavailable,
}


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function of `flowmonkey:jobs`; a `host-error` is raised as its
    exception."""
    try:
        return function(*args)
    except Err as error:
        raise _exception(error.value) from None


def _exception(error: Any) -> BaseException:
    name = type(error).__name__
    if name == "HostError_LeaseLost":
        return Cancelled("the job was cancelled, or belongs to another attempt by now")
    return _ERRORS.get(name, HostError)(error.value)


def text(value: str) -> str:
    """The text as the host can take it: a lone surrogate is no UTF-8 and becomes a
    ``?``."""
    return value.encode(errors="replace").decode()


def unsigned(value: int | None, bits: int) -> int | None:
    """The number, if the host can take it: another would end the attempt in a trap."""
    if value is not None and not 0 <= value < 1 << bits:
        raise Invalid(f"{value} is not from 0 to {(1 << bits) - 1}")
    return None if value is None else int(value)
