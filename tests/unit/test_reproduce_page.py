"""The page: complete, the same each time, and honest about what is missing or does not agree."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pandas
import pytest
from reproduce_frames import proportional

from harness.errors import EXIT_NOT_MEASURED, EXIT_PASS, EXIT_VERDICT_NO, HarnessError
from harness.report import plots_page
from harness.reproduce import compare, measured, plots, reproduction, sawtooth
from harness.reproduce.emulated import Emulated
from harness.reproduce.reproduction import Reproduction

PICTURES = ("fig2", "fig2-shares", "fig3", "fig4", "fig5", "fig8", "fig9", "ranks")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds, and these tests are of the text."""
    monkeypatch.setattr(plots, "draw", lambda _joined: {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    return Path(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def made(folder: Path) -> Reproduction:
    return reproduction.report(measured.load(), proportional(), quick=False, folder=folder)


def test_the_page_and_everything_that_it_shows_are_written(made: Reproduction, folder: Path) -> None:
    text = made.page.read_text()
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["README.md", "lines.csv", *(f"{name}.svg" for name in PICTURES)]
    )
    assert sorted(re.findall(r"!\[[^]]+\]\((\S+)\)", text)) == sorted(f"{name}.svg" for name in PICTURES)
    for word in ("nan", "<NA>", "None", "{", "}"):
        assert not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text), word


def test_every_table_of_the_page_is_a_table(made: Reproduction) -> None:
    """As many cells in each row as in its head, and an empty line before and after."""
    width, before = 0, ""
    for line in made.page.read_text().splitlines():
        cells = line.count("|") - 1
        if line.startswith("|"):
            assert width in (0, cells), line
            assert width or not before, line
            width = cells
        else:
            assert not width or not line, line
            width = 0
        before = line


def test_counts_in_proportion_pass(made: Reproduction) -> None:
    assert made.exit_code == EXIT_PASS
    assert dict(made.ranks) == {"reference": pytest.approx(1), "cmsis-nn": pytest.approx(1)}
    text = made.page.read_text()
    assert "Every line is reproduced." in text
    assert "harness reproduce heim2021`" in text
    assert "--quick" not in text


def test_lines_are_all_in_the_table_for_programs(made: Reproduction, folder: Path) -> None:
    with (folder / "lines.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(made.lines)
    (row,) = (row for row in rows if row["case"] == "F7 int8 FPU -Os" and row["effect"] == "CMSIS-NN")
    assert float(row["measured"]) == pytest.approx(45.2201 / 9.4109, rel=1e-5)
    assert row["reproduced"] == "yes"


@pytest.mark.usefixtures("no_pictures")
def test_the_same_numbers_make_the_same_files(made: Reproduction, folder: Path, tmp_path: Path) -> None:
    reproduction.report(measured.load(), proportional(), quick=False, folder=tmp_path)
    for name in ("README.md", "lines.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
    joined = compare.join(measured.load(), proportional())
    (figure,) = (figure for figure in sawtooth.FIGURES if figure.name == "fig. 5")
    with plots_page.style():
        assert plots_page.save(plots.widths(joined, figure), "svg") == (folder / "fig5.svg").read_bytes()


@pytest.mark.usefixtures("no_pictures")
def test_what_does_not_agree_is_named(tmp_path: Path) -> None:
    points, layers = proportional()
    fast = (points["network"] == "lenet") & (points["optimisation"] == "-Ofast")
    points.loc[fast, "instructions"] = points.loc[fast, "instructions"] * 5
    found = reproduction.report(measured.load(), Emulated(points=points, layers=layers), quick=True, folder=tmp_path)
    assert found.exit_code == EXIT_VERDICT_NO
    text = found.page.read_text()
    assert "24 of 111 lines are not reproduced" in text
    assert "| -Ofast over -Os | L4 float32 reference no FPU |" in text
    assert "made with --quick" in text


@pytest.mark.usefixtures("no_pictures")
def test_what_failed_is_named_with_its_reason(tmp_path: Path) -> None:
    points, layers = proportional()
    lost = (points["network"] == "heim-conv") & (points["width"] == 100) & (points["kernels"] == "reference")
    points.loc[lost, ["instructions", "output_exact"]] = pandas.NA
    points.loc[lost, "state"], points.loc[lost, "reason"] = "not measured", "the emulator ran out of time"
    gone = (layers["network"] == "heim-conv") & (layers["width"] == 100) & (layers["kernels"] == "reference")
    found = reproduction.report(
        measured.load(), Emulated(points=points, layers=layers[~gone]), quick=False, folder=tmp_path
    )
    assert found.exit_code == EXIT_NOT_MEASURED
    assert found.missing == 14
    text = found.page.read_text()
    assert "**2 of them have no counts**, so 14 measured rows stand without:" in text
    assert "- 2 not measured: the emulator ran out of time (the first: heim-conv stm32l496zg reference -Ofast)" in text
    assert not re.search(r"\bnan\b|<NA>", text)


@pytest.mark.usefixtures("no_pictures")
def test_outputs_that_are_not_exact_are_counted(tmp_path: Path) -> None:
    points, layers = proportional()
    points.loc[(points["type"] == "float32") & (points["optimisation"] == "-Ofast"), "output_exact"] = False
    found = reproduction.report(measured.load(), Emulated(points=points, layers=layers), quick=False, folder=tmp_path)
    assert found.exit_code == EXIT_PASS
    assert "| float32 | reference | -Ofast | 6 | 0 of 6 |" in found.page.read_text()


@pytest.mark.usefixtures("no_pictures")
def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match="cannot write"):
        reproduction.report(measured.load(), proportional(), quick=False, folder=tmp_path / "file" / "page")
