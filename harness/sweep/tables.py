"""A sweep as tidy tables, one row a point and one a layer: CSV, Parquet where pyarrow is there, pandas frames."""

from __future__ import annotations

import csv
import importlib.util
import io
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness import isa
from harness.errors import MissingToolError
from harness.records import Record
from harness.store import safe_cell
from harness.sweep import points
from harness.sweep.estimates import ASK, Estimate, Quantity
from harness.sweep.metrics import ESTIMATES, METRICS, Measured
from harness.sweep.plan import LayerRow, Plan, Point, Row
from harness.zoo.recipe import Recipe
from harness.zoo.spec import text

EXTRA_HINT = "pip install 'tflm-harness[sweep]'"

# "ok": measured, exact, fits its board and every budget. "undecided": so do all but budgets of estimates, whose bounds
# leave open whether they are kept. "verdict no": does not fit, or is not exact. "not run": the sweep was interrupted
# before.
State = Literal["ok", "undecided", "over budget", "verdict no", "too large", "impossible", "not measured", "not run"]
Cell = str | int | float | bool | None
Kind = Literal["text", "integer", "real", "truth"]


class Column(NamedTuple):
    """A column's name and what its cells hold; every cell may be missing."""

    name: str
    kind: Kind


class PointRow(Record, frozen=True):
    """A point with what became of it. ``over`` has, for each budget that is not kept, by how much; None: unknown.

    ``undecided`` names the budgets of estimates that may be kept or not.
    """

    point: Point
    row: Row | None
    state: State
    reason: str | None
    over: dict[str, float | None]
    undecided: tuple[str, ...] = ()

    @property
    def measured(self) -> Measured | None:
        """Its numbers, None where there are none."""
        return None if self.row is None else self.row.measured

    def value(self, metric: str) -> int | float | None:
        """The point's value of a metric, None where it is not known."""
        return _value(self.point, self.row, metric)

    @property
    def estimate(self) -> Estimate | None:
        """What it takes on its board by models, None where nothing was estimated."""
        return None if self.row is None else self.row.estimate

    def missing(self, metric: str) -> str | None:
        """Why the point has no value of a metric, None where nothing is to be said."""
        if metric == "accuracy":
            return _without_accuracy(self.point)
        if METRICS[metric].source != "estimate":
            return None
        if self.estimate is None:
            return f"the sweep file does not say {ASK}"
        return self.estimate.without_energy


class Frames(NamedTuple):
    """pandas frames of a sweep: a row a point, a row a layer."""

    points: Any
    layers: Any


_CLASSES = tuple(Column(f"class_{name}", "integer") for name in isa.CLASSES)
_AXES = (
    Column("point", "text"),
    Column("model", "text"),
    Column("network", "text"),
    Column("parameters", "text"),
    Column("type", "text"),
    Column("weights", "text"),
    Column("seed", "integer"),
    Column("sparsity", "real"),
    Column("channel_pruning", "real"),
    Column("multiple_of", "integer"),
    Column("platform", "text"),
    Column("kernels", "text"),
    Column("optimisation", "text"),
    Column("fpu", "text"),
    Column("emulator", "text"),
    Column("tflm", "text"),
)
_ESTIMATED = tuple(
    column
    for name in ESTIMATES
    for column in (
        Column(METRICS[name].column, "real"),
        *(Column(f"{name}_{bound}_{METRICS[name].unit.lower()}", "real") for bound in ("low", "high")),
        Column(f"{name}_model", "text"),
        Column(f"{name}_tier", "text"),
    )
)
POINT_COLUMNS = (
    *_AXES,
    Column("state", "text"),
    Column("reason", "text"),
    Column("instructions", "integer"),
    Column("overhead", "integer"),
    Column("macs", "integer"),
    Column("instructions_per_mac", "real"),
    Column("flash", "integer"),
    Column("ram", "integer"),
    Column("arena", "integer"),
    Column("stack", "integer"),
    Column("code", "integer"),
    Column("model_size", "integer"),
    Column("compressed_size", "integer"),
    Column("accuracy", "real"),
    Column("accuracy_images", "integer"),
    Column("accuracy_data", "text"),
    *_ESTIMATED,
    Column("output_exact", "truth"),
    Column("core", "text"),
    Column("machine", "text"),
    Column("emulator_version", "text"),
    Column("compiler", "text"),
    Column("model_sha256", "text"),
    Column("run_id", "text"),
    *_CLASSES,
)
LAYER_COLUMNS = (
    *_AXES,
    Column("index", "integer"),
    Column("op", "text"),
    Column("name", "text"),
    Column("output_shape", "text"),
    Column("instructions", "integer"),
    Column("share", "real"),
    Column("macs", "integer"),
    Column("instructions_per_mac", "real"),
    Column("cycles_estimated", "integer"),
    Column("output_exact", "truth"),
    *_CLASSES,
)
_MEASURED = ("instructions", "overhead", "macs", "instructions_per_mac", "flash", "ram", "arena", "stack", "code",
             "model_size")  # fmt: skip
