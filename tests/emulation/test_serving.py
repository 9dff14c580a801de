"""A network that serves on QEMU: the same outputs and counts as a run, and a clear end however it ends."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import image, inputs, library, model, run, serving, wire
from harness.client import InferenceError
from harness.errors import BadInputError, EmulationError
from harness.frames import Frame, Splitter, parse_counts, parse_error, parse_info
from tests.conftest import DIGITS, SHARED_MODELS, needs_terminals

ZERO, ONES = (bytes(64),), (b"\x01" * 64,)


@pytest.mark.parametrize(
    ("platform", "kernels"),
    [("microbit", "reference"), ("mps2-an385", "cmsis-nn"), ("stm32l496zg", "reference"), ("mps2-an500", "cmsis-nn"),
     ("stm32u575", "cmsis-nn"), ("mps3-an547", "cmsis-nn")],
)  # fmt: skip
def test_outputs_and_counts_are_those_of_a_run(platform: str, kernels: str, results: Path) -> None:
    expected = run(DIGITS, platform, kernels=kernels)
    with serving.serve(DIGITS, platform, kernels=kernels) as device:
        found = device.infer(inputs.deterministic(device.model).data, repeat=3)
        assert [output.hex() for output in found.outputs] == list(expected.check.outputs)
        assert device.info.kernels == kernels
        assert device.info.input_bytes == (64,)
        assert device.info.operators == len(expected.layers)
        assert device.platform.name == platform
        assert device.emulator.name == "qemu"
    # Where code and tables lie is another matter than in a run: a few branches of library functions.
    assert found.instructions == pytest.approx([expected.counts.total] * 3, rel=1e-3)
    for layers in found.layers:
        assert layers == pytest.approx([layer.instructions for layer in expected.layers], rel=1e-3, abs=20)
    assert len(set(found.instructions)) == 1


def test_inputs_stay_until_others_are_written() -> None:
    with serving.serve(DIGITS, "mps2-an386") as device:
        zero, ones = device.infer(ZERO), device.infer(ONES)
        assert zero.outputs != ones.outputs
        assert device.infer(ZERO) == zero
        again = device.infer(ONES, repeat=20)
        assert again.outputs == ones.outputs
        assert again.instructions == ones.instructions * 20
        assert again.layers == ones.layers * 20


def test_the_host_computes_the_same() -> None:
    network = model.load(DIGITS)
    chance = random.Random(3)
    with (
        serving.serve(DIGITS, "mps2-an386", kernels="cmsis-nn") as device,
        serving.host(network, library.for_host(), "host") as host,
    ):
        for _ in range(20):
            data = (chance.randbytes(64),)
            host.write(data)
            assert device.infer(data).outputs == host.read(host.infer(1))
        with pytest.raises(EmulationError, match="the host are not counted"):
            host.session.segments(1, 1.0)


@pytest.mark.skipif(
    not SHARED_MODELS.is_dir(), reason="the public models are not beside the checkout (../shared/models)"
)
@pytest.mark.parametrize("name", ["kws_ref_model", "simple_add_model", "ad01_fp32"])
def test_inputs_and_outputs_larger_than_a_frame(name: str, results: Path) -> None:
    path = SHARED_MODELS / f"{name}.tflite"
    expected = run(path, "mps2-an386", kernels="cmsis-nn")
    with serving.serve(path, "mps2-an386", kernels="cmsis-nn") as device:
        assert max(device.info.input_bytes) > wire.FRAME_PAYLOAD
        found = device.infer(inputs.deterministic(device.model).data)
        assert [output.hex() for output in found.outputs] == list(expected.check.outputs)
        assert found.instructions == pytest.approx((expected.counts.total,), rel=1e-3)


# --- what goes wrong ---

FAILING = """
#include <string.h>
#include <stddef.h>
#include <stdint.h>
void hal_write(const char *bytes, size_t size);
struct harness_op { int builtin; void *(*registration)(void); void *parse; };
extern const struct harness_op harness_op_SOFTMAX;
static int calls;
static int (*real)(void *, void *);
static int eval(void *context, void *node) { return ++calls % 3 == 0 ? 1 : real(context, node); }
static void *failing(void) {
  static void *copy[9];
  memcpy(copy, harness_op_SOFTMAX.registration(), sizeof copy);
  real = copy[3];
  copy[3] = eval;
  return copy;
}
struct harness_op broken;
"""
# SysTick is an exception that nobody expects: it is reported as a fault.
TICKING = """
  *(volatile unsigned *)0xe000e014u = 4000000;
  *(volatile unsigned *)0xe000e018u = 0;
  *(volatile unsigned *)0xe000e010u = 7;
