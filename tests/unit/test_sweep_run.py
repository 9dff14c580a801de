"""Sweeps with made-up measurements: stored as they come, resumed, never doubled, whatever dies in between."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import filelock
import pytest
import result_maker
import sweep_maker

from harness import cli, cores, library, pipeline, sources, toolchain
from harness.errors import BadInputError, BuildError, HarnessError
from harness.library import Progress
from harness.paths import cache_folder
from harness.sweep import expand, points, run, tables
from harness.sweep import measure as worker
from harness.sweep.file import load
from harness.sweep.plan import Plan, Point, Row
from harness.sweep.run import Outcome, outlook
from tests.conftest import DIGITS


def sweep(path: Path, measure: Any = sweep_maker.measure, **options: Any) -> Outcome:
    return run.run(path, measure=measure, build=sweep_maker.build_nothing, **{"jobs": 1, **options})


def runs(marks: Path) -> list[int]:
    """How often each point was run, of those that were."""
    return [path.read_text().count("run") for path in marks.glob("[0-9a-f]*")]


def states(outcome: Outcome) -> list[str]:
    return [item.state for item in tables.point_rows(outcome.plan, outcome.rows)]


def test_every_point_is_measured_once_and_stored(tmp_path: Path, marks: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = sweep_maker.write(tmp_path)
    first = sweep(path, jobs=2, on_point=lambda _point, _row, done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (first.ran, states(first), first.exit_code) == (4, ["ok"] * 4, 0)
    table = (points.folder("made") / "points.csv").read_bytes()
    again = sweep(path)
    assert (again.ran, again.exit_code, runs(marks)) == (0, 0, [1] * 4)
    assert again.rows == first.rows
    assert (points.folder("made") / "points.csv").read_bytes() == table


def test_a_point_that_is_new_in_the_file_is_the_only_one_to_run(tmp_path: Path, marks: Path) -> None:
    sweep(sweep_maker.write(tmp_path))
    assert sweep(sweep_maker.write(tmp_path, axes="optimisation = ['-O2', '-Os']")).ran == 4
    smaller = sweep(sweep_maker.write(tmp_path, axes="[[exclude]]\nkernels = ['reference']"))
    assert (smaller.ran, len(tables.point_rows(smaller.plan, smaller.rows)), runs(marks)) == (0, 2, [1] * 8)


def test_a_failing_point_is_a_row_and_the_sweep_goes_on(tmp_path: Path, marks: Path) -> None:
    path = sweep_maker.write(tmp_path)
    outcome = sweep(path, sweep_maker.measure_some)
    assert (states(outcome), outcome.exit_code) == (["ok", "not measured", "ok", "ok"], 3)
    failed = tables.point_rows(outcome.plan, outcome.rows)[1]
    assert (failed.reason, failed.measured) == ("the firmware did not end", None)
    assert sweep(path).ran == 0
    retried = sweep(path, retry=True)
    assert (retried.ran, states(retried), retried.exit_code) == (1, ["ok"] * 4, 0)
    assert points.read("made") == retried.rows


def test_budgets_are_exit_1_and_failures_go_before(tmp_path: Path, marks: Path) -> None:
    path = sweep_maker.write(tmp_path, axes="[budgets]\ninstructions = 1100\nstack_kib = 0.5")
    outcome = sweep(path)
    rows = tables.point_rows(outcome.plan, outcome.rows)
    assert (states(outcome), outcome.exit_code) == (["over budget"] * 4, 1)
    assert rows[0].over == {"instructions": 1000, "stack": 168}
    assert rows[0].reason == "instructions over the budget by 1,000 (90.9%); stack over the budget by 168 B (32.8%)"
    mixed = sweep(sweep_maker.write(tmp_path, "", "[budgets]\ninstructions = 1100", "mixed"), sweep_maker.measure_some)
    assert (states(mixed), mixed.exit_code) == (["over budget", "not measured", "over budget", "ok"], 3)


def test_impossible_points_are_no_failure(tmp_path: Path, marks: Path) -> None:
    outcome = sweep(sweep_maker.write(tmp_path, axes="fpu = [true]"))
    assert (states(outcome), outcome.exit_code) == (["impossible", "impossible", "ok", "ok"], 0)


@pytest.mark.parametrize(("how", "calls", "state"), [("once", 2, "ok"), ("always", 2, "not measured")])
def test_a_worker_that_is_killed_costs_a_retry(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch, how: str, calls: int, state: str
) -> None:
    monkeypatch.setenv(sweep_maker.DEADLY, how)
    outcome = sweep(sweep_maker.write(tmp_path), sweep_maker.measure_or_die, jobs=2)
    assert states(outcome) == [state, state, "ok", "ok"]
    assert sorted(runs(marks)) == [1, 1, calls, calls]
    if state != "ok":
        reason = tables.point_rows(outcome.plan, outcome.rows)[0].reason
        assert reason == "the worker process died, 2 times (signal SIGKILL)"


def test_a_fault_of_the_harness_is_a_row_with_its_last_line(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sweep_maker.DEADLY, "raise")
    outcome = sweep(sweep_maker.write(tmp_path), sweep_maker.measure_or_die, jobs=1)
    assert states(outcome) == ["not measured", "not measured", "ok", "ok"]
    assert tables.point_rows(outcome.plan, outcome.rows)[0].reason == "a fault of the harness: ValueError: planted"


def test_points_whose_library_does_not_build_are_rows(tmp_path: Path, marks: Path) -> None:
    def build(todo: tuple[Point, ...], _progress: Progress) -> dict[str, HarnessError]:
        return {point.identity: BuildError("broken") for point in todo[:2] if point.identity is not None}

    outcome = run.run(sweep_maker.write(tmp_path), measure=sweep_maker.measure, build=build)
    assert (states(outcome), runs(marks)) == (["not measured", "not measured", "ok", "ok"], [1, 1])


def test_a_torn_last_line_is_run_again(tmp_path: Path, marks: Path) -> None:
    path = sweep_maker.write(tmp_path)
    undisturbed = sweep(path, jobs=1)
    file = points.folder("made") / "points.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert len(points.read("made")) == 3
    again = sweep(path)
    assert (again.ran, again.rows, sorted(runs(marks))) == (1, undisturbed.rows, [1, 1, 1, 2])
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("damage", "fragment"),
    [
        (lambda content: content.replace(b'"seconds"', b'"secs"', 1), "points.jsonl:1: "),
        (lambda content: content.replace(b"sweep-point/1", b"sweep-point/9", 1), "'tflm-harness/sweep-point/9'"),
        (lambda content: b"\0\0\n" + content, "points.jsonl:1: "),
    ],
)
def test_damaged_and_newer_points_are_refused(tmp_path: Path, marks: Path, damage: Any, fragment: str) -> None:
    path = sweep_maker.write(tmp_path)
    sweep(path)
    file = points.folder("made") / "points.jsonl"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BadInputError) as refused:
        sweep(path)
    assert fragment in refused.value.message and refused.value.hint


def test_a_newer_plan_is_refused(tmp_path: Path, marks: Path) -> None:
    sweep(sweep_maker.write(tmp_path))
    file = points.folder("made") / "plan.json"
    file.write_text(file.read_text().replace("sweep-plan/2", "sweep-plan/9"))
    with pytest.raises(BadInputError, match="sweep-plan/9"):
        points.read_plan("made")


def test_two_at_once_are_refused(tmp_path: Path, marks: Path) -> None:
    points.folder("made").mkdir(parents=True)
    with filelock.FileLock(points.folder("made") / ".lock"), pytest.raises(BadInputError, match="another process runs"):
        sweep(sweep_maker.write(tmp_path))
    assert sweep(sweep_maker.write(tmp_path)).ran == 4


def test_what_runs_already_is_refused_before_anything_is_made(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making networks may take minutes, and would wait for the other sweep, which makes the same."""
    monkeypatch.setattr(expand, "expand", lambda *_file, **_options: pytest.fail("it was expanded"))
    with points.locked("made"), pytest.raises(BadInputError, match="another process runs"):
        run.run(sweep_maker.write(tmp_path))


