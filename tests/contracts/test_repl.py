"""Each platform's .repl describes the machine of its platform.toml to Renode, and needs nothing from elsewhere."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from repl_reader import Device, Repl, ReplError, read

from harness import cores, platforms
from harness.emulators import renode_script
from harness.paths import data_folder
from harness.records import Platform, Region

ROOT = data_folder("platforms")
PLATFORMS = platforms.all()
FILES = sorted(ROOT.rglob("*.repl"))

# cpuType: what Renode calls the cores. It has no Cortex-M0+ of its own.
CPU_TYPES = {"cortex-m0plus": "cortex-m0+"}
# The console's model and what it needs besides its address and interrupts.
CONSOLES: dict[str, tuple[str, dict[str, bool]]] = {
    "cmsdk": ("UART.CMSDK_APB_UART", {}),
    "nrf51": ("UART.NRF52840_UART", {"easyDMA": False}),
    "nrf52_uarte": ("UART.NRF52840_UART", {"easyDMA": True}),
    "pl011": ("UART.PL011", {}),
    "stm32_usart_v1": ("UART.STM32_UART", {}),
    "stm32_usart_v2": ("UART.STM32F7_USART", {}),
    "stm32_lpuart": ("UART.STM32F7_USART", {"lowPowerMode": True}),
}
WITHOUT_FREQUENCY = {"UART.NRF52840_UART"}
WITHOUT_SIZE = {"UART.STM32_UART"}
# Implemented bits of an interrupt's priority: two on Armv6-M, Nordic's and ST's manuals, all eight on QEMU's machines.
PRIORITY_MASKS = {"microbit": 0xC0, "rp2040": 0xC0, "nrf52840": 0xE0, "stm32": 0xF0, "mps": 0xFF}
WITH_CYCLE_COUNTER = {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"}
PAGE = 1024  # Renode refuses a memory of another multiple


@pytest.fixture(params=PLATFORMS, ids=lambda platform: platform.name)
def platform(request: pytest.FixtureRequest) -> Platform:
    return request.param


@pytest.fixture
def repl(platform: Platform) -> Repl:
    return read(renode_script.description(platform.name).path)


def memories(repl: Repl) -> dict[str, Region]:
    found = {name: device for name, device in repl.devices.items() if device.model == "Memory.MappedMemory"}
    for device in found.values():
        assert set(device.attributes) == {"size"} and not device.connections
    return {name: Region(origin=device.address, size_bytes=device.attributes["size"]) for name, device in found.items()}


def only(repl: Repl, model: str) -> Device:
    found = [device for device in repl.devices.values() if device.model == model]
    assert len(found) == 1, f"{len(found)} of {model}"
    return found[0]


def test_core(repl: Repl, platform: Platform) -> None:
    cpu = repl.devices["cpu"]
    assert cpu.model == "CPU.CortexM"
    assert cpu.attributes["cpuType"] == CPU_TYPES.get(platform.core, platform.core)
    assert cpu.attributes["nvic"] == "nvic"
    assert cpu.attributes["numberOfMPURegions"] == (0 if platform.core == "cortex-m0" else 8)
    assert set(cpu.attributes) == {"cpuType", "nvic", "numberOfMPURegions", "PerformanceInMips"}


def test_memories_are_those_of_the_platform(repl: Repl, platform: Platform) -> None:
    found = memories(repl)
    assert found.pop("flash") == platform.flash
    assert found.pop("ram") == platform.ram
    for region in found.values():  # only where the core boots from a memory of its own
        assert region.origin <= platform.machine.vectors < region.origin + region.size_bytes


def test_vectors_are_mapped(repl: Repl, platform: Platform) -> None:
    vectors = platform.machine.vectors
    assert any(
        region.origin <= vectors and vectors + 256 <= region.origin + region.size_bytes
        for region in memories(repl).values()
    )


def test_memories_are_whole_pages_and_apart(repl: Repl) -> None:
    regions = sorted(memories(repl).values(), key=lambda region: region.origin)
    assert all(region.origin % PAGE == 0 and region.size_bytes % PAGE == 0 for region in regions)
    for first, second in itertools.pairwise(regions):
        assert first.origin + first.size_bytes <= second.origin


def test_console(repl: Repl, platform: Platform) -> None:
    uart = platform.machine.uart
    model, needs = CONSOLES[uart.kind]
    device = repl.devices[uart.name]
    assert (device.model, device.address) == (model, uart.base)
    assert (device.size is not None) == (model in WITHOUT_SIZE)
    frequency = {} if model in WITHOUT_FREQUENCY else {"frequency": platform.clock_hz}
    assert device.attributes == needs | frequency
    signals = ("IRQ",) if len(uart.interrupts) == 1 else ("RxInterrupt", "TxInterrupt")
    assert device.connections == {
        signal: ("nvic", number) for signal, number in zip(signals, uart.interrupts, strict=True)
    }


def test_clock_is_the_same_everywhere(repl: Repl, platform: Platform) -> None:
    assert platform.clock_hz % 1_000_000 == 0
    assert repl.devices["cpu"].attributes["PerformanceInMips"] * 1_000_000 == platform.clock_hz
    assert repl.devices["nvic"].attributes["systickFrequency"] == platform.clock_hz
    if platform.core in WITH_CYCLE_COUNTER:
        assert only(repl, "Miscellaneous.DWT").attributes == {"frequency": platform.clock_hz}
        assert only(repl, "Miscellaneous.DWT").address == 0xE0001000
    else:
        assert "dwt" not in repl.devices


def test_interrupt_controller(repl: Repl, platform: Platform) -> None:
    nvic = only(repl, "IRQControllers.NVIC")
    assert nvic.address == 0xE000E000
    assert nvic.connections == {"IRQ": ("cpu", 0)}
    (mask,) = (mask for start, mask in PRIORITY_MASKS.items() if platform.name.startswith(start))
    assert nvic.attributes["priorityMask"] == mask


def test_there_is_nothing_else(repl: Repl, platform: Platform) -> None:
    others = set(repl.devices) - {"cpu", "nvic", "dwt", platform.machine.uart.name} - set(memories(repl))
    assert others == set()


def test_every_platform_uses_the_file_of_its_core(repl: Repl, platform: Platform) -> None:
    assert repl.using == [f"../cores/{platform.core}.repl"]
    assert [file.parent.name for file in repl.files] == [platform.name, "cores"]


def test_every_core_has_a_file_and_no_file_is_without_use() -> None:
    used = {file for platform in PLATFORMS for file in read(renode_script.description(platform.name).path).files}
    assert {file.resolve() for file in FILES} == used
    assert {file.stem for file in (ROOT / "cores").iterdir()} <= set(cores.CORES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_fetched_or_run(file: Path) -> None:
    text = file.read_text()
    for word in ("ApplySVD", "http", "script", "Python", "init", "preinit", "reset"):
        assert word not in text
    assert text.endswith("\n") and "\t" not in text and "\r" not in text


def test_the_hash_covers_the_file_and_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "cores").mkdir()
    board, core = tmp_path / "board" / "board.repl", tmp_path / "cores" / "core.repl"
    board.write_text('using "../cores/core.repl"\n')
    core.write_text("// a core\n")
    seen = {renode_script.description("board", tmp_path).sha256}
    core.write_text("// another core\n")
    seen.add(renode_script.description("board", tmp_path).sha256)
    board.write_text('using "../cores/core.repl"\n\n')
    seen.add(renode_script.description("board", tmp_path).sha256)
    assert len(seen) == 3


# --- the reader ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("uart0 UART.PL011 @ sysbus 0x0\n", "an attribute without a device"),
        ("uart0: UART.PL011 @ sysbus 0x0\nfrequency: 1\n    size: 2\n", "not known"),
        ("uart0: UART.PL011 @ sysbus 0x0\n  frequency: 1\n", "not known"),
        ("uart0: UART.PL011 @ sysbus 0x0\n    -> nvic@1\n", "not known"),
        ("uart0: UART.PL011 @ sysbus 0x0\n    init:\n", "not known"),
        ("uart0: UART.PL011 @ sysbus 0x0\n    frequency: [1]\n", "not a known kind"),
        ("sysbus:\n", "not there"),
        ("a: UART.PL011 @ sysbus 0x0\na: UART.PL011 @ sysbus 0x1\n", "a second device"),
        ('a: UART.PL011 @ sysbus 0x0\nusing "other"\n', "using after a device"),
        ("a: UART.PL011 @ sysbus 0xzz\n", "an attribute without a device"),
    ],
)
def test_reader_refuses_what_it_does_not_know(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "x.repl"
    file.write_text(text)
    with pytest.raises(ReplError, match=why):
        read(file)


def test_reader_merges_as_renode_does(tmp_path: Path) -> None:
    (tmp_path / "core.repl").write_text('cpu: CPU.CortexM @ sysbus\n    cpuType: "cortex-m3"\n    more: true\n')
    (tmp_path / "board.repl").write_text(
        'using "./core.repl"\n// a comment\n\ncpu:\n    cpuType: "cortex-m4"\n'
        "u: UART.STM32_UART @ sysbus <0x40, +0x10>\n    IRQ -> nvic@3\n"
    )
    repl = read(tmp_path / "board.repl")
    assert repl.devices["cpu"].attributes == {"cpuType": "cortex-m4", "more": True}
    device = repl.devices["u"]
    assert (device.address, device.size, device.connections) == (0x40, 0x10, {"IRQ": ("nvic", 3)})