_OF_MODEL = ("compressed_size", "accuracy", "accuracy_images", "accuracy_data")


def point_rows(plan: Plan, rows: dict[str, Row]) -> tuple[PointRow, ...]:
    """What became of each point of the plan, in its order."""
    return tuple(_point_row(plan, point, rows.get(point.identity or "")) for point in plan.points)


def _point_row(plan: Plan, point: Point, row: Row | None) -> PointRow:
    failure = point.failure if row is None else row.failure
    if failure is not None:
        return PointRow(point=point, row=row, state=failure.kind, reason=failure.message, over={})
    if row is None or row.measured is None:
        return PointRow(point=point, row=row, state="not run", reason="the sweep was interrupted before", over={})
    over: dict[str, float | None] = {}
    undecided = []
    limits = plan.budgets.limits(point.choice.platform)
    for metric, limit in limits.items():
        amount, quantity = _value(point, row, metric), _quantity(row, metric)
        excess = None if amount is None else METRICS[metric].beyond(amount, limit)
        decided = None if quantity is None else quantity.against(limit)
        if decided == "undecided":
            undecided.append(metric)
        elif excess is None or decided == "missed" or (decided is None and excess > 0):
            over[metric] = excess
    reasons = [
        *row.reasons,
        *(_excess(point, row, metric, limits[metric], excess) for metric, excess in over.items()),
        *(_band(row, metric, limits[metric]) for metric in undecided),
    ]
    state: State = "verdict no" if not row.passed else "over budget" if over else "undecided" if undecided else "ok"
    return PointRow(
        point=point, row=row, state=state, reason="; ".join(reasons) or None, over=over, undecided=tuple(undecided)
    )


def _quantity(row: Row | None, metric: str) -> Quantity | None:
    """The estimate of a metric, None where it is none, or was not estimated."""
    if row is None or row.estimate is None or METRICS[metric].source != "estimate":
        return None
    return row.estimate.of(metric)


def _value(point: Point, row: Row | None, metric: str) -> int | float | None:
    rule = METRICS[metric]
    if rule.source == "estimate":
        quantity = _quantity(row, metric)
        return None if quantity is None else quantity.value
    source = (point.facts and point.facts.model) if rule.source == "model" else (row and row.measured)
    found: int | float | None = None if source is None else getattr(source, metric)
    return found


def _without_accuracy(point: Point) -> str:
    return "its weights are random" if _kind(point)[1] == "random" else "there is no test set for it"


def _band(row: Row, metric: str, limit: float) -> str:
    """An estimate beside its budget."""
    found, rule = _quantity(row, metric), METRICS[metric]
    assert found is not None, "it was held against the budget"
    if found.low is None:
        bounds = "without bounds"
    else:
        bounds = f"{rule.text(found.low)} to {'any' if found.high is None else rule.text(found.high)}"
    state = found.against(limit)
    return f"estimated {metric} {rule.text(found.value)} ({bounds}), budget {rule.text(limit)}: {state}"


