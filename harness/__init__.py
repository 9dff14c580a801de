"""tflm-harness: instruction-accurate counts, memory and correctness of TFLM networks on emulated Cortex-M.

from harness import run
result = run("kws.tflite", "stm32l496zg", kernels="cmsis-nn")
print(result.counts.total, result.verdict.passed)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.pipeline import run
    from harness.result import Result
    from harness.sweep.tables import results

__all__ = ["Result", "results", "run"]


def __getattr__(name: str) -> Any:
    """Import on first use: the command's help must not wait for NumPy."""
    if name == "run":
        from harness.pipeline import run

        return run
    if name == "results":
        from harness.sweep.tables import results

        return results
    if name == "Result":
        from harness.result import Result

        return Result
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
