"""The page: Markdown of everything that was compared. The same numbers give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from harness.reproduce import page_text, ranks
from harness.reproduce.compare import STEPS, Joined, missing, step_row
from harness.reproduce.lines import Line, Summary, median, summaries
from harness.reproduce.measured import BOARDS
from harness.reproduce.sawtooth import FIGURES

NOTHING = "-"


def markdown(joined: Joined, points: Any, lines: Sequence[Line], table_4: Any, quick: bool) -> str:
    """The page.

    Args:
        joined: measured and emulated side by side.
        points: the emulated points, with their states and versions.
        lines: every comparison.
        table_4: of ``sawtooth.table_4``.
        quick: whether only the stated part was emulated.
    """
    parts = [
        f"# {page_text.TITLE}",
        page_text.INTRODUCTION,
        page_text.QUICK if quick else page_text.FULL,
        _run(points, joined),
        "## What holds",
        page_text.HOLDS,
        _summaries(summaries(lines)),
        _opposite(lines),
        "## Do more instructions mean more time?",
        page_text.RANKS.format(wrapped=int(joined.layers["wrapped"].sum())),
        _ranks(joined),
        _picture("ranks", "emulated instructions against measured latency of each layer of the sweeps"),
        "## Figure 2: LeNet on three boards",
        page_text.FIGURE_2,
        _picture("fig2", "latency and instructions of LeNet in four steps of optimisation"),
        _steps(joined, lines),
        *_effects(lines),
        "### Layer shares",
        page_text.SHARES,
        _picture("fig2-shares", "each layer's part of an inference"),
        _details("All layers", _shares(joined)),
        "## Figure 3: energy",
        page_text.FIGURE_3,
        _picture("fig3", "energy against latency, and against instructions"),
        _lines_table(lines, "energy over int8 CMSIS-NN"),
        "## Figures 4, 5, 8 and 9: widths",
        page_text.WIDTHS,
        *_figures(lines),
        "### Multiples of 4",
        page_text.MODULO,
        _lines_table(lines, "odd widths over multiples of 4"),
        _lines_table(lines, "even widths over multiples of 4"),
        "## Table 4: cost of a MAC",
        page_text.TABLE_4,
        _table_4(table_4),
        "## Exactness",
        page_text.EXACT,
        _exactness(points),
        "## Why the two differ",
        page_text.REASONS,
        "## Source",
        page_text.SOURCE,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def lines_csv(lines: Iterable[Line]) -> str:
    """Every line as a row; a cell that is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("figure", "effect", "case", "unit", "measured", "emulated", "deviation", "reproduced"))
    for line in lines:
        numbers = ("" if value is None else f"{value:.6g}" for value in (line.measured, line.emulated, line.deviation))
        writer.writerow((line.figure, line.effect, line.case, line.unit, *numbers, line.verdict or ""))
    return text.getvalue()


# --- pieces ----------------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table: the first ``left`` columns are text, the others numbers."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _picture(name: str, what: str) -> str:
    return f"![{what}]({name}.svg)"


