"""What is being worked on, for the log: whatever is written meanwhile carries it (project/logs.py).

`request` or `job`, `order` (public id), `event` (Stripe's id), `user` (number). Follows the work into threads
by `sync_to_async`, and back; never somebody's name, address or secret.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procrastinate import JobContext
    from procrastinate.worker import Worker

Facts = Mapping[str, str]

_NOTHING: Facts = MappingProxyType({})
_facts: ContextVar[Facts] = ContextVar("facts", default=_NOTHING)


def facts() -> Facts:
    """What is known here and now."""
    return _facts.get()


def bind(**known: object) -> None:
    """From here to the end of this request or job, or of the `about` around it."""
    _facts.set({**_facts.get(), **_told(known)})


@contextmanager
def about(**known: object) -> Iterator[None]:
    """For the block: one of several that are worked on one after the other."""
    token = _facts.set({**_facts.get(), **_told(known)})
    try:
        yield
    finally:
        _facts.reset(token)


@contextmanager
def afresh(**known: object) -> Iterator[None]:
    """For the block: this, and nothing of what was known before."""
    token = _facts.set(_told(known))
    try:
        yield
    finally:
        _facts.reset(token)


def _told(known: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in known.items()}


async def name_job(work: Callable[[], Awaitable[Any]], context: "JobContext", worker: "Worker") -> Any:
    """Procrastinate's worker middleware. Each job is a task of its own: what is bound here ends with it."""
    bind(job=context.job.id)
    return await work()
