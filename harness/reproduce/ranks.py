"""Do more instructions mean more time? Rank correlation, and instructions per microsecond."""

from __future__ import annotations

from typing import Any

EVERY = "all layers"


def spearman(first: Any, second: Any) -> float | None:
    """Spearman's rank correlation of two pandas columns, equal values sharing the mean of their ranks.

    Rows where one is missing are left out. None with fewer than three rows, or where a column does not vary.
    """
    known = first.notna() & second.notna()
    left, right = (column[known].astype(float).rank() for column in (first, second))
    if known.sum() < 3 or left.nunique() < 2 or right.nunique() < 2:
        return None
    left, right = left - left.mean(), right - right.mean()
    return float((left * right).sum() / ((left**2).sum() * (right**2).sum()) ** 0.5)


def by_operator(layers: Any) -> Any:
    """Per kernel set, for all layers and for each operator: rows, rank correlation, instructions per microsecond.

    Rows that are marked ``wrapped`` take no part. Columns: kernels, op, layers, spearman, and low, median, high of
    emulated instructions per measured microsecond (5th, 50th, 95th percentile).
    """
    import pandas

    made = []
    kept = layers[~layers["wrapped"]]
    for kernels in ("reference", "cmsis-nn"):
        mine = kept[kept["kernels"] == kernels]
        for op in (EVERY, *sorted(mine["op"].unique())):
            rows = mine if op == EVERY else mine[mine["op"] == op]
            rate = rows["instructions_per_us"].astype(float).dropna()
            low, middle, high = rate.quantile([0.05, 0.5, 0.95])
            made.append(
                {
                    "kernels": kernels,
                    "op": op,
                    "layers": len(rate),
                    "spearman": spearman(rows["instructions"], rows["latency_us"]),
                    "low": low,
                    "median": middle,
                    "high": high,
                }
            )
    return pandas.DataFrame(made)
