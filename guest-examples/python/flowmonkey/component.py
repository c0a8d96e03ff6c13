"""What becomes the component: componentize-py looks here for the two exported classes.

Loaded at build time, together with the handler's `main.py`; an attempt starts from the
state that this module leaves behind.
"""

import linecache
import logging
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from . import _host, _json
from ._context import Context
from ._errors import Cancelled, Failure, Fatal, Retryable
from ._handler import Declared
from ._waits import Wait

_STACK_FRAMES = 30
_STACK_BYTES = 12_000
"""The host drops details over 16 KiB, and JSON needs some for escapes."""


class FlowmonkeyJobsHandler010:
    """The export ``flowmonkey:jobs/handler@0.1.0``."""

    def run(self, input: str) -> Any:
        try:
            return _outcome(Declared.call(Context(), input))  # type: ignore[misc]
        except BaseException as error:  # What leaves this function ends in a trap.
            raise _host.Err(_job_error(error)) from None


class FlowmonkeyJobsMetadata010:
    """The export ``flowmonkey:jobs/metadata@0.1.0``."""

    def describe(self) -> str:
        return Declared.description


def _outcome(result: Any) -> Any:
    types = _host.types
    if isinstance(result, Wait):
        reason = None if result.reason is None else _host.text(result.reason)
        return types.Outcome_Wait(types.Wait(_wake(result), reason))
    return types.Outcome_Success(None if result is None else _json.to_json(result))


def _wake(wait: Wait) -> Any:
    if isinstance(wait.value, str):
        return _host.types.Wake_Signal(_host.text(wait.value))
    kind = _host.types.Wake_At if wait.until == "at" else _host.types.Wake_After
    return kind(_host.unsigned(wait.value, 64))


def _job_error(error: BaseException) -> Any:
    types = _host.types
    if isinstance(error, Cancelled):
        return types.JobError_Cancelled()
    if not isinstance(error, Failure):
        error = _unexpected(error)
    failure = types.Failure(
        _host.text(str(error.code)),
        _host.text(str(error.message)),
        _details(error.details),
    )
    if isinstance(error, Fatal):
        return types.JobError_Fatal(failure)
    after_ms = getattr(error, "after_ms", None)
    return types.JobError_Retryable(types.Retry(failure, after_ms))


def _unexpected(error: BaseException) -> Retryable:
    message = str(error)
    if isinstance(error, KeyError) or not message:  # A KeyError's text is but the key.
        message = f"{type(error).__name__}: {message}".removesuffix(": ")
    if isinstance(error, ModuleNotFoundError):
        message += ": import it at the top of a module, where it is found at build time"
    return Retryable("EXCEPTION", message, {"stack": _stack(error)})


def _stack(error: BaseException) -> str:
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frames = frames.tb_next
    last = -_STACK_FRAMES
    lines = traceback.format_exception(type(error), error, frames, limit=last)
    stack = "".join(lines).replace(f'File "{_FOLDER}', 'File "')
    return stack.encode(errors="replace")[-_STACK_BYTES:].decode(errors="ignore")


def _details(details: Any) -> str | None:
    if details is None:
        return None
    try:
        return _json.to_json(details)
    except Exception:  # A RecursionError, too: what is fatal must stay so.
        return _json.to_json({"repr": _host.text(_repr(details))})


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: no repr, {type(error).__name__}>"


class _LogHandler(logging.Handler):
    """Passes what the standard library's `logging` is told to the job's log."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "TRACE"
        for least, name in _LEVELS.items():
            if record.levelno >= least:
                level = name
        fields = [("logger", _host.text(record.name))]
        message = _host.text(self.format(record))
        _host.log.log(_host.log.Level[level], message, fields)


_LEVELS = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARN",
    logging.ERROR: "ERROR",
}


def _keep_sources() -> None:
    """Keeps the handler's source lines for stack traces: an attempt has no files."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.startswith(_FOLDER) and not file.startswith(_PACKAGE):
            lines = Path(file).read_text().splitlines(keepends=True)
            # Without a time of change, linecache does not look for the file again.
            linecache.cache[file] = (len(lines), None, lines, file)


main = import_module("main")
import_module("_strptime")  # Which strptime imports, but only when it is called.
_FOLDER = f"{Path(main.__file__).parent}/"  # type: ignore[arg-type]
_PACKAGE = f"{Path(__file__).parent}/"

if Declared.call is None:
    raise TypeError("main.py has no function with @handler")
logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_LogHandler()])
_keep_sources()
