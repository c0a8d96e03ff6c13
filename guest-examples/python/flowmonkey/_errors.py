"""What a handler raises, and what the host's refusals are raised as."""

from typing import Any


class Failure(Exception):
    """An attempt that ended badly: a `Retryable` or a `Fatal`."""

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        """A short, stable name in capitals, such as ``BAD_ADDRESS``; programs match on
        it."""
        self.message = message
        """One sentence for the person who reads the job. Cut at 4,096 bytes."""
        self.details = details
        """Whatever helps to find the cause, as JSON. Dropped when over 16 KiB."""


class Retryable(Failure):
    """May go better next time: the job runs again until its attempts are used up."""

    def __init__(
        self,
        code: str,
        message: str,
        details: Any = None,
        *,
        after_ms: int | None = None,
    ) -> None:
        super().__init__(code, message, details)
        self.after_ms = None if after_ms is None else max(0, round(after_ms))
        """Milliseconds until the next attempt, such as a server's ``Retry-After``. It
        wins over the handler's retry policy. At most 30 days."""


class Fatal(Failure):
    """Will never go better, such as an address that is none: the job fails now."""


class Cancelled(BaseException):
    """The attempt stopped because it was told to.

    Raised by `Context.heartbeat` and `Context.progress`, and by calls that find that
    the job belongs to another attempt by now. Like `asyncio.CancelledError` it is no
    `Exception`, so that ``except Exception`` does not swallow it.
    """


class HostError(Retryable):
    """The host did not do what it was asked, for a reason without a class here."""

    def __init__(self, message: str) -> None:
        super().__init__("HOST_ERROR", message)


class Unavailable(Retryable):
    """The database or the network did not answer."""

    def __init__(self, message: str) -> None:
        super().__init__("UNAVAILABLE", message)


class HttpFailed(Retryable):
    """An HTTP request got no response. A status such as 404 is a response, and no
    error."""

    def __init__(self, message: str, error_code: str) -> None:
        super().__init__("HTTP_FAILED", message)
        self.error_code = error_code
        """The case of wasi:http's ``error-code``, such as ``connection-refused``."""


class Denied(Fatal):
    """The handler has no grant for it: `handler.toml` does not ask, or the operator
    refuses."""

    def __init__(self, message: str) -> None:
        super().__init__("DENIED", message)


class Invalid(Fatal):
    """The host does not accept an argument: an empty key, text with NUL, and so on."""

    def __init__(self, message: str) -> None:
        super().__init__("INVALID", message)


class LimitExceeded(Fatal):
    """A value is too large, or there were too many calls."""

    def __init__(self, message: str) -> None:
        super().__init__("LIMIT_EXCEEDED", message)
