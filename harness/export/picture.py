"""A run as a picture: instructions of each layer by class, and memory beside what the board has."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import isa
from harness.errors import MissingToolError
from harness.export.made import File, Made, Run, in_full, named
from harness.report import plots_page as pages
from harness.report.estimates import milliseconds
from harness.report.tables import exactness
from harness.result import EstimatePart, Layer, MemoryPart, Result
from harness.sweep.tables import EXTRA_HINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = 40
_BAR_INCHES, _MEMORY_INCHES = 0.27, 0.5
_LABEL_POINTS = 150.0
_CLASSES = 6  # that have a look of their own: the most frequent
# Pale colours, which black text stands out from, each with a pattern of its own.
_LOOKS = (("#6BAED6", ""), ("#F2B84B", "//"), ("#7FCDA8", ".."), ("#F0916B", "\\\\"), ("#D3B3DA", "xx"),
          ("#F5EE9E", "--"))  # fmt: skip
_REST, _WHOLE = ("the rest", ("#C8C8C8", "||")), ("all instructions", ("#6BAED6", ""))
_PART_LOOKS = (("#9DB4C0", ""), ("#9DB4C0", "//"), ("#9DB4C0", "xx"))
Look = tuple[str, str]


class Bar(NamedTuple):
    """A layer, or several: instructions by what is drawn apart; ``macs`` None: there are none."""

    label: str
    instructions: int
    parts: dict[str, int]
    macs: int | None


def make_svg(run: Run) -> Made:
    """The picture as SVG. Errors are those of ``make_png``."""
    return _make(run, "svg")


def make_png(run: Run) -> Made:
    """The picture as PNG, 1600 pixels wide: the same bytes each time, from the same matplotlib.

    Raises:
        MissingToolError: matplotlib is not installed.
    """
    return _make(run, "png")


def _make(run: Run, format: str) -> Made:
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError("matplotlib is not installed", EXTRA_HINT)
    with pages.style():
        return Made((File(None, format, pages.save(draw(run.result), format)),))


def draw(result: Result) -> Any:
    """The figure; to be called, and used, inside of ``plots_page.style``."""
    looks = _looks(result)
    bars = _bars(result, looks)
    memory = _of_memory(result.memory)
    heights = [_BAR_INCHES * len(bars), _MEMORY_INCHES * len(memory)]
    page = pages.page(
        f"{result.model.file} on {result.platform}", _facts(result), _legend(looks), heights, 1.35, _notes(result)
    )
    _draw_bars(page.axes[0], bars, looks, result.counts.total)
    _draw_memory(page.axes[1], memory)
    return page.figure


def _facts(result: Result) -> str:
    counts = result.counts
    failed = pages.shortened("FAIL: " + "; ".join(result.verdict.reasons), 2 * pages.ROOM)
    verdict = exactness(result) if result.verdict.passed else failed
    macs = f"{counts.macs:,} MACs" if counts.macs else ""
    build = f"{pages.shortened(result.kernels, 150)} kernels {result.optimisation}"
    return " · ".join(
        part for part in (f"{counts.total:,} instructions", macs, build, result.core, result.tflm, verdict) if part
    )


def _notes(result: Result) -> list[str]:
    counted = "Counted exactly by the emulator. Behind the bars: instructions, their share, instructions per MAC."
    return [counted, *([] if result.estimate is None else [_estimate(result.estimate)])]


def _estimate(estimate: EstimatePart) -> str:
    amount = f"About {milliseconds(estimate.latency_ms.value)} ms, {estimate.cycles.value:,.0f} cycles"
    return pages.shortened(f"{amount}: {in_full(estimate)}", 5 * pages.ROOM)


def _looks(result: Result) -> dict[str, Look]:
    """What is drawn apart in the bars: the most frequent classes; all together where they are not known."""
    classes = result.counts.classes
    if classes is None:
        return dict((_WHOLE,))
    ranked = sorted((name for name in isa.CLASSES if classes[name]), key=lambda name: -classes[name])
    looks = dict(zip(ranked, _LOOKS, strict=False))
    return looks | (dict((_REST,)) if len(ranked) > _CLASSES else {})


def _legend(looks: dict[str, Look]) -> pages.Legend:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, hatch=hatch, edgecolor="white") for colour, hatch in looks.values()]
    return pages.Legend(handles, tuple(looks))


# --- layers ----------------------------------------------------------------------------------------------------------


def _bars(result: Result, looks: dict[str, Look]) -> list[Bar]:
    """All layers, or the most expensive and one bar of the others; what runs around them. They add up to the total."""
    kept = sorted(result.layers, key=lambda item: (-item.instructions, item.index))[:_BARS]
    bars = [_bar(named(item), [item], looks) for item in sorted(kept, key=lambda item: item.index)]
    others = [item for item in result.layers if item not in kept]
    if others:
        bars.append(_bar(f"{len(others)} other layers", others, looks))
    classes = result.counts.classes
    rest = None
    if classes is not None:
        rest = {name: classes[name] - sum((item.classes or {}).get(name, 0) for item in result.layers)
                for name in isa.CLASSES}  # fmt: skip
    overhead = result.counts.overhead
    return [*bars, Bar("around the operators", overhead, _apart(rest, overhead, looks), None)]


def _bar(label: str, layers: Sequence[Layer], looks: dict[str, Look]) -> Bar:
    instructions = sum(item.instructions for item in layers)
    known = [item.classes for item in layers if item.classes is not None]
    classes = {name: sum(item[name] for item in known) for name in isa.CLASSES} if len(known) == len(layers) else None
    return Bar(label, instructions, _apart(classes, instructions, looks), sum(item.macs for item in layers) or None)


def _apart(classes: dict[str, int] | None, instructions: int, looks: dict[str, Look]) -> dict[str, int]:
    """A number of instructions by what is drawn apart."""
    if classes is None:
        return {_WHOLE[0]: instructions}
    own = {name: classes[name] for name in looks if name in classes}
    return own | ({_REST[0]: instructions - sum(own.values())} if _REST[0] in looks else {})


def _draw_bars(axes: Axes, bars: list[Bar], looks: dict[str, Look], total: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    widest = max(bar.instructions for bar in bars) or 1
    for height, bar in enumerate(bars):
        left = 0
        for name, count in bar.parts.items():
            colour, hatch = looks.get(name, _WHOLE[1])
            axes.barh(
                height, count, left=left, height=0.74, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5
            )
            left += count
        axes.text(bar.instructions + widest * 0.012, height, _said(bar, total), va="center_baseline", size=9)
    labels = [pages.shortened(bar.label, _LABEL_POINTS, 9.5) for bar in bars]
    axes.set_yticks(range(len(bars)), labels)
    axes.set_ylim(len(bars) - 0.45, -0.55)
    axes.set_xlim(0, widest * 1.42)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: pages.count(value)))
    axes.grid(True, axis="x")
    axes.set_xlabel("executed instructions of one inference")


def _said(bar: Bar, total: int) -> str:
    share = f"{100 * bar.instructions / total:.1f} %" if total else ""
    per_mac = f"{bar.instructions / bar.macs:.2f}/MAC" if bar.macs else ""
    return "  ".join(part for part in (pages.count(bar.instructions), share, per_mac) if part)


# --- memory ----------------------------------------------------------------------------------------------------------


class Memory(NamedTuple):
    """A memory of the board, in bytes: what is used, by parts, and what there is."""

    name: str
    parts: dict[str, int]
    budget: int


def _of_memory(memory: MemoryPart) -> list[Memory]:
    return [
        Memory("flash", {"program": memory.code, "model": memory.model}, memory.flash_budget),
        Memory("RAM", {"arena": memory.arena, "static": memory.static, "stack": memory.stack}, memory.ram_budget),
    ]


def _draw_memory(axes: Axes, found: list[Memory]) -> None:
    longest = 100.0
    for height, memory in enumerate(found):
        left = 0.0
        for size, (colour, hatch) in zip(memory.parts.values(), _PART_LOOKS, strict=False):
            width = 100 * size / memory.budget
            axes.barh(height + 0.17, width, left=left, height=0.42, color=colour, hatch=hatch, edgecolor="white",
                      linewidth=0.5)  # fmt: skip
            left += width
        longest = max(longest, left)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # the line of the budget may cross the text
        axes.text(0.6, height - 0.24, _contents(memory, left), va="center", size=9, bbox=box)
    axes.axvline(100, color=pages.VERMILION, linewidth=1.5)
    axes.set_yticks(range(len(found)), [memory.name for memory in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(0, longest * 1.03)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("% of what the board has (the line)")


def _contents(memory: Memory, percent: float) -> str:
    parts = " + ".join(f"{size:,} {name}" for name, size in memory.parts.items())
    return f"{parts} = {sum(memory.parts.values()):,} of {memory.budget:,} B, {percent:.1f} %"
