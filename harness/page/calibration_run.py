"""What a run is estimated to take on its board, as a part of its report: nothing of it is measured."""

from __future__ import annotations

from harness.page import calibration, metrics
from harness.page.document import Block, Cell, Code, Column, Facts, NotMeasured, Row, Section, Table, Text
from harness.page.values import Number, given, measured, missing
from harness.result import EstimatePart, Interval, Layer, LayerEstimate, Result
from harness.sweep.estimates import Estimate, estimated

ID = "estimate"


def section(result: Result) -> tuple[Section | None, tuple[NotMeasured, ...]]:
    """The estimate of a run, by which calibration, and what that rests on; None: nothing was estimated.

    Returns:
        The section, and what it lacks.
    """
    part, found = result.estimate, estimated(result)
    if part is None or found is None:
        return None, ()
    lacking: list[NotMeasured] = []
    blocks: list[Block] = [Facts(items=tuple(_facts(part, found))), Text(text=_sentence(part.basis)),
                           *(Text(text=_sentence(note)) for note in part.notes), _layers(result, part)]  # fmt: skip
    if found.energy_uj is None:
        lacking.append(NotMeasured(item="estimated energy", reason=found.without_energy or "it is not known"))
    if part.calibration is None:
        command = f"harness run {result.model.file} --platform {result.platform} --calibration {result.platform}"
        command = command if calibration.is_stored(result.platform) else "harness calibrate"
        lacking.append(NotMeasured(item="residuals and held-out errors of a calibration",
                                   reason="the estimate is by no calibration", command=command))  # fmt: skip
    else:
        shown, why = calibration.of_part(part.calibration)
        blocks += shown
        lacking += [] if why is None else [why]
    lead = f"Estimated by {part.model}, {part.tier}. Instructions were counted; cycles, latency and energy were not."
    return Section(id=ID, title="Estimate", blocks=tuple(blocks), lead=lead), tuple(lacking)


def _sentence(line: str) -> str:
    text = line[:1].upper() + line[1:]
    return text if text.endswith(".") else f"{text}."


def _facts(part: EstimatePart, found: Estimate) -> list[tuple[str, Cell]]:
    used = part.calibration
    energy: Number = missing("uJ", found.without_energy or "not known", "estimated")
    if found.energy_uj is not None:
        energy = metrics.number("energy", found.energy_uj.value, found.energy_uj)
    facts: list[tuple[str, Cell]] = [
        ("latency of one inference", interval(part.latency_ms, "ms")),
        ("cycles of one inference", interval(part.cycles, "", whole=True)),
        ("energy of one inference", energy),
        ("clock", given(part.clock_hz / 1e6, "MHz", 0 if part.clock_hz % 1_000_000 == 0 else 3)),
        ("bounds hold", given(100 * part.coverage, "% of cases")),
    ]
    if used is not None:
        facts += [("calibration", f"{used.file}, {used.family}"), ("hash of the calibration", Code(text=used.sha256)),
                  *(("carried, as the build differs in", difference) for difference in used.carried)]  # fmt: skip
    return facts


def interval(found: Interval, unit: str, whole: bool = False) -> Number:
    """An estimate with its bounds."""
    digits = 0 if whole else metrics.digits(found.value)
    return Number(value=found.value, unit=unit, origin="estimated", low=found.low, high=found.high, digits=digits)


def _layers(result: Result, part: EstimatePart) -> Table:
    whole = part.cycles.value
    rows = [_layer(layer, item, whole) for layer, item in zip(result.layers, part.layers, strict=True)]
    rows.append(_layer(None, part.overhead, whole))
    total = Row(
        cells=("", "all", measured(result.counts.total, ""), *_estimates(whole, part.latency_ms.value, whole),
               _per(whole, result.counts.total)),
        kind="total",
    )  # fmt: skip
    return Table(
        id="estimate-layers",
        caption="Estimated cycles of each layer",
        columns=(
            Column(key="layer", title="layer"),
            Column(key="op", title="operator"),
            Column(key="instructions", title="instructions", numeric=True, adds=True),
            Column(key="cycles", title="cycles", numeric=True, bar=True, adds=True),
            Column(key="ms", title="latency", numeric=True, adds=True),
            Column(key="share", title="share of cycles", numeric=True, adds=True),
            Column(key="ratio", title="cycles per instruction", numeric=True),
        ),
        rows=(*rows, total),
        note="Bounds are of the whole inference: those of single layers are not known.",
        filter=len(rows) > 15,
    )


def _layer(layer: Layer | None, item: LayerEstimate, whole: float) -> Row:
    counted = measured(item.features.instructions, "")
    cells = (*_estimates(item.cycles, item.latency_ms, whole), _per(item.cycles, item.features.instructions))
    if layer is None:
        return Row(cells=("", "around the layers", counted, *cells), kind="other")
    return Row(cells=(str(layer.index), layer.op, counted, *cells), tags=(f"layer-{layer.index}",))


def _estimates(cycles: float, latency_ms: float, whole: float) -> tuple[Number, Number, Number]:
    return (
        Number(value=cycles, unit="", origin="estimated"),
        Number(value=latency_ms, unit="ms", origin="estimated", digits=metrics.digits(latency_ms)),
        metrics.percent(cycles, whole, "estimated"),
    )


def _per(cycles: float, instructions: float) -> Number:
    if not instructions:
        return missing("", "no instruction was executed", "estimated")
    return Number(value=cycles / instructions, unit="", origin="estimated", digits=2)
