"""Running one function in several processes at the same moment, each with a database engine of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any, TypeVar

T = TypeVar("T")

#: The server that forks imports these once; it never opens a database, so its children inherit no connection.
PRELOADED = ["db.models", "db.upgrade", "psycopg", "tests.support.factories"]

_barrier: Barrier | None = None


def run_together(function: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """Call `function(*arguments[i])` in process i, all starting at once; results in order. The first error raises."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    barrier = context.Barrier(len(arguments))
    with ProcessPoolExecutor(len(arguments), context, initializer=_keep_barrier, initargs=(barrier,)) as pool:
        futures = [pool.submit(_when_all_are_there, function, one) for one in arguments]
        return [future.result(timeout=300) for future in futures]


def _keep_barrier(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def meet() -> None:
    """Inside such a function: wait until all of them are here."""
    assert _barrier is not None
    _barrier.wait(timeout=60)


def _when_all_are_there(function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    meet()
    return function(*arguments)
