"""The scripts that Renode is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import platforms
from harness.emulators import renode_script
from harness.errors import EmulationError
from harness.records import Job

REPL, LOG, LINK = Path("/p/board.repl"), Path("/w/renode.log"), Path("/w/console")


def job(**changes: object) -> Job:
    fields: dict[str, object] = {
        "elf": Path("/w/firmware.elf"),
        "machine": platforms.load("rp2040").machine,
        "mark_address": 0x10000201,
        "end_address": 0x10000301,
        "uart_log": Path("/w/uart.log"),
        "time_limit_s": 60.0,
        "work": Path("/w"),
    }
    return Job(**(fields | changes))  # type: ignore[arg-type]


def test_the_whole_script() -> None:
    assert renode_script.batch(job(instruction_limit=133_000_000), REPL, LOG) == (
        "using sysbus\n"
        'logFile "/w/renode.log" true\n'
        'mach create "firmware"\n'
        'machine LoadPlatformDescription "/p/board.repl"\n'
        "cpu VectorTableOffset 0x10000100\n"
        'sysbus LoadELF "/w/firmware.elf"\n'
        'sysbus.uart0 CreateFileBackend "/w/uart.log" true\n'
        "cpu AddHook 0x10000200 \"sys.stdout.write('MARK %d;\\n' % self.ExecutedInstructions); sys.stdout.flush()\"\n"
        "cpu AddHook 0x10000300 \"sys.stdout.write('END %d;\\n' % self.ExecutedInstructions); sys.stdout.flush(); "
        'self.IsHalted = True; machine.SystemBus.WriteDoubleWord(0xe000e010, 0)"\n'
        'emulation SetGlobalQuantum "0.01"\n'
        "emulation SetGlobalAdvanceImmediately true\n"
        'emulation RunFor "1.0000000005"\n'
        'echo "STOPPED"\n'
        "cpu ExecutedInstructions\n"
        "cpu PC\n"
        'echo "SCRIPT-END"\n'
    )


def test_without_a_mark_nothing_is_hooked_but_the_end_and_timers_are_exact() -> None:
    counted = renode_script.batch(job(), REPL, LOG).splitlines()
    timed = renode_script.batch(job(mark_address=None), REPL, LOG).splitlines()
    assert [line for line in counted if line not in timed] == [
        next(line for line in counted if "MARK" in line),
        'emulation SetGlobalQuantum "0.01"',
    ]
    assert [line for line in timed if line not in counted] == ['emulation SetGlobalQuantum "0.0001"']


def test_talking_makes_the_terminal_first_and_runs_on() -> None:
    lines = renode_script.talking(job(), REPL, LOG, LINK).splitlines()
    assert lines[0] == 'emulation CreateUartPtyTerminal "term" "/w/console"'
    connect, run = lines.index("connector Connect sysbus.uart0 term"), lines.index('emulation RunFor "10000000000"')
    assert lines.index('sysbus.uart0 CreateFileBackend "/w/uart.log" true') < connect < run
    batch = renode_script.batch(job(), REPL, LOG).replace('Quantum "0.01"', 'Quantum "0.001"')
    assert lines[1:connect] == batch.splitlines()[: connect - 1]
    assert "Socket" not in "\n".join(lines)


def test_talking_with_a_limit() -> None:
    script = renode_script.talking(job(instruction_limit=1330), REPL, LOG, LINK)
    assert 'emulation RunFor "0.0000100005"' in script


def test_hooks_are_on_even_addresses_and_none_is_without_an_end() -> None:
    for change in (0, 1):
        script = renode_script.batch(job(mark_address=0x200 + change, end_address=0x300 + change), REPL, LOG)
        assert re.findall(r"AddHook (\S+)", script) == ["0x200", "0x300"]
    assert re.findall(r"AddHook (\S+)", renode_script.batch(job(end_address=None), REPL, LOG)) == ["0x10000200"]


@pytest.mark.parametrize("count", [1, 7, 999, 1_000_003, 12_000_000, 10**12 + 1])
@pytest.mark.parametrize("name", ["microbit", "rp2040", "stm32f767zi", "mps3-an547"])
def test_a_limit_in_instructions_is_a_time(count: int, name: str) -> None:
    machine = platforms.load(name).machine
    script = renode_script.batch(job(machine=machine, instruction_limit=count), REPL, LOG)
    period = re.search(r'RunFor "(\d+)(\.\d+)"', script)
    assert period is not None
    nanoseconds = int(period[1]) * 10**9 + int(float(period[2]) * 10**9)  # as Renode reads it
    assert nanoseconds * machine.clock_hz // 10**9 == count
    assert (nanoseconds - 1) * machine.clock_hz < count * 10**9


def test_without_a_limit_the_wall_clock_is_the_limit() -> None:
    assert renode_script.instructions(job(time_limit_s=2.5)) == 5_000_000_000
    assert renode_script.instructions(job(instruction_limit=3)) == 3


@pytest.mark.parametrize("text", ["/a b/x", "/a,b#:/x", "/$x/`y`/'z'", "/ü/é"])
def test_paths_that_renode_can_hold(text: str) -> None:
    assert renode_script.quoted(Path(text)) == f'"{text}"'


@pytest.mark.parametrize(
    ("text", "letter"), [('/a"b', '"'), ("/a\\b", "\\"), ("/a;b", ";"), ("/a\nb", "\n"), ("/a\tb", "\t")]
)
def test_paths_that_it_cannot(text: str, letter: str) -> None:
    with pytest.raises(EmulationError, match="Renode cannot use the path") as caught:
        renode_script.batch(job(elf=Path(text)), REPL, LOG)
    assert caught.value.message.endswith(f"it holds {letter!r}")


def test_a_platform_without_a_description() -> None:
    with pytest.raises(EmulationError, match=r"Renode has no description of z80: there is no .*z80\.repl"):
        renode_script.description("z80")