"""


def replaced(monkeypatch: pytest.MonkeyPatch, name: str, head: str, body: str) -> None:
    """Let the application do something before it serves."""
    render = image._render_image_c

    def rendered(spec: image.Spec) -> str:
        source = render(spec)
        if spec.app != name:
            return source
        if head:
            source = source.replace("&harness_op_SOFTMAX,", "&broken,")
        return f"{head}\nint {name}(void);\n{source}\nint {name}(void) {{ {body}; return app_serve(); }}\n"

    monkeypatch.setattr(image, "_render_image_c", rendered)
    monkeypatch.setattr(serving, "APP_SERVE", name)


def test_a_failed_inference_is_named_and_the_device_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "broken = harness_op_SOFTMAX; broken.registration = failing"
    replaced(monkeypatch, "app_failing", FAILING, body)
    with serving.serve(DIGITS, "mps2-an386") as device:
        first = device.infer(ZERO, repeat=2)
        with pytest.raises(InferenceError, match=r"an operator's Eval failed \(operator 9, SOFTMAX\)") as caught:
            device.infer(ZERO)
        assert (caught.value.frame.node, caught.value.frame.done) == (9, 0)
        assert device.infer(ZERO) == serving.Answer(
            outputs=first.outputs, instructions=first.instructions[:1], layers=first.layers[:1]
        )
        with pytest.raises(InferenceError) as caught:
            device.infer(ZERO, repeat=5)
        assert caught.value.frame.done == 1
        assert device.infer(ZERO, repeat=2) == first


def test_a_fault_while_serving_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, "app_ticking", "", TICKING)
    with (
        serving.serve(DIGITS, "mps2-an386") as device,
        pytest.raises(EmulationError, match=r"the firmware failed on mps2-an386: SysTick .*at PC 0x"),
    ):
        for _ in range(1000):
            device.infer(ZERO)


def test_a_firmware_that_does_not_begin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, "app_silent", "", "for (volatile int forever = 1; forever;) {}")
    with (
        pytest.raises(EmulationError, match="the firmware on mps2-an386 took longer than 1 s to begin"),
        serving.serve(DIGITS, "mps2-an386", time_limit_s=1.0),
    ):
        pass


def test_a_qemu_that_is_ended_from_outside_is_an_error() -> None:
    with serving.serve(DIGITS, "mps2-an386") as device:
        device.infer(ZERO)
        (number,) = children("qemu-system-arm")
        os.kill(number, signal.SIGKILL)
        started = time.monotonic()
        with pytest.raises(EmulationError, match="QEMU died on mps2-an386: signal 9 without"):
            device.infer(ZERO)
        with pytest.raises(EmulationError, match="QEMU died"):
            device.infer(ZERO)
        assert time.monotonic() - started < 10


def children(name: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                parent = re.search(r"^PPid:\s*(\d+)", (entry / "status").read_text(), re.MULTILINE)
                if parent and int(parent[1]) == os.getpid() and name.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def test_leaving_ends_qemu_whatever_happened() -> None:
    with pytest.raises(ZeroDivisionError), serving.serve(DIGITS, "mps2-an386"):
        assert len(children("qemu-system-arm")) == 1
        raise ZeroDivisionError
    assert children("qemu-system-arm") == []


def test_firmware_answers_however_busy_the_machine_is() -> None:
    """QEMU sleeps through what is sent to a UART that was switched on a moment ago, unless it is woken."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        for _ in range(10):
            with serving.serve(DIGITS, "mps2-an386", time_limit_s=20.0) as device:
                device.infer(ZERO)
    finally:
        for program in busy:
            program.kill()
            program.wait()


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(BadInputError, match="unknown emulator 'bochs'"),
        serving.serve(DIGITS, "microbit", emulator="bochs"),
    ):
        pass
    monkeypatch.setattr(wire, "FRAME_TENSORS", 1)
    with (
        pytest.raises(BadInputError, match="has 2 inputs and outputs, firmware that serves takes 1"),
        serving.serve(DIGITS, "microbit"),
    ):
        pass


