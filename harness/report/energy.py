"""What an inference costs in energy, for the terminal: estimates in italics, what a trace measured plainly."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from harness.energy.answer import Answer
from harness.energy.estimate import Duty, EnergyPart, LayerEnergy
from harness.energy.trace import Measured, Spread
from harness.report.tables import Column, FittingTable, Row, printable
from harness.result import Interval

_ENERGY = (("J", 1e6), ("mJ", 1e3), ("uJ", 1.0), ("nJ", 1e-3))  # of microjoules
_POWER = (("W", 1e3), ("mW", 1.0), ("uW", 1e-3), ("nW", 1e-6))  # of milliwatts
_TIME = (("years", 24 * 365.25), ("days", 24.0), ("h", 1.0), ("min", 1 / 60), ("s", 1 / 3600))  # of hours


def shown(found: Answer) -> RenderableType:
    """Everything that the command answers."""
    parts: list[RenderableType] = [_heading(found)]
    if found.measured is not None:
        parts += [Text(), _measured(found.measured)]
    if found.estimate is not None:
        parts += [Text(), _estimated(found.estimate)]
        if found.estimate.layers:
            parts += [Text(), _layers(found.estimate.layers)]
    if found.duty is not None:
        parts += [Text(), _duty(found.duty)]
    for reason in found.verdict.reasons:
        parts.append(Text.assemble(("FAIL", "bold red"), f"  {printable(reason)}"))
    return Group(*parts)


def _heading(found: Answer) -> Text:
    text = Text(printable(found.model or "an inference"), style="bold")
    if found.platform:
        text.append(f" on {found.platform}")
    build = ", ".join(part for part in (found.type, found.kernels and f"{found.kernels} kernels") if part)
    if build:
        text.append(f"\n{build}", style="not bold")
    return text


def _measured(found: Measured) -> Text:
    text = Text(f"measured in {printable(found.file)}: ")
    text.append(f"{quantity(found.energy_uj.mean, _ENERGY)} an inference", style="bold")
    text.append(f"{_deviation(found.energy_uj, _ENERGY)}, {found.inferences} inferences by {printable(found.found_by)}")
    text.append(f"\n{found.duration_ms.mean:.4g} ms at {quantity(found.power_mw.mean, _POWER)}, {found.volts:.3g} V")
    if found.idle_mw is not None:
        text.append(f"; {quantity(found.idle_mw, _POWER)} between them")
    left = (
        (found.missing, "missing samples"),
        (found.gapped, "inferences with samples missing left out"),
        (found.cut, "cut off by the file left out"),
        (found.glitches, "too short left out"),
    )
    said = [f"{count:,} {what}" for count, what in left if count]
    if said:
        text.append(f"\n{', '.join(said)}", style="dim")
    return text


def _deviation(spread: Spread, units: tuple[tuple[str, float], ...]) -> str:
    return "" if spread.deviation is None else f" (deviation {quantity(spread.deviation, units)})"


def _estimated(found: EnergyPart) -> Text:
    text = Text(style="italic")
    text.append("estimated, not measured", style="yellow")
    text.append(f" by {found.model}: ")
    text.append(f"about {quantity(found.energy_uj.value, _ENERGY)} an inference", style="bold")
    text.append(f"\n{bounds(found.energy_uj, _ENERGY)}", style="dim")
    text.append(
        f"\nabout {found.latency.ms.value:.3g} ms ({printable(found.latency.tier)}) at about "
        f"{quantity(found.power_mw.value, _POWER)} ({printable(found.power_tier)})"
    )
    text.append(f"\npower: {printable(found.power_basis)}", style="dim")
    if found.supply_v is not None:
        text.append(f", at {found.supply_v:.3g} V", style="dim")
    for note in found.latency.notes:
        text.append(f"\n{printable(note)}", style="dim")
    return text


def _layers(layers: tuple[LayerEnergy, ...]) -> FittingTable:
    columns = [
        Column("#", right=True), Column("operator"), Column("about ms", right=True),
        Column("about mW", right=True, spare=2), Column("about uJ", right=True), Column("90 % of cases", right=True),
        Column("share", right=True, spare=1),
    ]  # fmt: skip
    total = sum(layer.energy_uj for layer in layers)
    return FittingTable(columns, [_row(layer, total) for layer in layers])


def _row(layer: LayerEnergy, total: float) -> Row:
    cells: dict[str, str | Text] = {
        "#": "" if layer.index is None else str(layer.index),
        "operator": layer.op,
        "about ms": f"{layer.latency_ms:.3g}",
        "about mW": f"{layer.power_mw:.3g}",
        "about uJ": _microjoules(layer.energy_uj),
        "90 % of cases": _layer_bounds(layer),
        "share": f"{100 * layer.energy_uj / total:.1f}%" if total else "-",
    }
    return Row(cells, "italic dim" if layer.index is None else "italic")


def _layer_bounds(layer: LayerEnergy) -> str:
    if layer.low_uj is None:
        return "-"
    return f"{_microjoules(layer.low_uj)} to {'?' if layer.high_uj is None else _microjoules(layer.high_uj)}"


def _microjoules(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _duty(duty: Duty) -> Text:
    text = Text(style="italic")
    text.append(f"one inference each {duty.period_s:g} s: busy about {100 * duty.busy:.3g} % of the time")
    if duty.deadline == "unsure":
        text.append("\nwhat is known does not rule out that an inference takes longer than the period", style="yellow")
    if duty.average_mw is None:
        return text
    text.append(f"\nasleep {quantity(duty.sleep.mw.value, _POWER)}", style="dim")
    text.append(f" ({printable(duty.sleep.basis)})", style="dim")
    text.append(f"\nabout {quantity(duty.average_mw.value, _POWER)} on average", style="bold")
    text.append(f", {bounds(duty.average_mw, _POWER)}", style="dim")
    if duty.life_h is not None and duty.battery is not None:
        text.append(f"\nabout {quantity(duty.life_h.value, _TIME)} from {duty.battery.joules:,.0f} J", style="bold")
        text.append(f", {_life_bounds(duty.life_h)}; self-discharge and regulators left out", style="dim")
    return text


def _life_bounds(life: Interval) -> str:
    if life.high is None:
        return "without bounds"
    if life.low == 0.0:
        return f"at most {quantity(life.high, _TIME)}"
    return bounds(life, _TIME)


def bounds(found: Interval, units: tuple[tuple[str, float], ...]) -> str:
    """The bounds of an interval in words."""
    if found.low is None:
        return "without bounds"
    if found.high is None:
        return f"at least {quantity(found.low, units)}, how much more is not known"
    if found.low == found.high:
        return "no bounds of its own"
    return f"{quantity(found.low, units)} to {quantity(found.high, units)} in 90 % of cases"


def quantity(value: float, units: tuple[tuple[str, float], ...]) -> str:
    """Three digits, which is more than an estimate has, in the unit that fits; ``units`` from the largest on."""
    unit, size = next(((unit, size) for unit, size in units if abs(value) >= size), units[-1])
    scaled = value / size
    return f"{scaled:,.0f} {unit}" if abs(scaled) >= 100 else f"{scaled:.3g} {unit}"
