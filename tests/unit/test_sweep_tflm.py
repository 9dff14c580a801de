"""A TFLM of the user's own as an axis of a sweep."""

from __future__ import annotations

from pathlib import Path

import library_maker
import msgspec
import pytest

from harness.errors import BadInputError, HarnessError
from harness.sweep import expand, measure
from harness.sweep import file as sweep_file
from harness.sweep.measure import Task
from harness.sweep.plan import Plan
from tests.conftest import DIGITS


@pytest.fixture
def folder(tmp_path: Path, private_cache: Path) -> Path:
    """A folder with a library."""
    library_maker.archive(tmp_path / "tflm.a", library_maker.JULY_2020)
    return tmp_path


def written(folder: Path, libraries: str, more: str = "") -> Path:
    path = folder / "sweep.toml"
    path.write_text(
        f'name = "libraries"\n[axes]\nmodels = ["{DIGITS}"]\nplatforms = ["mps2-an386"]\n'
        f'kernels = ["reference", "cmsis-nn"]\ntflm_libraries = [\n{libraries}\n]\n{more}'
    )
    return path


def own(name: str = "own", **changes: str) -> str:
    include = ", ".join(f'"{item}"' for item in library_maker.packaged_include())
    values = {"lib": '"tflm.a"', "include": f"[{include}]", **changes}
    return f'{{ name = "{name}", {", ".join(f"{key} = {value}" for key, value in values.items())} }},'


def plan(path: Path) -> Plan:
    return expand.expand(sweep_file.load(path))


def test_a_library_is_a_point_with_the_kernels_that_it_holds(folder: Path) -> None:
    found = plan(written(folder, own() + '{ name = "packaged" },'))
    assert [point.choice.label for point in found.points] == [
        "digits.tflite mps2-an386 reference -O2 own",
        "digits.tflite mps2-an386 reference -O2",
        "digits.tflite mps2-an386 cmsis-nn -O2",
    ]
    assert len({point.identity for point in found.points}) == 3
    assert [point.failure for point in found.points] == [None] * 3


def test_filters_take_the_names_of_libraries(folder: Path) -> None:
    found = plan(written(folder, own() + '{ name = "packaged" },', '[[exclude]]\ntflm_libraries = ["packaged"]\n'))
    assert [point.choice.tflm and point.choice.tflm.name for point in found.points] == ["own"]


def test_a_library_that_does_not_fit_the_platform_is_a_point_that_is_impossible(folder: Path) -> None:
    library_maker.archive(folder / "soft.a", library_maker.JULY_2020, library_maker.M4_SOFT)
    found = plan(written(folder, own() + own("soft", lib='"soft.a"')))
    failures = [point.failure for point in found.points]
    assert failures[0] is None
    assert failures[1] is not None
    assert failures[1].kind == "impossible"
    assert "soft-float" in failures[1].message


def test_a_point_whose_library_was_changed_meanwhile_is_not_measured(folder: Path) -> None:
    point = plan(written(folder, own())).points[0]
    task = Task(identity=point.identity or "", choice=point.choice, time_limit_s=1, command=())
    measure.require_unchanged(task)
    library_maker.archive(folder / "tflm.a", (*library_maker.JULY_2020, "int more() { return 0; }"))
    with pytest.raises(HarnessError, match="is not what it was"):
        measure.require_unchanged(task)


def test_another_header_makes_another_point(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plan(written(folder, own())).points[0]
    (folder / "before" / "tensorflow" / "lite" / "micro").mkdir(parents=True)
    header = Path(library_maker.packaged_include()[0]) / "tensorflow/lite/micro/debug_log.h"
    (folder / "before/tensorflow/lite/micro/debug_log.h").write_text(header.read_text() + "\n// changed\n")
    include = ", ".join(f'"{item}"' for item in ("before", *library_maker.packaged_include()))
    second = plan(written(folder, own(include=f"[{include}]"))).points[0]
    assert first.identity != second.identity


@pytest.mark.parametrize(
    ("libraries", "said"),
    [
        ('{ name = "own", lib = "none.a" },', r"axes.tflm_libraries\[0\].lib: there is no file 'none.a'"),
        ('{ name = "own", lib = "tflm.a", include = ["none"] },', r"\[0\].include: there is no folder 'none'"),
        ('{ name = "own", include = ["."] },', r"\[0\].lib: is missing"),
        ('{ name = "a" }, { name = "a" },', r"\[1\].name: 'a' is there twice"),
        ('{ name = "own", lib = "sweep.toml" },', r"\[0\].lib: .*not a static library"),
        ('{ name = "own", library = "tflm.a" },', "unknown"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_by_its_key(folder: Path, libraries: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        plan(written(folder, libraries))


def test_plans_with_libraries_survive_being_stored(folder: Path) -> None:
    found = plan(written(folder, own()))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Plan) == found
