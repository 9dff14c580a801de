"""The command that exports: where files go, what is refused and how, what is left as it was."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import export_maker
import msgspec
import plots_maker
import pytest
import result_maker

from harness import baseline, cli, store
from harness.export import formats
from harness.export.made import stem
from harness.result import Result

RUN = result_maker.result().run_id
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def export(capfd: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["export", *(str(argument) for argument in arguments)])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    return call


def keep(folder: Path, *runs: Result) -> None:
    elf = folder / "elf"
    elf.write_bytes(b"")
    for run in runs:
        store.save(run, elf, "", ("harness", "run", "kws.tflite"))


@pytest.fixture(autouse=True)
def here(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, beside a stored run with an uncalibrated estimate and one with a calibrated."""
    monkeypatch.chdir(tmp_path)
    calibrated = msgspec.structs.replace(export_maker.calibrated(), run_id="timed-stm32l496zg")
    keep(tmp_path, result_maker.result(estimate=export_maker.estimate()), calibrated)
    plots_maker.store([plots_maker.Made("a|b.tflite"), plots_maker.Made(layers=None, model="x")], "swept")
    return tmp_path


def refused(outcome: tuple[int, str, str], code: int, *fragments: str) -> None:
    assert (outcome[0], outcome[1]) == (code, "")
    assert sum(line.startswith("error: ") for line in outcome[2].splitlines()) == 1
    for fragment in fragments:
        assert fragment in outcome[2]


# --- where files go --------------------------------------------------------------------------------------------------


def test_every_format_of_a_run(export: Call, results: Path) -> None:
    options = [text for name in formats.FORMATS for text in ("--format", name)]
    code, out, err = export("timed", *options)
    assert (code, err) == (0, "")
    written = sorted(path.name for path in (results / "exports").iterdir())
    assert [Path(line).name for line in sorted(out.split())] == written
    endings = {name.removeprefix("timed-stm32l496zg.") for name in written}
    assert {"speedscope.json", "folded.txt", "model-explorer.instructions.json", "netron.json", "trace.json",
            "layers.csv", "functions.csv", "layer-functions.csv", "md", "svg", "png"} <= endings  # fmt: skip


def test_one_file_where_one_is_named(export: Call, here: Path) -> None:
    assert export(RUN, "-f", "markdown", "-o", "deep/er/summary.md") == (0, "deep/er/summary.md\n", "")
    assert (here / "deep/er/summary.md").read_text().startswith("### PASS")
    assert export(RUN, "-f", "speedscope", "-o", "flame.graph")[0] == 0, "any ending that is no other format's"
    assert export(RUN, "-f", "png", "-o", "pictures")[1] == f"pictures/{RUN}.png\n", "without an ending: a folder"
    assert export(RUN, "-f", "svg", "-o", "pictures")[1] == f"pictures/{RUN}.svg\n"


def test_standard_output_has_the_file_and_nothing_else(export: Call, results: Path) -> None:
    code, out, err = export(RUN, "-f", "md", "-o", "-")
    assert (code, err) == (0, "") and out.startswith("### PASS: `kws.tflite`") and out.endswith("</details>\n")
    assert not (results / "exports").exists()
    refused(export(RUN, "-f", "csv", "-o", "-"), 2, "standard output takes one file, these are 3")
    refused(export(RUN, "-f", "md", "-o", "-", "--json"), 2, "standard output takes the file or --json")


def test_json_lists_the_files(export: Call) -> None:
    keep(Path(), msgspec.structs.replace(export_maker.counted(), run_id="bare"))
    code, out, _ = export("bare", "-f", "csv", "-f", "markdown", "-o", "out", "--json")
    first, second = json.loads(out)
    assert code == 0 and first["format"] == "csv" and first["files"] == ["out/bare.layers.csv"]
    assert "functions" in first["left_out"][0] and second["left_out"] == []
    assert "left out of csv: functions: " in export("bare", "-f", "csv", "-o", "out")[1]


@pytest.mark.parametrize("given", ["result.json", "baselines/kws-stm32l496zg-cmsis-nn-O2.json", "results/runs/" + RUN])
def test_files_and_folders_are_runs_too(export: Call, given: str, here: Path) -> None:
    Path("result.json").write_bytes(result_maker.result().to_json())
    baseline.save(result_maker.result(), here / "baselines")
    Path("manifest.json").write_text("{}")  # of something else, beside a result's file
    code, out, _ = export(given, "-f", "markdown", "-o", "-")
    assert code == 0 and ("- command: `harness run kws.tflite`" in out) == given.startswith("results")


def test_an_id_that_anybody_wrote_leads_nowhere_else(export: Call, here: Path) -> None:
    for name in ("../../up", "/etc/x", "a\nb", "..", ""):
        run = msgspec.structs.replace(export_maker.hostile(), run_id=name)
        Path("result.json").write_bytes(run.to_json())
        code, out, _ = export("result.json", "-f", "markdown", "-f", "csv", "-o", "out", "--force")
        assert code == 0 and all(line.startswith("out/") for line in out.splitlines())
    assert {path.name for path in here.iterdir()} == {"elf", "out", "result.json", "results"}
    assert len(stem("x" * 900)) < 200 and stem("\u00e9/..") == "run"


