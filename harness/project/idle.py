"""Which defaults of the file say nothing in an invocation. On the command line the same options would be an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.project.keys import Command

_Parameters = Mapping[str, Any]


def _without(*names: str) -> Callable[[_Parameters], bool]:
    return lambda parameters: not any(parameters.get(name) for name in names)


def _with(*names: str) -> Callable[[_Parameters], bool]:
    return lambda parameters: any(parameters.get(name) for name in names)


def _of_stored_run(parameters: _Parameters) -> bool:
    return parameters.get("target") is not None and not _measures(parameters)


def _measures(parameters: _Parameters) -> bool:
    """Whether energy is asked for a network that is measured first, or would be."""
    return str(parameters.get("target")).endswith(".tflite")


def _has_its_latency(parameters: _Parameters) -> bool:
    return bool(parameters.get("latency")) or not _measures(parameters)


def _not_on_qemu(parameters: _Parameters) -> bool:
    return parameters.get("emulator") != "qemu"


# For a command, keys and when they say nothing, told by the parameters of the command's function.
_IDLE: dict[Command, tuple[tuple[tuple[str, ...], Callable[[_Parameters], bool]], ...]] = {
    ("run",): (
        (("kernels",), _with("tflm_lib")),  # a library has its own
        (("max_instructions",), lambda parameters: parameters.get("emulator") != "renode"),
        (("features_out",), _without("cycles", "calibration")),
        (("carry",), _without("calibration")),
        (("calibration", "carry", "calls"), _not_on_qemu),  # other emulators do not tell what these take
    ),
    ("serve",): ((("model_id",), lambda parameters: parameters.get("protocol") != "mlperf-tiny"),),
    ("sweep",): ((("scheduler",), _with("dry_run")),),
    ("gate",): ((("jobs",), _with("runs")),),
    ("baseline", "update"): ((("policy", "jobs"), _with("runs")),),
    ("history",): ((("format",), _without("plot", "output")),),
    ("energy",): (
        (("opt",), lambda parameters: not parameters.get("target")),
        (("platform", "kernels", "opt"), _of_stored_run),
        (("marker", "threshold"), _without("trace")),
        (("carry",), _without("calibration")),
        (("calibration", "carry"), _has_its_latency),
    ),
    ("validate",): ((("models",), _without("emulate")), (("output",), _with("platform"))),
}


def names(command: Command, parameters: _Parameters) -> frozenset[str]:
    """The keys whose values from the file a command leaves out, by what it is asked for."""
    return frozenset(name for group, idle in _IDLE.get(command, ()) for name in group if idle(parameters))
