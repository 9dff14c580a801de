"""What workers of a search do, and where they are: processes of this machine, or those of a Dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Self

from harness import errors
from harness.errors import HarnessError
from harness.library import Progress, silent
from harness.optimize import memo
from harness.records import Record
from harness.sweep import measure
from harness.sweep.executor import Executor
from harness.sweep.measure import Task
from harness.sweep.plan import Row
from harness.sweep.workers import Workers
from harness.zoo import candidates
from harness.zoo.candidates import Built, Trained, Wanted
from harness.zoo.training import Training


class Order(Record, frozen=True):
    """A network to make: with random weights where ``dataset`` is None, else trained on it by ``settings``.

    ``versions`` are those of the tools here; a worker that has others refuses.
    """

    wanted: Wanted
    dataset: str | None
    settings: Training | None
    versions: dict[str, str]


class Refused(Record, frozen=True):
    """Why a network was not made: a kind of ``harness.errors`` by its name, and what it says."""

    kind: str
    message: str
    hint: str | None = None
    detail: str | None = None

    @property
    def error(self) -> HarnessError:
        """As it was raised."""
        kind = getattr(errors, self.kind, HarnessError)
        found: HarnessError = kind(self.message, self.hint, self.detail)
        return found


def make(order: Order) -> Built | Trained | Refused:
    """Make a network, in whatever process this is."""
    try:
        if memo.versions() != order.versions:
            differing = sorted(name for name, version in order.versions.items() if memo.versions().get(name) != version)
            raise HarnessError(
                f"a worker has another version of {', '.join(differing)}, and would make other networks",
                "install the same versions there, and start it anew",
            )
        if order.dataset is None or order.settings is None:
            return candidates.random(order.wanted)
        return candidates.trained(order.wanted, order.dataset, order.settings)
    except HarnessError as error:
        return Refused(kind=type(error).__name__, message=error.message, hint=error.hint, detail=error.detail)


class Crew:
    """The workers of a study; used as a context manager. They stay, as each start of TensorFlow takes seconds.

    Args:
        jobs: how many work at once; on a cluster None takes as many as there are workers.
        scheduler: the address of a Dask scheduler; None: processes of this machine.
        progress: told about the connection.
    """

    def __init__(self, jobs: int | None, scheduler: str | None = None, progress: Progress = silent) -> None:
        self._stack = contextlib.ExitStack()
        self._makers: Executor[Order, Built | Trained | Refused]
        self._measurers: Executor[Task, Row]
        self.local = scheduler is None
        if scheduler is None:
            self._makers = Workers(make, jobs or 1)
            self._measurers = Workers(measure.measure, jobs or 1)
        else:
            from harness.sweep import remote
            from harness.sweep.cluster import Cluster

            self._makers = Cluster(make, scheduler, jobs)
            self._measurers = remote.executor(scheduler, progress)(measure.measure, jobs)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as entered:
            entered.enter_context(self._makers)
            entered.enter_context(self._measurers)
            self._stack = entered.pop_all()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stack.close()

    def make(self, orders: list[Order]) -> Iterator[tuple[Order, Built | Trained | HarnessError]]:
        """Each order with its network or why there is none, in the order in which they end."""
        for order, outcome in self._makers.map(orders):
            yield order, outcome.error if isinstance(outcome, Refused) else outcome

    def measure(self, tasks: list[Task]) -> Iterator[tuple[Task, Row | HarnessError]]:
        """Each point with its row, in the order in which they end."""
        yield from self._measurers.map(tasks) if tasks else ()
