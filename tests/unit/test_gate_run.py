"""The gate from policy to verdict, with made-up measurements: what is run, what is not run again, what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gate_maker
import pytest
from gate_maker import plain, replaced

from harness import baseline, library, pipeline, store
from harness.errors import BadInputError, BuildError, HarnessError
from harness.gate import measure, run
from harness.gate import policy as policies
from harness.gate.verdict import Verdict
from harness.sweep import measure as sweep_worker
from harness.sweep.plan import Point, Row
from tests.conftest import DIGITS

BASELINES = ("an385-reference-O2-nofpu", "an386-reference-O2")
RULES = '[[rules]]\nmetric = "flash"\nunit = "B"\n'


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv(gate_maker.MARKS, str(folder))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(measure, "_harness_sha256", lambda: "fixed")
    return folder


def calls(marks: Path) -> list[str]:
    path = marks / "calls"
    return sorted(path.read_text().split()) if path.exists() else []


def write(folder: Path, runs: str = "", top: str = "", models: str = str(DIGITS)) -> Path:
    path = folder / "made.toml"
    table = f'[[runs]]\nmodels = ["{models}"]\nplatforms = ["mps2-an385", "mps2-an386"]'
    path.write_text(f'name = "made"\n{top}\n{table}\n{runs}\n{RULES}')
    return path


def gate(policy: Path, **more: Any) -> Verdict:
    folder = policy.parent / "baselines"
    folder.mkdir(exist_ok=True)
    options = {"measure": gate_maker.measure, "build": gate_maker.build_nothing} | more
    return run.run(policy, folder, jobs=1, **options)


def store_baselines(folder: Path) -> None:
    for item in store.stored():
        assert item.result is not None
        baseline.save(item.result, folder / "baselines")


def test_what_is_unchanged_is_not_measured_again(tmp_path: Path, marks: Path) -> None:
    policy = write(tmp_path)
    told: list[tuple[str, int, int]] = []

    def on_point(point: Point, row: Row, done: int, total: int) -> None:
        assert row.failure is None
        told.append((point.choice.platform, done, total))

    found = gate(policy, on_point=on_point)
    assert (found.exit_code, calls(marks)) == (3, ["mps2-an385", "mps2-an386"])
    assert sorted(told) == [("mps2-an385", 1, 2), ("mps2-an386", 2, 2)]
    store_baselines(tmp_path)
    found = gate(policy, build=None)
    assert (found.exit_code, len(calls(marks)), len(found.runs)) == (0, 2, 2)


def test_a_point_of_two_tables_is_measured_once(tmp_path: Path, marks: Path) -> None:
    again = f'\n[[runs]]\nmodels = ["{DIGITS}"]\nplatforms = ["mps2-an386"]\n'
    assert len(gate(write(tmp_path, again)).runs) == 2
    assert len(calls(marks)) == 2


def test_a_network_by_two_names_is_two_runs(tmp_path: Path, marks: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.tflite").write_bytes(DIGITS.read_bytes())
    policy = write(tmp_path, models="*.tflite")
    gate(policy)
    store_baselines(tmp_path)
    found = gate(policy)
    assert (found.exit_code, len(calls(marks))) == (0, 4)
    used = [run.baseline for run in found.runs]
    assert used == [f"{name}-mps2-{board}.json" for name in ("one", "two") for board in BASELINES]


def test_two_test_sets_of_one_run(tmp_path: Path, marks: Path) -> None:
    for name in ("x.npy", "y.npy", "z.npy"):
        (tmp_path / name).write_bytes(b"1")
    again = (
        'test_set = { inputs = "x.npy", labels = "y.npy" }\n'
        f'[[runs]]\nmodels = ["{DIGITS}"]\nplatforms = ["mps2-an386"]\n'
        'test_set = { inputs = "x.npy", labels = "z.npy" }\n'
    )
    with pytest.raises(BadInputError, match=r"runs\[1\]\.test_set: .*mps2-an386.* has another one already"):
        gate(write(tmp_path, again))


def test_a_damaged_cache_or_run_is_measured_again(tmp_path: Path, marks: Path) -> None:
    policy = write(tmp_path)
    gate(policy)
    (tmp_path / "results" / "runs" / "made-digits-mps2-an386-reference" / "result.json").write_text("{")
    gate(policy)
    assert calls(marks) == ["mps2-an385", "mps2-an386", "mps2-an386"]
    for path in (tmp_path / "cache" / "gate").iterdir():
        path.write_text("[]")
    gate(policy)
    assert len(calls(marks)) == 5


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("fail", 3, "the firmware did not end"),
        ("too large", 1, "does not fit mps2-an385"),
        ("raise", 3, "a fault of the harness: ValueError: planted"),
    ],
)
def test_what_cannot_be_measured(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch, how: str, code: int, message: str
) -> None:
    policy = write(tmp_path)
    gate(policy)
    store_baselines(tmp_path)
    (tmp_path / "results" / "runs" / "made-digits-mps2-an385-reference" / "manifest.json").unlink()
    monkeypatch.setenv(gate_maker.HOW, how)
    found = gate(policy)
    assert found.exit_code == code
    assert found.headline == f"digits.tflite on mps2-an385 (reference, -O2, no FPU): {message}"
    assert len(found.runs) == 1, "the other is judged still; and the baseline of this one is no stale one"


def test_a_network_that_changes_meanwhile_is_not_remembered_as_what_it_was(
    tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tmp_path / "mine.tflite"
    network.write_bytes(DIGITS.read_bytes())
    (item, _) = measure.wanted(policies.load(write(tmp_path, models="mine.tflite")))
    point = sweep_worker.Task(identity=item.point.identity or "", choice=item.point.choice, time_limit_s=9, command=())
    monkeypatch.setattr(pipeline, "run", lambda *_arguments, **_options: pytest.fail("it was run"))
    network.write_bytes(DIGITS.read_bytes() + bytes(16))
    done = measure.measure(measure.Task(key=item.key or "", point=point, test_set=None))
    assert done.failure is not None and done.failure.kind == "not measured"
    assert "not what it was when the points were planned" in done.failure.message


def test_a_library_that_does_not_build(tmp_path: Path, marks: Path) -> None:
    def build(points: tuple[Point, ...], _progress: library.Progress) -> dict[str, HarnessError]:
        return {points[0].identity or "": BuildError("cannot build the library", detail="cc1: it broke")}

    found = gate(write(tmp_path), build=build)
    assert found.exit_code == 3
    assert found.headline.startswith(
        "digits.tflite on mps2-an385 (reference, -O2, no FPU): cannot build the library: cc1: it broke"
    )
    assert calls(marks) == ["mps2-an386"]


@pytest.mark.parametrize(("how", "code", "notes"), [("fail", 3, 0), ("warn", 0, 1), ("ignore", 0, 0)])
def test_unused_baselines(tmp_path: Path, marks: Path, how: str, code: int, notes: int) -> None:
    policy = write(tmp_path, top=f'unused_baselines = "{how}"')
    gate(policy)
    store_baselines(tmp_path)
    baseline.save(replaced(plain(), "model", file="gone.tflite"), tmp_path / "baselines")
    found = gate(policy)
    assert (found.exit_code, len(found.notes)) == (code, notes)


@pytest.mark.parametrize(
    ("runs", "models", "message"),
    [
        ('kernels = ["fast"]', str(DIGITS), "runs[0].kernels: unknown value 'fast'"),
        ("", "none.tflite", "runs[0].models[0]: there is no file 'none.tflite'"),
        ("", "*.tflite", "runs[0].models[0]: nothing matches '*.tflite'"),
        ('test_set = { inputs = "x.npy", labels = "y.npy" }', str(DIGITS), "runs[0].test_set.inputs: there is no file"),
    ],
)
def test_what_runs_may_not_be(tmp_path: Path, marks: Path, runs: str, models: str, message: str) -> None:
    policy = write(tmp_path, runs, models=models)
    with pytest.raises(BadInputError) as raised:
        gate(policy)
    assert raised.value.message.startswith(f"{policy}: {message}")


def test_a_policy_without_runs(tmp_path: Path, marks: Path) -> None:
    policy = tmp_path / "made.toml"
    policy.write_text(f'name = "made"\n{RULES}')
    with pytest.raises(BadInputError, match="has no \\[\\[runs\\]\\] to measure"):
        gate(policy)


def test_no_folder_of_baselines(tmp_path: Path, marks: Path) -> None:
    with pytest.raises(BadInputError, match="there is no such folder of baselines"):
        run.run(write(tmp_path), tmp_path / "none")


def test_two_networks_of_one_name_would_share_a_baseline(tmp_path: Path, results: Path) -> None:
    policy = tmp_path / "made.toml"
    policy.write_text(f'name = "made"\n{RULES}')
    paths = []
    for number, sha256 in enumerate(("00" * 32, "ff" * 32)):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_bytes(replaced(plain(), "model", sha256=sha256).to_json())
    (tmp_path / "baselines").mkdir()
    with pytest.raises(BadInputError, match=r"two networks of the name kws\.tflite would have the baseline kws-"):
        run.judge(policy, tmp_path / "baselines", map(str, paths))


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b'{"schema": "tflm-harness/run/9"}'])
def test_what_is_no_result(tmp_path: Path, results: Path, content: bytes) -> None:
    policy = tmp_path / "made.toml"
    policy.write_text(f'name = "made"\n{RULES}')
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(BadInputError, match=r"r\.json"):
        run.judge(policy, tmp_path, [str(tmp_path / "r.json")])


def test_the_accuracy_is_part_of_what_is_remembered(tmp_path: Path, marks: Path) -> None:
    for name in ("x.npy", "y.npy"):
        (tmp_path / name).write_bytes(b"1")
    policy = write(tmp_path, 'test_set = { inputs = "x.npy", labels = "y.npy" }')
    gate(policy)
    gate(policy)
    assert len(calls(marks)) == 2
    (tmp_path / "y.npy").write_bytes(b"2")
    gate(policy)
    assert len(calls(marks)) == 4


def test_the_harness_itself_is_part_of_what_is_judged() -> None:
    assert len(measure._harness_sha256()) == 64
