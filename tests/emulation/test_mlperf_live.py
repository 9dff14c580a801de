"""The benchmark's protocol on emulated firmware, over a pseudo-terminal, by a client that knows nothing of us."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from harness import mlperf, serving
from harness.pty import PseudoTerminal
from harness.zoo.evaluate import HostInterpreter
from tests.conftest import DIGITS, ROOT, SHARED_MODELS, needs_terminals
from tests.mlperf_client import Port, lap_times, results

PLATFORM, CLOCK_HZ = "stm32l4r5zi", 120_000_000

needs_models = pytest.mark.skipif(
    not SHARED_MODELS.is_dir(), reason="the public models are not beside the checkout (../shared/models)"
)


@contextlib.contextmanager
def board(path: Path) -> Iterator[tuple[serving.Device, Port]]:
    """A network served as a board, and its port after what a board says first."""
    ended = threading.Event()
    with serving.serve(path, PLATFORM, kernels="cmsis-nn") as device, PseudoTerminal() as terminal:
        server = threading.Thread(
            target=mlperf.serve, args=(device, terminal), kwargs={"report": print, "stop": ended.is_set}
        )
        server.start()
        try:
            with Port(terminal.path) as port:
                assert port.answer()[-1] == "m-init-done"
                yield device, port
        finally:
            ended.set()
            server.join(timeout=30.0)
            assert not server.is_alive()


def instructions_of(path: Path, data: bytes) -> int:
    """Of one inference, counted on another emulator without the protocol."""
    with serving.serve(path, PLATFORM, kernels="cmsis-nn") as device:
        first, second = device.infer([data], 2).instructions
    assert first == second
    return first


def assert_within_a_microsecond(lines: list[str], count: int, instructions: int) -> None:
    start, end = lap_times(lines)
    assert abs(end - start - Fraction(count * instructions * 1_000_000, CLOCK_HZ)) < 1


@needs_terminals
@needs_models
def test_a_session_of_kws_as_the_runner_holds_it() -> None:
    path = SHARED_MODELS / "kws_ref_model.tflite"
    data = random.Random(7).randbytes(490)
    expected = HostInterpreter(path.read_bytes()).run([np.frombuffer(data, np.int8).reshape(1, 49, 10, 1)])[0]
    instructions = instructions_of(path, data)
    with board(path) as (_, port):
        assert port.send("name") == ["m-name-dut-[stm32l4r5zi-emulated]"]
        assert port.send("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]
        assert port.load(data) == ["m-[Expecting 490 bytes]", "m-load-done"]
        lines = port.send("infer 20 5")
        assert [re.sub(r"-(us-\d+|\[.*)", "", line) for line in lines] == [
            *("m-warmup-start-5", "m-warmup-done", "m-infer-start-20"),
            *("m-lap", "m-lap", "m-infer-done", "m-results"),
        ]
        assert_within_a_microsecond(lines, 20, instructions)
        assert lap_times(lines)[0] == 5 * instructions * 1_000_000 // CLOCK_HZ
        scores = results(lines)
        assert scores == [int(1000 * (int(value) + 128) / 256) / 1000 for value in expected.ravel()]
        assert results(port.send("results")) == scores
        # Odd, over-long, unknown and interleaved, all at once: one answer each, in order, and the device goes on.
        port.write(b"infer 1 0%db 0%" + b"z" * 5000 + b"%\r\nname%db load 0%timestamp%name%")
        assert results(port.answer()) == scores
        assert port.answer() == ["e-[Insufficent number of hex digits]"]
        assert port.answer() == [f"e-[Unknown command: {'z' * 80}]"]
        assert port.answer() == ["e-[Unknown command: \\x0d\\x0aname]"]
        assert port.answer() == ["e-[Command 'db load' must be >0 bytes]"]
        assert lap_times(port.answer()) == [26 * instructions * 1_000_000 // CLOCK_HZ]
        assert port.answer() == ["m-name-dut-[stm32l4r5zi-emulated]"]


@needs_terminals
@needs_models
def test_ad_is_quantised_and_compared_as_the_reference_network_does() -> None:
    path = SHARED_MODELS / "ad01_int8.tflite"
    given = np.random.default_rng(11).normal(-40.0, 25.0, 640).astype(np.float32)
    host = HostInterpreter(path.read_bytes())
    (taken,) = (item["quantization_parameters"] for item in host.inputs)
    scaled = given / np.float32(taken["scales"][0])
    away = np.trunc(scaled + np.copysign(np.float64(0.5), scaled))
    quantised = np.clip(away + taken["zero_points"][0], -128, 127).astype(np.int8).reshape(1, 640)
    with board(path) as (device, port):
        output = device.model.tensors[device.model.outputs[0]]
        real = (host.run([quantised])[0].astype(np.float64) - output.zero_points[0]) * output.scales[0]
        assert port.send("profile")[1] == "m-model-[ad01]"
        port.load(given.tobytes())
        (error,) = results(port.send("infer 1 0"))
        assert error == pytest.approx(float(np.mean((real.ravel() - given) ** 2)), rel=1e-5)


@needs_terminals
def test_the_command_serves_any_network_and_prints_where() -> None:
    data = random.Random(9).randbytes(64)
    expected = HostInterpreter(DIGITS.read_bytes()).run([np.frombuffer(data, np.int8).reshape(1, 8, 8, 1)])[0]
    instructions = instructions_of(DIGITS, data)
    command = [sys.executable, "-m", "harness", "serve", str(DIGITS), "--platform", PLATFORM, "--kernels", "cmsis-nn"]
    with subprocess.Popen(
        [*command, "--protocol", "mlperf-tiny", "--model-id", "digits"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            found = re.search(r" at (/dev/\S+);", said)
            assert found, said + server.communicate(timeout=30)[1]
            assert "model digits; lap times are executed instructions" in server.stdout.readline()
            for _ in range(2):  # clients come and go
                with Port(found[1]) as port:
                    port.write(b"%")
                    while port.answer() != ["e-[Unknown command: ]"]:
                        pass
                    assert port.send("profile")[1] == "m-model-[digits]"
                    port.load(data)
                    lines = port.send("infer 300 0")
                    assert_within_a_microsecond(lines, 300, instructions)
                    assert results(lines) == [round((int(value) + 128) / 256, 3) for value in expected.ravel()]
        finally:
            server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert server.returncode == 128 + signal.SIGINT
