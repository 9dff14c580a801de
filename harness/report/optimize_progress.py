"""A search on standard error: a line for each batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from rich.text import Text

from harness.optimize import choose
from harness.optimize.records import TrialRecord
from harness.optimize.scenario import Scenario
from harness.report.tables import console
from harness.sweep.metrics import METRICS


class Trials:
    """Says after each batch how many trials there are, how many meet every budget, and the best; an ``OnBatch``."""

    def __init__(self, quiet: bool, scenario: Scenario, trials: int | None) -> None:
        self._console = console(stderr=True)
        self._quiet, self._scenario = quiet, scenario
        self._total = trials or scenario.file.search.trials
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        pass

    def __call__(self, batch: Sequence[TrialRecord], records: Sequence[TrialRecord]) -> None:
        """Called with the batch that has ended and all trials so far."""
        if self._quiet:
            return
        met = choose.ranked(self._scenario, choose.met(records))
        words = f"{len(records)} of {self._total} trials, {len(met)} met every budget"
        if met:
            words += f"; best: {self._best(met[0])}"
        self._console.print(Text(f"{time.monotonic() - self._started:5.0f} s  {words}"), soft_wrap=True)

    def _best(self, record: TrialRecord) -> str:
        pairs = zip(self._scenario.file.objectives, record.objectives, strict=True)
        values = [f"{name} {METRICS[name].text(value)}" for name, value in pairs if value is not None]
        return f"{', '.join(values)} (trial {record.number})"
