"""Points of a sweep on a cluster: what a worker gets, how it makes sure that it measures the same, what it gives back.

The worker may share neither files nor versions with us. It gets the bytes of the network, works out the point's
identity itself, and refuses where that is another one; libraries that its cache lacks it builds. The stored run comes
back as bytes and is stored here as if it had been measured here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import msgspec

import harness
from harness import store, toolchain
from harness.errors import HarnessError
from harness.library import Progress, silent
from harness.records import Record
from harness.sweep import expand
from harness.sweep import measure as worker
from harness.sweep.cluster import Cluster, check_address
from harness.sweep.executor import Executor
from harness.sweep.measure import Measure, Task
from harness.sweep.plan import Point, Row

# Parts of an identity as they are called in a message; what is not named here is called by its key.
_TITLES = {
    "code": "the harness' own code",
    "harness": "tflm-harness",
    "result": "the schema of results",
    "compiler": "the Arm compiler",
    "host_compiler": "the host's compiler",
    "tflm": "TFLM",
    "cmsis_nn": "CMSIS-NN",
    "firmware": "firmware/",
    "tflite_micro": "tflite-micro",
    "model": "the network's file",
    "input": "the input",
    "platforms": "the platform's description",
    "emulator": "the emulator",
    "estimate": "the models of latency and energy",
    "calibration": "the calibration",
}

# The harness' modules that decide what a worker measures; commands, reports and the zoo do not.
_MEASURING = ("*.py", "calibrate/*.py", "cost/*.py", "emulators/*.py", "energy/*.py", "sweep/*.py")


class Parcel(Record, frozen=True):
    """A task with the files that it names, by their paths here; ``code`` is a hash of our own modules."""

    task: Task
    files: dict[str, bytes]
    code: str


class Delivery(Record, frozen=True):
    """What came of a parcel: a row and the files of the stored run; or what decides the result there, as it differs."""

    host: str
    row: Row | None
    files: dict[str, bytes]
    parts: dict[str, Any] | None


class Refusal(Record, frozen=True):
    """Why a worker would not measure the same: what decides the result there, or what it lacks."""

    host: str
    parts: dict[str, Any] | None
    reason: str | None
    hint: str | None


class Points:
    """Measures points on a cluster; a ``harness.sweep.executor.Executor``."""

    def __init__(self, address: str, measure: Measure, count: int | None, progress: Progress) -> None:
        self._cluster: Cluster[Parcel, Delivery] = Cluster(functools.partial(deliver, measure), address, count)
        self._progress = progress
        self._code = code_sha256()

    def map(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row | HarnessError]]:
        """Each task with its row, whose run is stored here by then.

        Raises:
            HarnessError: a worker would measure something else; the scheduler or all workers are gone.
        """
        listed = list(tasks)
        own = next((task.choice.tflm.name for task in listed if task.choice.tflm is not None), None)
        if own is not None:
            raise HarnessError(
                f"{own}: a TFLM of your own is read from folders of this machine, which workers do not have",
                "leave --scheduler out: the points are then measured here",
            )
        self._compare(listed)
        # Parcels are packed when there is room for them: a network's bytes are in few of them at a time.
        for parcel, outcome in self._cluster.map(self._pack(task) for task in listed):
            yield parcel.task, outcome if isinstance(outcome, HarnessError) else self._unpack(parcel.task, outcome)

    def __enter__(self) -> Self:
        self._progress(f"connecting to {self._cluster.address}", None, None)
        self._cluster.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._cluster.__exit__(*raised)

    def _compare(self, tasks: list[Task]) -> None:
        """Ask every worker, for the first task of each emulator, whether it would measure the same."""
        self._progress(f"comparing tools with {len(self._cluster.workers)} workers", None, None)
        for task in {task.choice.emulator: task for task in reversed(tasks)}.values():
            for address, answer in self._cluster.everywhere(compare, self._pack(task)).items():
                if isinstance(answer, HarnessError):
                    raise HarnessError(f"worker {address}: {answer.message}", answer.hint, answer.detail)
                if answer is not None:
                    raise self._refused(f"the worker {address} on {answer.host}", task, answer)

    def _pack(self, task: Task) -> Parcel:
        paths = (task.choice.path, *task.inputs)
        return Parcel(task=task, files={path: _content(Path(path)) for path in paths}, code=self._code)

    def _unpack(self, task: Task, delivery: Delivery) -> Row | HarnessError:
        if delivery.row is None:
            assert delivery.parts is not None, "one of both is there"
            answer = Refusal(host=delivery.host, parts=delivery.parts, reason=None, hint=None)
            return self._refused(f"the worker on {delivery.host}", task, answer)
        if delivery.row.run_id is not None:
            store.adopt(delivery.row.run_id, delivery.files, task.command)
        return delivery.row

    def _refused(self, who: str, task: Task, answer: Refusal) -> HarnessError:
        if answer.parts is None:
            return HarnessError(f"{who} cannot measure: {answer.reason}", answer.hint)
        mine = {**worker.parts(task), "code": self._code}
        return HarnessError(
            f"{who} would measure something else: {differences(mine, answer.parts)}",
            "install the same there and start the worker anew, or stop it; --retry runs such points again",
        )


def executor(address: str, progress: Progress = silent) -> Callable[[Measure, int | None], Executor[Task, Row]]:
    """For ``harness.sweep.run.run``: measure on the cluster of that scheduler.

    Raises:
        BadInputError: that is no address.
    """
    check_address(address)
    return lambda measure, count: Points(address, measure, count, progress)


def build_there(_points: tuple[Point, ...], _progress: Progress) -> dict[str, HarnessError]:
    """Nothing is built here: each worker builds what its cache lacks."""
    return {}


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What differs between two identities' parts, in words, ours last. Hashes and long values are only named."""
    named = []
    for key in sorted({*mine, *theirs}, key=lambda key: (list(_TITLES).index(key) if key in _TITLES else 99, key)):
        here, there = (_plain(parts.get(key)) for parts in (mine, theirs))
        if here != there:
            title = _TITLES.get(key, key)
            texts = [_short(here, there), _short(there, here)]
            named.append(f"{title} ({texts[1]} there, {texts[0]} here)" if all(texts) else title)
    return "; ".join(named) or "its identity"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _short(value: Any, other: Any) -> str | None:
    """A value where it says something to a reader; of lists, the first item that differs."""
    if isinstance(value, list) and isinstance(other, list):
        value = next((mine for mine, theirs in zip(value, other, strict=False) if mine != theirs), None)
    if not isinstance(value, str) or len(value) > 80:
        return None
    return None if len(value) >= 32 and all(character in "0123456789abcdef " for character in value) else value


