"""A study explained, and a search beside its baselines: on scikit-learn's digits, emulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import store
from harness.errors import BadInputError
from harness.optimize import ablate, baselines
from harness.optimize.explain import explain
from harness.optimize.run import Outcome, run
from harness.optimize.scenario import Scenario, load
from harness.zoo import convert
from tests.emulation.optimize_maker import DENSE, own_place

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")
pytest.importorskip("optuna", reason="Optuna is not installed")

EASY = 'flash = "96 KiB"\naccuracy = 0.2'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache and results of this module's own; built libraries are those of the user's cache."""
    folder = tmp_path_factory.mktemp("explain")
    with own_place(folder) as patch:
        patch.setattr(ablate, "OPTIMISATIONS", ("-O2",))  # other levels' libraries take minutes to build
        patch.setattr(ablate, "_REACH", 1)
        yield folder


def written(place: Path, name: str, budgets: str = EASY, space: str = "") -> Scenario:
    path = place / f"{name}.toml"
    path.write_text(DENSE.format(budgets=budgets, space=space))
    return load(path)


@pytest.fixture(scope="module")
def study(place: Path) -> Outcome:
    return run(written(place, "small"), place / "study", jobs=1, finals=True)


def test_the_pick_is_explained_by_layers_and_by_single_changes(study: Outcome) -> None:
    found = explain(study.folder, jobs=1)
    pick = study.result.pick
    assert pick is not None and (found.around and found.around.trial) == pick.trial
    assert [side.role for side in found.sides] == ["pick", "runner-up"]
    (pair,) = found.pairs
    ours = pick.measurements[0].row.measured
    theirs = study.records[1 - pick.trial].measurements[0].row.measured
    assert ours is not None and theirs is not None and pair.chosen == {"channels": ("9", "6")}
    assert (
        sum(layer.after or 0 for layer in pair.compared.layers) + pair.compared.overhead.after
        == (study.records[pick.trial].measurements[0].row.measured or ours).instructions
    )
    by_kind = {item.words: item for item in found.ablations}
    assert {"channels 6 to 5", "channels 6 to 7", "kernels cmsis-nn to reference", "type int8 to float32"} <= set(
        by_kind
    )
    assert (by_kind["channels 6 to 7"].effect or 0) > 0 > (by_kind["channels 6 to 5"].effect or 0)
    effects = [abs(item.effect or 0) for item in found.ablations]
    assert effects == sorted(effects, reverse=True)
    assert found.binding is not None and found.binding.key in ("flash", "accuracy", "ram")


def test_a_run_that_is_gone_is_measured_again_and_must_come_out_the_same(study: Outcome) -> None:
    row = study.records[0].measurements[0].row
    assert row.run_id is not None
    store.runs_folder().joinpath(row.run_id, "result.json").rename(store.runs_folder() / "elsewhere.json")
    found = explain(study.folder, ("0", "1"), jobs=1)
    assert len(found.pairs) == 1 and found.ablations == ()
    assert store.load(row.run_id).counts.total == (row.measured and row.measured.instructions)


@pytest.mark.parametrize("which", [("0", "7"), ("0", "0"), ("pick", "x")])
def test_trials_that_there_are_not_are_refused(study: Outcome, which: tuple[str, str]) -> None:
    with pytest.raises(BadInputError, match=r"no trial of the study|the same trial"):
        explain(study.folder, which, jobs=1)


def test_searches_side_by_side_share_what_they_measure(place: Path, study: Outcome) -> None:
    scenario = written(place, "rivals")
    compared = baselines.compare(scenario, trials=2, seeds=(5,), folder=place / "rivals", jobs=1)
    found = compared.comparison
    assert [item.method for item in found.searches] == ["tpe", "random", "macs"]
    tpe, random, macs = found.searches
    assert (tpe.work.measured, random.work.measured) == (0, 0)  # the study has measured all of the space
    assert [best.trial for best in tpe.course] == [best.trial for best in random.course]
    tried = [point.record for point in compared.points if point.method == "macs"]
    assert macs.pick is not None and macs.pick.test is not None
    assert macs.pick.macs == min(record.macs or 0 for record in tried if (record.accuracy or 0) >= 0.2)
    again = baselines.compare(scenario, trials=2, seeds=(5,), folder=place / "rivals", jobs=1)
    assert again.comparison == found
