"""How a profile of a firmware ends: at what was asked for, at limits, by the firmware, by semihosting, by a lockup."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import json_schema
from harness.cli import main
from harness.elfprofile import measure, result
from harness.elfprofile.measure import Request
from harness.elfprofile.result import ElfProfile
from harness.errors import EmulationError
from tests.conftest import ROOT
from tests.emulation import elf_maker

WORK = """
  func work
  movs r0, #1
  bx lr
  endfunc work
"""
ENDLESS = WORK + " func reset\n 1: bl work\n b 1b\n endfunc reset\n"
RESETS = WORK + " func reset\n bl work\n ldr r0, =0xE000ED0C\n ldr r1, =0x05FA0004\n str r1, [r0]\n b .\n .ltorg\n"
FAULTS = WORK + " func reset\n bl work\n ldr r0, =0xDEAD0000\n ldr r0, [r0]\n b .\n .ltorg\n"
LOCKS_UP = WORK + " func systick\n b .\n endfunc systick\n func reset\n cpsid f\n udf #1\n b .\n"
PRINTS = (
    WORK
    + """
  func reset
  ldr r5, =0x40004000
  movs r0, #16
  str r0, [r5, #16]
  movs r0, #3
  str r0, [r5, #8]
  bl work
  movs r0, #'o'
  str r0, [r5]
  movs r0, #'k'
  str r0, [r5]
  b .
  .ltorg
"""
)
SEMIHOSTING = (
    WORK
    + """
  func reset
  movs r0, #4               // SYS_WRITE0
  ldr r1, =text
  bkpt 0xAB
  bl work
  movs r0, #0x20            // SYS_EXIT_EXTENDED
  ldr r1, =block
  bkpt 0xAB
  b .
  .ltorg
text:
  .asciz "hello"
  .balign 4
block:
  .word 0x20026, 3
"""
)


def profiled(folder: Path, source: str, **changes: object) -> ElfProfile:
    fields: dict[str, object] = {
        "path": elf_maker.build(folder, source),
        "platform": "mps2-an386",
        "regions": ("work",),
    }
    return measure.run(Request(**(fields | changes))).profile  # type: ignore[arg-type]


def test_limit_of_instructions(tmp_path: Path) -> None:
    profile = profiled(tmp_path, ENDLESS, instruction_limit=1000)
    assert (profile.ended.by, profile.ended.partial) == ("instruction limit", False)
    assert profile.total.instructions == 1000
    assert profile.regions[0].calls == 250


def test_limit_of_time_gives_what_was_measured(tmp_path: Path) -> None:
    profile = profiled(tmp_path, ENDLESS, time_limit_s=0.5)
    assert (profile.ended.by, profile.ended.partial) == ("time limit", True)
    assert profile.regions[0].calls > 1000
    assert any(note.startswith("partial: the time limit ended the run in ") for note in profile.notes)


def test_reset_ends_it(tmp_path: Path) -> None:
    profile = profiled(tmp_path, RESETS)
    assert (profile.ended.by, profile.regions[0].calls) == ("reset", 1)
    assert profile.total.instructions == 6 + 1  # and what goes on until the reset


def test_a_reset_before_the_stop_function_is_partial(tmp_path: Path) -> None:
    profile = profiled(tmp_path, RESETS + " func never\n b never\n", stop_at="never")
    assert (profile.ended.by, profile.ended.partial) == ("reset", True)


def test_text_on_the_uart_ends_it(tmp_path: Path) -> None:
    profile = profiled(tmp_path, PRINTS, stop_on="ok")
    assert (profile.ended.by, profile.uart, profile.regions[0].calls) == ("stop text", "ok", 1)


def test_text_ends_it_where_the_firmware_goes_on_printing(tmp_path: Path) -> None:
    chatty = PRINTS.replace("  b .\n", "2:\n  str r0, [r5]\n  b 2b\n")
    profile = profiled(tmp_path, chatty, stop_on="ok", time_limit_s=20.0)
    assert profile.ended.by == "stop text"
    assert profile.uart.startswith("okkk")


def test_semihosting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="asks for semihosting") as raised:
        profiled(tmp_path, SEMIHOSTING)
    assert "--allow-semihosting" in (raised.value.hint or "")


def test_semihosting_where_it_is_allowed(tmp_path: Path) -> None:
    profile = profiled(tmp_path, SEMIHOSTING, semihosting=True)
    assert (profile.ended.by, profile.ended.exit_code, profile.console) == ("semihosting exit", 3, "hello")
    assert profile.total.instructions == 9
    assert any("could read and write this machine's files" in note for note in profile.notes)


def test_a_fault_is_named(tmp_path: Path) -> None:
    profile = profiled(tmp_path, FAULTS, time_limit_s=0.5)
    assert any("in fault, a handler of exceptions" in note for note in profile.notes)


def test_a_lockup_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="Lockup"):
        profiled(tmp_path, LOCKS_UP, time_limit_s=5.0)


def command(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["profile", "-p", "mps2-an386", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_exit_codes(tmp_path: Path) -> None:
    endless = elf_maker.build(tmp_path, ENDLESS, name="endless")
    assert command(endless, "--max-instructions", "100") == 0
    assert command(endless, "--timeout", "0.3") == 3
    assert command(elf_maker.build(tmp_path, SEMIHOSTING, name="semi"), "--allow-semihosting") == 1
    assert command(endless, "--region", "nosuch") == 2
    assert command(endless, "--emulator", "spike") == 2
    assert command(endless, "--emulator", "renode") == 2  # no region
    assert command(endless, "--emulator", "renode", "--region", "work", "--folded", tmp_path / "stacks") == 2


def test_files_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = elf_maker.build(tmp_path, ENDLESS)
    folded, scope, out = tmp_path / "stacks.txt", tmp_path / "stacks.json", tmp_path / "profile.json"
    options = ("--max-instructions", "400", "--folded", folded, "--speedscope", scope, "--out", out, "--json")
    assert command(elf, *options) == 0
    printed = capsys.readouterr().out
    assert printed == out.read_text()
    profile = result.from_json(printed.encode(), "standard output")
    assert dict(line.rsplit(" ", 1) for line in folded.read_text().splitlines()) == {
        "reset": "200",
        "reset;work": "200",
    }
    stacks = json.loads(scope.read_text())
    names = [frame["name"] for frame in stacks["shared"]["frames"]]
    assert [[names[index] for index in stack] for stack in stacks["profiles"][0]["samples"]] == [
        ["reset"],
        ["reset", "work"],
    ]
    assert sum(stacks["profiles"][0]["weights"]) == stacks["profiles"][0]["endValue"] == profile.total.instructions


def test_the_table_says_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(elf_maker.build(tmp_path, ENDLESS), "--max-instructions", "400", "--region", "w=work") == 0
    printed = capsys.readouterr().out
    assert "MEASURED  400 instructions; ended at the limit of instructions" in printed
    assert [line.split()[:6] for line in printed.splitlines() if line.startswith("w ")] == [
        ["w", "100", "2", "2", "2", "200"]
    ]


def test_the_schema_in_git_is_that_of_the_record() -> None:
    stored = json.loads((ROOT / "results" / "schema" / "elf-profile-1.json").read_text())
    assert stored == json_schema.of(ElfProfile)
