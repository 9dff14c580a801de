"""Accuracy of a network on an emulated device: a test set goes through the firmware and through the host build."""

from __future__ import annotations

import itertools
import time
import tokenize
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness import library, model, reference, serving, setup, tensors
from harness.errors import BadInputError
from harness.library import Progress, silent
from harness.records import EmulatorInfo, Model, Record, Tensor
from harness.setup import DEFAULT_TIME_LIMIT_S

SCHEMA = "tflm-harness/accuracy/1"

_STEP = "running images"
_MAGIC = b"\x93NUMPY"

Array = npt.NDArray[Any]


class TestSet(Record, frozen=True, eq=False):
    """Images in the model's own type, (count, ...) as the model's input, and their classes, int64 (count,).

    ``clipped`` is the share of their values, 0 to 1, that the type could not hold: by more than a step of its scale.
    """

    __test__ = False  # pytest: the name is not a test's

    images: Array
    labels: Array
    clipped: float


class DifferentImage(Record, frozen=True):
    """An image whose outputs differ between device and host: how many elements of all outputs do."""

    index: int
    label: int
    device_class: int
    host_class: int
    elements_different: int


class AccuracyResult(Record, frozen=True):
    """What a test set gave. Accuracies are shares, 0 to 1; instructions are those of one inference; ``clipped`` is
    that of ``TestSet``.

    ``seconds`` is the host's wall clock for the images on device and host, without building and starting;
    ``images_per_second`` follows from it, and says nothing of the device's own speed.
    """

    schema: str
    model: str
    model_sha256: str
    platform: str
    machine: str
    emulator: EmulatorInfo
    kernels: str
    optimisation: str
    hard_float: bool
    images: int
    clipped: float
    device_correct: int
    host_correct: int
    device_accuracy: float
    host_accuracy: float
    different: tuple[DifferentImage, ...]
    instructions_min: int
    instructions_median: float
    instructions_max: int
    seconds: float
    images_per_second: float

    @property
    def equal(self) -> bool:
        """Whether device and host computed the same bytes for every image."""
        return not self.different

    def to_json(self) -> bytes:
        """Indented JSON with a final newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def measure(
    model_path: str | Path,
    images_path: str | Path,
    labels_path: str | Path,
    platform: str,
    *,
    kernels: str = "reference",
    optimisation: str = "-O2",
    fpu: bool | None = None,
    emulator: str = "qemu",
    limit: int | None = None,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    progress: Progress = silent,
) -> AccuracyResult:
    """Run a test set through the firmware on an emulated device and through the same application on the host.

    The class of an image is the index of the largest element of the first output; the first one of equals.

    Args:
        model_path: a .tflite file with one input.
        images_path, labels_path: see ``load``.
        platform, kernels, optimisation, fpu, emulator, time_limit_s, progress: as in ``serving.serve``.
        limit: take the first so many images; None takes all.

    Raises:
        BadInputError, DoesNotFitError, HarnessError: as ``serving.serve``; a BadInputError also for the test set.
    """
    checked = model.load(Path(model_path))
    data = load(Path(images_path), Path(labels_path), checked, limit)
    host = library.for_host(progress)
    device_context = serving.serve(
        model_path,
        platform,
        kernels=kernels,
        optimisation=optimisation,
        fpu=fpu,
        emulator=emulator,
        time_limit_s=time_limit_s,
        progress=progress,
    )
    with device_context as device:
        if device.model.sha256 != checked.sha256:
            raise BadInputError(f"{model_path} changed while it was read")
        hard_float = setup.uses_fpu(device.platform, fpu)
        expf = reference.expf_of(checked, device.platform.fpu if hard_float else None)
        device_classes, host_classes, different, instructions = [], [], [], []
        with serving.host(checked, host, expf, time_limit_s) as golden:
            started = time.monotonic()
            for index, image in enumerate(data.images):
                progress(_STEP, index, len(data.images))
                content = image.tobytes()
                answer = device.infer((content,))
                golden.write((content,))
                expected = golden.read(golden.infer(1))
                instructions.append(answer.instructions[0])
                device_classes.append(_class_of(answer.outputs, checked))
                host_classes.append(_class_of(expected, checked))
                if answer.outputs != expected:
                    different.append(
                        DifferentImage(
                            index=index,
                            label=int(data.labels[index]),
                            device_class=device_classes[-1],
                            host_class=host_classes[-1],
                            elements_different=_elements_different(answer.outputs, expected, checked),
                        )
                    )
            seconds = time.monotonic() - started
            progress(_STEP, len(data.images), len(data.images))
        count = len(data.images)
        correct = [int(np.sum(np.array(classes) == data.labels)) for classes in (device_classes, host_classes)]
        return AccuracyResult(
            schema=SCHEMA,
            model=checked.path.name,
            model_sha256=checked.sha256,
            platform=device.platform.name,
            machine=device.machine.name,
            emulator=device.emulator,
            kernels=kernels,
            optimisation=optimisation,
            hard_float=hard_float,
            images=count,
            clipped=round(data.clipped, 6),
            device_correct=correct[0],
            host_correct=correct[1],
            device_accuracy=round(correct[0] / count, 6),
            host_accuracy=round(correct[1] / count, 6),
            different=tuple(different),
            instructions_min=min(instructions),
            instructions_median=float(np.median(instructions)),
            instructions_max=max(instructions),
            seconds=round(seconds, 3),
            images_per_second=round(count / seconds, 2),
        )


def load(images_path: Path, labels_path: Path, network: Model, limit: int | None = None) -> TestSet:
    """A test set from two .npy files.

    Args:
        images_path: (count, ...), where ... is the shape of the model's input, with or without its batch of 1: in the
            model's own type, or real numbers, which are quantised as round(x / scale) + zero point and clipped.
        labels_path: (count,) whole numbers, each of them an index into the model's first output.
        network: with one input.
        limit: take the first so many; None takes all.

    Raises:
        BadInputError: a file, a shape, a type or a value does not fit.
    """
    if len(network.inputs) != 1:
        raise BadInputError(
            f"{network.path.name} has {len(network.inputs)} inputs; a test set of images needs a network with one"
        )
    if limit is not None and limit < 1:
        raise BadInputError(f"{limit} images are no test set", "give a --limit of at least 1")
    tensor = network.tensors[network.inputs[0]]
    images, labels = _read(images_path), _read(labels_path)
    shapes = [tensor.shape, *([tensor.shape[1:]] if tensor.shape[:1] == (1,) else [])]
    if images.ndim == 0 or images.shape[1:] not in shapes:
        wanted = " or ".join(f"(count, {', '.join(map(str, shape))})" for shape in reversed(shapes))
        raise BadInputError(f"{images_path}: shape {images.shape}, {network.path.name} takes {wanted}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise BadInputError(
            f"{labels_path}: shape {labels.shape} of {labels.dtype}, expected (count,) whole numbers",
            "take the argmax of one-hot labels" if labels.ndim == 2 else None,
        )
    if len(images) != len(labels):
        raise BadInputError(f"{len(images)} images in {images_path}, but {len(labels)} labels in {labels_path}")
    if len(images) == 0:
        raise BadInputError(f"{images_path} holds no image")
    images, labels = images[:limit], labels[:limit]
    classes = network.tensors[network.outputs[0]].bytes // _dtype(network.tensors[network.outputs[0]]).itemsize
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise BadInputError(
            f"{labels_path}: label {labels[outside[0]]} of image {outside[0]}, the network has {classes} classes"
        )
    own, clipped = _own_type(images, tensor, images_path)
    return TestSet(images=own, labels=labels.astype(np.int64), clipped=clipped)


def _read(path: Path) -> Array:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_MAGIC))
            if begin != _MAGIC:
                what = "an .npz archive, expected a .npy file" if begin.startswith(b"PK") else "not a .npy file"
                raise BadInputError(f"{path}: {what}", "numpy.save writes them")
        array: Array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise BadInputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, EOFError, MemoryError, tokenize.TokenError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"{path}: a damaged .npy file, or not one of numbers ({reason})") from error
    return array


def _own_type(images: Array, tensor: Tensor, path: Path) -> tuple[Array, float]:
    """As the model's input takes them, little-endian, and the share of values that were clipped."""
    dtype = _dtype(tensor)
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise BadInputError(f"{path}: holds values that are no numbers")
    if images.dtype == dtype:
        return images.astype(dtype), 0.0
    if images.dtype.kind != "f":
        raise BadInputError(
            f"{path}: type {images.dtype}, the model's input is {tensor.type}",
            f"give {tensor.type}, or real numbers as floating point, which are quantised",
        )
    if dtype.kind == "f":
        if np.abs(images).max() > np.finfo(dtype).max:
            raise BadInputError(f"{path}: holds values that are too large for {tensor.type}")
        return images.astype(dtype), 0.0
    if not tensor.scales or dtype.kind != "i":
        raise BadInputError(f"{path}: type {images.dtype}, the model's input is {tensor.type} without a scale")
    limits = np.iinfo(dtype)
    real = images.astype(np.promote_types(images.dtype, np.float32))
    scaled = np.round(real / tensor.scales[0]) + tensor.zero_points[0]
    held = np.clip(scaled, limits.min, limits.max)
    return held.astype(dtype), float(np.mean(np.abs(scaled - held) > 1))


def _dtype(tensor: Tensor) -> np.dtype[Any]:
    return tensors.dtype(tensor.type)


def _arrays(outputs: tuple[bytes, ...], network: Model) -> list[Array]:
    tensors = (network.tensors[index] for index in network.outputs)
    return [np.frombuffer(data, dtype=_dtype(tensor)) for data, tensor in zip(outputs, tensors, strict=True)]


def _class_of(outputs: tuple[bytes, ...], network: Model) -> int:
    return int(np.argmax(_arrays(outputs, network)[0]))


def _elements_different(device: tuple[bytes, ...], host: tuple[bytes, ...], network: Model) -> int:
    widths = (_dtype(network.tensors[index]).itemsize for index in network.outputs)
    return sum(itertools.starmap(tensors.differing, zip(device, host, widths, strict=True)))