@functools.cache
def code_sha256() -> str:
    """Of the modules that measure, as of the first call: an edit does not reach a process that has loaded them."""
    root = Path(harness.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _MEASURING for path in root.glob(pattern)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


_ = code_sha256()  # when a worker loads this module, not when the first task comes


def _content(path: Path) -> bytes:
    """A file's bytes; none where it is gone meanwhile, which the worker refuses."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


# --- What follows runs on the worker.

_one_at_a_time = threading.Lock()


def compare(parcel: Parcel) -> Refusal | None:
    """Whether this worker would measure the same: None where it would. Asks the tools for their versions anew."""
    toolchain.arm.cache_clear()
    toolchain.host.cache_clear()
    try:
        with _unpacked(parcel) as task:
            parts = _other_parts(parcel, task)
    except HarnessError as error:
        return Refusal(host=socket.gethostname(), parts=None, reason=error.message, hint=error.hint)
    return None if parts is None else Refusal(host=socket.gethostname(), parts=parts, reason=None, hint=None)


def deliver(measure: Measure, parcel: Parcel) -> Delivery:
    """Measure a point here and pack up what was stored."""
    host = socket.gethostname()
    with _unpacked(parcel) as task:
        try:
            parts = _other_parts(parcel, task)
            if parts is not None:
                return Delivery(host=host, row=None, files={}, parts=parts)
            point = Point(choice=task.choice, identity=task.identity, facts=None, failure=None)
            errors = worker.build((point,), silent)
        except HarnessError as error:
            row = worker.failed(task, error, 0.0)
        else:
            row = worker.failed(task, errors[task.identity], 0.0) if errors else measure(task)
        files = {} if row.run_id is None else store.contents(row.run_id)
    return Delivery(host=host, row=row, files=files, parts=None)


def _other_parts(parcel: Parcel, task: Task) -> dict[str, Any] | None:
    """What decides the result here, None where that is what the task's identity stands for."""
    parts = worker.parts(task)
    if parcel.code == code_sha256() and expand.identity_of(parts) == parcel.task.identity:
        return None
    return {**parts, "code": code_sha256()}


@contextlib.contextmanager
def _unpacked(parcel: Parcel) -> Iterator[Task]:
    """The task with the files where they are here; results go to a folder that lasts as long as the block.

    One task at a time: where results and temporary files go is one setting of the whole process, and parts of the
    harness redirect its standard output.
    """
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="harness-", dir=_scratch()) as folder:
        paths = {}
        for index, (path, content) in enumerate(parcel.files.items()):
            target = Path(folder) / str(index) / Path(path).name
            target.parent.mkdir()
            target.write_bytes(content)
            paths[path] = str(target)
        choice = msgspec.structs.replace(parcel.task.choice, path=paths[parcel.task.choice.path])
        with _environment(HARNESS_RESULTS=f"{folder}/results", TMPDIR=folder):
            yield msgspec.structs.replace(
                parcel.task, choice=choice, inputs=tuple(paths[path] for path in parcel.task.inputs)
            )


def _scratch() -> str | None:
    """Dask's folder for this worker, which the next worker on this host removes where this one is killed."""
    from distributed import get_worker

    try:
        return str(get_worker().local_directory)
    except ValueError:  # called outside of a worker
        return None


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    folder, tempfile.tempdir = tempfile.tempdir, variables["TMPDIR"]
    os.environ.update(variables)
    try:
        yield
    finally:
        tempfile.tempdir = folder
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
