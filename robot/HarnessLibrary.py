"""Keywords over the Python API of tflm-harness: one keyword, one call."""

from __future__ import annotations

from harness_keywords.checking import Checking
from harness_keywords.choosing import Choosing
from harness_keywords.failing import Failing
from harness_keywords.measuring import Measuring
from robot.api.deco import library


@library(scope="SUITE", version="1.0", auto_keywords=False)
class HarnessLibrary(Measuring, Failing, Choosing, Checking):
    """Measures networks on emulated microcontrollers, and checks what was measured.

    = Measuring =

    `Run Model`, `Run Model On Both Emulators`, `Repeat Model`, `Measure Accuracy`, `Run In Real Time` and
    `Ramp Up The Rate` build firmware, run it and return a record of the Python API as it is, so that
    ``${result.counts.total}``, ``${result.layers[0].instructions}`` or ``${result.memory.arena}`` are its numbers.

    Options of all of them: ``kernels`` is ``reference`` or ``cmsis-nn``, ``optimisation`` ``-Os``, ``-O2``, ``-O3`` or
    ``-Ofast``, ``emulator`` ``qemu`` or ``renode``, ``time_limit_s`` the limit of each start of the emulator in
    seconds of the host.

    = Checking =

    Keywords that begin with ``Should`` or contain it fail with the actual value, the limit and the unit. With the
    failure the log gets the table of the layers of each run that the test made, and links to what the firmware and the
    emulator printed, which are copied beside ``log.html``.
    """
