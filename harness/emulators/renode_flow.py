"""Runs firmware on Renode and follows the calls of chosen functions, exactly, by hooks.

Hooks at the functions' entries say what was executed before, the stack pointer and the return address; each return
address gets a hook too. Hooks at exceptions say where they interrupt and how they return. Only chosen functions are
followed: there are no contexts, no blocks and no classes of instructions. Each hook that is passed takes about half a
millisecond.
"""

from __future__ import annotations

import re

import msgspec

from harness import process
from harness.emulators import counts, flows, renode_output, renode_script, renode_start
from harness.emulators.calls import Follower
from harness.emulators.flows import Flow
from harness.emulators.qemu_flow import FlowJob, FlowRun
from harness.emulators.renode_output import LOG_SIZE, TIME_LIMIT
from harness.errors import BadInputError, EmulationError
from harness.records import Job

# In the Python 2 that Renode has inside, and without its library, which not every Renode brings. One write each, with a
# mark of its own end, as Renode's other output may come between two of them. Exception 5 is the one that is entered:
# others only make one pending, and 7, a breakpoint, is ignored where it asks for semihosting.
_COMMANDS = """
def mc_follow(*addresses):
    cpu = self.Machine["sysbus.cpu"]
    places = set()
    def say(text):
        sys.stdout.write(text + ";\\n")
        sys.stdout.flush()
    def stack():
        return cpu.GetRegister(13).RawValue
    def returned(_, pc):
        say("BACK %d %d %d" % (pc, cpu.ExecutedInstructions, stack()))
    def entered(_, pc):
        link = cpu.GetRegister(14).RawValue
        say("CALL %d %d %d %d" % (pc, cpu.ExecutedInstructions, stack(), link))
        place = link & ~1
        if place < 0xF0000000 and place not in places:
            places.add(place)
            cpu.AddHook(place, returned)
    def taken(index):
        if index == 5:
            say("TAKEN %d %d" % (cpu.ExecutedInstructions, stack()))
        elif index == 7 and self.Machine.SystemBus.ReadWord(cpu.PC.RawValue) == 0xBEAB:
            say("HOST %d %d" % (cpu.ExecutedInstructions, cpu.PC.RawValue))
            cpu.IsHalted = True
    def left(index):
        say("LEFT %d %d %d %d" % (cpu.ExecutedInstructions, cpu.PC.RawValue, stack(), cpu.GetRegister(22).RawValue))
    for address in addresses:
        cpu.AddHook(address, entered)
    cpu.AddHookAtInterruptBegin(taken)
    cpu.AddHookAtInterruptEnd(left)

def mc_halt_on(uart, *characters):
    cpu, seen, wanted = self.Machine["sysbus.cpu"], [], list(characters)
    def halted(_):
        sys.stdout.write("TEXT %d %d;\\n" % (cpu.ExecutedInstructions, cpu.PC.RawValue))
        sys.stdout.flush()
    def received(character):
        seen.append(character)
        del seen[:-len(wanted)]
        if seen == wanted and not cpu.IsHalted:
            cpu.IsHalted = True
            self.Machine.LocalTimeSource.ExecuteInNearestSyncedState(halted)
    self.Machine["sysbus." + uart].CharReceived += received
"""
_EVENT = re.compile(r"\b(CALL|BACK|TAKEN|LEFT) ([\d ]+);")
_END = re.compile(r"\b(END|TEXT|HOST) (\d+)(?: (\d+))?;")
_ENDS = {"END": "stop function", "TEXT": "stop text", "HOST": "semihosting"}