# --- what is there already -------------------------------------------------------------------------------------------


def test_what_is_there_is_replaced_by_force_alone(export: Call, here: Path) -> None:
    place = here / "out" / f"{RUN}.md"
    assert export(RUN, "-f", "markdown", "-o", "out")[0] == 0
    made = place.read_bytes()
    assert export(RUN, "-f", "markdown", "-o", "out")[0] == 0, "the same file is no other"
    place.write_text("mine")
    refused(export(RUN, "-f", "csv", "-f", "markdown", "-o", "out"), 2, "is there already", "--force replaces it")
    assert place.read_text() == "mine" and [path.name for path in (here / "out").iterdir()] == [place.name]
    assert export(RUN, "-f", "markdown", "-o", "out", "--force")[0] == 0
    assert place.read_bytes() == made


def test_nothing_is_written_where_one_of_the_formats_is_refused(export: Call, here: Path) -> None:
    refused(export(RUN, "-f", "csv", "-f", "chrome", "-o", "out"), 3, "no calibrated time", "hint: harness run")
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("output", "options", "fragments"),
    [
        ("file", ["-f", "csv"], ["file is a file", "name another file or folder"]),
        ("file", ["-f", "markdown"], ["file is a file", "a file's name has an ending: .md"]),
        ("out.csv", ["-f", "csv"], ["out.csv is one file, these are 3", "--output FOLDER"]),
        ("plot.png", ["-f", "svg"], ["the format makes .svg, not .png", "--output NAME.svg"]),
        ("file/below/x.md", ["-f", "markdown"], ["cannot write file/below/x.md"]),
        ("taken", ["-f", "markdown"], [f"{RUN}.md is a folder"]),
    ],
)
def test_places_that_are_none(export: Call, here: Path, output: str, options: list[str], fragments: list[str]) -> None:
    Path("file").write_text("mine")
    (here / "taken" / f"{RUN}.md").mkdir(parents=True)
    refused(export(RUN, *options, "-o", output), 3 if "below" in output else 2, *fragments)
    assert Path("file").read_text() == "mine" and not list(here.rglob("*.part"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(export: Call, here: Path) -> None:
    (here / "closed").mkdir(mode=0o555)
    refused(export(RUN, "-f", "markdown", "-o", "closed"), 3, "cannot write", "Permission denied")


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_formats_are_listed_where_one_is_unknown(export: Call) -> None:
    everything = "speedscope, folded, model-explorer, netron, chrome, csv, markdown, svg, png"
    refused(export(RUN, "-f", "pdf"), 2, "unknown format 'pdf'", everything)
    refused(export(RUN), 2, "no format is given", everything)
    assert export(RUN, "-f", "SpeedScope", "-o", "out")[0] == 0


def test_what_there_is_not(export: Call, here: Path) -> None:
    refused(export("nowhere", "-f", "csv"), 2, "nowhere: no run or sweep of that name", "stored sweeps are swept")
    refused(export("stm32l496zg", "-f", "csv"), 2, "is ambiguous")
    Path("x.json").write_text("{}")
    refused(export("x.json", "-f", "csv"), 2, "x.json: no result")
    refused(export("swept:nope", "-f", "csv"), 2, "swept:nope: no point matches")


def test_without_matplotlib_the_extra_is_named(export: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "matplotlib" else found(name))
    refused(export(RUN, "-f", "png"), 3, "matplotlib is not installed", "pip install 'tflm-harness[sweep]'")


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_a_sweep_as_tables(export: Call, here: Path) -> None:
    assert export("swept", "-f", "csv", "-f", "markdown", "-o", "out")[0] == 0
    assert {path.name for path in (here / "out").iterdir()} == {"swept.points.csv", "swept.layers.csv", "swept.md"}
    said = (here / "out" / "swept.md").read_text()
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6}
    assert "1,007" in rows[2] and "65,536" in rows[2] and "a\u00a6b.tflite" in rows[2]
    assert rows[3].endswith("`not measured`: `died` | - | - | - |"), "never 0"
    assert "latency" not in said


def test_a_sweep_is_no_run(export: Call) -> None:
    refused(export("swept", "-f", "speedscope"), 2, "a sweep is no speedscope", "SWEEP:POINT", "csv, markdown")
    refused(export("swept", "-f", "png"), 2, "a sweep is no png", "harness plot SWEEP draws it")


def test_a_run_of_the_same_name_goes_before_the_sweep(export: Call, here: Path) -> None:
    keep(here, msgspec.structs.replace(result_maker.result(), run_id="swept"))
    assert export("swept", "-f", "markdown", "-o", "-")[1].startswith("### PASS")


def test_the_help_names_every_format(export: Call) -> None:
    code, out, _ = export("--help")
    words: Any = " ".join(out.replace("\u2502", " ").split())
    assert code == 0 and all(name in words for name in formats.FORMATS)
