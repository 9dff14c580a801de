"""Registers that firmware for physical boards waits on, as little Renode peripherals: what is written is kept, and the
ready bits follow. They stand for clock trees that Renode does not model, so that the boards' code can run there; they
say nothing about the hardware."""

from __future__ import annotations

from pathlib import Path

from harness import flashable
from harness.paths import data_folder

_RCC_L4 = {0x00: "v | (v & 1 << 8) << 2 | (v & 1 << 24) << 1", 0x08: "v & ~12 | (v & 3) << 2"}
_RCC_F = {0x00: "v | 2 | (v & 1 << 24) << 1", 0x08: "v & ~12 | (v & 3) << 2"}
_PWR_F = {0x04: "m.get(0, 0) & 3 << 16"}
_GPIO_F = {f"gpio{letter}": (0x40020000 + 0x400 * index, {}) for index, letter in enumerate("abcd")}

# By family: name -> first address, offset -> what is read there (v: what was written, m: all that was).
_FAMILIES: dict[str, dict[str, tuple[int, dict[int, str]]]] = {
    "stm32l4": {
        "rcc": (0x40021000, _RCC_L4),
        "pwr": (0x40007000, {}),
        "acr": (0x40022000, {}),
        "gpiog": (0x48001800, {}),
    },
    "stm32f4": {"rcc": (0x40023800, _RCC_F), "pwr": (0x40007000, _PWR_F), "acr": (0x40023C00, {}), **_GPIO_F},
    "stm32f7": {"rcc": (0x40023800, _RCC_F), "pwr": (0x40007000, _PWR_F), "acr": (0x40023C00, {}), **_GPIO_F},
    "stm32u5": {
        "rcc": (0x46020C00, {0x00: _RCC_L4[0x00], 0x1C: _RCC_L4[0x08]}),
        "pwr": (0x46020800, {0x0C: "v | (v & 1 << 18) >> 4 | (1 << 15 if v >> 16 & 3 == 3 else 0)"}),
        "acr": (0x40022000, {}),
        "icache": (0x40030400, {}),
        "gpioa": (0x42020000, {}),
    },
    "nrf52": {"clock": (0x40000000, {0x100: "m.get(0, 0)"}), "nvmc": (0x4001E400, {}), "p0": (0x50000500, {})},
    "rp2040": {
        "resets": (0x4000C000, {0x08: "~m.get(0, 0) & 0xFFFFFFFF"}),
        "xosc": (0x40024000, {0x04: "1 << 31 if m.get(0, 0) >> 12 == 0xFAB else 0"}),
        "pll": (0x40028000, {0x00: "v | (1 << 31 if m.get(4, 0x2D) & 0x21 == 0 else 0)"}),
        "clocks": (0x40008000, {0x38: "1 << (m.get(0x30, 0) & 3)", 0x44: "1 << (m.get(0x3C, 0) & 1)"}),
        "bank": (0x40014000, {}),
        "pads": (0x4001C000, {}),
    },
}


def describe(board: str, path: Path, ready: bool) -> None:
    """Write a .repl file: the board's own, and the registers; with ``ready`` False their ready bits stay 0."""
    blocks = [f'using "{data_folder("platforms") / board / board}.repl"\n']
    for name, (base, read) in _FAMILIES[flashable.BOARDS[board]].items():
        values = [f"    if request.Offset == {offset}: v = {value}" for offset, value in read.items()]
        lines = [
            f"{name}: Python.PythonPeripheral @ sysbus {base:#x}",
            "    size: 0x400",
            "    initable: true",
            "    script: '''",
            "if request.IsInit:",
            "    m = {}",
            "elif request.IsWrite:",
            "    m[request.Offset] = request.Value",
            "else:",
            "    v = m.get(request.Offset, 0)",
            *(values if ready else []),
            "    request.Value = v",
            "'''\n",
        ]
        blocks.append("\n".join(lines))
    path.write_text("\n".join(blocks))
