"""Records what a real Renode leaves behind in each situation that the backend must survive.

    RENODE=/path/to/renode python tests/data/renode/record.py [--only NAME ...] [--suffix .net]

writes NAME.json beside this file: the fields of renode_output.Output. The run's folder is replaced by <DIR>, and of a
long log the first and last lines are kept.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import msgspec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "emulation"))

from tiny_firmware import SPIN, STANDSTILL, job, say  # noqa: E402

from harness import platforms  # noqa: E402
from harness.emulators import renode, renode_output, renode_script  # noqa: E402
from harness.errors import EmulationError  # noqa: E402
from harness.records import Job  # noqa: E402

ORDINARY = say("hello\n") + "bl mark\n nop\n bl mark\n nop\n nop\n bl end\n"
_LOG_LINES = 40
_STACK_LINES = 10
_LOG_BYTES = 4 << 20  # enough of a flood


class Situation(msgspec.Struct, frozen=True):
    """What runs, with ``edit`` applied to the script and ``describe`` to the text of the machine's description."""

    body: str = ORDINARY
    platform: str = "mps2-an386"
    changes: dict[str, object] = {}
    edit: Callable[[str], str] = lambda script: script
    describe: Callable[[str], str] = lambda text: text
    elf: bytes | None = None
    polls_after_end: int = 10


def _swap(old: str, new: str) -> Callable[[str], str]:
    def swap(text: str) -> str:
        assert old in text, f"{old!r} is not in {text!r}"
        return text.replace(old, new)

    return swap


SITUATIONS = {
    "end_mark": Situation(changes={"instruction_limit": 1_000_000}, polls_after_end=1000),
    "end_mark_long_before_the_limit": Situation(),
    "end_mark_with_systick": Situation(
        body="ldr r0, =0xE000E014\n movs r1, #99\n str r1, [r0]\n movs r1, #5\n str r1, [r0, #-4]\n" + ORDINARY
    ),
    "stop_text": Situation(
        body=say("HALTED\n") + "bl mark\n nop\n bl mark\n" + SPIN, changes={"stop_texts": (b"HALTED",)}
    ),
    "instruction_limit": Situation(body=say("hello\n") + SPIN, changes={"instruction_limit": 1_000_003}),
    "standstill_branch": Situation(body=say("hello\n") + STANDSTILL),
    "standstill_wfi": Situation(body=say("hello\n") + "1: wfi\n b 1b"),
    "time_limit": Situation(body=say("hello\n") + SPIN, changes={"time_limit_s": 30.0}),
    "time_limit_in_start_up": Situation(changes={"time_limit_s": 1.5}),
    "core_stopped": Situation(body=say("hello\n") + "bl mark\n ldr r0, =0x60000001\n bx r0\n"),
    "unmapped_access": Situation(body="ldr r0, =0x60000000\n ldr r1, [r0]\n str r1, [r0]\n" + ORDINARY),
    "log_flood": Situation(
        # Renode counts a complaint that it repeats instead of repeating it, so each one is of another address.
        body=say("hello\n") + "ldr r0, =0x60000000\n 1: str r0, [r0]\n adds r0, #4\n b 1b",
        changes={"time_limit_s": 120.0},
    ),
    "stack_overflow": Situation(
        body="ldr r0, =0x38000010\n mov sp, r0\n push {r0-r7}\n pop {r0-r7}\n" + ORDINARY, platform="mps2-an505"
    ),
    "udf_without_handler": Situation(body=say("hello\n") + "udf #1\n"),
    "hook_fails": Situation(edit=_swap("self.ExecutedInstructions); sys", "self.NoSuchThing); sys")),
    "hook_does_not_parse": Situation(edit=_swap("sys.stdout.flush()", "sys.stdout.flush(")),
    "command_fails": Situation(edit=_swap("cpu VectorTableOffset", "cpu NoSuchCommand")),
    "unknown_device": Situation(edit=_swap("sysbus.uart0 CreateFile", "sysbus.uart9 CreateFile")),
    "no_elf": Situation(edit=_swap("firmware.elf", "absent.elf")),
    "not_an_elf": Situation(elf=b"this is no ELF file"),
    "repl_syntax": Situation(describe=_swap("uart0: UART", "uart0 UART")),
    "repl_unknown_model": Situation(describe=_swap("UART.CMSDK_APB_UART", "UART.CMSDK_APB_UARTS")),
    "repl_unknown_property": Situation(describe=_swap("RxInterrupt", "parity: 1\n    RxInterrupt")),
    "repl_unknown_core": Situation(describe=lambda text: text + '\ncpu:\n    cpuType: "cortex-m99"\n'),
    "repl_overlap": Situation(
        describe=lambda text: text + "\nmore: UART.CMSDK_APB_UART @ sysbus 0x40004000\n    RxInterrupt -> nvic@5\n"
    ),
    "repl_missing": Situation(edit=_swap(".repl", ".lper")),
    "repl_using_missing": Situation(describe=_swap("/cores/", "/sores/")),
    "fatal_error": Situation(describe=_swap("nvic@1", "nvic@999999")),
}


