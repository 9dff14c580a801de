"""Calls of functions on Renode: the counts by hand, and those of QEMU."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import image, pipeline
from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.elfprofile.result import ElfProfile, Region
from harness.emulators.renode_find import Renode
from harness.errors import EmulationError
from tests.conftest import DIGITS
from tests.emulation import elf_maker
from tests.emulation import test_elf_profile as calls
from tests.emulation import test_elf_profile_ends as ends
from tests.emulation import test_elf_profile_tflm as tflm
from tests.emulation import test_elf_profile_threads as threads

pytestmark = [pytest.mark.renode, pytest.mark.usefixtures("renode")]


def profiled(elf: Path, emulator: str, **changes: object) -> ElfProfile:
    fields: dict[str, object] = {"path": elf, "platform": "mps2-an386", "emulator": emulator, "time_limit_s": 300.0}
    return measure.run(Request(**(fields | changes))).profile  # type: ignore[arg-type]


def test_each_call_equals_the_count_by_hand(renode: Renode, tmp_path: Path) -> None:
    elf = elf_maker.build(tmp_path, calls.CALLS)
    profile = profiled(elf, "renode", regions=tuple(calls.EXPECTED), stop_at="stop")
    wanted = {name: (each, nested) for name, (each, nested, _) in calls.EXPECTED.items()}
    found = calls.counted(profile)
    for name in ("throws", "deeper"):  # a longjmp shows at the next return only: one instruction later
        each, nested = wanted[name]
        wanted[name] = ([count + 1 for count in each], nested)
    assert found == wanted
    assert profile.total.instructions == sum(own for _, _, own in calls.EXPECTED.values()) + calls.OWN_OF_RESET + 2
    assert profile.functions is None and profile.total.classes is None
    assert (profile.ran.emulator, profile.ran.emulator_version) == ("renode", renode.version)


def without_order(region: Region) -> Region:
    return msgspec.structs.replace(region, first_calls=())


def test_calls_of_threads_equal_those_on_qemu(tmp_path: Path) -> None:
    elf = threads.build(tmp_path, (50, 30), 0)
    fields: dict[str, object] = {"regions": ("work", "job", "yield"), "stop_at": "stop"}
    there, here = profiled(elf, "renode", **fields), profiled(elf, "qemu", **fields)
    assert [without_order(item) for item in there.regions] == [without_order(item) for item in here.regions]
    assert msgspec.structs.replace(here.total, classes=None) == there.total
    for name in ("work", "job", "yield"):
        assert sorted(threads.each(there, name)) == sorted(threads.each(here, name))


def test_interrupts_at_any_place_change_no_count(tmp_path: Path) -> None:
    elf = threads.build(tmp_path, (200, 120), 2500)
    profile = profiled(elf, "renode", regions=("work", "job"), stop_at="stop")
    assert sorted(threads.each(profile, "job")) == sorted(40 * [threads.job(200)] + 40 * [threads.job(120)])
    assert sorted(threads.each(profile, "work")) == sorted(80 * [threads.work(200)] + 80 * [threads.work(120)])
    assert profile.total.exceptions > 100  # 80 by PendSV, and those of SysTick
    assert any(item.interrupted for item in profile.regions if item.name == "work")


def test_kernels_of_our_firmware_equal_its_layers_on_a_board_and_qemu(results: Path) -> None:
    """A board's own map is Renode's alone; on the map that both have they agree on each call."""
    run = pipeline.run(DIGITS, "stm32l496zg", kernels="cmsis-nn", emulator="renode")
    fields: dict[str, object] = {"presets": ("tflm",), "stop_at": image.END_SYMBOL}
    profile = profiled(Path(run.artifacts.elf), "renode", platform="stm32l496zg", **fields)
    assert not profile.ran.stands_in
    kernels = [item for item in profile.regions if "Invoke" not in item.name]
    found = tflm.outermost((call.at, call.instructions) for item in kernels for call in item.first_calls)
    assert [count + tflm.OVERHEAD for _, count in found] == [layer.instructions for layer in run.layers]

    elf = Path(pipeline.run(DIGITS, "mps2-an386", kernels="cmsis-nn").artifacts.elf)
    there, here = profiled(elf, "renode", **fields), profiled(elf, "qemu", **fields)
    assert [plain(item) for item in there.regions] == [plain(item) for item in here.regions]
    assert (there.total.instructions, there.uart) == (here.total.instructions, here.uart)


def plain(region: Region) -> Region:
    """Renode does not show a jump to a function that is no region."""
    return msgspec.structs.replace(region, uncertain=())


def test_limit_of_instructions(tmp_path: Path) -> None:
    elf = elf_maker.build(tmp_path, ends.ENDLESS)
    profile = profiled(elf, "renode", regions=("work",), instruction_limit=1000)
    assert (profile.ended.by, profile.ended.partial, profile.total.instructions) == ("instruction limit", False, 1000)
    assert profile.regions[0].calls == 250


def test_text_on_the_uart_ends_it(tmp_path: Path) -> None:
    profile = profiled(elf_maker.build(tmp_path, ends.PRINTS), "renode", regions=("work",), stop_on="ok")
    assert (profile.ended.by, profile.uart, profile.regions[0].calls) == ("stop text", "ok", 1)


def test_semihosting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="asks for semihosting") as raised:
        profiled(elf_maker.build(tmp_path, ends.SEMIHOSTING), "renode", regions=("work",))
    assert "QEMU" in (raised.value.hint or "")


def test_a_reset_is_refused(tmp_path: Path) -> None:
    source = ends.RESETS.replace("reset\n bl work", "reset\n bl work\n bl work")
    with pytest.raises(EmulationError, match="reset the machine"):
        profiled(elf_maker.build(tmp_path, source), "renode", regions=("work",))
