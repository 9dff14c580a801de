"""What the outputs must be: every operator's from the application built for the host, the final ones also from PyPI."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from harness import cache, cores, process, wire
from harness.errors import EmulationError, HarnessError
from harness.inputs import Inputs
from harness.library import Library
from harness.records import Model, Record

_LIMIT_S = 600.0
# Operators whose float32 kernels call expf.
_EXPONENTIAL = ("LOGISTIC", "SOFTMAX")


class Reference(Record, frozen=True):
    """CRC-32 of each operator's outputs, and the model's outputs, by the host build; outputs by tflite-micro.

    ``expf`` is "single" or "single-fused" (with fused multiply-add) where the device's C library computes the
    exponential in single precision, and so does the host build for ``crcs`` and ``outputs``; ``host_outputs`` are those
    with the host's own, as tflite-micro has it.
    """

    crcs: tuple[int, ...]
    outputs: tuple[bytes, ...]
    expf: str
    host_outputs: tuple[bytes, ...]
    tflite_micro_outputs: tuple[bytes, ...] | None
    tflite_micro_reason: str | None
    tflite_micro_version: str


def expf_of(model: Model, fpu: str | None) -> str:
    """Which expf a model's outputs depend on, on a core with that FPU: "host" where it makes no difference."""
    exponential = any(
        operator.op in _EXPONENTIAL and model.tensors[operator.inputs[0]].type == "float32"
        for operator in model.operators
    )
    if not exponential or cores.has_double_precision(fpu):
        return "host"
    return "single" if fpu is None else "single-fused"


def compute(model: Model, inputs: Inputs, host: Library, fpu: str | None) -> Reference:
    """The reference for a model and its inputs on a core with that FPU (None: floating point in software).

    It comes from the cache where it was computed before.

    Raises:
        EmulationError: the host build stopped with an error on this model.
    """
    version = importlib.metadata.version("tflite-micro")
    expf = expf_of(model, fpu)
    parts = (host.key, model.sha256, inputs.sha256, version, expf, _TFLITE_MICRO)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    path = cache.path("references", key)
    known = cache.read(path, Reference)
    if known is not None:
        return known
    console = run_host(model, inputs, host, expf)
    second, reason = _tflite_micro(model, inputs)
    reference = Reference(
        crcs=console.crcs,
        outputs=console.outputs,
        expf=expf,
        host_outputs=console.outputs if expf == "host" else run_host(model, inputs, host, "host").outputs,
        tflite_micro_outputs=second,
        tflite_micro_reason=reason,
        tflite_micro_version=version,
    )
    cache.write(path, msgspec.json.encode(reference))
    return reference


def run_host(model: Model, inputs: Inputs, host: Library, expf: str, dump_node: int = -1) -> wire.Console:
    """Run the application on this machine; ``dump_node`` asks for all bytes of one operator's outputs.

    ``expf`` is "host", "single" or "single-fused" (see Reference).

    Raises:
        EmulationError: it crashed, hung, or reported an error.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        content, files = _write(Path(name), model, inputs)
        finished = process.run(
            [host.application / "harness-native", content, str(dump_node), expf, *files], time_limit_s=_LIMIT_S
        )
    if finished.timed_out:
        raise EmulationError(f"the host reference did not end within {_LIMIT_S:g} s on {model.path.name}")
    try:
        console = wire.parse(finished.stdout)
    except wire.WireError as error:
        raise HarnessError(f"the host reference printed what it should not: {error}") from error
    if finished.returncode != 0 or console.status != wire.STATUS_OK:
        raise EmulationError(
            f"TFLM refuses {model.path.name} on the host too: {describe_failure(console, model)}",
            detail="\n".join(console.log) or finished.stderr.strip() or None,
        )
    return console


def _write(folder: Path, model: Model, inputs: Inputs) -> tuple[Path, list[Path]]:
    """The model and its inputs as files, for the programs that read them."""
    content = folder / "model.tflite"
    content.write_bytes(model.content)
    files = [folder / f"input{index}.bin" for index in range(len(inputs.data))]
    for path, data in zip(files, inputs.data, strict=True):
        path.write_bytes(data)
    return content, files


def describe_failure(console: wire.Console, model: Model) -> str:
    """What a firmware reported instead of a result, with the operator's name."""
    if console.fault is not None:
        return console.fault.describe()
    failure = console.failure
    if failure is None:
        return console.log[-1] if console.log else "it ended without a word"
    what = {
        "allocate": "AllocateTensors failed",
        "prepare": "an operator's Prepare failed",
        "input": "the inputs do not fit the model's",
        "invoke": "an operator's Eval failed",
        "model": "the model in flash is damaged: its CRC is another",
        "watchdog": "it hung: the watchdog ended it",
    }[failure.stage]
    if failure.node is not None and failure.node < len(model.operators):
        what += f" (operator {failure.node}, {model.operators[failure.node].op})"
    return what + (f": {console.log[-1]}" if console.log else "")


