"""What the plots of a sweep show, as numbers of the artists that are drawn: made-up sweeps with known answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from plots_maker import OVERHEAD, Made, store

from harness.report import plots_channels, plots_layers, plots_page, plots_pareto, plots_speedup
from harness.report.plots_points import NotDrawn, Picture
from harness.sweep.file import Objective


@pytest.fixture(autouse=True)
def _page(results: Path) -> Iterator[None]:
    with plots_page.style():
        yield


def only(made: list[Picture | NotDrawn]) -> Any:
    (picture,) = made
    assert isinstance(picture, Picture)
    return picture.figure


def spots(axes: Any) -> dict[str, list[tuple[float, float]]]:
    """Where the markers of each label are."""
    return {
        str(item.get_label()): [(float(x), float(y)) for x, y in item.get_offsets()]
        for item in axes.collections
        if hasattr(item, "get_offsets") and len(item.get_offsets())
    }


def lines(axes: Any) -> dict[str, list[tuple[float, float]]]:
    return {str(line.get_label()): [(float(x), float(y)) for x, y in line.get_xydata()] for line in axes.lines}


def texts(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def conv(instructions: int) -> tuple[tuple[str, int, int, int], ...]:
    return (("CONV_2D", instructions - OVERHEAD, 100, 8),)


KIB = 1024
FRONT = [
    Made("a", conv(4000), flash=50 * KIB),  # on the front
    Made("b", conv(2000), flash=60 * KIB),  # on the front
    Made("c", conv(4500), flash=55 * KIB),  # beaten by a
    Made("d", conv(1000), flash=90 * KIB),  # on the front, the best
    Made("e", conv(900), flash=101 * KIB),  # over the budget
    Made("f", conv(950), flash=40 * KIB, exact=False, passed=False),
    Made("g", None),
]


def flash_and_instructions(made: list[Made], **budgets: Any) -> Any:
    swept = store(made, **budgets)
    return plots_pareto.draw(swept, plots_pareto.plane_of(swept, "flash", "instructions"))


def test_pareto_draws_each_point_as_what_it_is() -> None:
    figure = flash_and_instructions(FRONT, flash_kib=100, instructions=5000)
    axes = figure.axes[0]
    assert spots(axes) == {
        "front": [(50, 4000), (60, 2000), (90, 1000)],
        "beaten": [(55, 4500)],
        "over budget": [(101, 900)],
        "verdict no": [(40, 950)],
        "best": [(90, 1000)],
    }
    assert lines(axes)["front"] == [(50, 4000), (60, 2000), (90, 1000)]
    assert sorted(tuple(line.get_xdata()) for line in axes.lines if line.get_label() == "budget") == [
        (0, 1),
        (100, 100),
    ]
    assert {text.get_text() for text in axes.texts} == {"1", "2", "3", "budget 100 KiB", "budget 5k instructions"}


def test_pareto_names_the_front_and_says_what_is_missing() -> None:
    said = texts(flash_and_instructions(FRONT, flash_kib=100))
    assert "made: Pareto front of flash and instructions" in said
    assert "TFLM July 2020 · gcc 12 · qemu 7.2" in said and "stm32l496zg · reference · -O2" in said
    assert "\n1\na\n" in said and "\n3 ★\nd\n" in said and "90.00 KiB" in said and "1k instructions" in said
    assert "1 point without numbers" in said


def test_pareto_statuses_differ_in_marker_and_colour() -> None:
    statuses = plots_pareto.STATUSES
    assert len({status.marker for status in statuses}) == len({status.colour for status in statuses}) == len(statuses)
    handles = flash_and_instructions(FRONT, flash_kib=100).legends[0]
    assert [text.get_text() for text in handles.get_texts()] == [
        "best of the sweep",
        "on the front (3)",
        "beaten (1)",
        "does not fit its board, or is not exact (1)",
        "over budget (1)",
    ]


def test_pareto_of_many_points_names_the_ends_and_the_best() -> None:
    made = [Made(f"net{index}", conv(100_000 - 1000 * index), flash=50 * KIB + 100 * index) for index in range(40)]
    swept = store(made)
    plane = plots_pareto.plane_of(swept, "flash", "instructions")
    assert len(plane.front) == 40
    named = texts(plots_pareto.draw(swept, plane)).split("\n")
    assert sum(line.startswith("net") for line in named) == 8
    assert "net0" in named and "net39" in named and "8 of the 40 places on the front are named." in named


def test_pareto_with_accuracy_upwards_in_percent() -> None:
    known = [("a", 4000, 0.95), ("b", 2000, 0.9), ("c", 3000, 0.8), ("random", 100, None)]
    made = [Made(name, conv(instructions), accuracy=accuracy) for name, instructions, accuracy in known]
    swept = store(made, objectives=(Objective(metric="accuracy"), Objective(metric="instructions")))
    figure = plots_pareto.draw(swept, plots_pareto.plane_of(swept, "instructions", "accuracy"))
    placed = spots(figure.axes[0])
    assert placed["front"] == [(4000, pytest.approx(95)), (2000, pytest.approx(90))]
    assert placed["beaten"] == [(3000, pytest.approx(80))] and placed["best"] == [(4000, pytest.approx(95))]
    assert "1 point without a value of accuracy" in texts(figure)
    assert "★ has the most accuracy" in texts(figure)


def test_no_front_is_said() -> None:
    figure = flash_and_instructions([Made("a", conv(4000))], instructions=3000)
    assert lines(figure.axes[0])["front"] == [] and "there is no front" in texts(figure)


def test_pairs_that_are_not_drawn_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        plots_pareto, "PAIRS", (("flash", "luck"), ("instructions", "accuracy"), ("flash", "instructions"))
    )
    swept = store(FRONT, objectives=(Objective(metric="stack"), Objective(metric="flash"), Objective(metric="stack")))
    made = plots_pareto.pictures(swept)
    assert [(item.name, item.reason) for item in made if isinstance(item, NotDrawn)] == [
        ("pareto-flash-luck", "luck is no metric of this version"),
        ("pareto-instructions-accuracy", "no point has a value of accuracy: there is no test set for it"),
    ]
    assert [item.name for item in made if isinstance(item, Picture)] == [
        "pareto-flash-instructions",
        "pareto-flash-stack",
        "pareto-stack-stack",
    ]


def test_a_new_metric_is_drawn_where_it_exists() -> None:
    wanted = [name for pair in plots_pareto.pairs((Objective(metric="instructions"),)) for name in pair]
    assert {"latency", "energy", "accuracy", "flash", "arena", "ram"} <= set(wanted)


def test_layers_are_stacked_in_their_order_and_add_up() -> None:
    slow = (("CONV_2D", 600, 60, 8), ("SOFTMAX", 100, 0, 8), ("CONV_2D", 300, 30, 8))
    fast = (("CONV_2D", 200, 60, 8), ("SOFTMAX", 100, 0, 8), ("CONV_2D", 50, 30, 8))
    swept = store([Made(layers=slow), Made(layers=fast, kernels="cmsis-nn")])
    axes = only(plots_layers.pictures(swept)).axes[0]
    drawn = [(bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert drawn == [
        (0, 0, 200), (0, 200, 100), (0, 300, 50), (0, 350, OVERHEAD),
        (1, 0, 600), (1, 600, 100), (1, 700, 300), (1, 1000, OVERHEAD),
    ]  # fmt: skip
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["cmsis-nn", "reference"]
    assert {"357", "1.01k", "0", "1", "2"} == {text.get_text() for text in axes.texts}
    convolution, softmax = axes.patches[0], axes.patches[1]
    assert convolution.get_facecolor() != softmax.get_facecolor() and convolution.get_hatch() != softmax.get_hatch()
    assert convolution.get_facecolor() == axes.patches[2].get_facecolor()


def test_layers_of_many_points_and_networks_are_cut_with_a_note() -> None:
    made = [
        Made(f"net{net}", conv(1000 * (net + 1) + point), platform=f"p{point}")
        for net in range(9)
        for point in range(7)
    ]
    figure = only(plots_layers.pictures(store(made)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"net{net}" for net in range(6)]
    assert [tick.get_text() for tick in figure.axes[2].get_yticklabels()] == ["p0", "p1", "p2", "p3"]
    said = texts(figure)
    assert "24 of the 42 points of these networks are shown" in said and "6 of 9 networks are shown" in said


PAIRS = [
    Made("x", (("CONV_2D", 900, 9, 8), ("CONV_2D", 100, 9, 8), ("SOFTMAX", 50, 0, 8))),
    Made("x", (("CONV_2D", 180, 9, 8), ("CONV_2D", 50, 9, 8), ("SOFTMAX", 50, 0, 8)), "cmsis-nn"),
    Made("y", (("CONV_2D", 900, 9, 8),)),  # has no partner
    Made("x", (("CONV_2D", 400, 9, 8),) * 2 + (("SOFTMAX", 50, 0, 8),), platform="rp2040", core="cortex-m0plus"),
    Made("x", (("CONV_2D", 500, 9, 8),) * 2 + (("SOFTMAX", 40, 0, 8),), "cmsis-nn", "rp2040", "cortex-m0plus"),
]


def test_speedups_are_of_pairs_that_differ_in_kernels_alone() -> None:
    swept = store(PAIRS)
    found = plots_speedup.speedups(swept.points, swept.layers)
    assert found.pairs == 2 and found.unequal == 0
    lanes = {(lane.op, lane.core): lane for lane in found.lanes}
    assert found.operators == (plots_speedup.WHOLE, "CONV_2D", "SOFTMAX")
    assert lanes["CONV_2D", "cortex-m4"].ratios == pytest.approx((5, 2))
    assert lanes["CONV_2D", "cortex-m4"].total == pytest.approx(1000 / 230)
    assert lanes["CONV_2D", "cortex-m0plus"].total == pytest.approx(0.8)
    assert lanes["SOFTMAX", "cortex-m4"].total == 1
    assert lanes[plots_speedup.WHOLE, "cortex-m4"].total == pytest.approx((1050 + OVERHEAD) / (280 + OVERHEAD))
    assert lanes["CONV_2D", "cortex-m4"].share == pytest.approx(1800 / 1900)


def test_speedups_as_drawn() -> None:
    axes = only(plots_speedup.pictures(store(PAIRS))).axes[0]
    placed = spots(axes)
    assert [x for x, _ in placed["layers CONV_2D cortex-m4"]] == pytest.approx([5, 2])
    assert [x for x, _ in placed["total CONV_2D cortex-m4"]] == pytest.approx([1000 / 230])
    heights = {y for places in placed.values() for _, y in places}
    assert len(heights) == 6, "a lane for each operator and core"
    assert {text.get_text() for text in axes.texts} >= {"4.35×", "0.80×", "1.00×"}  # noqa: RUF001
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["whole inference", "CONV_2D  95%", "SOFTMAX  5%"]


def test_layers_that_are_not_exact_have_no_speedup() -> None:
    wrong = [
        Made(layers=(("CONV_2D", 900, 9, 8),)),
        Made(layers=(("CONV_2D", 90, 9, 8),), kernels="cmsis-nn", exact=False),
    ]
    swept = store(wrong)
    found = plots_speedup.speedups(swept.points, swept.layers)
    assert found.operators == (plots_speedup.WHOLE,) and found.unequal == 1
    assert "1 layer whose output is not exact" in texts(only(plots_speedup.pictures(swept)))


def test_no_pair_no_speedup() -> None:
    (left,) = plots_speedup.pictures(store(PAIRS[:1] + PAIRS[2:4]))
    assert isinstance(left, NotDrawn) and "equal but for the kernels" in left.reason


def saw(kernels: str, spec: str | None, cost: int) -> list[Made]:
    return [
        Made(
            f"conv{channels}",
            (("CONV_2D", (cost + channels % 4) * 10 * channels, 10 * channels, channels),),
            kernels,
            spec=None if spec is None else spec.format(channels),
        )
        for channels in (9, 7, 8, 10)
    ]


@pytest.mark.parametrize("spec", [None, "conv:channels={}"])
def test_channels_are_joined_and_multiples_of_four_are_filled(spec: str | None) -> None:
    figure = only(plots_channels.pictures(store(saw("reference", spec, 20) + saw("cmsis-nn", spec, 5))))
    (axes,) = figure.axes
    drawn = lines(axes)
    assert drawn["reference"] == [(7, 23), (8, 20), (9, 21), (10, 22)]
    assert drawn["cmsis-nn"] == [(7, 8), (8, 5), (9, 6), (10, 7)]
    assert sorted(line.get_xdata()[0] for line in axes.lines if line.get_label() == "multiple of 4") == [4, 8]
    placed = spots(axes)
    assert placed["cmsis-nn, multiples of 4"] == [(8, 5)]
    assert placed["cmsis-nn, no multiples of 4"] == [(7, 8), (9, 6), (10, 7)]
    faces = {item.get_label(): to_hex(item.get_facecolor()[0]) for item in axes.collections}
    assert faces["cmsis-nn, no multiples of 4"] == "#ffffff" != faces["cmsis-nn, multiples of 4"]
    assert axes.get_xlabel() == ("channels of conv" if spec else "channels of the layer's output")


def test_layers_of_one_network_are_not_joined() -> None:
    layers = tuple(("CONV_2D", 1000 * channels, 10 * channels, channels) for channels in (4, 8, 16))
    found = only(plots_channels.pictures(store([Made(layers=layers)])))
    assert "reference" not in lines(found.axes[0]) and "without a line" in texts(found)


def test_variants_beyond_the_room_are_named() -> None:
    made = [
        point._replace(platform=f"p{number}")
        for number in range(9)
        for point in saw("reference", "conv:channels={}", 5)
    ]
    (other,) = (point for point in saw("reference", "conv:kernel=1,channels={}", 5) if point.model == "conv8")
    figure = only(plots_channels.pictures(store([*made, other._replace(model="conv8k1")])))
    assert {label for label in lines(figure.axes[0]) if label.startswith("reference")} == {
        f"reference p{number}" for number in range(6)
    }
    assert "6 of 9 variants of network, platform and flags are shown" in texts(figure)


def test_inputs_and_channels_of_a_network_have_a_panel_each() -> None:
    inputs = [point._replace(model=f"in{point.model}") for point in saw("reference", "conv:inputs={}", 5)]
    figure = only(plots_channels.pictures(store(saw("reference", "conv:channels={}", 5) + inputs)))
    assert [axes.get_xlabel() for axes in figure.axes] == ["channels of conv", "inputs of conv"]
    assert all([x for x, _ in lines(axes)["reference"]] == [7, 8, 9, 10] for axes in figure.axes)


def test_too_few_channels() -> None:
    (left,) = plots_channels.pictures(store(PAIRS))
    assert isinstance(left, NotDrawn) and "3 numbers of channels" in left.reason
