"""What the output of Renode means: recordings of a real one, described in data/renode/README.md, and what follows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.emulators import renode_output
from harness.emulators.renode_output import Counts, Output
from harness.errors import EmulationError

RECORDINGS = Path(__file__).parent.parent / "data" / "renode"

RUNS = {
    "end_mark": Counts(segments=(38, 3, 4), ended_by="end mark"),
    "end_mark.mono": Counts(segments=(38, 3, 4), ended_by="end mark"),
    "end_mark_long_before_the_limit": Counts(segments=(38, 3, 4), ended_by="end mark"),
    "end_mark_with_systick": Counts(segments=(43, 3, 4), ended_by="end mark"),
    "unmapped_access": Counts(segments=(41, 3, 4), ended_by="end mark"),
    "stop_text": Counts(segments=(43,), ended_by="stop text"),
}
HELLO = "the last line on its UART: hello"
MADE_FOR = "the machine descriptions are made for Renode 1.16.1"
REPL = "Renode refuses its description of mps2-an386 at <DIR>/mps2-an386.repl"
# Of each failed run: the message's start, and the hint's.
FAILURES = {
    "instruction_limit": ("the firmware did not end within 1000003 instructions on mps2-an386; it is at 0x150", HELLO),
    "standstill_branch": (
        "the firmware stands still at 0x150 after 38 instructions on mps2-an386: it waits for an interrupt, or "
        "branches to itself",
        HELLO,
    ),
    "standstill_wfi": ("the firmware stands still at 0x152 after 38 instructions on mps2-an386: it waits", HELLO),
    "time_limit": ("the firmware did not end within 30 s on mps2-an386", HELLO),
    "time_limit.mono": ("the firmware did not end within 30 s on mps2-an386", HELLO),
    "time_limit_in_start_up": (
        "the firmware did not end within 1.5 s on mps2-an386",
        "it printed nothing on its UART",
    ),
    "core_stopped": (
        "the core stopped on mps2-an386 at PC 0x60000000: Trying to execute code outside RAM or ROM at 0x60000000",
        HELLO,
    ),
    "log_flood": (
        "the firmware floods Renode's log on mps2-an386",
        "accesses where nothing is go on unhindered: a stack that ran over, or a wild pointer? "
        f"{HELLO}; Renode's last complaint: sysbus: [cpu: 0x154] WriteDoubleWord to non existing peripheral at 0x6",
    ),
    "stack_overflow": (
        "stack overflow on mps2-an505: the firmware accessed 0x37fffff0, below RAM",
        HELLO,
    ),
    "udf_without_handler": ("the firmware stands still at 0xfe after 39 instructions on mps2-an386", HELLO),
    "hook_fails": (
        "a mark could not be counted on mps2-an386: Python runtime error: 'CortexM' object has no attribute "
        "'NoSuchThing'",
        MADE_FOR,
    ),
    "hook_does_not_parse": (
        "Renode refuses a command of its script: [FatalError] unexpected EOF while parsing (Line 1, Column ",
        MADE_FOR,
    ),
    "command_fails": (
        "Renode refuses a command of its script: sysbus.cpu does not provide a field, method or property "
        "NoSuchCommand: cpu NoSuchCommand 0",
        MADE_FOR,
    ),
    "unknown_device": ("Renode refuses its script: No such command or device: sysbus.uart9", MADE_FOR),
    "no_elf": (
        'Renode refuses a command of its script: Parameters did not match the signature: sysbus LoadELF "<DIR>/absent',
        MADE_FOR,
    ),
    "not_an_elf": (
        "Renode refuses a command of its script: Error while loading ELF: Could not load ELF from path: <DIR>/firm",
        MADE_FOR,
    ),
    "repl_syntax": (f"{REPL}:20:7: Syntax error, unexpected 'U'; expected colon (E00)", MADE_FOR),
    "repl_unknown_model": (f"{REPL}:20:1: Could not resolve type: 'UART.CMSDK_APB_UARTS'. (E04)", MADE_FOR),
    "repl_unknown_property": (f"{REPL}:20:8: Could not find suitable constructor for type ", MADE_FOR),
    "repl_unknown_core": (
        "Renode refuses its description of mps2-an386 at <PLATFORMS>/cores/cortex-m4.repl:7:6: Exception was thrown "
        "during construction of 'cpu': Unknown CPU type (E38)",
        MADE_FOR,
    ),
    "repl_overlap": (
        f"{REPL}:25:29: Exception was thrown during registration of 'more' in 'sysbus': Could not register ",
        MADE_FOR,
    ),
    "repl_missing": ("Renode refuses a command of its script: Could not find file '<DIR>/mps2-an386.lper'", MADE_FOR),
    "repl_using_missing": (f"{REPL}:2:7: Using '<PLATFORMS>/sores/cortex-m4.repl' resolved as ", MADE_FOR),
    "fatal_error": ("Renode died on mps2-an386: Index was outside the bounds of the array.", MADE_FOR),
    "fatal_error.mono": ("Renode died on mps2-an386: Index was outside the bounds of the array.", MADE_FOR),
}


def recording(name: str) -> Output:
    return msgspec.json.decode((RECORDINGS / f"{name}.json").read_bytes(), type=Output)


def failure(output: Output) -> EmulationError:
    with pytest.raises(EmulationError) as caught:
        renode_output.counts(output)
    return caught.value


def test_every_recording_is_expected_to_be_something() -> None:
    assert {path.stem for path in RECORDINGS.glob("*.json")} == set(RUNS) | set(FAILURES)


@pytest.mark.parametrize("name", RUNS)
def test_counts(name: str) -> None:
    assert renode_output.counts(recording(name)) == RUNS[name]


@pytest.mark.parametrize("name", FAILURES)
def test_failures(name: str) -> None:
    error = failure(recording(name))
    message, hint = FAILURES[name]
    assert error.message.startswith(message)
    assert "\n" not in error.message and "\r" not in error.message
    assert (error.hint or "").startswith(hint)
    assert "\r" not in (error.detail or "")
    assert (error.detail is None) == (name == "time_limit_in_start_up")


@pytest.mark.parametrize("name", RUNS)
def test_a_hook_that_failed_makes_a_run_worthless(name: str) -> None:
    output = recording(name)
    log = output.log + "09:00:00.0 [ERROR] cpu: Python runtime error: planted\n"
    assert "planted" in failure(msgspec.structs.replace(output, log=log)).message


@pytest.mark.parametrize(
    ("address", "over"), [(0x1FFF_FFFC, True), (0x1FFF_0000, True), (0x1FFE_FFFC, False), (0x2040_0000, False)]
)
def test_accesses_right_below_ram_are_the_stack(address: int, over: bool) -> None:
    output = recording("unmapped_access")
    text = f"sysbus: [cpu: 0x154] WriteDoubleWord to non existing peripheral at 0x{address:X}, value 0x0."
    output = msgspec.structs.replace(output, log=f"{output.log}09:00:00.0 [WARNING] {text}\n")
    if over:
        assert failure(output).message.endswith(f"the firmware accessed {address:#010x}, below RAM")
    else:
        assert renode_output.counts(output) == RUNS["unmapped_access"]


def test_a_stop_text_before_the_first_mark_leaves_no_segment() -> None:
    output = msgspec.structs.replace(recording("stop_text"), stdout="")
    assert renode_output.counts(output) == Counts(segments=(), ended_by="stop text")


def test_an_end_mark_counts_whatever_came_after_it() -> None:
    output = msgspec.structs.replace(recording("end_mark"), returncode=143, stopped_by="end mark")
    cut = msgspec.structs.replace(output, stdout=output.stdout[: output.stdout.index("STOPPED")])
    assert renode_output.counts(cut) == RUNS["end_mark"]
    assert renode_output.counts(msgspec.structs.replace(cut, stopped_by="time limit")) == RUNS["end_mark"]


def test_counts_that_fall_are_refused() -> None:
    output = msgspec.structs.replace(recording("end_mark"), stdout="MARK 10;\nMARK 9;\nEND 20;\nSCRIPT-END\n")
    assert failure(output).message == "Renode's counts at the marks fall, so they are not exact: [10, 9, 20]"


@pytest.mark.parametrize(
    ("returncode", "how"), [(143, "exit code 143"), (-15, "signal 15"), (-11, "signal 11"), (0, "exit code 0")]
)
def test_an_end_without_a_word(returncode: int, how: str) -> None:
    output = msgspec.structs.replace(recording("end_mark"), stdout="MARK 76;\n", returncode=returncode)
    error = failure(output)
    assert error.message == f"Renode ended on mps2-an386 before the firmware did ({how}), without a message"
    assert error.hint == f"it was ended from outside, or crashed; {HELLO}"


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        (
            "Unexpected options detected: --hide-log\nRenode 1.15\n",
            "Renode refuses its script: Unexpected options detec",
        ),
        (
            "Could not tokenize here:\n    i @/a b\n           ^\n",
            "Renode refuses its script: Could not tokenize here: i",
        ),
        ("SCRIPT-END\n", "Renode does not say where the firmware stands on mps2-an386"),
    ],
)
def test_refusals_of_other_versions(stdout: str, message: str) -> None:
    output = msgspec.structs.replace(recording("end_mark"), stdout=stdout)
    assert failure(output).message.startswith(message)


def test_a_log_is_read_whole_or_its_first_and_last_part(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert renode_output.read_log(log) == ""
    log.write_text("a" * 1000)
    assert renode_output.read_log(log) == "a" * 1000
    log.write_text("first\n" + "x" * 300_000 + "\nlast")
    text = renode_output.read_log(log)
    assert text.startswith("first\n") and text.endswith("\nlast")
    assert len(text) < 140_000
    assert f"({300_011 - 131_072} bytes left out)" in text
