"""What a user's TFLM is compared with, and which differences are those of another release."""

from __future__ import annotations

import numpy as np
import pytest
import result_maker

from harness.user_library import reference


@pytest.mark.parametrize(
    ("largest", "scale", "rounding"),
    [
        (1.0, None, True),  # one step of an integer
        (2.0, None, False),
        (1e-6, 1.0, True),
        (1e-4, 1.0, False),
        (1e-4, 100.0, True),  # real numbers by the largest
        (None, 1.0, False),  # infinities or NaNs among them
    ],
)
def test_rounding_is_a_step_or_the_error_of_a_sum(largest: float | None, scale: float | None, rounding: bool) -> None:
    difference = result_maker.difference(largest=largest)
    assert reference.is_rounding(difference, scale) is rounding


@pytest.mark.parametrize(
    ("version", "date"),
    [("0.dev20261023182759", "2026-10-23"), ("0.dev20261399000000", None), ("1.2.3", None)],
)
def test_development_releases_have_a_date(version: str, date: str | None) -> None:
    assert reference.released(version) == date


def test_the_largest_magnitude_is_of_real_numbers_that_are_finite() -> None:
    values = np.array([1.5, -3.0, np.inf, np.nan], dtype=np.float32)
    assert reference.largest("float32", values.tobytes()) == 3.0
    assert reference.largest("int8", b"\x80") is None
