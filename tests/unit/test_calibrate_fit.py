"""Fits, errors on networks left out and intervals, on boards whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import calibration_maker
import msgspec
import pytest

from harness.calibrate import fit, heldout
from harness.calibrate.heldout import HeldOut
from harness.calibrate.samples import Sample
from harness.errors import BadInputError

pytest.importorskip("scipy")


def test_known_coefficients_are_found() -> None:
    samples = calibration_maker.board()
    found = fit.fit_chosen(samples)
    assert found.coefficients == pytest.approx(calibration_maker.TRUTH)
    assert all(found.cycles(sample) == pytest.approx(sample.cycles) for sample in samples)


def test_more_coefficients_have_to_pay() -> None:
    # All that the board does is in one column: the noise is no reason for a second one.
    samples = calibration_maker.board(truth={"estimate": 1.7}, noise=0.05)
    assert fit.chosen(samples) == ("estimate",)


def test_no_coefficient_is_negative() -> None:
    # Data lines that save time cannot be: the best that is left is none of it.
    samples = calibration_maker.board(truth={"core cycles": 2.0, "data lines": -10.0})
    found = fit.fit(samples, ("core cycles", "data lines"))
    assert found.coefficients["data lines"] == 0
    assert 1.5 < found.coefficients["core cycles"] < 2


@pytest.mark.parametrize(("count", "most"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (12, 4)])
def test_few_networks_carry_few_coefficients(count: int, most: int) -> None:
    found = fit.candidates(calibration_maker.board(count))
    assert max(len(names) for names in found) == most <= fit.MOST_COEFFICIENTS


def test_short_layers_weigh_little() -> None:
    samples = calibration_maker.board(truth={"estimate": 1.5})
    short = msgspec.structs.replace(samples[0], columns={**samples[0].columns, "estimate": 10.0}, cycles=30.0)
    found = fit.fit([*samples[1:], short], ("estimate",))
    assert found.coefficients["estimate"] == pytest.approx(1.5, rel=1e-3)


def test_nothing_to_fit_is_said() -> None:
    with pytest.raises(BadInputError, match="no measured row has features"):
        fit.fit([], ("estimate",))
    samples = calibration_maker.board(truth={"estimate": 1.0})
    none = [msgspec.structs.replace(item, columns=dict.fromkeys(item.columns, 0.0)) for item in samples]
    with pytest.raises(BadInputError, match="data lines is 0 in every row"):
        fit.fit(none, ("data lines",))


def _planted(samples: Sequence[Sample], factor: float, network: str | None = None) -> list[Sample]:
    return [
        msgspec.structs.replace(item, cycles=item.cycles * factor) if network in (None, item.network) else item
        for item in samples
    ]


def test_a_board_slower_by_a_fifth_moves_every_coefficient_by_a_fifth() -> None:
    samples = calibration_maker.board()
    found = fit.fit_chosen(_planted(samples, 1.2)).coefficients
    assert found == pytest.approx({name: 1.2 * value for name, value in calibration_maker.TRUTH.items()})


def test_a_network_slower_by_a_fifth_shows_in_its_residual_and_moves_the_fit() -> None:
    samples = calibration_maker.board(noise=0.01)
    planted = _planted(samples, 1.2, "net-4")
    before, after = fit.fit_chosen(samples), fit.fit_chosen(planted)
    moved = sum(map(after.cycles, samples)) / sum(map(before.cycles, samples)) - 1
    assert 0.005 < moved < 0.05  # a twelfth of the networks moved by a fifth
    errors = {item.network: item.error for item in heldout.left_out(planted)}
    assert errors["net-4"] == pytest.approx(1 / 1.2 - 1, abs=0.02)
    assert all(abs(error or 1) < 0.06 for network, error in errors.items() if network != "net-4")
    residuals = {
        item.network: after.cycles(item) / item.cycles - 1 for item in planted if item.network in ("net-4", "net-5")
    }
    assert residuals["net-4"] < -0.1 < residuals["net-5"]


def test_what_is_left_out_does_not_take_part() -> None:
    samples = calibration_maker.board(truth={"estimate": 1.0})
    planted = [
        msgspec.structs.replace(item, cycles=3 * item.cycles) if item.architecture == "kind-1" else item
        for item in samples
    ]
    for item in heldout.left_out(planted):
        if item.architecture == "kind-1":  # nothing like it was seen
            assert item.architecture_error == pytest.approx(1 / 3 - 1, abs=1e-6)
            assert item.error is not None and item.error > -0.65  # its like was seen


def test_a_single_network_has_no_error_and_no_interval() -> None:
    held = heldout.left_out(calibration_maker.board(1))
    assert [item.error for item in held] == [None]
    assert heldout.interval(held, heldout.basis(held)) is None
    assert heldout.covered(held[0], held) is None
    assert heldout.summary([item.error for item in held]) is None


def _held(errors: Sequence[float]) -> list[HeldOut]:
    return [
        HeldOut(
            network=f"net-{number}",
            architecture=f"kind-{number}",
            measured=100 * math.exp(error),
            without_network=100.0,
            without_architecture=100.0,
        )
        for number, error in enumerate(errors)
    ]


def test_the_conformal_interval_is_the_error_of_its_rank() -> None:
    # Of 19 errors the one of rank ceil(0.9 x 20) = 18.
    held = _held([(-1) ** number * number / 100 for number in range(1, 20)])
    found = heldout.interval(held, "architecture")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((math.exp(-0.18), math.exp(0.18)))
    assert found.method == "conformal, 19 architectures, each predicted by the others"


def test_few_errors_are_taken_for_normal() -> None:
    # Mean 0, standard deviation 0.1; t(0.95, 2) = 2.920; sqrt(1 + 1/3) = 1.1547.
    found = heldout.interval(_held([-0.1, 0.0, 0.1]), "network")
    assert found is not None
    assert math.log(found.high) == pytest.approx(0.1 * 2.920 * 1.1547, rel=1e-3)
    assert heldout.interval(_held([-0.1, 0.1]), "network") is None


def test_an_architecture_counts_once() -> None:
    # Two errors of 0.1 and one of each 0 and -0.1: three architectures with means 0.1, 0 and -0.1.
    held = _held([0.1, 0.1, 0.0, -0.1])
    held[1] = msgspec.structs.replace(held[1], architecture="kind-0")
    found = heldout.interval(held, "architecture")
    assert found == heldout.interval(_held([0.1, 0.0, -0.1]), "architecture")
    many = _held([number / 100 for number in range(19)])
    same = [msgspec.structs.replace(many[-1], network=f"again-{number}") for number in range(50)]
    assert heldout.interval([*many, *same], "architecture") == heldout.interval(many, "architecture")
    assert heldout.interval([*many, *same], "network") != heldout.interval(many, "network")


def test_intervals_hold_about_nine_of_ten_networks() -> None:
    inside = total = 0
    for seed in range(6):
        held = heldout.left_out(calibration_maker.board(18, noise=0.3, seed=seed))
        found = [heldout.covered(item, held) for item in held]
        inside += sum(item is True for item in found)
        total += len(found)
    assert 0.8 < inside / total <= 1


def test_an_interval_may_fail() -> None:
    held = _held([0.0, 0.01, -0.01, 0.02, -0.02, 0.0, 0.01, -0.01, 0.02, 0.5])
    assert [heldout.covered(item, held) for item in held] == [True] * 9 + [False]
