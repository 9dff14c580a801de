"""The code for physical boards on Renode, with registers in place of clock trees: it reaches the full clock, or says
that it did not; and its cycle counters agree with Renode's own count, as one instruction is one cycle there."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import msgspec
import pytest

from harness import capture, flashable, image, inputs, library, pipeline, platforms, process, reference, toolchain, wire
from harness.emulators import renode, renode_find, renode_script
from harness.records import Job, Trace
from harness.setup import Options, Setup, prepare
from tests.conftest import DIGITS
from tests.emulation import board_registers

pytestmark = pytest.mark.usefixtures("renode")

# One of each family, both of the L4, which differ in how they switch.
BOARDS = ("stm32l496zg", "stm32l4r5zi", "stm32f446re", "stm32f767zi", "stm32u575", "nrf52840", "rp2040")
RESET_HZ = {
    "stm32l496zg": 4_000_000,
    "stm32l4r5zi": 4_000_000,
    "stm32f446re": 16_000_000,
    "stm32f767zi": 16_000_000,
    "stm32u575": 4_000_000,
    "nrf52840": 64_000_000,
    "rp2040": 6_500_000,
}


def execute(
    spec: image.Spec, setup: Setup, folder: Path, monkeypatch: pytest.MonkeyPatch, ready: bool = True
) -> tuple[Trace, wire.Console]:
    board = setup.platform.name
    elf = image.link(spec, library.for_core(setup.arch, "-O2", setup.arm), setup.arm)
    repl = folder / "board.repl"
    board_registers.describe(board, repl, ready)
    described = renode_script.Description(path=repl, sha256="")
    monkeypatch.setattr(renode_script, "description", lambda _name: described)
    trace = renode.run(
        Job(
            elf=elf.path,
            machine=spec.machine,
            mark_address=elf.symbols[image.MARK_SYMBOL],
            end_address=elf.symbols[image.END_SYMBOL],
            uart_log=folder / "uart.log",
            time_limit_s=120,
            work=folder,
        )
    )
    return trace, wire.parse(trace.uart)


def profiling(board: str, *macros: str) -> tuple[image.Spec, Setup]:
    setup = prepare(DIGITS, board, Options(kernels="cmsis-nn"))
    data = inputs.deterministic(setup.model)
    _, arena = pipeline.fit(setup, library.for_core(setup.arch, "-O2", setup.arm), data)
    code = flashable.board_code(setup)
    code = msgspec.structs.replace(code, macros=(*code.macros, *macros))
    return flashable._spec(setup, data, arena.needed, code), setup


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_reaches_its_full_clock_and_counts(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, setup = profiling(board)
    trace, console = execute(spec, setup, tmp_path, monkeypatch)
    assert console.status == wire.STATUS_OK
    assert console.board is not None and console.board.full
    assert console.board.clock_hz == platforms.load(board).clock_hz
    golden = reference.compute(setup.model, inputs.deterministic(setup.model), library.for_host(), setup.platform.fpu)
    assert (console.crcs, console.outputs) == (golden.crcs, golden.outputs)
    segments = 1 + 3 * len(setup.model.operators)
    assert len(console.cycles) == segments
    executed = [segment.instructions for segment in trace.segments[-1 - segments : -1]]
    # Renode's time goes on in steps: of 9 cycles at most for the DWT, of a microsecond for SysTick.
    step = 133 if board == "rp2040" else 16
    assert all(abs(mine - theirs) <= 2 * step for mine, theirs in zip(console.cycles, executed, strict=True))
    assert abs(sum(console.cycles) - sum(executed)) <= 2 * step


@pytest.mark.parametrize("board", BOARDS)
def test_a_board_whose_clock_does_not_get_ready_says_so(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, setup = profiling(board, "WAIT_POLLS=50u")
    _, console = execute(spec, setup, tmp_path, monkeypatch, ready=False)
    assert console.status == wire.STATUS_OK
    assert console.board is not None and not console.board.full
    assert console.board.clock_hz == RESET_HZ[board]


# One of each console that can be reset there: the RP2040's watchdog is not.
@pytest.mark.parametrize("board", ["stm32f446re", "stm32l496zg", "stm32u575", "nrf52840"])
def test_capture_reads_a_board_and_asks_it_to_run_again(board: str, tmp_path: Path) -> None:
    """Over a pseudo-terminal, as over a serial port; the byte that capture sends resets a board that has ended."""
    built = flashable.build(DIGITS, board, flashable=True, kernels="cmsis-nn", output=tmp_path / "out")
    repl, terminal, script = tmp_path / "board.repl", tmp_path / "tty", tmp_path / "run.resc"
    board_registers.describe(board, repl, ready=True)
    job = Job(
        elf=built.elf,
        machine=platforms.load(board).machine,
        mark_address=0,
        end_address=None,
        uart_log=tmp_path / "uart.log",
        time_limit_s=120,
        work=tmp_path,
    )
    lines = renode_script.talking(job, repl, tmp_path / "renode.log", terminal).splitlines()
    load = [line for line in lines if "LoadELF" in line or "VectorTableOffset" in line]
    at = next(index for index, line in enumerate(lines) if "LoadPlatformDescription" in line)
    lines[at + 1 : at + 1] = ["macro reset", '"""', *load, '"""']  # what Renode does where the core asks for a reset
    script.write_text("\n".join(line for line in lines if "AddHook" not in line) + "\n")
    command = [*renode_find.find().command, "--disable-gui", "--plain", "--console", "--hide-log"]
    with process.Running([*command, "-e", f"include {renode_script.quoted(script)}", "-e", "quit"]):
        for _ in range(600):
            if terminal.exists():
                break
            time.sleep(0.1)
        for _ in range(2):
            read = capture.capture(str(terminal.resolve()), timeout_s=60, model_path=DIGITS, platform=board)
            assert read.output_exact and read.full_clock
            assert len(read.layers) == len(prepare(DIGITS, board, Options()).model.operators)
            assert "12.2.1" not in toolchain.arm().version or abs(read.total - 229_495) < 3000


LONG = """
#include <stdint.h>
#include "mark.h"
int NAME(void);
int NAME(void) {
  harness_marks_begin();
  harness_mark();
  uint32_t rounds = 30000000u;
  __asm__ volatile(".syntax unified\\n 1: subs %0, %0, #1\\n bne 1b\\n" : "+r"(rounds) : : "cc");
  harness_mark();
  harness_marks_print();
  return 0;
}
"""


def test_systick_counts_beyond_its_24_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, setup = profiling("rp2040")
    name = f"app_{zlib.crc32(LONG.encode()):08x}"  # images are cached by it
    spec = msgspec.structs.replace(spec, app=name)
    render = image._render_image_c
    monkeypatch.setattr(image, "_render_image_c", lambda it: LONG.replace("NAME", name) + render(it))
    trace, console = execute(spec, setup, tmp_path, monkeypatch)
    executed = trace.segments[-2].instructions
    assert executed > 3 * 2**24
    assert len(console.cycles) == 1
    assert abs(console.cycles[0] - executed) <= 300
