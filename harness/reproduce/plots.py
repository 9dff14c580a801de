"""The figures: on the left what the boards measured, on the right what was emulated, of the same networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.plots_page import BLUE, GREEN, GREY, MARKERS, ORANGE, PALETTE, VERMILION, count
from harness.reproduce.compare import STEPS, Joined, step_row
from harness.reproduce.measured import BOARDS
from harness.reproduce.sawtooth import FIGURES, Figure, figure_rows, subset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_WIDTH = 8.0  # inches
_BOARD_COLOURS = dict(zip(BOARDS, (BLUE, ORANGE, GREEN), strict=True))
_MEASURED = "measured latency"
_EMULATED = "emulated instructions"
_SUBSETS = (("multiple of 4", BLUE, "o"), ("even", GREEN, "s"), ("odd", VERMILION, "x"))
_LABELS = {"even": "even, no multiple of 4"}


def draw(joined: Joined) -> dict[str, Drawing]:
    """Every figure by the name of its file; call and save inside ``plots_page.style``."""
    return {
        "fig2": steps(joined),
        "fig2-shares": shares(joined),
        "fig3": energy(joined),
        **{figure.name.replace(". ", ""): widths(joined, figure) for figure in FIGURES if figure.widths is None},
        **{figure.name.replace(". ", ""): bars(joined, figure) for figure in FIGURES if figure.widths is not None},
        "ranks": ranks(joined),
    }


def _drawing(height: float) -> Drawing:
    from matplotlib.figure import Figure as Drawing

    return Drawing(figsize=(_WIDTH, height), layout="constrained")


def _boards(frame: Any) -> list[tuple[str, str]]:
    return [(platform, board) for platform, board in BOARDS.items() if platform in set(frame["platform"])]


def steps(joined: Joined) -> Drawing:
    """Figure 2: what is left of the first step's latency, and of its instructions, on each board."""
    boards = _boards(joined.lenet)
    drawing = _drawing(2.6)
    panels = drawing.subplots(1, len(boards), sharey=True, squeeze=False)[0]
    for axes, (platform, board) in zip(panels, boards, strict=True):
        rows = [step_row(joined.lenet, platform, name) for name in STEPS]
        for offset, column, colour, label in (
            (-0.2, "latency_ms", BLUE, _MEASURED),
            (0.2, "instructions", ORANGE, _EMULATED),
        ):
            for place, row in enumerate(rows):
                value = row[column] / rows[0][column]
                if not _known(value):
                    continue
                axes.barh(place + offset, value, 0.38, color=colour, label=label if place == 0 else None)
                said = f"{row[column]:.1f} ms" if column == "latency_ms" else count(row[column])
                axes.text(
                    value + 0.02, place + offset, said, va="center", size=8, color=GREY, clip_on=True, in_layout=False
                )
        axes.set_title(board)
        axes.set_xlim(0, 1.45)
        axes.set_xlabel("of float32 without FPU")
        axes.set_yticks(range(len(STEPS)), list(STEPS))
    panels[0].invert_yaxis()
    _legend_below(drawing, panels[0])
    return drawing


def shares(joined: Joined) -> Drawing:
    """Each layer's part of an inference of LeNet: two bars a case, the upper one measured."""
    from matplotlib.patches import Patch

    groups = [
        (f"{BOARDS[platform]} {kind} {kernels}", rows)
        for platform, _ in _boards(joined.lenet_layers)
        for kind in ("float32", "int8")
        for kernels in ("reference", "cmsis-nn")
        if len(rows := _case(joined.lenet_layers, platform, kind, kernels))
    ]
    drawing = _drawing(0.9 + 0.36 * len(groups))
    axes = drawing.subplots()
    colours = dict(zip(_PARTS, (*PALETTE[:6], GREY), strict=True))
    for place, (_, rows) in enumerate(groups):
        for offset, column in ((-0.19, "share_measured"), (0.19, "share_emulated")):
            left = 0.0
            parts = _parts(rows, column)
            for part, share in parts.items():
                axes.barh(place + offset, share, 0.34, left=left, color=colours[part], alpha=1 if offset < 0 else 0.65)
                left += share
    axes.set_yticks(range(len(groups)), [name for name, _ in groups])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("part of the inference: above of measured latency, below, paler, of emulated instructions")
    drawing.legend(handles=[Patch(color=colours[part], label=part) for part in _PARTS],
                   loc="outside upper center", ncols=4)  # fmt: skip
    return drawing


_PARTS = ("convolution 1", "convolution 2", "pooling", "dense 120", "dense 84", "dense 10", "rest")


def _parts(rows: Any, column: str) -> dict[str, float]:
    """Sums of a LeNet's layers by what they are; a layer without a count has no part."""
    order = {"CONV_2D": ["convolution 1", "convolution 2"], "FULLY_CONNECTED": ["dense 120", "dense 84", "dense 10"]}
    sums = dict.fromkeys(_PARTS, 0.0)
    for _, row in rows.sort_values("index").iterrows():
        names = order.get(row["op"])
        part = names.pop(0) if names else "pooling" if row["op"] == "AVERAGE_POOL_2D" else "rest"
        sums[part] += float(row[column]) if _known(row[column]) else 0.0
    return sums


