"""Calls a function on many tasks on a Dask cluster, and survives the death of any of its workers."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import queue
import re
import time
import traceback
import uuid
import warnings
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.sweep.executor import WorkerError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")
X = TypeVar("X")

EXAMPLE = "tcp://127.0.0.1:8786"

# Wall-clock limits, in seconds: of the first connection and the first worker; of a scheduler's answer; and how long
# workers may all be gone, as a nanny needs some seconds to start one anew.
CONNECT_S = 10.0
ANSWER_S = 30.0
PATIENCE_S = 60.0

_LOOK_EVERY_S = 1.0
_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_PACKAGE = "tflm-harness"
# Between versions of these, tasks cannot be read, or the protocol differs.
_ALIKE = {"python": "Python", "dask": "dask", "distributed": "distributed", _PACKAGE: _PACKAGE}
_GOES_ON = "what is measured is stored; the same command goes on"


def check_address(address: str) -> None:
    """Refuse what can be no scheduler's address.

    Raises:
        BadInputError: it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[4]) < 2**16:
        raise BadInputError(f"{address!r} is no address of a Dask scheduler", f"for example {EXAMPLE}")


def start_workers(address: str) -> str:
    """The command that starts workers for that scheduler."""
    return f"dask worker {address} --nworkers 2 --nthreads 1"


