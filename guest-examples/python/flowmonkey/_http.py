"""HTTP requests, over wasi:http."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

from . import _host, _json
from ._errors import Denied, HttpFailed, Invalid

_READ_BYTES = 64 * 1024
_WRITE_BYTES = 4096
"""The most that wasi:io takes in one `blocking-write-and-flush`."""
_DENIED = {"http-request-denied", "destination-ip-prohibited"}


@dataclass(frozen=True)
class Response:
    """What a server answered. Any status is an answer: 404 and 500 raise nothing."""

    status: int
    headers: dict[str, str]
    """By name in lower case. Values of repeated fields are joined by ``", "``."""
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none becomes U+FFFD."""
        return self.body.decode(errors="replace")

    def json(self, as_type: Any = Any) -> Any:
        """The body as JSON, of the given type. Raises `Mismatch` if it does not fit."""
        return _json.from_json(self.text, as_type, "response")


class Http:
    """Requests to the hosts that the grant `http` names. Redirects are not followed.

    Sizes, times and the number of requests are limited: see `[limits]` in
    `handler.toml`.
    """

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        json: Any = None,
        timeout_ms: int | None = None,
    ) -> Response:
        """Sends a request and waits for the whole response.

        Instead of a `body`, `json` sends a value as JSON, with the content type for it.
        `timeout_ms` limits the wait for the connection, for the first byte and between
        bytes, each.

        Raises `Denied` without a grant for the URL's host, and `HttpFailed` if no
        response comes.
        """
        fields = {name.lower(): value for name, value in (headers or {}).items()}
        if json is not None:
            body = _json.to_json(json)
            fields.setdefault("content-type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        if body is not None:
            fields["content-length"] = str(len(body))
        what = f"{method} {url}"
        request = _request(what, method, url, fields)
        try:
            return _exchange(request, body, _options(timeout_ms))
        except _host.Err as error:
            _fail(what, error.value)


def _request(what: str, method: str, url: str, fields: dict[str, str]) -> Any:
    wasi = _host.http_types
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Invalid(f"{what}: not an absolute http or https URL")
    http = parts.scheme == "http"
    query = f"?{parts.query}" if parts.query else ""
    entries = [(name, value.encode()) for name, value in fields.items()]
    try:
        request = wasi.OutgoingRequest(wasi.Fields.from_list(entries))
        request.set_method(_method(method))
        request.set_scheme(wasi.Scheme_Http() if http else wasi.Scheme_Https())
        request.set_authority(parts.netloc)
        request.set_path_with_query((parts.path or "/") + query)
    except _host.Err as error:
        why = "the method or the URL is malformed"
        if error.value is not None:
            why = f"a header is {_case(error.value).replace('-', ' ')}"
        raise Invalid(f"{what}: {why}") from None
    return request


def _method(name: str) -> Any:
    known = getattr(_host.http_types, f"Method_{name.capitalize()}", None)
    if known is None or name.upper() == "OTHER":
        return _host.http_types.Method_Other(name)
    return known()


def _options(timeout_ms: int | None) -> Any:
    if timeout_ms is None:
        return None
    options = _host.http_types.RequestOptions()
    nanoseconds = _host.unsigned(timeout_ms * 1_000_000, 64)
    options.set_connect_timeout(nanoseconds)
    options.set_first_byte_timeout(nanoseconds)
    options.set_between_bytes_timeout(nanoseconds)
    return options


def _exchange(request: Any, body: bytes | None, options: Any) -> Response:
    outgoing = request.body() if body is not None else None
    with _host.http_handler.handle(request, options) as future:
        if body is not None:
            _write(outgoing, body)
        with future.subscribe() as answered:
            answered.block()
        incoming = _unwrap(_unwrap(future.get()))
    return _response(incoming)


def _write(outgoing: Any, body: bytes) -> None:
    try:
        with outgoing.write() as stream:
            for start in range(0, len(body), _WRITE_BYTES):
                stream.blocking_write_and_flush(body[start : start + _WRITE_BYTES])
        _host.http_types.OutgoingBody.finish(outgoing, None)
    except _host.Err:
        # Nobody reads the body any more: the answer, early or none, says why.
        pass


def _response(incoming: Any) -> Response:
    # Each of these belongs to the one above it, which must be dropped after it.
    with incoming:
        status = incoming.status()
        headers: dict[str, str] = {}
        with incoming.headers() as fields:
            for name, value in fields.entries():
                name, text = name.lower(), value.decode("latin-1")
                headers[name] = f"{headers[name]}, {text}" if name in headers else text
        with incoming.consume() as body, body.stream() as stream:
            return Response(status, headers, b"".join(_chunks(stream)))


def _chunks(stream: Any) -> Iterator[bytes]:
    while True:
        try:
            yield stream.blocking_read(_READ_BYTES)
        except _host.Err as error:
            if type(error.value).__name__ == "StreamError_Closed":
                return
            code = _host.http_types.http_error_code(error.value.value)
            raise _host.Err(code) from None


def _unwrap(result: Any) -> Any:
    # A result inside another value is not raised but returned.
    if isinstance(result, _host.Err):
        raise result
    return result.value


def _fail(what: str, error: Any) -> NoReturn:
    code = _case(error)
    message = f"{what}: {code}"
    if isinstance(getattr(error, "value", None), str):
        message += f": {error.value}"
    if code in _DENIED:
        raise Denied(message) from None
    raise HttpFailed(message, code) from None


def _case(value: Any) -> str:
    """The name of a variant's case as in WIT, in lower case: `connection-refused`."""
    if value is None:
        return "the exchange broke off"
    name = type(value).__name__.partition("_")[2]
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
