"""The harness' own profiling firmware, profiled as if it were another's: by names of functions, without its marks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from harness import pipeline
from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.elfprofile.result import ElfProfile
from harness.errors import BadInputError
from harness.result import Result
from tests.conftest import DIGITS, SHARED_MODELS
from tests.emulation import elf_maker

KWS = SHARED_MODELS / "kws_ref_model.tflite"
# Between the marks around an operator stand, besides its Eval, the mark's return and what calls Eval and the next mark.
OVERHEAD = 7


def measured(model: Path, kernels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Result, ElfProfile]:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "results"))
    result = pipeline.run(model, "mps2-an386", kernels=kernels)
    elf = Path(result.artifacts.elf)
    return result, measure.run(
        Request(path=elf, platform="mps2-an386", presets=("tflm",), stop_at="harness_end")
    ).profile


def outermost(calls: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those not inside of another one, as TFLM's own kernel is where the harness' kernel hands over to it."""
    kept: list[tuple[int, int]] = []
    for at, count in sorted(calls):
        if not kept or at >= sum(kept[-1]):
            kept.append((at, count))
    return kept


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
@pytest.mark.parametrize(
    "model", [DIGITS, pytest.param(KWS, marks=pytest.mark.skipif(not KWS.exists(), reason="no KWS"))]
)
def test_kernels_equal_the_layers_between_the_marks(
    model: Path, kernels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, profile = measured(model, kernels, tmp_path, monkeypatch)
    kernels_called = [item for item in profile.regions if "Invoke" not in item.name]
    calls = outermost((call.at, call.instructions) for item in kernels_called for call in item.first_calls)
    assert [count + OVERHEAD for _, count in calls] == [layer.instructions for layer in result.layers]
    invoke = next(item for item in profile.regions if item.name == "MicroInterpreter::Invoke")
    assert invoke.calls == 1
    assert invoke.total > sum(count for _, count in calls)


def test_kernels_of_cmsis_nn_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = measured(DIGITS, "cmsis-nn", tmp_path, monkeypatch)
    elf = Path(result.artifacts.elf)
    profile = measure.run(
        Request(path=elf, platform="mps2-an386", presets=("cmsis-nn",), stop_at="harness_end")
    ).profile
    called = {item.name: item.total for item in profile.regions if item.calls}
    by_name = {item.name: item.exclusive for item in profile.functions or ()}
    assert called and all(name.startswith("arm_") for name in called)
    assert max(called.values()) > result.counts.total // 10
    for name, total in called.items():
        assert total >= by_name[name]
    bare = elf_maker.stripped(elf)
    with pytest.raises(BadInputError, match="no functions of CMSIS-NN"):
        measure.run(Request(path=bare, platform="mps2-an386", presets=("cmsis-nn",)))


def test_a_stripped_network_equals_the_unstripped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, profile = measured(DIGITS, "cmsis-nn", tmp_path, monkeypatch)
    elf = Path(result.artifacts.elf)
    functions = measure.check(Request(path=elf, platform="mps2-an386")).functions
    stop = functions.find("harness_end").address
    regions = tuple(f"{item.name}={item.address | 1:#x}" for item in profile.regions)
    request = Request(path=elf_maker.stripped(elf), platform="mps2-an386", regions=regions, stop_at=f"{stop:#x}")
    bare = measure.run(request).profile
    assert [(item.name, item.first_calls, item.total) for item in bare.regions] == [
        (item.name, item.first_calls, item.total) for item in profile.regions
    ]
    assert bare.total == profile.total