def run(job: FlowJob) -> FlowRun:
    """Run the firmware to one of its ends; as ``qemu_flow.run``, but with counts of regions only.

    Raises:
        MissingToolError: there is no Renode.
        BadInputError: the job asks for semihosting.
        EmulationError: Renode died, refused the machine or stopped the core; the firmware reset it, or did not end
            within the limits.
    """
    if job.semihosting:
        raise BadInputError("semihosting is for QEMU: Renode's cannot end a run", "leave --allow-semihosting out")
    start = renode_start.prepare(_plain(job))
    commands = job.work.resolve() / "follow.py"
    commands.write_text(_COMMANDS, encoding="utf-8")
    follow = [f"include {renode_script.quoted(commands)}", *_follow(job)]
    start.write_script(renode_script.batch(start.job, start.description.path, start.log, follow))
    watch = _Watch(job, start)
    with start.home() as environment:
        finished = process.run(
            start.command, time_limit_s=job.time_limit_s, environment=environment, stop_when=watch, on_line=watch.line
        )
    output = start.output(finished, TIME_LIMIT if finished.timed_out else watch.reason)
    renode_output.check(output)
    if watch.error is not None:
        raise watch.error
    ended_by, executed, ended_at = watch.end or _at_limit(job, output)
    notes = watch.follower.notes(executed)
    return FlowRun(
        emulator=msgspec.structs.replace(start.info, counter="hooks at entries, returns and exceptions"),
        flow=Flow(
            addresses=counts.no_blocks(),
            instructions=counts.no_blocks(),
            codes=(),
            nodes=(),
            cells=counts.no_blocks().reshape(-1, 3),
            regions=watch.follower.regions(),
            notes=notes,
            ended_by=ended_by,
            ended_at=ended_at,
        ),
        ended_by=ended_by,
        uart=output.uart,
        console="",
        exit_code=None,
    )


def _plain(job: FlowJob) -> Job:
    stops = [item.start for item in job.functions if item.flags & flows.STOP]
    return Job(
        elf=job.elf,
        machine=job.machine,
        mark_address=None,
        end_address=stops[0] if stops else None,
        uart_log=job.work / "uart.log",
        time_limit_s=job.time_limit_s,
        work=job.work,
        instruction_limit=job.instruction_limit,
    )


def _regions(job: FlowJob) -> list[int]:
    chosen = [item for item in job.functions if item.flags & flows.REGION]
    return [item.start for item in sorted(chosen, key=lambda item: item.region)]


def _follow(job: FlowJob) -> list[str]:
    stops = {item.start for item in job.functions if item.flags & flows.STOP}
    followed = " ".join(f"{address:#x}" for address in _regions(job) if address not in stops)
    texts = [f'halt_on "{job.machine.uart.name}" {" ".join(str(byte) for byte in text)}' for text in job.stop_texts]
    return [f"follow {followed}".strip(), *texts]


def _at_limit(job: FlowJob, output: renode_output.Output) -> tuple[str, int, int]:
    """As ``_Watch.end``, of a run that ended by itself.

    Raises:
        EmulationError: it did not reach the limit that was asked for.
    """
    stopped = renode_output.stopped(output.stdout)
    if stopped is not None and job.instruction_limit is not None and stopped[0] >= job.instruction_limit:
        return "instruction limit", *stopped
    raise renode_output.failure(output)


class _Watch:
    """Takes Renode's output line by line, in the thread that reads it; says when to end the run, to be polled.

    ``end``: what ended it, what was executed until then, and where that was.
    """

    def __init__(self, job: FlowJob, start: renode_start.Start) -> None:
        self.reason: str | None = None
        self.error: EmulationError | None = None
        self.follower = Follower(_regions(job))
        self.end: tuple[str, int, int] | None = None
        self._stop = start.job.end_address or 0
        self._log = start.log

    def line(self, line: str) -> None:
        """Take a line."""
        for word, numbers in _EVENT.findall(line):
            if self.error is None and self.end is None:
                self._take(word, [int(number) for number in numbers.split()])
        end = _END.search(line)
        if end is not None and self.end is None:
            self.end = _ENDS[end[1]], int(end[2]), int(end[3] or self._stop)

    def _take(self, word: str, numbers: list[int]) -> None:
        follower = self.follower
        take = {"CALL": follower.entered, "BACK": follower.returned, "TAKEN": follower.taken, "LEFT": follower.left}
        try:
            take[word](*numbers)  # type: ignore[operator]
        except EmulationError as error:  # raised again in the thread that waits for the end
            self.error = error

    def __call__(self) -> bool:
        if self.end is not None or self.error is not None:
            self.reason = renode_output.END_MARK
        elif renode_output.is_flooded(self._log):
            self.reason = LOG_SIZE
        return self.reason is not None