def _excess(point: Point, row: Row, metric: str, limit: float, excess: float | None) -> str:
    rule = METRICS[metric]
    if excess is None:
        why = _without_accuracy(point) if metric == "accuracy" else row.estimate and row.estimate.without_energy
        why = f": {why}" if why else ""
        return f"no value for {metric}, which has a budget{why}"
    if rule.source == "estimate":
        return _band(row, metric, limit)
    amount, side = rule.change(excess).removeprefix("+"), "over" if rule.direction == "min" else "under"
    return f"{metric} {side} the budget by {amount}" + ("" if rule.unit == "%" else f" ({excess / limit:.1%})")


def _axes(point: Point) -> dict[str, Cell]:
    choice = point.choice
    kind, weights = _kind(point)
    return {
        "point": point.identity,
        "model": choice.model,
        **({} if choice.recipe is None else _recipe(choice.recipe)),
        "type": kind,
        "weights": weights,
        "platform": choice.platform,
        "kernels": choice.kernels,
        "optimisation": choice.optimisation,
        "fpu": _fpu(point),
        "emulator": choice.emulator,
        **({} if choice.tflm is None else {"tflm": choice.tflm.name}),
    }


def _kind(point: Point) -> tuple[str | None, str | None]:
    """The type of a point's network and what its weights are worth, None where that is not known."""
    recipe = point.choice.recipe
    if recipe is not None:
        return recipe.type, recipe.weights
    return (None, None) if point.facts is None else (point.facts.model.type, point.facts.model.weights)


def _recipe(recipe: Recipe) -> dict[str, Cell]:
    """How the zoo made a network; ``parameters`` are all of them, "channels=8,kernel=3"."""
    return {
        "network": recipe.spec.network,
        "parameters": ",".join(f"{name}={text(value)}" for name, value in recipe.spec.parameters) or None,
        "seed": recipe.seed,
        "sparsity": recipe.sparsity,
        "channel_pruning": recipe.channel_pruning,
        "multiple_of": recipe.multiple_of,
    }


def _fpu(point: Point) -> str | None:
    """The FPU that code is generated for, "none" in software; None where it was never decided."""
    return None if point.facts is None else point.facts.fpu or "none"


def _point_cells(item: PointRow) -> dict[str, Cell]:
    facts, row = item.point.facts, item.row
    cells = _axes(item.point) | {"state": item.state, "reason": item.reason}
    if facts is not None:
        cells |= {
            "core": facts.core,
            "emulator_version": facts.emulator_version,
            "compiler": facts.compiler,
            "model_sha256": facts.model.sha256,
            **{name: getattr(facts.model, name) for name in _OF_MODEL},
        }
    if row is not None and row.measured is not None:
        cells |= {name: getattr(row.measured, name) for name in _MEASURED}
        cells |= {"output_exact": row.output_exact, "machine": row.machine, "run_id": row.run_id}
        cells |= _class_cells(row.measured.classes)
    if row is not None and row.estimate is not None:
        cells |= _estimate_cells(row.estimate)
    return cells


def _estimate_cells(found: Estimate) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for name in ESTIMATES:
        quantity, unit = found.of(name), METRICS[name].unit.lower()
        if quantity is not None:
            cells |= {METRICS[name].column: quantity.value, f"{name}_model": quantity.model,
                      f"{name}_tier": quantity.tier}  # fmt: skip
            cells |= {f"{name}_low_{unit}": quantity.low, f"{name}_high_{unit}": quantity.high}
    return cells


def _layer_cells(point: Point, layer: LayerRow, estimate: Estimate | None) -> dict[str, Cell]:
    return {
        **_axes(point),
        "index": layer.index,
        "op": layer.op,
        "name": layer.name,
        "output_shape": "x".join(map(str, layer.output_shape)),
        "instructions": layer.instructions,
        "share": layer.share,
        "macs": layer.macs,
        "instructions_per_mac": layer.instructions_per_mac,
        "cycles_estimated": None if estimate is None else estimate.layer_cycles[layer.index],
        "output_exact": layer.output_exact,
        **_class_cells(layer.classes),
    }


