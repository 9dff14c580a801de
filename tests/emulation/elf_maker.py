"""Firmware of others, made here: assembly with functions as a compiler marks them, linked for a machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness import platforms, selftest

HEAD = """
  .syntax unified
  .thumb
  .macro func name
  .balign 4
  .type \\name, %function
  .global \\name
\\name:
  .endm
  .macro endfunc name
  .size \\name, . - \\name
  .endm
  .macro local name
  .balign 4
  .type \\name, %function
\\name:
  .endm
  .section .vectors, "a"
  .word {stack:#x}
  .word reset
  .word fault, fault
  .rept 7
  .word fault
  .endr
  .word {svc}
  .word fault, fault
  .word {pendsv}
  .word {systick}
  .rept 16
  .word {interrupt}
  .endr
  .text
  func fault
  b fault
  endfunc fault
"""


def build(folder: Path, source: str, *, platform: str = "mps2-an386", name: str = "firmware", cpu: str = "") -> Path:
    """Assemble and link a source behind HEAD; it holds ``reset``, and those handlers of exceptions that it needs."""
    machine = platforms.load(platform).machine
    text, elf = folder / f"{name}.S", folder / f"{name}.elf"
    handlers = {key: key if f"func {key}" in source else "fault" for key in ("svc", "pendsv", "systick", "interrupt")}
    text.write_text(HEAD.format(stack=machine.ram.origin + 0x8000, **handlers) + source)
    places = f"-Wl,--defsym=CODE={machine.vectors:#x},--defsym=RAM={machine.ram.origin:#x},--fatal-warnings"
    script = selftest.data_folder("firmware") / "selftest" / "selftest.ld"
    flags = (f"-mcpu={cpu or machine.core}", "-mthumb", "-nostdlib", places, "-T", script)
    subprocess.run(["arm-none-eabi-gcc", *flags, text, "-o", elf], check=True)
    return elf


def stripped(elf: Path) -> Path:
    """A copy without symbols."""
    copy = elf.with_name(f"{elf.stem}-stripped.elf")
    subprocess.run(["arm-none-eabi-strip", elf, "-o", copy], check=True)
    return copy