def _details(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def ratio(value: float | None) -> str:
    """Three digits, four near 1, and a sign of multiplication."""
    if value is None:
        return NOTHING
    return f"{value:.1f}x" if value >= 10 else f"{value:.3f}x" if abs(value - 1) < 0.1 else f"{value:.2f}x"


def relative(value: float | None) -> str:
    """A deviation of a ratio."""
    if value is None:
        return NOTHING
    said = f"{100 * value:+.1f} %"
    return "0.0 %" if said in ("+0.0 %", "-0.0 %") else said


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"


def _number(value: Any, form: str) -> str:
    import pandas

    return NOTHING if value is None or pandas.isna(value) else format(float(value), form)


def _verdict(line: Line) -> str:
    if line.verdict is None:
        return NOTHING
    return line.verdict if line.reproduced else f"**{line.verdict}**"


def _span(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f" ({ratio(pair[0])} to {ratio(pair[1])})"


def _run(points: Any, joined: Joined) -> str:
    """What was run: points, versions, what is missing."""
    from harness.sources import TFLM_VINTAGE

    failed = points[points["instructions"].isna()]
    said = [
        f"Emulated: {len(points)} points of {points['model'].nunique()} networks; {TFLM_VINTAGE}, CMSIS-NN 4.0.0, "
        f"{_versions(points, 'compiler')}, QEMU {_versions(points, 'emulator_version')}."
    ]
    if len(failed):
        said.append(f"**{len(failed)} of them have no counts**, so {missing(joined)} measured rows stand without:")
        said.append("")
        for (state, reason), rows in failed.fillna({"reason": "unknown"}).groupby(["state", "reason"]):
            first = rows.iloc[0]
            example = " ".join(first[["model", "platform", "kernels", "optimisation"]])
            said.append(f"- {len(rows)} {state}: {reason} (the first: {example})")
    return "\n".join(said)


def _versions(points: Any, column: str) -> str:
    return " and ".join(sorted(points[column].dropna().unique())) or "unknown"


def _summaries(items: Sequence[Summary]) -> str:
    rows = [
        (
            item.effect,
            f"{item.effective} of {item.lines}",
            ratio(item.measured) + _span(item.measured_range),
            ratio(item.emulated) + _span(item.emulated_range),
            NOTHING if item.deviation is None else f"{100 * item.deviation:.1f} %",
            NOTHING if item.part is None else f"{100 * item.part:.0f} %",
            f"{item.reproduced} of {item.lines}",
        )
        for item in items
    ]
    head = ("effect", "lines with an effect", "measured: mean (range)", "emulated: mean (range)",
            "median size of deviation", "part of the effect", "reproduced")  # fmt: skip
    return table(head, rows)


def _opposite(lines: Sequence[Line]) -> str:
    found = [line for line in lines if line.reproduced is False]
    if not found:
        return "Every line is reproduced."
    said = f"{len(found)} of {sum(line.judged for line in lines)} lines are not reproduced:"
    rows = [(line.effect, line.case, ratio(line.measured), ratio(line.emulated), relative(line.deviation),
             line.verdict or NOTHING) for line in found]  # fmt: skip
    return f"{said}\n\n" + table(("effect", "case", "measured", "emulated", "deviation", "reproduced"), rows, left=2)


def _ranks(joined: Joined) -> str:
    rows = [
        (
            row["kernels"],
            row["op"],
            str(row["layers"]),
            _number(row["spearman"], ".4f"),
            _number(row["median"], ".1f"),
            f"{_number(row['low'], '.1f')} to {_number(row['high'], '.1f')}",
        )
        for _, row in ranks.by_operator(joined.layers).iterrows()
    ]
    head = ("kernels", "layers of", "number", "rank correlation", "instructions per us, median", "5 % to 95 %")
    return table(head, rows, left=2)


def _steps(joined: Joined, lines: Sequence[Line]) -> str:
    by_case = {line.case: line for line in lines if line.effect == "step"}
    rows = []
    for platform, board in BOARDS.items():
        if platform not in set(joined.lenet["platform"]):
            continue
        for name in STEPS:
            row, line = step_row(joined.lenet, platform, name), by_case.get(f"{board} {name}")
            rows.append(
                (
                    board,
                    name,
                    f"{row['latency_ms']:.1f}",
                    _number(row["instructions"] / 1e6, ".3f"),
                    _number(row["instructions"] / row["latency_ms"] / 1e3, ".1f"),
                    "1" if line is None else f"{line.measured:.3f}",
                    "1" if line is None else _number(line.emulated, ".3f"),
                    "" if line is None else relative(line.deviation),
                )
            )
    head = ("board", "step", "measured ms", "emulated million instructions", "instructions per us",
            "measured, of the first step", "emulated, of the first step", "deviation")  # fmt: skip
    return table(head, rows, left=2)


def _effects(lines: Sequence[Line]) -> list[str]:
    parts = []
    for effect in ("CMSIS-NN", "FPU", "-Ofast over -Os"):
        item = next((item for item in summaries(lines) if item.effect == effect), None)
        if item is not None:
            parts += [f"### Speed-up by {effect}", page_text.EFFECTS[effect],
                      _details(f"All {item.lines} lines", _lines_table(lines, effect))]  # fmt: skip
    return parts


def _lines_table(lines: Sequence[Line], effect: str) -> str:
    rows = [
        (line.case, ratio(line.measured), ratio(line.emulated), relative(line.deviation), _verdict(line))
        for line in lines
        if line.effect == effect
    ]
    return table((effect, "measured", "emulated", "deviation", "reproduced"), rows)


def _shares(joined: Joined) -> str:
    rows = []
    for keys, group in joined.lenet_layers.groupby(["type", "kernels", "index", "op"], sort=False):
        cells = []
        for platform in BOARDS:
            mine = group[group["platform"] == platform]
            if len(mine):
                cells.append(_share_cell(mine.iloc[0]))
        rows.append((f"{keys[0]} {keys[1]} {keys[2]} {keys[3]}", *cells))
    boards = [board for platform, board in BOARDS.items() if platform in set(joined.lenet_layers["platform"])]
    return table(("layer", *(f"{board}: measured, emulated (deviation in points)" for board in boards)), rows)


def _share_cell(row: Any) -> str:
    import pandas

    if pandas.isna(row["share_emulated"]):
        return f"{_share(row['share_measured'])}, {NOTHING}"
    points = 100 * (row["share_emulated"] - row["share_measured"])
    return f"{_share(row['share_measured'])}, {_share(row['share_emulated'])} ({points:+.1f})"


def _figures(lines: Sequence[Line]) -> list[str]:
    parts = []
    for figure in FIGURES:
        mine = [line for line in lines if line.figure == figure.name and line.effect == "against the median"]
        rows = [(line.case, f"{line.measured:.3f}", _number(line.emulated, ".3f"), relative(line.deviation))
                for line in mine]  # fmt: skip
        sizes = sorted(abs(line.deviation) for line in mine if line.deviation is not None)
        said = f"{figure.name.capitalize()}: {figure.title}, CMSIS-NN, L4."
        if sizes:
            said += (
                f" Of {len(mine)} widths, each against the figure's median, emulation deviates by "
                f"{100 * median(sizes):.1f} % in the middle, {100 * sizes[-1]:.1f} % at most; rank correlation "
                f"{_number(_rank_correlation(mine), '.3f')}."
            )
        parts += [
            said,
            _picture(figure.name.replace(". ", ""), f"{figure.title} against {figure.width}"),
            _details(f"All {len(mine)} lines", table(("width", "measured", "emulated", "deviation"), rows)),
        ]
    return parts


def _rank_correlation(lines: Sequence[Line]) -> float | None:
    import pandas

    return ranks.spearman(
        pandas.Series([line.measured for line in lines]),
        pandas.Series([line.emulated for line in lines], dtype="Float64"),
    )


def _table_4(rows: Any) -> str:
    made = []
    for _, row in rows.iterrows():
        gains = [None if _number(row[name], "g") == NOTHING else float(row[name])
                 for name in ("gain_measured", "gain_emulated")]  # fmt: skip
        kernel = _number(row["kernel"], ".0f")
        deviation = None if gains[1] is None or gains[0] is None else gains[1] / gains[0] - 1
        made.append(
            (
                row["layer"] + ("" if kernel == NOTHING else f" {kernel}x{kernel}"),
                row["kernels"],
                row["subset"],
                str(row["layers"]),
                _number(row["ns_per_mac"], ".1f"),
                _number(row["instructions_per_mac"], ".2f"),
                ratio(gains[0]),
                ratio(gains[1]),
                relative(deviation),
            )
        )
    head = ("layer", "kernels", "widths", "layers", "measured ns per MAC", "emulated instructions per MAC",
            "measured gain", "emulated gain", "deviation")  # fmt: skip
    return table(head, made, left=3)


def _exactness(points: Any) -> str:
    rows = []
    for keys, group in points.groupby(["type", "kernels", "optimisation"]):
        known = group["output_exact"].dropna()
        rows.append((*keys, str(len(group)), f"{int(known.sum())} of {len(known)}"))
    return table(("type", "kernels", "optimisation", "points", "exact"), rows, left=3)
