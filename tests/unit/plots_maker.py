"""Made-up sweeps whose numbers are known, stored and read as real ones are, for tests of plots."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.report import plots
from harness.report.plots_points import Swept
from harness.result import per_mac
from harness.sweep import points
from harness.sweep.file import Budgets, Objective
from harness.sweep.metrics import Measured
from harness.sweep.plan import PLAN_SCHEMA, ROW_SCHEMA, Choice, Facts, Failure, LayerRow, ModelFacts, Plan, Point, Row
from harness.zoo import networks
from harness.zoo.recipe import Recipe

OBJECTIVES = (Objective(metric="instructions"), Objective(metric="flash"))
OVERHEAD = 7


class Made(NamedTuple):
    """A point. ``layers`` are (operator, instructions, MACs, channels); None: it could not be measured."""

    model: str = "net.tflite"
    layers: tuple[tuple[str, int, int, int], ...] | None = (("CONV_2D", 1000, 100, 8),)
    kernels: str = "reference"
    platform: str = "stm32l496zg"
    core: str = "cortex-m4"
    flash: int = 65536
    accuracy: float | None = None
    exact: bool = True
    passed: bool = True
    spec: str | None = None


def store(
    made: list[Made], name: str = "made", objectives: tuple[Objective, ...] = OBJECTIVES, **budgets: Any
) -> Swept:
    """The sweep, stored in the folder of results and read again."""
    plan = Plan(
        schema=PLAN_SCHEMA,
        name=name,
        file="",
        file_sha256="",
        time_limit_s=1.0,
        budgets=Budgets(**budgets),
        objectives=objectives,
        inputs=(),
        points=tuple(_point(index, item) for index, item in enumerate(made)),
        notes=(),
    )
    points.folder(name).mkdir(parents=True, exist_ok=True)
    points.write_plan(plan)
    with points.Log(name) as log:
        for index, item in enumerate(made):
            log.add(_row(index, item))
    return plots.read(name)


def _point(index: int, item: Made) -> Point:
    choice = Choice(
        model=item.model,
        path="",
        recipe=None if item.spec is None else Recipe(spec=networks.parse(item.spec)),
        platform=item.platform,
        kernels=item.kernels,
        optimisation="-O2",
        fpu=None,
        emulator="qemu",
    )
    facts = Facts(
        model=ModelFacts(sha256=item.model, type="int8", compressed_size=10, accuracy=item.accuracy),
        core=item.core,
        fpu="none",
        compiler="gcc 12",
        emulator_version="7.2",
    )
    return Point(choice=choice, identity=str(index), facts=facts, failure=None)


def _row(index: int, item: Made) -> Row:
    common: dict[str, Any] = {"schema": ROW_SCHEMA, "identity": str(index), "seconds": 1.0}
    if item.layers is None:
        return Row(**common, failure=Failure(kind="not measured", message="died"))
    total = sum(layer[1] for layer in item.layers) + OVERHEAD
    macs = sum(layer[2] for layer in item.layers)
    measured = Measured(
        instructions=total,
        overhead=OVERHEAD,
        macs=macs,
        instructions_per_mac=per_mac(total, macs),
        flash=item.flash,
        ram=4096,
        arena=2048,
        stack=512,
        code=item.flash - 100,
        model_size=100,
        classes=None,
    )
    layers = tuple(
        LayerRow(
            index=position,
            op=op,
            name=op,
            output_shape=(1, 4, 4, channels),
            instructions=instructions,
            share=instructions / total,
            macs=macs,
            instructions_per_mac=per_mac(instructions, macs),
            classes=None,
            output_exact=item.exact,
        )
        for position, (op, instructions, macs, channels) in enumerate(item.layers)
    )
    return Row(**common, run_id="r", machine="m", passed=item.passed, output_exact=item.exact, measured=measured,
               layers=layers)  # fmt: skip