def _case(frame: Any, platform: str, kind: str, kernels: str) -> Any:
    return frame[(frame["platform"] == platform) & (frame["type"] == kind) & (frame["kernels"] == kernels)]


def energy(joined: Joined) -> Drawing:
    """Figure 3: measured energy against measured latency, and against emulated instructions."""
    drawing = _drawing(3.2)
    panels = drawing.subplots(1, 2, sharey=True)
    frame = joined.lenet_energy
    for (platform, board), marker in zip(_boards(frame), MARKERS, strict=False):
        rows = frame[frame["platform"] == platform]
        for axes, column, divisor in ((panels[0], "latency_ms", 1), (panels[1], "instructions", 1e6)):
            known = rows[rows[column].notna()]
            axes.scatter(known[column].astype(float) / divisor, known["energy_mj"], color=_BOARD_COLOURS[platform],
                         marker=marker, label=board, zorder=3)  # fmt: skip
    front = pareto(frame)
    panels[0].plot(
        front["latency_ms"], front["energy_mj"], color=VERMILION, label="Pareto front", drawstyle="steps-post"
    )
    panels[0].set_xlabel("measured latency of an inference (ms)")
    panels[1].set_xlabel("emulated instructions of an inference (million)")
    panels[0].set_ylabel("measured energy (mJ)")
    for axes in panels:
        axes.grid(True)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    panels[0].legend()
    return drawing


def pareto(frame: Any) -> Any:
    """The rows that no other beats in both measured latency and measured energy, the fastest first."""
    rows = frame.sort_values(["latency_ms", "energy_mj"])
    return rows[rows["energy_mj"] <= rows["energy_mj"].cummin()]


def widths(joined: Joined, figure: Figure) -> Drawing:
    """A layer's latency, and its instructions, against its MACs: a mark for each width."""
    rows = figure_rows(joined.layers, figure)
    drawing = _drawing(3.2)
    panels = drawing.subplots(1, 2)
    for axes, column, divisor, label in (
        (panels[0], "latency_us", 1e3, "measured latency (ms)"),
        (panels[1], "instructions", 1e6, "emulated instructions (million)"),
    ):
        for name, colour, marker in _SUBSETS:
            mine = rows[[_kind(width) == name for width in rows["width"]]]
            axes.plot(mine["width"].astype(float), mine[column].astype(float) / divisor, marker, color=colour,
                      markersize=4, label=_LABELS.get(name, name))  # fmt: skip
        axes.set_xlabel(figure.width)
        axes.set_ylabel(label)
        axes.grid(True)
    _legend_below(drawing, panels[0])
    return drawing


def _kind(width: int) -> str:
    """The smallest of the figure's kinds that a width belongs to."""
    return next(name for name, _, _ in _SUBSETS if subset(width, name))


def bars(joined: Joined, figure: Figure) -> Drawing:
    """Figure 9: a layer's latency, and its instructions, at each width."""
    rows = figure_rows(joined.layers, figure)
    drawing = _drawing(0.8 + 0.13 * max(len(rows), 12))
    panels = drawing.subplots(1, 2, sharey=True)
    colours = {name: colour for name, colour, _ in _SUBSETS}
    places = range(len(rows))
    for axes, column, divisor, label in (
        (panels[0], "latency_us", 1e3, "measured latency (ms)"),
        (panels[1], "instructions", 1e6, "emulated instructions (million)"),
    ):
        axes.barh(places, (rows[column].astype(float) / divisor).fillna(0), 0.75,
                  color=[colours[_kind(width)] for width in rows["width"]])  # fmt: skip
        axes.set_xlabel(label)
        axes.set_yticks(places, [str(width) for width in rows["width"]], size=7)
    panels[0].set_ylabel(figure.width)
    panels[0].invert_yaxis()
    return drawing


def ranks(joined: Joined) -> Drawing:
    """Each layer of the sweeps: emulated instructions against measured latency, a panel a kernel set."""
    drawing = _drawing(3.8)
    panels = drawing.subplots(1, 2, sharex=True, sharey=True)
    kept = joined.layers[~joined.layers["wrapped"] & joined.layers["instructions"].notna()]
    ops = sorted(kept["op"].unique())
    for axes, kernels in zip(panels, ("reference", "cmsis-nn"), strict=True):
        mine = kept[kept["kernels"] == kernels]
        for place, op in enumerate(ops):
            rows = mine[mine["op"] == op]
            axes.plot(rows["latency_us"], rows["instructions"].astype(float), MARKERS[place % len(MARKERS)],
                      color=[*PALETTE, GREY][place % 8], markersize=3, label=op, rasterized=True)  # fmt: skip
        axes.set_title(kernels)
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _place: count(value))
        axes.set_xlabel("measured latency of a layer (us)")
        axes.grid(True)
    panels[0].set_ylabel("emulated instructions")
    handles, labels = panels[1].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=4)
    return drawing


def _legend_below(drawing: Drawing, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=4)


def _known(value: Any) -> bool:
    import pandas

    return not pandas.isna(value)
