"""The pauses that a handler may return."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal


@dataclass(frozen=True)
class Wait:
    """A pause: the job goes on later, in a new attempt. The attempt that waits does not
    count, and the checkpoints stay. Made by `wait_after`, `wait_at` and
    `wait_signal`."""

    until: Literal["after", "at", "signal"]
    value: int | str
    reason: str | None


def wait_after(ms: int | timedelta, reason: str | None = None) -> Wait:
    """The job is due again after a time: milliseconds, or a `timedelta`.

    The reason is for people who look at the waiting job, here and below.
    """
    if isinstance(ms, timedelta):
        ms = round(ms / timedelta(milliseconds=1))
    return Wait("after", ms, reason)


def wait_at(moment: int | datetime, reason: str | None = None) -> Wait:
    """The job is due again at a moment: milliseconds since 1970 (UTC), or a `datetime`,
    which is UTC if it has no time zone."""
    if isinstance(moment, datetime):
        moment = round(moment.timestamp() * 1000)
    return Wait("at", moment, reason)


def wait_signal(name: str, reason: str | None = None) -> Wait:
    """The job is due again when somebody resumes it; `Context.resumed_with` is what
    they gave.

    The name is for people: whoever resumes the job names the job.
    """
    return Wait("signal", name, reason)
