"""The error of carrying a calibration to another compiler and library: measured on rows that both builds have."""

from __future__ import annotations

import math

import calibration_maker
import msgspec
import pytest
from test_calibration_use import BUILD, OTHER
from test_energy_estimate import run

from harness.calibrate import calibration, heldout, inputs, use
from harness.calibrate.calibration import Carried
from harness.calibrate.heldout import Bounds
from harness.calibrate.samples import Sample

pytest.importorskip("scipy")


def slower(samples: list[Sample], factor: float) -> list[Sample]:
    """The same measurements with features of a build that executes more."""
    return [
        msgspec.structs.replace(item, columns={name: factor * value for name, value in item.columns.items()})
        for item in samples
    ]


def test_fits_are_carried_to_the_other_build() -> None:
    samples = calibration_maker.board()
    held = heldout.left_out(samples, slower(samples, 1.5))
    assert [item.error for item in held] == pytest.approx([0.5] * len(held))
    assert [item.architecture_error for item in held] == pytest.approx([0.5] * len(held))
    found = heldout.interval(held, "network")
    assert found is not None and found.low <= 1 / 1.5 + 1e-9


def test_only_networks_of_the_other_build_are_told() -> None:
    samples = calibration_maker.board()
    some = [item for item in slower(samples, 2.0) if item.network in ("net-1", "net-2")]
    assert {item.network for item in heldout.left_out(samples, some)} == {"net-1", "net-2"}


def carried(to: str) -> use.Given:
    """A calibration of another compiler's build, whose error of carrying to ``to`` is known."""
    made = calibration_maker.known(OTHER, {"instructions": 1e6})
    measured = Carried(
        compiler=to, library=OTHER.library, without_network=None, bounds=Bounds(low=0.5, high=1.6, method="made up")
    )
    family = msgspec.structs.replace(made.families[0], carried=measured)
    return use.Given(file="b.json", calibration=msgspec.structs.replace(made, families=(family,)), carry=True)


def test_a_carried_estimate_has_the_measured_bounds() -> None:
    found = use.estimate(run(), carried(BUILD.compiler))
    assert (found.cycles.value, found.cycles.low, found.cycles.high) == (3_000_000, 1_500_000, 4_800_000)
    assert "by builds with this compiler and library" in found.basis and found.tier.endswith("carried to another build")


def test_bounds_are_not_carried_to_a_third_compiler() -> None:
    found = use.estimate(run(), carried("gcc 99"))
    assert (found.cycles.low, found.cycles.high) == (None, None)
    assert found.basis.startswith("no interval")


def test_public_calibrations_say_how_far_they_are_carried() -> None:
    given = inputs.gather(["public"], "stm32l4r5zi")
    (family,) = calibration.calibrate(given.pairs, given.data_sha256, given.other)
    assert family.carried is not None and family.carried.compiler != family.features_compiler
    assert family.carried.without_network is not None and family.carried.without_network.networks == 2
    assert family.carried.bounds is None  # two networks are too few
    assert family.tier.endswith(f"features of a stand-in build by {family.features_compiler}")
    (alone,) = calibration.calibrate(given.pairs, given.data_sha256)
    assert alone.carried is None
    assert not math.isclose(family.carried.without_network.mean, family.without_network.mean)  # type: ignore[union-attr]
