"""The comparison itself: measured frames and emulated frames in, lines and tables out. Nothing here runs anything."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.reproduce.emulated import Emulated
from harness.reproduce.lines import Line, Unit
from harness.reproduce.measured import BOARDS, LONGEST_INPUT, Measured

POINT = ["platform", "type", "kernels", "fpu", "optimisation"]
LAYER = ["network", "width", "kernel", "kernels", "index", "op"]

# The paper's figure 2: each step of optimisation against no FPU, no quantisation, reference kernels. All -Ofast.
STEPS = {
    "float32": ("float32", "reference", "no"),
    "float32, FPU": ("float32", "reference", "yes"),
    "int8": ("int8", "reference", "yes"),
    "int8, CMSIS-NN": ("int8", "cmsis-nn", "yes"),
}


class Joined(NamedTuple):
    """Measured and emulated side by side, a row what was measured; emulated cells are NA where they are missing.

    ``lenet``: latency_ms, instructions, output_exact, state. ``lenet_layers``: latency_ms, instructions,
    share_measured, share_emulated. ``lenet_energy``: latency_ms, energy_mj, instructions. ``layers``: latency_us,
    instructions, instructions_per_us, and ``wrapped``, which marks rows whose time is of another computation.
    """

    lenet: Any
    lenet_layers: Any
    lenet_energy: Any
    layers: Any


def join(measured: Measured, emulated: Emulated) -> Joined:
    """Join by what was built and run; of the measurements, only what the sweeps asked for (all, but for --quick)."""
    points = emulated.points[emulated.points["network"] == "lenet"]
    layers = emulated.layers[emulated.layers["network"] == "lenet"]
    boards = points["platform"].unique()
    fast = (layers["optimisation"] == "-Ofast") & (layers["fpu"] == "yes")
    lenet_layers = _on(boards, measured.lenet_layers).merge(
        layers[fast][["platform", "type", "kernels", "index", "op", "instructions"]],
        on=["platform", "type", "kernels", "index", "op"],
        how="left",
        validate="one_to_one",
    )
    group = lenet_layers.groupby(["platform", "type", "kernels"])
    lenet_layers["share_measured"] = lenet_layers["latency_ms"] / group["latency_ms"].transform("sum")
    lenet_layers["share_emulated"] = lenet_layers["instructions"] / group["instructions"].transform(
        lambda column: column.sum(skipna=False)
    )
    numbers = points[[*POINT, "instructions", "output_exact", "state"]]
    best = numbers[(numbers["optimisation"] == "-Ofast") & (numbers["fpu"] == "yes")]
    return Joined(
        lenet=_on(boards, measured.lenet).merge(numbers, on=POINT, how="left", validate="one_to_one"),
        lenet_layers=lenet_layers,
        lenet_energy=_on(boards, measured.lenet_energy).merge(
            best[["platform", "type", "kernels", "instructions"]],
            on=["platform", "type", "kernels"],
            how="left",
            validate="one_to_one",
        ),
        layers=_layers(measured, emulated),
    )


def _on(boards: Any, frame: Any) -> Any:
    return frame[frame["platform"].isin(boards)].copy()


def _layers(measured: Measured, emulated: Emulated) -> Any:
    """Layers of the sweeps; a network counts as asked for where the plan has it, measured or not."""
    asked = emulated.points[emulated.points["network"] != "lenet"]
    counted = emulated.layers[emulated.layers["network"] != "lenet"]
    networks = asked[["network", "width", "kernel", "kernels"]].drop_duplicates()
    wanted = measured.layers.astype({"width": "Int64", "index": "Int64"}).merge(
        networks, on=["network", "width", "kernel", "kernels"], validate="many_to_one"
    )
    joined = wanted.merge(counted[[*LAYER, "instructions"]], on=LAYER, how="left", validate="one_to_one")
    joined["wrapped"] = _wrapped(joined)
    joined["instructions_per_us"] = joined["instructions"] / joined["latency_us"]
    return joined


def _wrapped(layers: Any) -> Any:
    """The last dense layer has 10 outputs, and as many inputs as the image has elements."""
    pixels = layers["network"].map({"heim-depthwise": 24 * 24, "heim-conv-stack": 64 * 64}).fillna(0)
    long = pixels * layers["width"] > LONGEST_INPUT
    return ((layers["op"] == "FULLY_CONNECTED") & (layers["kernels"] == "cmsis-nn") & long).astype(bool)


def missing(joined: Joined) -> int:
    """How many measured rows have no emulated count."""
    return int(sum(frame["instructions"].isna().sum() for frame in (joined.lenet, joined.lenet_layers, joined.layers)))


def steps(joined: Joined) -> tuple[Line, ...]:
    """Figure 2: latency, and instructions, against those of the first step."""
    made = []
    for platform, board in _boards(joined.lenet):
        rows = {name: step_row(joined.lenet, platform, name) for name in STEPS}
        first = rows["float32"]
        made += [
            _ratio("fig. 2", "step", f"{board} {name}", row, first) for name, row in rows.items() if row is not first
        ]
    return tuple(made)


def speedups(joined: Joined) -> tuple[Line, ...]:
    """What CMSIS-NN, the FPU and -Ofast gain a whole inference: slow by fast, so above 1 is a gain."""
    made = []
    for effect, column, slow, fast in (
        ("CMSIS-NN", "kernels", "reference", "cmsis-nn"),
        ("FPU", "fpu", "no", "yes"),
        ("-Ofast over -Os", "optimisation", "-Os", "-Ofast"),
    ):
        others = [name for name in POINT if name != column]
        for platform, board in _boards(joined.lenet):
            mine = joined.lenet[joined.lenet["platform"] == platform]
            for values, pair in mine.groupby(others, sort=False):
                rows = {row[column]: row for _, row in pair.iterrows()}
                case = " ".join((board, *(_word(name, value) for name, value in zip(others, values, strict=True)
                                          if name != "platform")))  # fmt: skip
                made.append(_ratio("fig. 2", effect, case, rows[slow], rows[fast], judged=True))
    return tuple(made)


def energy(joined: Joined) -> tuple[Line, ...]:
    """Figure 3: energy, and instructions, against those of int8 with CMSIS-NN on the same board."""
    made = []
    for platform, board in _boards(joined.lenet_energy):
        rows = joined.lenet_energy[joined.lenet_energy["platform"] == platform]
        best = rows[(rows["type"] == "int8") & (rows["kernels"] == "cmsis-nn")].iloc[0]
        for _, row in rows.iterrows():
            if (row["type"], row["kernels"]) != (best["type"], best["kernels"]):
                made.append(
                    Line(
                        figure="fig. 3",
                        effect="energy over int8 CMSIS-NN",
                        case=f"{board} {row['type']} {row['kernels']}",
                        unit="ratio",
                        measured=float(row["energy_mj"] / best["energy_mj"]),
                        emulated=_number(row["instructions"] / best["instructions"]),
                        judged=True,
                    )
                )
    return tuple(made)


def _word(column: str, value: str) -> str:
    return {"yes": "FPU", "no": "no FPU"}[value] if column == "fpu" else value


def shares(joined: Joined) -> tuple[Line, ...]:
    """Each layer's part of an inference of LeNet."""
    return tuple(
        Line(
            figure="fig. 2",
            effect="layer share",
            case=f"{BOARDS[row['platform']]} {row['type']} {row['kernels']} {row['index']} {row['op']}",
            unit="share",
            measured=float(row["share_measured"]),
            emulated=_number(row["share_emulated"]),
        )
        for _, row in joined.lenet_layers.iterrows()
    )


def _boards(frame: Any) -> list[tuple[str, str]]:
    return [(platform, board) for platform, board in BOARDS.items() if platform in set(frame["platform"])]


def step_row(frame: Any, platform: str, name: str) -> Any:
    """The row of one of STEPS on a board."""
    for column, value in zip(POINT, (platform, *STEPS[name], "-Ofast"), strict=True):
        frame = frame[frame[column] == value]
    (row,) = (row for _, row in frame.iterrows())
    return row


def _ratio(figure: str, effect: str, case: str, above: Any, below: Any, judged: bool = False) -> Line:
    """A line of two rows: latency by latency, instructions by instructions."""
    unit: Unit = "ratio"
    return Line(
        figure=figure,
        effect=effect,
        case=case,
        unit=unit,
        measured=float(above["latency_ms"] / below["latency_ms"]),
        emulated=_number(above["instructions"] / below["instructions"]),
        judged=judged,
    )


def _number(value: Any) -> float | None:
    import pandas

    return None if pandas.isna(value) else float(value)
