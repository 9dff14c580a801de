"""What runs a function on many tasks, several at once: processes of this machine, or those of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, Self, TypeVar

from harness.errors import HarnessError

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class WorkerError(HarnessError):
    """The process that had a task died of it, repeatedly, or its function raised what it should not (exit 3)."""


class Executor(Protocol[T, R_co]):
    """A context manager that has its function already; leaving the block drops what is under way."""

    def map(self, tasks: Iterable[T]) -> Iterator[tuple[T, R_co | HarnessError]]:
        """Each task with its outcome, in the order in which they end.

        A worker that dies costs its task another attempt. What a task's function raises is that task's outcome.

        Raises:
            HarnessError: there is nothing left that could run a task.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_raised: object) -> None: ...
