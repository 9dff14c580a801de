"""Power traces whose energy is known."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np


class Made(NamedTuple):
    """A trace: seconds, amperes, volts, whether an inference runs."""

    time: np.ndarray
    current: np.ndarray
    volts: np.ndarray
    active: np.ndarray


IDLE_A, ACTIVE_A, SUPPLY_V = 1e-3, 15e-3, 3.0
DURATION_S, PERIOD_S = 0.020, 0.100
ENERGY_UJ = 1e6 * ACTIVE_A * SUPPLY_V * DURATION_S  # 900


def made(count: int = 10, rate: float = 10_000.0, noise_a: float = 0.0) -> Made:
    """``count`` inferences of 20 ms at 15 mA and 3 V, one each 100 ms, 1 mA between them."""
    time = np.arange(round(count * PERIOD_S * rate)) / rate
    # Edges lie between two samples, so that the energy is exact.
    active = ((time - 0.04 + 0.5 / rate) % PERIOD_S < DURATION_S) & (time > 0.03)
    current = np.where(active, ACTIVE_A, IDLE_A)
    current = current + np.random.default_rng(1).normal(0, noise_a, len(time)) if noise_a else current
    return Made(time, current, np.full(len(time), SUPPLY_V), active)


def plain(path: Path, trace: Made, header: str = "time_s,voltage_V,current_A", marker: bool = False) -> Path:
    rows = [f"{t:.7f},{v:.4f},{i:.9f}" + (f",{int(on)}" if marker else "") for t, i, v, on in zip(*trace, strict=True)]
    return written(path, header + (",marker" if marker else ""), rows)


def ppk2(path: Path, trace: Made, grouped: bool) -> Path:
    names = "D0-D7" if grouped else ",".join(f"D{bit}" for bit in range(8))
    rows = []
    for t, i, on in zip(trace.time, trace.current, trace.active, strict=True):
        bits = "01"[int(on)] + "0" * 7 if grouped else "0," + "01"[int(on)] + ",0" * 6
        rows.append(f"{1e3 * t:.4f},{1e6 * i:.3f},{bits}")
    return written(path, f"Timestamp(ms),Current(uA),{names}", rows)


def joulescope(path: Path, trace: Made) -> Path:
    rows = [f"{t:.6f},{i:g},{v:g}" for t, i, v in zip(trace.time, trace.current, trace.volts, strict=True)]
    return written(path, "#time (s),current (A),voltage (V)", rows)


def rocketlogger(path: Path, trace: Made, rate: int = 10_000, block: int = 1000) -> Path:
    """As the device writes it: one time a block, ranges of 10 pA and 1 nA, the low one clipped at 2 mA."""
    preamble = [
        "RocketLogger CSV File",
        "File Version,3",
        f"Block Size,{block}",
        f"Sample Rate,{rate}",
        "Comment,x",
        "",
    ]
    rows = []
    for at, (t, i, v, on) in enumerate(zip(*trace, strict=True)):
        time = f"{1.7e9 + t:.9f}" if at % block == 0 else ""
        low = round(min(i, 2e-3) * 1e11)
        rows.append(f"{time},{int(on)},0,{int(i < 2e-3)},{round(v * 1e8)},7,{low},{round(i * 1e9)}")
    header = ",DI1,DI2,I1L_valid,V1 [10nV],V2 [10nV],I1L [10pA],I1H [nA]"
    return written(path, "\n".join([*preamble, header]), rows)


def written(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path