class Cluster(Generic[T, R]):
    """Workers of a Dask cluster that run one function; used as a context manager, which connects.

    The function must be one that the workers can import, and tasks and outcomes must be small: all of them pass through
    the scheduler. Each worker process gets one task at a time, however many threads it has; so a task that kills its
    worker takes no other along.

    Args:
        function: called with each task.
        address: the scheduler's.
        count: how many tasks run at once at most; None: as many as there are workers.
        patience_s: how long workers may all be gone before it is an error.

    Raises:
        BadInputError: that is no address.
        MissingToolError: dask.distributed is not installed.
        HarnessError: nobody answers there, there are no workers, or they run other versions.
    """

    def __init__(
        self, function: Callable[[T], R], address: str, count: int | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        check_address(address)
        self.address = address
        self._function = function
        self._count = count
        self._patience_s = patience_s
        self._under_way: dict[Future[R], T] = {}
        self._workers: dict[str, int] = {}
        self._looked = self._seen = 0.0

    @property
    def workers(self) -> dict[str, int]:
        """Threads of each worker, by its address, as of the last look."""
        return dict(self._workers)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as entered:
            entered.enter_context(_silent())
            self._client = entered.enter_context(_connected(self.address))
            self._ended: queue.SimpleQueue[Future[R]] = queue.SimpleQueue()
            self._seen = time.monotonic()
            self._require_workers()
            self._require_versions()
            self._exit = entered.pop_all()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._under_way.clear()
        self._exit.close()

    def map(self, tasks: Iterable[T]) -> Iterator[tuple[T, R | WorkerError]]:
        """Each task with its outcome, in the order in which they end; tasks are taken when there is room for them.

        A worker that dies costs its task another attempt, as often as the scheduler's ``allowed-failures`` says (3).

        Raises:
            HarnessError: the scheduler is gone, or all workers are, for longer than they may.
        """
        waiting = iter(tasks)
        more = True
        while more or self._under_way:
            self._look()
            while more and len(self._under_way) < self._room():
                try:
                    self._submit(next(waiting))
                except StopIteration:
                    more = False
            if self._under_way or more:
                with contextlib.suppress(queue.Empty):
                    future = self._ended.get(timeout=_LOOK_EVERY_S)
                    outcome = self._outcome(future)
                    yield self._under_way.pop(future), outcome

    def everywhere(self, function: Callable[[T], X], task: T, limit_s: float = ANSWER_S) -> dict[str, X | WorkerError]:
        """What each worker, by its address, answers to that task; one that is busy for longer is left out.

        Raises:
            HarnessError: the scheduler is gone.
        """
        futures = {
            worker: self._client.submit(
                function, task, key=f"harness-{uuid.uuid4().hex}", pure=False, workers=[worker],
                allow_other_workers=False,
            )
            for worker in self._workers
        }  # fmt: skip
        deadline = time.monotonic() + limit_s
        while any(future.status == "pending" for future in futures.values()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return {worker: self._outcome(future) for worker, future in futures.items() if future.status != "pending"}

    def _room(self) -> int:
        present = len(self._workers)
        return present if self._count is None else min(self._count, present)

    def _submit(self, task: T) -> None:
        # A key of its own: the same key of another client would be taken for the same task.
        future = self._client.submit(self._function, task, key=f"harness-{uuid.uuid4().hex}", pure=False)
        self._under_way[future] = task
        future.add_done_callback(self._ended.put)

    def _outcome(self, future: Future[Any]) -> Any:
        """What a task gave; waits for it again where the only worker that had it died."""
        while True:
            try:
                return future.result(timeout=_LOOK_EVERY_S)
            except (Exception, CancelledError) as error:
                if future.status == "error":
                    return _fault(future)
                if not isinstance(error, TimeoutError):
                    raise self._lost() from error
                self._look()

    def _look(self) -> None:
        """See who is there, at most once a second.

        Raises:
            HarnessError: the scheduler does not answer, or there have been no workers for too long.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return
        self._workers = self._ask(lambda: self._client.nthreads())
        self._looked = now
        if self._workers:
            self._seen = now
        elif now - self._seen > self._patience_s:
            raise HarnessError(
                f"no workers at {self.address} for {self._patience_s:g} s",
                f"{start_workers(self.address)} starts some; {_GOES_ON}",
            )

    def _ask(self, question: Callable[[], Awaitable[X]]) -> X:
        if self._client.status != "running":
            raise self._lost()
        try:
            answer: X = self._client.sync(question, callback_timeout=ANSWER_S)
        except (OSError, RuntimeError) as error:  # TimeoutError is an OSError; RuntimeError: its loop has ended
            raise self._lost() from error
        return answer

    def _lost(self) -> HarnessError:
        return HarnessError(f"the scheduler at {self.address} does not answer any more", f"is it running? {_GOES_ON}")

    def _require_workers(self) -> None:
        deadline = time.monotonic() + CONNECT_S
        while not self._workers:
            if time.monotonic() > deadline:
                raise HarnessError(
                    f"the scheduler at {self.address} has no workers", f"{start_workers(self.address)} starts two"
                )
            self._look()
            time.sleep(0.05)

    def _require_versions(self) -> None:
        found = self._ask(lambda: self._client.get_versions(check=False))
        # Asked by a function that everybody has: a task that a worker cannot read ends it.
        for who, version in self._versions_of_harness().items():
            theirs = found["workers"].get(who) if who else found["scheduler"]
            if theirs is not None:
                theirs["packages"][_PACKAGE] = version
        found["client"]["packages"][_PACKAGE] = importlib.metadata.version(_PACKAGE)
        others = {f"the scheduler at {self.address}": found["scheduler"]}
        others |= {f"the worker {worker}": versions for worker, versions in found["workers"].items()}
        message = differing_versions(found["client"], others)
        if message is not None:
            raise HarnessError(message, "install the same versions on both sides, and start it anew")

    def _versions_of_harness(self) -> dict[str, str | None]:
        """Of each worker, by its address, and of the scheduler, by ""; None where it is not installed."""
        question = importlib.metadata.version
        found = self._ask(lambda: self._client.run(question, _PACKAGE, on_error="return"))
        try:
            found[""] = self._ask(lambda: self._client.run_on_scheduler(question, _PACKAGE))
        except importlib.metadata.PackageNotFoundError as error:
            found[""] = error
        return {who: version if isinstance(version, str) else None for who, version in found.items()}


def differing_versions(mine: dict[str, Any], others: dict[str, dict[str, Any] | None]) -> str | None:
    """The first that runs another Python (3.x), dask, distributed or harness than we do, in words; else None.

    Each is what dask.distributed says of itself: a dictionary with "packages".
    """
    for who, versions in others.items():
        for package, title in _ALIKE.items():
            here, there = (_version((item or {}).get("packages", {}).get(package)) for item in (mine, versions))
            if here != there:
                what = f"runs {title} {there}" if there else f"has no {title}, or does not say which version"
                return f"{who} {what}; this command runs {here}"
    return None


def _version(text: str | None) -> str | None:
    """Of Python "3.11.7.final.0" the first two numbers, as the others are compatible."""
    found = re.match(r"(\d+\.\d+)\.\d+\.(final|alpha|beta|candidate)", text or "")
    return found[1] if found else text


def _fault(future: Future[Any]) -> WorkerError:
    from distributed import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        last = getattr(error.last_worker, "address", error.last_worker)
        deaths = error.allowed_failures + 1
        times = "once" if deaths == 1 else f"{deaths} times"
        return WorkerError(f"the worker process died, {times} (the last one was {last})",
                           "fewer workers on a host need less memory; each worker's log says more")  # fmt: skip
    unknown = _unknown_there(error)
    if unknown is not None:
        return WorkerError(f"the scheduler or a worker does not have this version of tflm-harness: {unknown}",
                           "install it for both, and start them anew")  # fmt: skip
    detail = "".join(traceback.format_exception(type(error), error, future.traceback()))
    return WorkerError("a fault of the harness", detail=detail)


def _unknown_there(error: BaseException | None) -> BaseException | None:
    """What made a task unreadable to the scheduler, which reads all of them, or to a worker; None where it was read."""
    while error is not None:
        if isinstance(error, ImportError | AttributeError) and "harness" in str(error):
            return error
        error = error.__cause__ or error.__context__
    return None


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise MissingToolError("dask.distributed is not installed", "pip install 'tflm-harness[cluster]'") from error
    refused = HarnessError(f"no Dask scheduler answers at {address}", "dask scheduler starts one, and says where")
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions are compared below, and said in one line
        try:
            client = Client(address, timeout=CONNECT_S, set_as_default=False, name="harness")
        except OSError as error:
            raise refused from error
        except ImportError as error:
            raise HarnessError(
                f"the cluster at {address} runs other versions", "install the same ones", detail=str(error)
            ) from error
        except Exception as error:
            raise HarnessError(f"{refused.message}: {error}", refused.hint) from error
        try:
            yield client
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                client.close(timeout=CONNECT_S)  # the scheduler drops what we wanted


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without dask's own words on a lost connection: it is said once, and in our words."""
    with contextlib.suppress(ImportError):
        import distributed  # noqa: F401  # its import sets up its loggers
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