def _class_cells(classes: dict[str, int] | None) -> dict[str, Cell]:
    return {} if classes is None else {f"class_{name}": classes[name] for name in isa.CLASSES}


def point_table(rows: tuple[PointRow, ...]) -> list[dict[str, Cell]]:
    """A dictionary a point; a cell that is missing is not in it."""
    return [_point_cells(item) for item in rows]


def layer_table(rows: tuple[PointRow, ...]) -> list[dict[str, Cell]]:
    """A dictionary a layer of each measured point."""
    return [_layer_cells(item.point, layer, item.estimate) for item in rows if item.row for layer in item.row.layers]


def write(plan: Plan, rows: dict[str, Row]) -> tuple[tuple[Path, ...], str | None]:
    """Write points.csv and layers.csv, and both as Parquet where pyarrow is there.

    Returns:
        The files, and what is to be said about those that were not written.

    Raises:
        HarnessError: they cannot be written.
    """
    tables = _tables(point_rows(plan, rows))
    written = [points.write(plan.name, f"{name}.csv", _csv(columns, table)) for name, columns, table in tables]
    if importlib.util.find_spec("pyarrow") is None:
        return tuple(written), f"no Parquet: pyarrow is not installed ({EXTRA_HINT})"
    for name, columns, table in tables:
        written.append(points.write(plan.name, f"{name}.parquet", _parquet(columns, table)))
    return tuple(written), None


def _tables(items: tuple[PointRow, ...]) -> tuple[tuple[str, tuple[Column, ...], list[dict[str, Cell]]], ...]:
    return ("points", POINT_COLUMNS, point_table(items)), ("layers", LAYER_COLUMNS, layer_table(items))


def as_csv(items: tuple[PointRow, ...]) -> dict[str, bytes]:
    """The contents of points.csv and layers.csv by "points" and "layers"."""
    return {name: _csv(columns, table) for name, columns, table in _tables(items)}


def _csv(columns: tuple[Column, ...], table: list[dict[str, Cell]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in columns)
    writer.writerows([_cell(row.get(column.name)) for column in columns] for row in table)
    return text.getvalue().encode()


def _cell(cell: Cell) -> Cell:
    if cell is None:
        return ""
    return safe_cell(cell) if isinstance(cell, str) and not cell.startswith("-O") else cell


def _parquet(columns: tuple[Column, ...], table: list[dict[str, Cell]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    types = {"text": pyarrow.string(), "integer": pyarrow.int64(), "real": pyarrow.float64(), "truth": pyarrow.bool_()}
    schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
    data = {column.name: [row.get(column.name) for row in table] for column in columns}
    target = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(data, schema=schema), target)
    return target.getvalue()


def results(name: str) -> Frames:
    """The tables of a stored sweep as pandas frames, also of one that is under way or was interrupted.

    Columns are those of points.csv and layers.csv; instructions and MACs are counts, sizes are bytes. Every column has
    a type that knows missing values: they are ``pandas.NA``, never 0.

    Raises:
        BadInputError: there is no such sweep.
        MissingToolError: pandas is not installed.
    """
    if importlib.util.find_spec("pandas") is None:
        raise MissingToolError("pandas is not installed", EXTRA_HINT)
    items = point_rows(points.read_plan(name), points.read(name))
    return Frames(
        points=_frame(POINT_COLUMNS, point_table(items)),
        layers=_frame(LAYER_COLUMNS, layer_table(items)),
    )


def _frame(columns: tuple[Column, ...], table: list[dict[str, Cell]]) -> Any:
    import pandas

    types = {"text": "string", "integer": "Int64", "real": "Float64", "truth": "boolean"}
    return pandas.DataFrame(
        {
            column.name: pandas.array([row.get(column.name) for row in table], dtype=types[column.kind])
            for column in columns
        }
    )