def record(name: str, suffix: str) -> None:
    """Run one situation and write its recording."""
    situation = SITUATIONS[name]
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        run = _job(Path(folder).resolve(), situation)
        output = _output(run, situation)
        text = msgspec.json.encode(_shortened(output)).decode().replace(str(run.work), "<DIR>")
        text = text.replace(str(renode_script.data_folder("platforms")), "<PLATFORMS>")
        (HERE / f"{name}{suffix}.json").write_text(msgspec.json.format(text, indent=1) + "\n")


def _job(folder: Path, situation: Situation) -> Job:
    run = job(folder, platforms.load(situation.platform).machine, situation.body, **situation.changes)
    if situation.elf is not None:
        run.elf.write_bytes(situation.elf)
    return run


def _output(run: Job, situation: Situation) -> renode_output.Output:
    caught: list[renode_output.Output] = []
    batch, counts, described = renode_script.batch, renode_output.counts, renode_script.description(run.machine.name)
    repl = run.work / described.path.name
    text = described.path.read_text().replace("../cores/", f"{described.path.parents[1]}/cores/")
    repl.write_text(situation.describe(text))

    def catch(output: renode_output.Output) -> renode_output.Counts:
        caught.append(output)
        return counts(output)

    with (
        mock.patch.object(renode_script, "batch", lambda job, path, log: situation.edit(batch(job, repl, log))),
        mock.patch.object(renode_output, "counts", catch),
        mock.patch.object(renode_output, "_MOST_LOG_BYTES", _LOG_BYTES),
        mock.patch.object(renode, "_POLLS_AFTER_END", situation.polls_after_end),
    ):
        try:
            print(f"  {[segment.instructions for segment in renode.run(run).segments]}")
        except EmulationError as error:
            print(f"  {error.message}\n  hint: {error.hint}")
    return caught[0]


def _shortened(output: renode_output.Output) -> renode_output.Output:
    """Without the middle of a long log, the end of a long stack trace, and the places in it of Renode's own sources."""
    lines, half = output.log.splitlines(keepends=True), _LOG_LINES // 2
    stderr = re.sub(r" in (/|<)\S+", "", output.stderr).splitlines(keepends=True)
    return msgspec.structs.replace(
        output,
        log=output.log if len(lines) <= _LOG_LINES else "".join([*lines[:half], *lines[-half:]]),
        stderr="".join(stderr[:_STACK_LINES]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(SITUATIONS), choices=list(SITUATIONS))
    parser.add_argument("--suffix", default="")
    arguments = parser.parse_args()
    for name in arguments.only:
        print(name, flush=True)
        record(name, arguments.suffix)


if __name__ == "__main__":
    main()
