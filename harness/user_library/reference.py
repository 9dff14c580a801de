"""What the outputs of a user's TFLM must be: by their own build of it for this host, or by PyPI's tflite-micro.

The package is of another release than the library. Both compute the same networks, but not always with the same
rounding: where they differ by no more than that, it is reported as a difference between releases.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import zlib
from datetime import date

import msgspec
import numpy as np

from harness import cache, reference, tensors
from harness.inputs import Inputs
from harness.library import Library
from harness.records import Model
from harness.reference import Reference
from harness.result import Difference, ReferencePart

TFLITE_MICRO, HOST = "tflite-micro", "host library"

# What another rounding makes of the same inputs: one step of an integer, and for real numbers the error of a sum in
# another order, as a part of the largest value.
_STEPS = 1
_RELATIVE = 1e-5
_INTEGERS = ("int8", "uint8", "int16", "int32", "int64")


def compute(model: Model, inputs: Inputs, host: Library | None, fpu: str | None) -> Reference:
    """The reference: with ``host`` (the application with the user's library for this machine) as for the packaged TFLM.

    Raises:
        EmulationError: the host's application stopped with an error on this model.
        HarnessError: there is none, and tflite-micro gives no outputs.
    """
    if host is not None:
        return reference.compute(model, inputs, host, fpu)
    version = importlib.metadata.version("tflite-micro")
    key = hashlib.sha256("\0".join((model.sha256, inputs.sha256, version, reference.TENSORS)).encode()).hexdigest()[:32]
    path = cache.path("references", f"tflite-micro-{key}")
    known = cache.read(path, Reference)
    if known is not None:
        return known
    layers = reference.tflite_micro_tensors(model, inputs)
    outputs = {tensor: data for operator, found in zip(model.operators, layers, strict=True)
               for tensor, data in zip(operator.outputs, found, strict=True)}  # fmt: skip
    made = Reference(
        crcs=tuple(zlib.crc32(b"".join(found)) for found in layers),
        outputs=tuple(outputs[index] for index in model.outputs),
        expf="host",
        host_outputs=tuple(outputs[index] for index in model.outputs),
        tflite_micro_outputs=tuple(outputs[index] for index in model.outputs),
        tflite_micro_reason=None,
        tflite_micro_version=version,
    )
    cache.write(path, msgspec.json.encode(made))
    return made


def layer(model: Model, inputs: Inputs, host: Library | None, expf: str, index: int) -> bytes:
    """The outputs of one operator, one after the other.

    Raises:
        HarnessError: as ``compute``.
    """
    if host is not None:
        return reference.run_host(model, inputs, host, expf, dump_node=index).dumps[index]
    return b"".join(reference.tflite_micro_tensors(model, inputs)[index])


def part(found: Reference, host: Library | None, difference: Difference | None, scale: float | None) -> ReferencePart:
    """What a result says of its reference. ``difference`` is the first, ``scale`` the largest value there."""
    return ReferencePart(
        name=TFLITE_MICRO if host is None else HOST,
        version=found.tflite_micro_version if host is None else host.tflm,
        date=released(found.tflite_micro_version) if host is None else None,
        rounding=host is None and difference is not None and is_rounding(difference, scale),
    )


def is_rounding(difference: Difference, scale: float | None) -> bool:
    """Whether rounding explains a difference of outputs that were computed of the same inputs.

    ``scale`` is the largest magnitude among the reference's, None for integers, which differ by steps.
    """
    if difference.largest is None:
        return False
    if scale is None:
        return difference.largest <= _STEPS
    return difference.largest <= _RELATIVE * scale


def largest(kind: str, data: bytes) -> float | None:
    """The largest magnitude of real numbers, None for integers and where there is none that is finite."""
    if kind in _INTEGERS or kind == "bool":
        return None
    values = np.abs(np.frombuffer(data, dtype=tensors.dtype(kind)).astype(np.float64))
    return float(values[np.isfinite(values)].max(initial=0.0))


def released(version: str) -> str | None:
    """The day of a development release ("0.dev20261023182759"), None of a version without one."""
    found = re.search(r"dev(\d{4})(\d{2})(\d{2})", version)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        return None
