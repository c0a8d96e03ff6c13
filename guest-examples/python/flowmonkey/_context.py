"""What an attempt knows and may do."""

# The host's functions are generated when a component is built, and are Any until then.
# mypy: disable-error-code="no-any-return"

from enum import Enum
from typing import Any, TypeVar, overload

from . import _host, _json
from ._errors import Cancelled, Denied, Unavailable
from ._http import Http

T = TypeVar("T")


class Directive(Enum):
    """What the host wants of a running attempt."""

    PROCEED = "proceed"
    """Go on."""
    CANCEL = "cancel"
    """The job was cancelled or belongs to another attempt by now: raise `Cancelled`.
    Nothing this attempt records will be kept; after a grace period it is
    interrupted."""
    DRAIN = "drain"
    """The runner is stopping: save a checkpoint and raise `Cancelled`, or finish if
    that is quicker. The job is due again at once, and the attempt does not count."""


class Context:
    """The running attempt. Every handler gets one as its first argument."""

    def __init__(self) -> None:
        self.log = Log()
        self.checkpoint = Checkpoint()
        self.context = ExecutionContext()
        self.queue = Queue()
        self.idempotency = Idempotency()
        self.config = Config()
        self.http = Http()

    @property
    def id(self) -> str:
        """The job's id; the same in every attempt."""
        return _host.job.id()

    @property
    def handler(self) -> str:
        """The name the handler was enqueued under."""
        return _host.job.handler()

    @property
    def attempt(self) -> int:
        """The number of this attempt; the first is 1."""
        return _host.job.attempt()

    @property
    def max_attempts(self) -> int:
        """How many attempts the job has in all."""
        return _host.job.max_attempts()

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt of this job, and different between jobs: for
        services that drop repeated requests."""
        return _host.job.idempotency_key()

    @property
    def execution_id(self) -> str | None:
        """The workflow execution that the job belongs to, if any."""
        return _host.job.execution_id()

    @property
    def step_id(self) -> str | None:
        """The step of that execution that this job is."""
        return _host.job.step_id()

    @property
    def resumed_with(self) -> Any:
        """What the job was resumed with after its last wait, or None. It is the same in
        every attempt until the handler waits again."""
        value = _host.job.resumed_with()
        return None if value is None else _json.from_json(value, Any, "resumed_with")

    @property
    def deadline_ms(self) -> int | None:
        """When this attempt will be interrupted, in milliseconds since 1970 (UTC)."""
        return _host.job.deadline_ms()

    @property
    def trace_parent(self) -> str | None:
        """The W3C ``traceparent`` under which the job was enqueued."""
        return _host.job.trace_parent()

    def heartbeat(self) -> None:
        """Says that the attempt is alive, and raises `Cancelled` if it should stop.

        Cheap: call it in every turn of a long loop. A handler that has something to do
        before it stops asks for the `directive` instead.
        """
        _proceed(_host.control.heartbeat())

    def directive(self) -> Directive:
        """As `heartbeat`, but returns what the host wants instead of raising."""
        return Directive[_host.control.heartbeat().name]

    def cancelled(self) -> bool:
        """Whether the job was cancelled or lost. No sign of life."""
        return _host.control.cancelled()

    def progress(self, percent: float, message: str | None = None) -> None:
        """Reports how far the work is, from 0 to 100, for people to see.

        Also a heartbeat: raises `Cancelled` if the attempt should stop.
        """
        if message is not None:
            message = _host.text(message)
        _proceed(_host.control.progress(float(percent), message))


def _proceed(directive: Any) -> None:
    if directive.name != "PROCEED":
        raise Cancelled(f"the host said {directive.name.lower()}")


class Log:
    """Lines for the people who run the handler. Never put secrets here.

    Lines and bytes of an attempt are limited; what is over the limit is dropped.
    `print` and the standard library's `logging` reach the same log.
    """

    def trace(self, message: str, /, **fields: Any) -> None:
        """Every step."""
        self._write("TRACE", message, fields)

    def debug(self, message: str, /, **fields: Any) -> None:
        """For whoever looks for a fault."""
        self._write("DEBUG", message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """What happened."""
        self._write("INFO", message, fields)

    def warn(self, message: str, /, **fields: Any) -> None:
        """What is odd."""
        self._write("WARN", message, fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """What went wrong."""
        self._write("ERROR", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        texts = [
            (_host.text(name), _host.text(str(value))) for name, value in fields.items()
        ]
        _host.log.log(_host.log.Level[level], _host.text(message), texts)


class _Values:
    """Values under keys, as JSON; what the key-value interfaces have in common."""

    _interface: Any

    def keys(self) -> list[str]:
        """The keys that have a value, in order."""
        return _host.call(self._interface.keys)

    def delete(self, key: str) -> None:
        """Removes a key; no error when there is none."""
        _host.call(self._interface.delete, _host.text(key))


class Checkpoint(_Values):
    """What survives an attempt: a later attempt of the same job reads what was saved.

    Values are anything with JSON, dataclasses too, and limited in size: 1 MiB each and
    4 MiB in all, unless `handler.toml` says otherwise.
    """

    _interface = _host.checkpoint

    def save(self, key: str, value: Any) -> None:
        """Stores a value under a key of 1 to 256 bytes. It is durable on return."""
        _host.call(_host.checkpoint.save, _host.text(key), _json.to_json(value))

    @overload
    def restore(self, key: str) -> Any: ...
    @overload
    def restore(self, key: str, as_type: type[T]) -> T | None: ...
    def restore(self, key: str, as_type: Any = Any) -> Any:
        """The value under a key, or None.

        Raises `Mismatch` if it does not fit the type, as when another version of the
        handler saved it.
        """
        return _read(_host.checkpoint.restore, key, as_type)

    def clear(self) -> None:
        """Removes all keys."""
        _host.call(_host.checkpoint.clear)


class ExecutionContext(_Values):
    """The context of the workflow execution that the job belongs to.

    Needs the grant `context`; a job without an execution gets `Denied`.
    """

    _interface = _host.context

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: str, as_type: type[T]) -> T | None: ...
    def get(self, key: str, as_type: Any = Any) -> Any:
        """The value under a key, or None.

        Raises `Mismatch` if it does not fit the type.
        """
        return _read(_host.context.get, key, as_type)

    def set(self, key: str, value: Any) -> None:
        """Stores a value under a key: at most 1 MB a value, 10 MB in all, 500 keys, 15
        levels deep."""
        _host.call(_host.context.set, _host.text(key), _json.to_json(value))


class Queue:
    """Jobs for other handlers. Needs the grant `queue`, which names them."""

    def enqueue(
        self,
        handler: str,
        input: Any = None,
        *,
        after_ms: int | None = None,
        at_ms: int | None = None,
        priority: int | None = None,
        max_attempts: int | None = None,
        unique_key: str | None = None,
    ) -> str:
        """Creates a job and returns its id. It stays, even if this attempt fails.

        `after_ms`: due so many milliseconds from now. `at_ms`: due then, in
        milliseconds since 1970 (UTC). `priority`: from 0 (first) to 9 (last).
        `unique_key`: while a job with this key and handler is pending or running, its
        id is returned and no second one is created; a handler that may run twice should
        give one.
        """
        if after_ms is not None and at_ms is not None:
            raise ValueError("a job starts either after a time or at a moment")
        start = None
        if after_ms is not None:
            start = _host.queue.Start_After(_host.unsigned(after_ms, 64))
        if at_ms is not None:
            start = _host.queue.Start_At(_host.unsigned(at_ms, 64))
        request = _host.queue.Request(
            handler=_host.text(handler),
            input=_json.to_json(input),
            start=start,
            priority=_host.unsigned(priority, 8),
            max_attempts=_host.unsigned(max_attempts, 32),
            unique_key=unique_key if unique_key is None else _host.text(unique_key),
        )
        return _host.call(_host.queue.enqueue, request)


class Idempotency:
    """Memory for "has this been done already?", shared by all jobs of the handler and
    by nobody else. Needs the grant `idempotency`."""

    @overload
    def lookup(self, key: str) -> Any: ...
    @overload
    def lookup(self, key: str, as_type: type[T]) -> T | None: ...
    def lookup(self, key: str, as_type: Any = Any) -> Any:
        """What was recorded under a key, or None if nothing was or its time is over."""
        return _read(_host.idempotency.lookup, key, as_type)

    def record(self, key: str, value: Any = True, ttl_ms: int | None = None) -> None:
        """Records a value under a key of 1 to 256 bytes, for a time or for good.

        What is recorded first stands until its time is over: the same value again
        changes nothing, another raises `Invalid`.
        """
        ttl_ms = _host.unsigned(ttl_ms, 64)
        record = _host.idempotency.record
        _host.call(record, _host.text(key), _json.to_json(value), ttl_ms)


class Config:
    """What the operator has set for the handler. Needs the grant `config`, which names
    the keys."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """The value of a key, or the default where none is set."""
        value = self._call(_host.config.get, _host.text(key))
        return default if value is None else value

    def all(self) -> dict[str, str]:
        """All that is set of the granted keys."""
        return dict(self._call(_host.config.get_all))

    def _call(self, function: Any, *args: str) -> Any:
        try:
            return function(*args)
        except _host.Err as error:
            # wasi:config has no case for what is not granted: the host's text begins
            # with it.
            why = error.value.value
            if why.startswith("denied: "):
                raise Denied(why.removeprefix("denied: ")) from None
            raise Unavailable(why) from None


def _read(function: Any, key: str, as_type: Any) -> Any:
    value = _host.call(function, _host.text(key))
    return None if value is None else _json.from_json(value, as_type, key)
