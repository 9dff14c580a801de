"""Comparisons in words, one line each. Names in them are as they were given: who prints them cleans them."""

from __future__ import annotations

from collections.abc import Iterable

from harness.gate import metrics
from harness.gate.metrics import Value
from harness.gate.verdict import Band, Cause, Comparison, Part, RunPart, State
from harness.records import Record
from harness.sweep.estimates import Quantity

_LONGEST = 60


class Group(Record, frozen=True):
    """Comparisons that were not judged for the same reason."""

    state: State
    reason: str
    comparisons: tuple[Comparison, ...]

    @property
    def metrics(self) -> str:
        """Their metrics, each once, said to be estimated where they are."""
        return ", ".join(dict.fromkeys(named(item.metric) for item in self.comparisons))

    @property
    def runs(self) -> tuple[int, ...]:
        """The runs' indices, each once."""
        return tuple(dict.fromkeys(item.run for item in self.comparisons))


def groups(comparisons: Iterable[Comparison]) -> tuple[Group, ...]:
    """What was not judged, by state and reason, in the order of the first of each."""
    found: dict[tuple[State, str], list[Comparison]] = {}
    for item in comparisons:
        if item.reason is not None:
            found.setdefault((item.state, item.reason), []).append(item)
    return tuple(
        Group(state=state, reason=reason, comparisons=tuple(items)) for (state, reason), items in found.items()
    )


def subject(item: Comparison) -> str:
    """What was compared: the metric, said to be estimated where it is, or the layer whose instructions were counted."""
    if item.layer is not None:
        return f"layer {item.layer} {item.op}"
    return named(item.metric)


def named(metric: str) -> str:
    """A metric, said to be estimated where it is."""
    return f"estimated {metric}" if metrics.get(metric).group == "estimates" else metric


def band(found: Band | Quantity | None) -> str:
    """The bounds of an estimate, three digits each; "" of what is measured."""
    if found is None:
        return ""
    if found.low is None:
        return "no bounds"
    return f"{_digits(found.low)} to {'?' if found.high is None else _digits(found.high)}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def amount(value: Value | None) -> str:
    """A value without its unit; "-" where there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def signed(value: float) -> str:
    """A change, with its sign."""
    return f"{value:+,}" if isinstance(value, int) else f"{value:+,.4g}"


def percent(value: float | None) -> str:
    """A change in per cent, as exactly as it takes to see it; "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:+,.2f} %" if abs(value) >= 0.005 or not value else f"{value:+.1g} %"


def count(number: int, what: str) -> str:
    """So many of something, whose plural ends in s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def side(item: Comparison) -> str:
    """On which side of its bound a value is no worse."""
    return "at most" if metrics.get(item.metric).direction == "min" else "at least"


def with_unit(value: Value | None, item: Comparison) -> str:
    """A value and the metric's unit."""
    return amount(value) if item.unit == metrics.TRUTH else f"{amount(value)} {item.unit}"


def sentence(item: Comparison, run: RunPart) -> str:
    """A comparison in one line: run, what, by how much, the limit, the cause."""
    return f"{run.label}: {finding(item)}"


def finding(item: Comparison) -> str:
    """``sentence`` without the run."""
    if item.reason is not None:
        return f"{subject(item)} {item.state}: {item.reason}"
    said = cause(item.cause, of_layer=item.layer is not None)
    if item.unit == metrics.TRUTH:
        return _truth(item, said)
    least_or_most = side(item)
    if item.against == "limit":
        bounds = f" ({band(item.band)})" if item.band is not None else ""
        value = f"{with_unit(item.value, item)}{bounds}"
        return f"{subject(item)} {value}, limit {least_or_most} {with_unit(item.bound, item)}"
    change = "" if item.change is None else signed(item.change)
    unit = "" if item.unit == item.metric else f" {item.unit}"
    return (
        f"{subject(item)} {change}{unit} ({percent(item.change_percent)}), {amount(item.baseline)} -> "
        f"{amount(item.value)}, allowed {least_or_most} {amount(item.bound)}" + (f"; {said}" if said else "")
    )


def _truth(item: Comparison, said: str) -> str:
    if item.value:
        return {
            "output_exact": "every layer's output is the host's",
            "output_equal": "the outputs are the baseline's",
            "fits": "fits the board",
        }[item.metric]
    what = {
        "output_exact": "not exact",
        "output_equal": "the outputs are not the baseline's",
        "fits": "the board is too small",
    }[item.metric]
    return f"{what}: {said}" if said else what


def cause(item: Cause | None, of_layer: bool = False) -> str:
    """What moved most, in words; "" where nothing is known. ``of_layer``: which layer it was is said already."""
    if item is None:
        return ""
    parts = []
    if item.layer_change is not None and not of_layer:
        parts.append(f"layer {item.layer} {item.op} {item.layer_change:+,}")
    elif item.layer is not None and item.layer_change is None and item.note is None:
        parts.append(f"first in layer {item.layer} {item.op}")
    if item.function is not None:
        parts.append(f"in {_part(item.function)}")
    parts += [_part(part) for part in (*item.classes, *item.memory)]
    if item.note is not None:
        parts.append(item.note)
    return ", ".join(parts)


def _part(part: Part) -> str:
    return f"{short(part.name)} {part.change:+,}"


def short(name: str) -> str:
    """A function's name as a line has room for it: without return type, parameters and unnamed namespaces."""
    bare = name.replace("(anonymous namespace)::", "")
    if bare.endswith(")") and "(" in bare:
        bare = _before_parameters(bare)
        bare = bare[_start(bare) :]
    return bare if len(bare) <= _LONGEST else f"{bare[: _LONGEST - 3]}..."


def _before_parameters(name: str) -> str:
    """Up to the parenthesis that the last one closes."""
    depth = 0
    for index in range(len(name) - 1, -1, -1):
        depth += (name[index] == ")") - (name[index] == "(")
        if depth == 0:
            return name[:index] or name
    return name


def _start(name: str) -> int:
    """Where the name begins, behind the return type: after the last space outside of template arguments."""
    depth = 0
    for index in range(len(name) - 1, -1, -1):
        depth += (name[index] == ">") - (name[index] == "<")
        if name[index] == " " and depth == 0:
            return index + 1
    return 0
