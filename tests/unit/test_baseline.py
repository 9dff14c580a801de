"""Baselines: what is stored, what may be compared, where the limit is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import result_maker

from harness import baseline
from harness.errors import BadInputError, HarnessError
from harness.result import Result, Verdict


def replaced(result: Result, part: str, **values: Any) -> Result:
    return msgspec.structs.replace(result, **{part: msgspec.structs.replace(getattr(result, part), **values)})


def test_what_was_saved_is_found(tmp_path: Path) -> None:
    result = result_maker.result()
    path = baseline.save(result, tmp_path / "new" / "folder")
    assert path.name == "kws-stm32l496zg-cmsis-nn-O2.json"
    assert baseline.find(result, path.parent) == result
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_absolute_paths_are_not_kept(tmp_path: Path) -> None:
    result = replaced(result_maker.result(), "artifacts", elf="/home/somebody/firmware.elf")
    assert "somebody" not in baseline.save(result, tmp_path).read_text()


def test_runs_of_other_options_have_other_baselines(tmp_path: Path) -> None:
    result = result_maker.result()
    baseline.save(result, tmp_path)
    for changes in ({"kernels": "reference"}, {"optimisation": "-Os"}, {"platform": "rp2040"}, {"fpu": None}):
        assert baseline.find(msgspec.structs.replace(result, **changes), tmp_path) is None


def test_a_failed_run_is_no_baseline(tmp_path: Path) -> None:
    failed = result_maker.result(verdict=Verdict(passed=False, reasons=("does not fit",)))
    with pytest.raises(BadInputError, match="is no baseline: does not fit"):
        baseline.save(failed, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        baseline.save(result_maker.result(), tmp_path / "file")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"schema": "tflm-harness/run/1"}'])
def test_a_damaged_baseline_is_refused(tmp_path: Path, content: bytes) -> None:
    result = result_maker.result()
    baseline.save(result, tmp_path).write_bytes(content)
    with pytest.raises(BadInputError, match="kws-stm32l496zg"):
        baseline.find(result, tmp_path)


def test_a_baseline_that_is_a_folder(tmp_path: Path) -> None:
    result = result_maker.result()
    path = tmp_path / baseline.name(result)
    path.mkdir()
    with pytest.raises(BadInputError) as raised:
        baseline.find(result, tmp_path)
    assert raised.value.message == f"{path}: cannot be read: Is a directory"


def test_another_schema_is_refused(tmp_path: Path) -> None:
    result = result_maker.result()
    path = baseline.save(msgspec.structs.replace(result, schema="tflm-harness/run/9"), tmp_path)
    with pytest.raises(BadInputError, match="'tflm-harness/run/9'"):
        baseline.find(result, path.parent)


@pytest.mark.parametrize(
    ("part", "changes", "what"),
    [
        ("identity", {"compiler": "arm-none-eabi-gcc 14.2.1"}, "another compiler than the baseline's: arm-none-eabi"),
        ("identity", {"tflm": "TFLM 2026"}, "another TFLM"),
        ("identity", {"cmsis_nn": "CMSIS-NN 5"}, "another CMSIS-NN"),
        ("identity", {"flags": ("-mthumb",)}, "another flags"),
        ("model", {"sha256": "00"}, "another model"),
        ("machine", {"name": "stm32l496zg"}, "another memory map"),
        ("check", {"input_sha256": "00"}, "another input"),
    ],
)
def test_what_decides_the_numbers_must_be_equal(part: str, changes: dict[str, Any], what: str) -> None:
    result = result_maker.result()
    other = replaced(result, part, **changes)
    assert what in str(baseline.incomparable(other, result))
    with pytest.raises(BadInputError, match=what):
        baseline.compare(other, result, "flash")


def test_another_emulator_on_the_same_map_counts_the_same() -> None:
    result = result_maker.result()
    assert baseline.incomparable(replaced(result, "identity", emulator="renode", emulator_version="1"), result) is None


def test_the_limit_is_the_baseline_and_what_is_allowed() -> None:
    result = result_maker.result()
    at_limit, above = (replaced(result, "counts", total=total) for total in (1010, 1011))
    (change,) = baseline.compare(at_limit, result, "instructions", 1.0)
    assert (change.value, change.baseline, change.bound, change.unit) == (1010, 1000, 1010, "instructions")
    assert change.state == "ok"
    assert baseline.compare(above, result, "instructions", 1.0)[0].state == "worse"
    assert baseline.compare(at_limit, result, "instructions")[0].state == "worse"


def test_each_layer_is_compared() -> None:
    result = result_maker.result()
    slower = msgspec.structs.replace(
        result, layers=(result.layers[0], msgspec.structs.replace(result.layers[1], instructions=91))
    )
    changes = baseline.compare(slower, result, "layers")
    assert [(change.layer, change.op, change.state) for change in changes] == [
        (0, "CONV_2D", "ok"),
        (1, "SOFTMAX", "worse"),
    ]


@pytest.mark.parametrize("metric", ["flash", "arena", "stack"])
def test_memory_is_in_bytes(metric: str) -> None:
    result = result_maker.result()
    more = replaced(result, "memory", **{metric: getattr(result.memory, metric) + 1})
    (change,) = baseline.compare(more, result, metric)
    assert (change.metric, change.unit, change.state) == (metric, "B", "worse")


@pytest.mark.parametrize(
    ("metric", "allowed"), [("latency", 0.0), ("size", 0.0), ("flash", -1.0), ("flash", float("nan"))]
)
def test_wrong_questions(metric: str, allowed: float) -> None:
    with pytest.raises(BadInputError):
        baseline.compare(result_maker.result(), result_maker.result(), metric, allowed)
