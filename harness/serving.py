"""Networks that serve: in firmware that takes inputs and answers outputs, on an emulated device or on the host."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import image, inputs, library, pipeline, platforms, process, wire
from harness.client import Client, InferenceError
from harness.elf import Elf
from harness.emulators import BACKENDS, Session
from harness.emulators.console import Console
from harness.errors import BadInputError, EmulationError, HarnessError
from harness.frames import FrameError, Info
from harness.library import Library, Progress, silent
from harness.records import EmulatorInfo, Job, Machine, Model, Platform, Record, Segment
from harness.setup import DEFAULT_TIME_LIMIT_S, Options, Setup, prepare

APP_SERVE = "app_serve"
# Inferences of one request: their segments wait in memory until it is answered.
_BATCH = 16


class Answer(Record, frozen=True):
    """What some inferences with the same inputs gave.

    ``outputs`` are the bytes of each output tensor after the last one. ``instructions`` has one number per inference,
    from before Invoke to after it; ``layers`` those of each operator's Eval per inference. What TFLM does between the
    operators is in the former only.
    """

    outputs: tuple[bytes, ...]
    instructions: tuple[int, ...]
    layers: tuple[tuple[int, ...], ...]


class Device:
    """A network on an emulated device. Made by ``serve``.

    ``platform`` is what was asked for, ``machine`` what the firmware is linked for and runs on, ``emulator`` what runs
    it; ``info`` is what the firmware says of itself; ``session`` is its console, for whoever speaks to it directly.
    """

    def __init__(
        self, session: Session, model: Model, platform: Platform, machine: Machine, time_limit_s: float
    ) -> None:
        self.session = session
        self.model = model
        self.platform = platform
        self.machine = machine
        self._limit_s = time_limit_s
        self._client = Client(session, model, time_limit_s, machine.name)

    @property
    def info(self) -> Info:
        return self._client.info

    @property
    def emulator(self) -> EmulatorInfo:
        return self.session.info

    def infer(self, inputs: Sequence[bytes], repeat: int = 1) -> Answer:
        """Run ``repeat`` inferences with these inputs: the bytes of each input tensor, in the model's order.

        Raises:
            BadInputError: wrong number of inputs, or of bytes, or of inferences.
            EmulationError: the firmware failed, or a lost or wrong answer: what was expected is said. After a failed
                inference (client.InferenceError) the device can be used further.
        """
        if repeat < 1:
            raise BadInputError(f"{repeat} inferences cannot be run", "give at least 1")
        self._client.write(inputs)
        counted: list[tuple[int, ...]] = []
        crc = 0
        while len(counted) < repeat:
            batch = min(_BATCH, repeat - len(counted))
            try:
                crc = self._client.infer(batch)
            except InferenceError as error:
                self.pass_over(error.frame)
                raise
            counted += self._counts(batch)
        return Answer(
            outputs=self._client.read(crc),
            instructions=tuple(values[0] for values in counted),
            layers=tuple(values[1:] for values in counted),
        )

    def require_alive(self) -> None:
        """Do nothing while it can be asked.

        Raises:
            EmulationError: the emulator or the firmware has ended, or TFLM stopped.
        """
        self._client.require_alive()

    def counts(self, inferences: int) -> list[tuple[int, ...]]:
        """Of each of the next inferences: its instructions, then those of each operator.

        For whoever sends requests over ``session``; each inference that has run must be asked for once, also where
        none has.

        Raises:
            EmulationError: fewer have run, or they cannot be counted exactly.
        """
        self._client.forget()
        return self._counts(inferences)

    def _counts(self, inferences: int) -> list[tuple[int, ...]]:
        operators = len(self.model.operators)
        length = segments_of(operators)
        segments = self.session.segments(length * inferences, self._limit_s) if inferences else ()
        return [values(segments[at : at + length]) for at in range(0, len(segments), length)]

    def pass_over(self, error: FrameError) -> None:
        """After an ERROR frame for a failed inference: skip the segments of that request."""
        failed = segments_of(0 if error.node is None else error.node + 1)
        self.session.segments(error.done * segments_of(len(self.model.operators)) + failed, self._limit_s)


def segments_of(operators: int) -> int:
    """Segments of one inference: up to the mark before Invoke; per operator its way, Eval and check; the way out."""
    return 3 * operators + 2


def values(segments: Sequence[Segment]) -> tuple[int, ...]:
    """From the segments of one inference: its instructions without the checks, then those of each operator."""
    counts = [segment.instructions for segment in segments]
    layers, ways = counts[2::3], counts[1::3]
    return (sum(layers) + sum(ways), *layers)


@contextlib.contextmanager
def serve(
    model_path: str | Path,
    platform: str,
    *,
    kernels: str = "reference",
    optimisation: str = "-O2",
    fpu: bool | None = None,
    emulator: str = "qemu",
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> Iterator[Device]:
    """Build a network into firmware that serves it, and start that: a context manager, whose end ends the emulator.

    Args:
        model_path: a .tflite file.
        platform: a name that ``harness platforms`` lists.
        kernels, optimisation, fpu: as in ``pipeline.run``.
        emulator: a name in ``harness.emulators.BACKENDS``.
        time_limit_s: wall-clock limit of the start and of each request, in seconds.
        progress: told what is being done.

    Raises:
        BadInputError: the model or an option cannot be used (exit code 2).
        DoesNotFitError: the network is larger than the board and than every machine that could stand in (1).
        HarnessError: a tool is missing, a build failed, the emulator or the firmware died (3).
    """
    options = Options(kernels=kernels, optimisation=optimisation, fpu=fpu, emulator=emulator, time_limit_s=time_limit_s)
    setup = prepare(Path(model_path), platform, options)
    _require_few_tensors(setup.model)
    libraries = library.for_core(setup.arch, optimisation, setup.arm, progress)
    progress("sizing the arena", None, None)
    elf, machine = _link(setup, libraries)
    progress(f"starting {machine.name}", None, None)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        job = Job(
            elf=elf.path,
            machine=machine,
            mark_address=elf.symbols[image.MARK_SYMBOL],
            end_address=elf.symbols[image.END_SYMBOL],
            uart_log=Path(folder) / "uart.log",
            time_limit_s=time_limit_s,
            work=Path(folder),
        )
        with BACKENDS[emulator].open(job) as session:
            yield Device(session, setup.model, setup.platform, machine, time_limit_s)


@contextlib.contextmanager
def host(model: Model, libraries: Library, expf: str, time_limit_s: float = DEFAULT_TIME_LIMIT_S) -> Iterator[Client]:
    """The same application as a program of this machine (``library.for_host``); ``expf`` as in ``reference.expf_of``.

    Raises:
        EmulationError: it fails on this model.
    """
    _require_few_tensors(model)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        content = Path(folder) / "model.tflite"
        content.write_bytes(model.content)
        session = HostSession(libraries.application / "harness-native", content, expf, time_limit_s)
        with session:
            yield Client(session, model, time_limit_s, "the host")


class HostSession:
    """The application on this machine: a ``harness.emulators.Session`` that counts nothing."""

    def __init__(self, program: Path, model: Path, expf: str, patience_s: float) -> None:
        self._console = Console(
            lambda console: process.Running([program, model, "serve", expf, str(console)], pass_fds=(console,)),
            pipes={},
            patience_s=patience_s,
            death=_host_death,
        )

    @property
    def info(self) -> EmulatorInfo:
        return EmulatorInfo(name="host", version="", machine="host", counter=None)

    def write(self, data: bytes) -> None:
        self._console.write(data)

    def read(self, timeout_s: float) -> bytes:
        return self._console.read(timeout_s)

    def segments(self, count: int, timeout_s: float) -> tuple[Segment, ...]:
        """Raises EmulationError: a program of the host is not counted."""
        raise EmulationError("instructions of the host are not counted")

    def __enter__(self) -> HostSession:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._console.close()


def _host_death(finished: process.Finished, _tail: bytes) -> EmulationError:
    return EmulationError(
        f"the application on the host ended with code {finished.returncode}", detail=finished.stderr.strip() or None
    )


def _require_few_tensors(model: Model) -> None:
    tensors = len(model.inputs) + len(model.outputs)
    if tensors > wire.FRAME_TENSORS:
        raise BadInputError(
            f"{model.path.name} has {tensors} inputs and outputs, firmware that serves takes {wire.FRAME_TENSORS}"
        )


def _link(setup: Setup, libraries: Library) -> tuple[Elf, Machine]:
    """The firmware on the first machine that holds it: the arena that the network needs, and the inputs behind it."""
    model = setup.model
    found, arena = pipeline.fit(setup, libraries, inputs.deterministic(model))
    copies = sum(image.aligned(model.tensors[index].bytes) for index in model.inputs)
    larger = setup.platform.machines
    if found.name in larger:
        larger = larger[larger.index(found.name) + 1 :]
    for machine in (found.machine, *(platforms.load(name).machine for name in larger)):
        spec = image.Spec(
            model=model,
            inputs=(),
            kernels=setup.options.kernels,
            machine=machine,
            arena_bytes=image.aligned(arena.needed) + copies,
            app=APP_SERVE,
        )
        try:
            return image.link(spec, libraries, setup.arm), machine
        except image.ImageError as error:
            failure = error
    raise HarnessError(
        f"{model.path.name} with the application that serves it is larger than {machine.name}: "
        f"{failure.overflow} bytes of {failure.region} are missing",
        "harness platforms lists the machines and their sizes",
    ) from failure
