"""Firmware of a few instructions for any platform, in assembly, to see how an emulator takes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness import selftest
from harness.records import Job, Machine

# Of each console: stores (offset, value) that turn it on, and the offset where a character is written.
CONSOLES: dict[str, tuple[tuple[tuple[int, int], ...], int]] = {
    "cmsdk": (((0x10, 16), (0x08, 3)), 0x00),
    "nrf51": (((0x500, 4), (0x008, 1), (0x000, 1)), 0x51C),
    "nrf52_uarte": (((0x500, 8),), 0),  # by DMA, see below
    "pl011": (((0x24, 4), (0x2C, 0x70), (0x30, 0x301)), 0x00),
    "stm32_usart_v1": (((0x08, 0x8B), (0x0C, 0x200C)), 0x04),
    "stm32_usart_v2": (((0x0C, 0x8B), (0x00, 0x0D)), 0x28),
    "stm32_lpuart": (((0x0C, 0x8B00), (0x00, 0x0D)), 0x28),
}
# How a character is asked for: offset of the status, its bit, whether 0 means that one is there, offset of the data.
RECEIVERS = {"cmsdk": (0x04, 2, False, 0x00), "stm32_lpuart": (0x1C, 0x20, False, 0x24), "pl011": (0x18, 0x10, True, 0)}

_SOURCE = """
  .syntax unified
  .thumb
  .section .vectors, "a"
  .word {stack}
  .word reset
  .rept 60
  .word fault
  .endr
  .text
  .thumb_func
  .global mark
mark:
  bx lr
  .thumb_func
  .global end
end:
  b end
  .thumb_func
fault:
{fault}
  .thumb_func
put:                      /* r0: the character; r6, r7 change */
{put}
  bx lr
  .thumb_func
get:                      /* waits for a character in r0 */
{get}
  bx lr
  .thumb_func
  .global reset
reset:
  ldr r5, ={uart:#x}
{enable}
{body}
  .ltorg
"""
SPIN = "1: nop\n b 1b"
STANDSTILL = "1: b 1b"


def job(
    folder: Path, machine: Machine, body: str, *, fault: str = STANDSTILL, end: bool = True, **changes: object
) -> Job:
    """A job for firmware of this body on a machine. In it r5 is the console's base; ``say`` makes bodies that print."""
    source, elf = folder / "firmware.S", folder / "firmware.elf"
    setup, data = CONSOLES[machine.uart.kind]
    if machine.uart.kind == "nrf52_uarte":
        cell = machine.ram.origin + 0x100
        steps = f"ldr r6, ={cell:#x}\n str r0, [r6]\n" + _store(0x544, cell) + _store(0x548, 1) + _store(0x008, 1)
    else:
        steps = f"ldr r7, ={data}\n str r0, [r5, r7]\n"
    status = RECEIVERS.get(machine.uart.kind)
    if status is None:
        receive = ""
    else:
        offset, bit, inverted, received = status
        receive = f"1: ldr r0, [r5, #{offset}]\n movs r6, #{bit}\n tst r0, r6\n {'bne' if inverted else 'beq'} 1b\n"
        receive += f" ldr r0, [r5, #{received}]\n"
    source.write_text(
        _SOURCE.format(
            stack=machine.ram.origin + 0x2000,
            fault=fault,
            put=steps,
            get=receive,
            uart=machine.uart.base,
            enable="".join(_store(offset, value) for offset, value in setup),
            body=body,
        )
    )
    places = f"-Wl,--defsym=CODE={machine.vectors:#x},--defsym=RAM={machine.ram.origin:#x},--fatal-warnings"
    script = selftest.data_folder("firmware") / "selftest" / "selftest.ld"
    command = [
        "arm-none-eabi-gcc",
        f"-mcpu={machine.core}",
        "-mthumb",
        "-nostdlib",
        places,
        "-T",
        script,
        source,
        "-o",
        elf,
    ]
    subprocess.run(command, check=True)
    symbols = selftest.symbols(elf)
    fields: dict[str, object] = {
        "elf": elf,
        "machine": machine,
        "mark_address": symbols["mark"],
        "end_address": symbols["end"] if end else None,
        "uart_log": folder / "uart.log",
        "time_limit_s": 60.0,
        "work": folder,
    }
    return Job(**(fields | changes))  # type: ignore[arg-type]


def say(text: str) -> str:
    """Instructions that print a text."""
    return "".join(f"  movs r0, #{ord(letter)}\n  bl put\n" for letter in text)


def _store(offset: int, value: int) -> str:
    return f"  ldr r6, ={value:#x}\n  ldr r7, ={offset}\n  str r6, [r5, r7]\n"
