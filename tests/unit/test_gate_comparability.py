"""What differs from the baseline, and exactly which metrics that keeps from being compared: row by row."""

from __future__ import annotations

from typing import Any

import gate_maker
import msgspec
import pytest
from gate_maker import plain, replaced, verdict, with_layer

from harness.gate import comparability
from harness.gate.metrics import METRICS
from harness.gate.policy import Rule
from harness.result import Result

COUNTS = {"instructions", "instructions_per_mac", "layers"}
SIZES = {"flash", "ram", "arena", "stack", "code"}
ESTIMATES = {"latency", "energy"}
CODE = COUNTS | SIZES | ESTIMATES


def changed(part: str | None, **values: Any) -> Result:
    return msgspec.structs.replace(plain(), **values) if part is None else replaced(plain(), part, **values)


ROWS: list[tuple[str, Result, set[str]]] = [
    ("platform", changed(None, platform="rp2040"), CODE),
    ("kernel set", changed(None, kernels="reference"), CODE),
    ("optimisation", changed(None, optimisation="-Os"), CODE),
    ("FPU", changed(None, fpu=None), CODE),
    ("compiler", changed("identity", compiler="arm-none-eabi-gcc 14.2.1"), CODE),
    ("flags", changed("identity", flags=("-mthumb",)), CODE),
    ("TFLM", changed("identity", tflm="TFLM 2026"), CODE),
    ("CMSIS-NN", changed("identity", cmsis_nn="CMSIS-NN 5"), CODE),
    ("memory map", changed("machine", name="stm32l496zg"), CODE - {"arena"}),
    ("memory map", changed("identity", machine_sha256="ff" * 32), CODE - {"arena"}),
    ("platform file", changed("identity", platform_sha256="ff" * 32), ESTIMATES),
    ("input", changed("check", input_sha256="ff" * 32), COUNTS | ESTIMATES | {"stack", "ram", "output_equal"}),
    ("model", changed("model", sha256="ff" * 32), {"output_equal"}),
    ("sequence of operators", with_layer(plain(), 1, op="LOGISTIC"), {"layers"}),
    ("emulator", changed("identity", emulator="renode", emulator_version="1.16.1"), set()),
]


@pytest.mark.parametrize(("what", "other", "metrics"), ROWS, ids=[row[0] for row in ROWS])
def test_each_row_blocks_exactly_what_it_invalidates(what: str, other: Result, metrics: set[str]) -> None:
    found = [item for item in comparability.differences(other, plain()) if item.what == what]
    assert [item.metrics for item in found] == [metrics]
    assert found[0].reason.startswith(f"another {what} than the baseline's: ")
    for name, metric in METRICS.items():
        rule = Rule(metric=name, unit=metric.unit, missing="ignore")
        states = {item.state for item in verdict(other, plain(), [rule]).comparisons if item.metric == name}
        reason = comparability.reason(tuple(found), name)
        assert (reason is not None) == (name in metrics)
        assert ("blocked" in states) == (name in metrics), (name, states)
        suppressing = msgspec.structs.replace(rule, incomparable="suppress")
        states = {item.state for item in verdict(other, plain(), [suppressing]).comparisons if item.metric == name}
        assert "blocked" not in states


def test_every_row_of_the_table_is_tested() -> None:
    assert {row.what for row in comparability.TABLE} | {"input"} == {row[0] for row in ROWS}


def test_of_the_reference_kernels_cmsis_nn_is_no_part() -> None:
    mine = msgspec.structs.replace(plain(), kernels="reference")
    assert comparability.differences(replaced(mine, "identity", cmsis_nn="CMSIS-NN 5"), mine) == ()


def test_what_decides_no_number_is_no_difference() -> None:
    other = replaced(plain(), "identity", host_compiler="g++ 14", harness_version="9", tflite_micro="1", git_commit="a",
                     counter="plugin API 4", elf_sha256="ff" * 32)  # fmt: skip
    assert comparability.differences(other, plain()) == ()


def test_the_input_of_another_network_is_no_reason_of_its_own() -> None:
    other = replaced(replaced(plain(), "model", sha256="ff" * 32), "check", input_sha256="ff" * 32)
    assert [item.what for item in comparability.differences(other, plain())] == ["model"]
    given = replaced(other, "check", input="x.npy")
    assert [item.what for item in comparability.differences(given, plain())] == ["model", "input"]


def test_another_network_of_the_name_is_judged_by_its_totals() -> None:
    """Wider: more instructions in the same layers, and larger. Its outputs are others by right."""
    wider = gate_maker.slower(replaced(plain(), "model", sha256="ff" * 32), 0, by=50)
    wider = with_layer(wider, 0, output_shape=(1, 8, 8, 20))
    found = verdict(wider, plain())
    assert {item.metric: item.state for item in found.comparisons if item.layer is None} == {
        "output_exact": "ok", "fits": "ok", "output_equal": "blocked", "instructions": "worse",
        "flash": "ok", "ram": "ok",
    }  # fmt: skip
    assert found.exit_code == 3
    assert "and worse: kws.tflite on stm32l496zg (cmsis-nn, -O2): layer 0 CONV_2D +50 instructions" in found.headline
    assert "output 1x8x8x16 -> 1x8x8x20" in found.headline


def test_limits_and_exactness_are_judged_with_another_compiler() -> None:
    other = replaced(plain(), "identity", compiler="arm-none-eabi-gcc 14.2.1")
    rules = [Rule(metric="flash", unit="B", limit=1, allowed=0), Rule(metric="output_exact", unit="bool")]
    found = verdict(other, plain(), rules)
    assert [(item.metric, item.against, item.state) for item in found.comparisons] == [
        ("flash", "limit", "worse"),
        ("flash", "baseline", "blocked"),
        ("fits", "board", "ok"),
        ("output_exact", "host", "ok"),
    ]