@pytest.mark.parametrize("replace", [None, b"", DIGITS.read_bytes() + bytes(16)])
def test_a_file_that_changes_meanwhile_is_not_measured_as_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bytes | None
) -> None:
    network = tmp_path / "network.tflite"
    network.write_bytes(DIGITS.read_bytes())
    path = tmp_path / "made.toml"
    path.write_text('name = "made"\n[axes]\nmodels = ["*.tflite"]\nplatforms = ["mps2-an386"]\n')
    (point,) = expand.expand(load(path)).points
    task = worker.Task(identity=point.identity or "", choice=point.choice, time_limit_s=60.0, command=())
    result = result_maker.result((result_maker.layer(0, "CONV_2D", 1000, 1000, macs=100),))
    monkeypatch.setattr(pipeline, "run", lambda *_arguments, **_options: result)
    assert worker.measure(task).failure is None
    monkeypatch.setattr(pipeline, "run", lambda *_arguments, **_options: pytest.fail("it was run"))
    if replace is None:
        network.unlink()
    else:
        network.write_bytes(replace)
    failure = worker.measure(task).failure
    assert failure is not None
    assert failure.kind == "not measured"  # "impossible" would be no failure, and not be run again by --retry
    assert "not what it was when the points were planned" in failure.message


def test_an_interrupt_keeps_what_is_done_and_ends_the_workers(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sweep_maker.SLOW, "yes")
    path = sweep_maker.write(tmp_path)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sweep(path, sweep_maker.measure_slowly, jobs=2, on_point=sweep_maker.interrupt)
    assert time.monotonic() - started < 30
    assert multiprocessing.active_children() == []
    assert not [*marks.glob("pid-*")], "the point that was under way was not ended in good order"
    assert len(points.read("made")) == 1
    rows = tables.point_rows(points.read_plan("made"), points.read("made"))
    assert [row.state for row in rows] == ["ok", "not run", "not run", "not run"]
    monkeypatch.setenv(sweep_maker.SLOW, "no")
    assert sweep(path, sweep_maker.measure_slowly).ran == 3


