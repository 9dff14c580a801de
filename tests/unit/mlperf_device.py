"""A device for tests of the benchmark's protocol: networks of given tensors, with counts and outputs as told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import platforms, wire
from harness.client import InferenceError
from harness.errors import EmulationError
from harness.frames import FrameError
from harness.records import Model, Platform, Record, Tensor

CLOCK_HZ = 120_000_000
SIZES = {"int8": 1, "int16": 2, "int32": 4, "float32": 4}


def tensor(shape: tuple[int, ...], type: str = "int8", scale: float | None = None, zero_point: int = 0) -> Tensor:
    """A tensor that is an input or an output; its index is set by ``model``."""
    size = SIZES[type]
    for dimension in shape:
        size *= dimension
    return Tensor(
        index=0,
        name="t",
        type=type,
        shape=shape,
        bytes=size,
        is_constant=False,
        is_variable=False,
        scales=() if scale is None else (scale,),
        zero_points=() if scale is None else (zero_point,),
        quantized_dimension=0,
    )


def model(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Model:
    """A network of which only inputs and outputs are known."""
    tensors = tuple(msgspec.structs.replace(item, index=index) for index, item in enumerate((*inputs, *outputs)))
    return Model(
        path=Path("net.tflite"),
        content=b"",
        sha256="",
        size_bytes=0,
        description="",
        tensors=tensors,
        operators=(),
        inputs=tuple(range(len(inputs))),
        outputs=tuple(range(len(inputs), len(tensors))),
    )


KWS = model([tensor((1, 49, 10, 1), scale=0.58, zero_point=83)], [tensor((1, 12), scale=1 / 256, zero_point=-128)])
VWW = model([tensor((1, 96, 96, 3), scale=1 / 255, zero_point=-128)], [tensor((1, 2), scale=1 / 256, zero_point=-128)])
IC = model([tensor((1, 32, 32, 3), scale=1.0, zero_point=-128)], [tensor((1, 10), scale=1 / 256, zero_point=-128)])
AD = model([tensor((1, 640), scale=0.391, zero_point=89)], [tensor((1, 640), scale=0.3645, zero_point=96)])
AD_FLOAT = model([tensor((1, 640), "float32")], [tensor((1, 640), "float32")])


class Answer(Record, frozen=True):
    """What a request gave."""

    outputs: tuple[bytes, ...]
    instructions: tuple[int, ...]


class FakeDevice:
    """Runs nothing: ``outputs`` gives the output tensors of the inputs, ``instructions`` the count of inference N.

    Every request is kept in ``requests``; inference ``fails_at`` raises, and inference ``ends_at`` is the device's end.
    """

    def __init__(
        self,
        model: Model = KWS,
        outputs: Callable[[Sequence[bytes]], tuple[bytes, ...]] | None = None,
        instructions: Callable[[int], int] = lambda _index: 1_000,
        fails_at: int | None = None,
        ends_at: int | None = None,
    ) -> None:
        self.model = model
        self.platform: Platform = platforms.load("stm32l4r5zi")
        assert self.platform.clock_hz == CLOCK_HZ
        self.requests: list[tuple[tuple[bytes, ...], int]] = []
        self.done = 0
        self._outputs = outputs or (lambda _inputs: tuple(bytes(model.tensors[i].bytes) for i in model.outputs))
        self._instructions = instructions
        self._fails_at = fails_at
        self._ends_at = ends_at
        self.alive = True

    def infer(self, inputs: Sequence[bytes], repeat: int = 1) -> Answer:
        assert [len(data) for data in inputs] == [self.model.tensors[i].bytes for i in self.model.inputs]
        self.requests.append((tuple(inputs), repeat))
        first, self.done = self.done, self.done + repeat
        if self._fails_at is not None and first <= self._fails_at < self.done:
            error = FrameError(code=wire.FRAME_ERROR_INFERENCE, node=3, done=self._fails_at - first)
            raise InferenceError("operator 3 failed:\nsee the [log]", None, error)
        if self._ends_at is not None and first <= self._ends_at < self.done:
            self.alive = False
        self.require_alive()
        return Answer(
            outputs=self._outputs(inputs), instructions=tuple(map(self._instructions, range(first, self.done)))
        )

    def require_alive(self) -> None:
        if not self.alive:
            raise EmulationError("the emulator has ended")