# --- the command ---

ARGUMENTS = [sys.executable, "-m", "harness", "serve", str(DIGITS), "--platform", "mps2-an386"]


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the path of its terminal."""
    program = subprocess.Popen([*ARGUMENTS, "--once"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    line = program.stdout.readline()
    path = re.search(r"serves frames at (/dev/\S+);", line)
    assert path, line + (program.stderr.read() if program.stderr else "")
    yield program, path[1]
    program.kill()
    program.communicate()


class Terminal:
    """A client of the terminal, with nothing of the harness but its frames."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self._splitter = Splitter()
        self._frames: list[Frame] = []

    def ask(self, kind: int, payload: bytes, sequence: int) -> Frame:
        os.write(self.descriptor, Frame(type=kind, sequence=sequence, payload=payload).encode())
        return self.next()

    def next(self) -> Frame:
        while not self._frames:
            self._frames += self._splitter.feed(os.read(self.descriptor, 4096))
        return self._frames.pop(0)


@needs_terminals
def test_a_client_on_the_terminal_gets_counts_behind_the_result(served: tuple[subprocess.Popen[str], str]) -> None:
    program, path = served
    client = Terminal(path)
    info = parse_info(client.ask(wire.FRAME_HELLO, b"", 1).payload)
    assert info.input_bytes == (64,)
    os.write(client.descriptor, b"garbage\0")
    assert parse_error(client.next().payload).code in (wire.FRAME_ERROR_SHORT, wire.FRAME_ERROR_CRC)
    written = client.ask(wire.FRAME_WRITE, struct.pack("<HI", 0, 0) + ONES[0], 2)
    assert (written.type, written.sequence) == (wire.FRAME_WRITTEN, 2)
    result = client.ask(wire.FRAME_INFER, struct.pack("<I", 2), 3)
    assert (result.type, result.sequence) == (wire.FRAME_RESULT, 3)
    parts = [client.next(), client.next()]
    assert all((part.type, part.sequence) == (wire.FRAME_COUNTS, 3) for part in parts)
    counted = [parse_counts(part.payload) for part in parts]
    assert [part.inference for part in counted] == [0, 1]
    data = client.ask(wire.FRAME_READ, struct.pack("<HIH", 0, 0, 10), 4)
    with serving.serve(DIGITS, "mps2-an386") as device:
        expected = device.infer(ONES, repeat=2)
    assert (data.payload,) == expected.outputs
    for part, total, layers in zip(counted, expected.instructions, expected.layers, strict=True):
        assert part.unit == wire.FRAME_UNIT_INSTRUCTIONS
        assert part.values == (total, *layers)
    os.close(client.descriptor)
    assert program.wait(20) == 0


@needs_terminals
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_command_and_emulator(served: tuple[subprocess.Popen[str], str], number: int, code: int) -> None:
    program, path = served
    client = Terminal(path)
    client.ask(wire.FRAME_HELLO, b"", 1)
    qemu = descendants(program.pid)
    assert qemu
    program.send_signal(number)
    assert program.wait(20) == code
    assert_gone(qemu)
    os.close(client.descriptor)


@needs_terminals
def test_a_harness_that_is_killed_leaves_no_emulator_behind(served: tuple[subprocess.Popen[str], str]) -> None:
    program, _ = served
    qemu = descendants(program.pid)
    assert qemu
    program.kill()
    program.wait(20)
    assert_gone(qemu)


def descendants(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in text.split()]


def assert_gone(numbers: list[int]) -> None:
    deadline = time.monotonic() + 10
    for number in numbers:
        # A zombie that nobody waits for yet has ended, too.
        while Path(f"/proc/{number}").exists() and "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text():
            assert time.monotonic() < deadline, f"process {number} goes on"
            time.sleep(0.05)


def test_unknown_protocol() -> None:
    done = subprocess.run([*ARGUMENTS, "--protocol", "morse"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown protocol 'morse'" in done.stderr
    assert "frames, mlperf-tiny" in done.stderr