def _sweep_in_a_process(path: Path) -> None:
    sweep(path, sweep_maker.measure_slowly, jobs=2)


def test_kill_9_loses_what_is_under_way_alone(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sweep_maker.SLOW, "yes")
    path = sweep_maker.write(tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=_sweep_in_a_process, args=(path,))
    process.start()
    _until(lambda: len([*marks.glob("pid-*")]) == 2 and len(points.read("made")) == 1)
    workers = [int(mark.name.removeprefix("pid-")) for mark in marks.glob("pid-*")]
    process.kill()
    process.join()
    _until(lambda: not any(_alive(number) for number in workers))
    assert not [*marks.glob("pid-*")]
    monkeypatch.setenv(sweep_maker.SLOW, "no")
    resumed = sweep(path, sweep_maker.measure_slowly)
    table = (points.folder("made") / "points.csv").read_bytes()
    assert (resumed.ran, states(resumed), runs(marks)) == (3, ["ok"] * 4, [1] * 4)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "undisturbed"))
    sweep(path)
    assert (points.folder("made") / "points.csv").read_bytes() == table


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_outlook(tmp_path: Path, marks: Path) -> None:
    path = sweep_maker.write(tmp_path)
    found = outlook(path, jobs=3)
    assert (found.stored, len(found.to_run), found.unmade, found.assumed) == (0, 4, (), True)
    assert found.seconds == pytest.approx(4 * run.ASSUMED_SECONDS / 3)
    assert not points.folder("made").exists()
    sweep(path, sweep_maker.measure_some)
    found = outlook(path, jobs=1, retry=True)
    assert (found.stored, len(found.to_run), found.assumed, found.seconds) == (3, 1, False, 0.25)
    assert outlook(path, jobs=1).to_run == ()


def test_outlook_counts_the_libraries_that_are_not_built(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = sweep_maker.write(tmp_path), tmp_path / "cache"
    arm, found = toolchain.arm(), sources.locate()
    cache.mkdir()
    (cache / "sources").symlink_to(cache_folder() / "sources")
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    assert outlook(path).builds == 3  # of the M3, the M4 and the host
    for part in library._folders(found, cores.flags("cortex-m3", None, False), "-O2", arm.version):
        assert outlook(path).builds == 3
        part.mkdir(parents=True)
    assert outlook(path).builds == 2
    sweep(path)
    assert outlook(path).builds == 0


def call(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_the_command(tmp_path: Path, marks: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = sweep_maker.write(tmp_path)
    code, out, _ = call(capfd, "sweep", path, "--dry-run", "--jobs", 2)
    assert code == 0 and "made: 4 points\n0 stored already, 4 to run" in out and "assumed" in out
    sweep(path, sweep_maker.measure_some)
    code, out, _ = call(capfd, "sweep", path)
    assert code == 3
    assert "INCOMPLETE  made: 4 points: 3 ok, 1 not measured; 0 run now" in out
    assert "exit 3: 1 of 4 points could not be measured" in out and "hint: give it more time" in out
    code, out, err = call(capfd, "sweep", path, "--json")
    printed = json.loads(out)
    assert (code, printed["exit_code"], printed["ran"], len(printed["points"]), err) == (3, 3, 0, 4, "")
    code, out, err = call(capfd, "sweep")
    assert (code, out) == (2, "") and "error: no sweep file is given" in err
    code, out, err = call(capfd, "sweep", tmp_path / "none.toml")
    assert (code, out) == (2, "") and "none.toml: cannot be read" in err


def test_interrupting_the_command(
    tmp_path: Path, marks: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_path: Path, on_point: Any, **_options: Any) -> Outcome:
        plan: Plan = outlook(sweep_maker.write(tmp_path)).plan
        row = Row(schema="", identity="", seconds=1.0)
        on_point(plan.points[0], row, 1, 4)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run", interrupted)
    code, out, err = call(capfd, "sweep", sweep_maker.write(tmp_path))
    assert (code, out) == (130, "")
    assert "interrupted: 1 points were measured and are stored; the same command goes on" in err
