"""The choice among points: hand-made numbers whose front is known, random ones against the definition; the tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import msgspec
import pytest
import sweep_maker
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness import cli
from harness.errors import BadInputError
from harness.sweep import expand, file, pareto, points, run, tables
from harness.sweep.file import Objective
from harness.sweep.metrics import Measured
from harness.sweep.pareto import Ranking
from harness.sweep.plan import PLAN_SCHEMA, ROW_SCHEMA, Choice, Failure, Plan, Point, Row

OBJECTIVES = (Objective(metric="instructions"), Objective(metric="flash"))


def measured(instructions: int, flash: int, per_mac: float | None = 1.0) -> Measured:
    return Measured(
        instructions=instructions,
        overhead=1,
        macs=100,
        instructions_per_mac=per_mac,
        flash=flash,
        ram=100,
        arena=50,
        stack=10,
        code=flash,
        model_size=10,
        classes=None,
    )


def rank(
    values: list[tuple[int, int] | None], objectives: tuple[Objective, ...] = OBJECTIVES, **budgets: int
) -> Ranking:
    """The ranking of points "0", "1", ... with (instructions, flash), None for one that could not be measured."""
    made, rows = [], {}
    for index, pair in enumerate(values):
        choice = Choice(
            model=str(index),
            path="",
            recipe=None,
            platform="p",
            kernels="k",
            optimisation="-O2",
            fpu=None,
            emulator="qemu",
        )
        made.append(Point(choice=choice, identity=str(index), facts=None, failure=None))
        common = {"schema": ROW_SCHEMA, "identity": str(index), "seconds": 1.0}
        rows[str(index)] = (
            Row(**common, failure=Failure(kind="not measured", message="died"))
            if pair is None
            else Row(**common, passed=True, measured=measured(*pair))
        )
    plan = Plan(
        schema=PLAN_SCHEMA,
        name="n",
        file="",
        file_sha256="",
        time_limit_s=1.0,
        budgets=file.Budgets(**budgets),
        objectives=objectives,
        inputs=(),
        points=tuple(made),
        notes=(),
    )
    return pareto.choose(plan, tables.point_rows(plan, rows), objectives)


def names(standings: tuple[pareto.Standing, ...]) -> list[str]:
    return [standing.item.point.choice.model for standing in standings]


def test_front_best_and_losses() -> None:
    found = rank([(100, 50), (80, 60), (120, 55), None, (80, 70), (90, 59)])
    assert names(found.front) == ["1", "5", "0"]
    assert [one.lost_by for one in found.front] == [
        None,
        "instructions +12.5%; in return flash -1.7% (-1 B)",
        "instructions +25.0%; in return flash -16.7% (-10 B)",
    ]
    assert {name: one.lost_by for name, one in zip(names(found.beaten), found.beaten, strict=True)} == {
        "4": "flash +16.7% (+10 B) against 1",
        "2": "instructions +20.0%, flash +10.0% (+5 B) against 0",
    }
    assert [(item.point.choice.model, item.state, item.reason) for item in found.out] == [("3", "not measured", "died")]


def test_budgets_keep_points_out_with_the_reason() -> None:
    found = rank([(100, 2000), (80, 1024), (70, 1025)], flash_kib=1, instructions=90)
    assert found.best is not None and found.best.item.point.choice.model == "1"
    assert [item.reason for item in found.out] == [
        "instructions over the budget by 10 (11.1%); flash over the budget by 976 B (95.3%)",
        "flash over the budget by 1 B (0.1%)",
    ]
    assert rank([(100, 100)], instructions=99).best is None


def test_directions_and_ties() -> None:
    assert names(rank([(1, 5), (2, 9)], (Objective(metric="flash", direction="max"),)).front) == ["1"]
    ties = rank([(5, 5), (5, 5), (6, 6)])
    assert names(ties.front) == ["0", "1"] and ties.front[1].lost_by == "equal to the best"
    assert rank([(100_000, 7), (100_001, 7)]).beaten[0].lost_by == "instructions +1 against 0"


def test_a_missing_value_keeps_a_point_out() -> None:
    item = rank([(1, 1), (2, 2)])
    rows = [standing.item for standing in (*item.front, *item.beaten)]
    assert rows[0].row is not None
    gone = msgspec.structs.replace(rows[0], row=msgspec.structs.replace(rows[0].row, measured=measured(1, 1, None)))
    found = pareto.choose(item.plan, [gone, rows[1]], [Objective(metric="instructions_per_mac")])
    assert names(found.front) == ["1"]
    assert [row.reason for row in found.out] == ["no value for instructions_per_mac"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(values: list[tuple[int, int]]) -> None:
    found = rank(list(values))
    expected = [
        index
        for index, (a, b) in enumerate(values)
        if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in values)
    ]
    assert sorted(map(int, names(found.front))) == expected
    assert len(found.front) + len(found.beaten) == len(values)
    assert found.best is not None and found.best.values == min(values)
    assert all(one.lost_by for one in (*found.front[1:], *found.beaten))


@pytest.mark.parametrize("text", ["speed", "flash:up", ""])
def test_objectives_that_are_none(text: str) -> None:
    with pytest.raises(BadInputError):
        pareto.parse(text)


def test_objectives_as_typed() -> None:
    assert pareto.parse("flash") == Objective(metric="flash")
    assert pareto.parse("flash:max") == Objective(metric="flash", direction="max")


@pytest.fixture
def stored(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A sweep with an impossible point and one that failed."""
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv(sweep_maker.MARKS, str(marks))
    path = sweep_maker.write(
        tmp_path, axes="fpu = [true, false]\n[[exclude]]\nfpu = [false]\nplatforms = ['stm32l496zg']"
    )
    run.run(path, measure=sweep_maker.measure_some, build=sweep_maker.build_nothing, jobs=1)
    return expand.expand(file.load(path))