# The interpreter runs in a process of its own: a model that crashes it must not take the harness along, and importing
# it costs more than a whole warm run.
_TFLITE_MICRO = """
import pathlib, sys
import numpy as np
from tflite_micro import runtime
print("ready", flush=True)
model, *rest = sys.argv[1:]
count = int(rest.pop(0))
interpreter = runtime.Interpreter.from_file(model, arena_size=int(rest.pop(0)))
for index in range(count):
    details = interpreter.get_input_details(index)
    data = np.frombuffer(pathlib.Path(rest.pop(0)).read_bytes(), dtype=details["dtype"])
    interpreter.set_input(data.reshape(details["shape"]), index)
interpreter.invoke()
for index, path in enumerate(rest):
    pathlib.Path(path).write_bytes(np.ascontiguousarray(interpreter.get_output(index)).tobytes())
"""
_ARENA_BYTES = 64 << 20

# The same, keeping every tensor, and writing those that are named in front of the paths.
TENSORS = (
    _TFLITE_MICRO.replace(
        "arena_size=int(rest.pop(0)))",
        "arena_size=int(rest.pop(0)),\n"
        "    intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors)",  # the package's own spelling
    ).split("for index, path")[0]
    + """\
for item in rest:
    index, _, path = item.partition(":")
    value = interpreter.GetTensor(int(index), 0)
    pathlib.Path(path).write_bytes(np.ascontiguousarray(value["tensor_data"]).tobytes())
"""
)


def tflite_micro_tensors(model: Model, inputs: Inputs) -> tuple[tuple[bytes, ...], ...]:
    """The outputs of each operator by the PyPI package.

    Raises:
        HarnessError: its interpreter gives none, or could not be asked.
    """
    names = tuple(f"{index}:" for operator in model.operators for index in operator.outputs)
    found, reason = _ask(TENSORS, names, model, inputs)
    if found is None:
        raise HarnessError(
            f"{model.path.name}: there is no reference to compare with: tflite-micro cannot run it: {reason}",
            "--tflm-host-lib with a build of your TFLM for this machine",
        )
    rest = list(found)
    return tuple(tuple(rest.pop(0) for _ in operator.outputs) for operator in model.operators)


def _tflite_micro(model: Model, inputs: Inputs) -> tuple[tuple[bytes, ...] | None, str | None]:
    """The model's outputs by the PyPI package, or None and why its interpreter gave none.

    Raises:
        HarnessError: the package could not be asked: it does not start, or ran out of time or memory.
    """
    return _ask(_TFLITE_MICRO, ("",) * len(model.outputs), model, inputs)


def _ask(
    program: str, names: tuple[str, ...], model: Model, inputs: Inputs
) -> tuple[tuple[bytes, ...] | None, str | None]:
    """What a program writes, one file for each name, which stands in front of its path; errors as ``_tflite_micro``."""
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        folder = Path(name)
        content, files = _write(folder, model, inputs)
        outputs = [folder / f"output{index}.bin" for index in range(len(names))]
        # -P and the folder: modules of the user's current folder must not stand in for those that it imports.
        finished = process.run(
            [sys.executable, "-P", "-c", program, content, str(len(files)), str(_ARENA_BYTES), *files,
             *(f"{before}{path}" for before, path in zip(names, outputs, strict=True))],
            time_limit_s=_LIMIT_S,
            cwd=folder,
            environment={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path and Path(path).is_absolute())},
        )  # fmt: skip
        if finished.returncode == 0:
            return tuple(path.read_bytes() for path in outputs), None
        if finished.timed_out or finished.returncode == -signal.SIGKILL or "ready" not in finished.stdout:
            raise HarnessError(
                "tflite-micro cannot give its second opinion: "
                + ("it took too long" if finished.timed_out else f"it ended with code {finished.returncode}"),
                "pip install --force-reinstall tflite-micro",
                detail=finished.stderr.strip() or None,
            )
        lines = finished.stderr.strip().splitlines()
        return None, lines[-1] if lines else f"its interpreter crashed (code {finished.returncode})"
