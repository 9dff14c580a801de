"""Firmware that goes wrong: each way ends in one clear error, never in a hang."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import image, pipeline, run
from harness.errors import EmulationError, HarnessError
from tests.conftest import DIGITS

# What the application does instead of profiling, as the body of a C function.
UNDEFINED = '__asm__ volatile("udf #0"); return 0;'
BUS_ERROR = "return *(volatile int *)0x70000000;"
JUMP_WITHOUT_THUMB = '__asm__ volatile("movs r0, #0\\n bx r0"); return 0;'
OVERFLOW = "return recurse(1);"
ENDLESS = 'for (;;) __asm__ volatile("");'
HALTED = 'DebugLog("HALTED\\n"); for (;;) __asm__ volatile("");'
SILENT = "return 1;"
GARBAGE = 'hal_write("@bogus a=b\\n", 11); return 0;'
# No vector table where the core looks for it.
LOCKUP = '*(volatile unsigned *)0xe000ed08u = 0x70000000u; __asm__ volatile("udf #0"); return 0;'
RESET = '*(volatile unsigned *)0xe000ed0cu = 0x05fa0004u; for (;;) __asm__ volatile("");'

HELPERS = """
#include <stddef.h>
void hal_write(const char *bytes, size_t size);
void harness_mark(void);
extern void DebugLog(const char *text);
int recurse(int depth);
int recurse(int depth) {
  volatile char room[512];
  room[0] = (char)depth;
  return recurse(depth + 1) + room[0];
}
"""


@pytest.fixture
def firmware(monkeypatch: pytest.MonkeyPatch, results: Path) -> Callable[[str], None]:
    """A function that makes the profiling application do something else."""
    render = image._render_image_c

    def replace(body: str) -> None:
        # Images are cached by the application's name, so that it must tell one body from another.
        name = f"app_{zlib.crc32((HELPERS + body).encode()):08x}"

        def rendered(spec: image.Spec) -> str:
            source = render(spec)
            if spec.app != name:
                return source
            return f"{HELPERS}int {name}(void);\nint {name}(void) {{ harness_mark(); {body} }}\n{source}"

        monkeypatch.setattr(image, "_render_image_c", rendered)
        monkeypatch.setattr(image, "APP_PROFILE", name)

    return replace


CASES = {
    "undefined instruction": (UNDEFINED, r"the firmware failed: HardFault \(undefined instruction\) at PC 0x"),
    "bus error": (BUS_ERROR, r"HardFault \(bus error on a data access, address 0x70000000\)"),
    "jump without Thumb": (JUMP_WITHOUT_THUMB, r"invalid state \(a jump to an address without the Thumb bit\)"),
    "stack overflow": (OVERFLOW, r"stack overflow"),
    "HALTED": (HALTED, "TFLM stopped with HALTED"),
    "status without a word": (SILENT, "it ended without a word"),
    "garbage": (GARBAGE, "the firmware printed what it should not: unknown word in line '@bogus a=b'"),
    "lockup": (LOCKUP, "QEMU died on mps2-an386"),
    "reset": (RESET, "the firmware reset the machine"),
}


@pytest.mark.parametrize("case", CASES)
def test_is_named(case: str, firmware: Callable[[str], None], results: Path) -> None:
    body, message = CASES[case]
    firmware(body)
    with pytest.raises(EmulationError, match=message) as caught:
        run(DIGITS, "stm32l496zg", time_limit_s=10)
    assert caught.value.exit_code == 3
    assert not results.exists()


@pytest.mark.parametrize(
    ("platform", "body", "message"),
    [
        ("rp2040", UNDEFINED, "HardFault"),
        ("microbit", BUS_ERROR, "HardFault"),
        ("stm32u575", UNDEFINED, "undefined instruction"),
        ("stm32u575", OVERFLOW, "stack overflow"),
        ("mps3-an547", OVERFLOW, "stack overflow"),
        ("microbit", OVERFLOW, "stack overflow|QEMU died on microbit: Lockup"),
    ],
)
def test_is_named_on_other_cores(
    platform: str, body: str, message: str, firmware: Callable[[str], None], results: Path
) -> None:
    firmware(body)
    with pytest.raises(EmulationError, match=message):
        run(DIGITS, platform, time_limit_s=10)


def test_endless_loop_runs_into_the_time_limit(firmware: Callable[[str], None], results: Path) -> None:
    firmware(ENDLESS)
    with pytest.raises(HarnessError, match="did not end within 1 s on mps2-an386") as caught:
        run(DIGITS, "stm32l496zg", time_limit_s=1)
    assert caught.value.exit_code == 3


def test_counts_that_do_not_close_are_refused(monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    import msgspec

    from harness.emulators import BACKENDS
    from harness.records import Job, Trace

    real = BACKENDS["qemu"]

    class OneSegmentLess:
        def run(self, job: Job) -> Trace:
            trace = real.run(job)
            return msgspec.structs.replace(trace, segments=trace.segments[:-1])

    monkeypatch.setitem(BACKENDS, "qemu", OneSegmentLess())
    with pytest.raises(HarnessError, match=r"32 segments counted, expected 33 for 10 operators"):
        pipeline.run(DIGITS, "stm32l496zg")
    assert not results.exists()