def test_tables(stored: Plan) -> None:
    folder = points.folder("made")
    with (folder / "points.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert list(rows[0]) == [column.name for column in tables.POINT_COLUMNS]
    assert [row["state"] for row in rows] == ["impossible", "ok", "impossible", "not measured", "ok", "ok"]
    assert [row["instructions"] for row in rows] == ["", "2100", "", "", "2010", "1010"]
    assert (rows[1]["optimisation"], rows[1]["fpu"], rows[4]["fpu"]) == ("-O2", "none", "fpv4-sp-d16")
    assert (rows[1]["ram"], rows[1]["output_exact"], rows[3]["reason"]) == (
        str(36588 + 680),
        "True",
        "the firmware did not end",
    )
    with (folder / "layers.csv").open() as text:
        layers = list(csv.DictReader(text))
    assert list(layers[0]) == [column.name for column in tables.LAYER_COLUMNS]
    assert [(row["op"], row["instructions"]) for row in layers] == [
        ("CONV_2D", "2090"),
        ("CONV_2D", "2000"),
        ("CONV_2D", "1000"),
    ]
    classes = [int(value) for name, value in layers[0].items() if name.startswith("class_")]
    assert sum(classes) == 2090


def test_parquet_and_frames_hold_what_the_csv_holds(stored: Plan) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    folder = points.folder("made")
    frames = harness.results("made")
    assert list(frames.points["instructions"].fillna(-1)) == [-1, 2100, -1, -1, 2010, 1010]
    assert frames.points["instructions"].isna().sum() == 3
    for name, frame in zip(("points", "layers"), frames, strict=True):
        parquet = pandas.read_parquet(folder / f"{name}.parquet")
        assert list(parquet.columns) == list(frame.columns)
        as_csv = pandas.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        assert list(as_csv.columns) == list(frame.columns)
        for column in frame.columns:
            expected = ["" if value is pandas.NA else str(value) for value in frame[column]]
            assert list(as_csv[column]) == expected, column
            assert parquet[column].isna().tolist() == frame[column].isna().tolist()


def test_without_pyarrow_there_is_csv_and_a_note(
    stored: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for old in points.folder("made").glob("*.parquet"):
        old.unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    written, note = tables.write(stored, points.read("made"))
    assert [path.name for path in written] == ["points.csv", "layers.csv"]
    assert note == "no Parquet: pyarrow is not installed (pip install 'tflm-harness[sweep]')"
    with pytest.raises(harness.errors.MissingToolError, match="pandas is not installed"):
        harness.results("made")


def test_results_of_a_sweep_that_is_not_there(results: Path) -> None:
    pytest.importorskip("pandas")
    with pytest.raises(BadInputError, match="no stored sweep 'nothing'"):
        harness.results("nothing")


def call(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_the_command(stored: Plan, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = call(capfd, "pareto", "made")
    assert code == 0
    assert "best  digits.tflite stm32l496zg cmsis-nn -O2 fpu\n" in out
    assert "instructions +99.0% against cmsis-nn" in out
    assert "took no part, 3 points" in out and "mps2-an385 (cortex-m3) has no FPU" in out
    code, out, _ = call(capfd, "pareto", "made", "--json", "-o", "instructions:max")
    printed = json.loads(out)
    assert (code, printed["best"]["platform"], printed["best"]["instructions"]) == (0, "mps2-an385", 2100)
    assert len(printed["out"]) == 3
    code, out, err = call(capfd, "pareto", "mad")
    assert (code, out) == (2, "") and "no stored sweep 'mad'" in err and "hint: stored are made" in err
    code, out, err = call(capfd, "pareto", "made", "--objective", "accuracy")
    assert (code, err) == (1, "")
    assert "no point is measured, exact, within the budgets, with a value of each objective" in out
    assert "no value for accuracy" in out
    code, _, err = call(capfd, "pareto", "made", "-o", "speed")
    assert code == 2 and "unknown metric 'speed'" in err
