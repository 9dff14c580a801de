"""Plots as files: the same bytes each time, whatever names there are; the command and its errors."""

from __future__ import annotations

import importlib.util
import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from plots_maker import Made, store

from harness import cli
from harness.errors import BadInputError, HarnessError, MissingToolError
from harness.report import plots, plots_page
from harness.report.plots_points import Picture

HOSTILE = [
    "$x_1^{2}$.tflite",
    "_\\frac{1}$$\\alpha.tflite",
    "new\nline\ttab\x1b[31m.tflite",
    "\N{SNOWMAN}\N{CJK UNIFIED IDEOGRAPH-4E2D}\N{PILE OF POO}\u202ertl.tflite",
    "W" * 300 + ".tflite",
    "",
]


def layers(cost: int) -> tuple[tuple[str, int, int, int], ...]:
    return tuple(("CONV_2D", cost * channels, 10 * channels, channels) for channels in (3, 4, 8))


def pairs(names: list[str]) -> list[Made]:
    made = []
    for index, name in enumerate(names):
        made += [Made(name, layers(2000 - index), flash=50_000 + 900 * index)]
        made += [Made(name, layers(400 - index), "cmsis-nn", flash=60_000 + 900 * index)]
    return made


@pytest.mark.filterwarnings("error")
def test_hostile_names_break_nothing(results: Path, tmp_path: Path) -> None:
    store(pairs(HOSTILE))
    made = plots.plot("made", formats=["svg"], folder=tmp_path / "out")
    assert {item.kind for item in made.drawn} == set(plots.KINDS)
    for item in made.drawn:
        (svg,) = item.files
        assert xml.etree.ElementTree.parse(svg).getroot().get("width") == "576pt", "8 inches"


@pytest.mark.parametrize("name", HOSTILE)
def test_texts_stay_within_their_room(name: str) -> None:
    short = plots_page.shortened(name, 100)
    assert plots_page.text_width(short, 9) <= 100 and "\n" not in short
    assert all(plots_page.text_width(line, 9) <= 100 for line in plots_page.wrapped(f"a {name} b", 100))


def test_both_ends_of_a_long_name_are_kept() -> None:
    short = plots_page.shortened("beginning" + "m" * 200 + "end", 100)
    assert short.startswith("begin") and short.endswith("end")


def test_nothing_is_drawn_outside_of_the_page(results: Path) -> None:
    swept = store(pairs(HOSTILE))
    with plots_page.style():
        for kind in plots.KINDS:
            for item in plots.pictures(swept, kind):
                if isinstance(item, Picture):
                    item.figure.draw_without_rendering()
                    drawn = item.figure.get_tightbbox()
                    width, height = item.figure.get_size_inches()
                    assert drawn.x0 >= 0 and drawn.y0 >= 0, item.name
                    assert drawn.x1 <= width and drawn.y1 <= height, item.name


def test_the_same_bytes_each_time_and_nothing_left_behind(results: Path, tmp_path: Path) -> None:
    store(pairs(["a", "b"]))
    before = dict(matplotlib.rcParams)
    first, second = (plots.plot("made", ["layers", "channels"], folder=tmp_path / name) for name in ("one", "two"))
    assert dict(matplotlib.rcParams) == before
    for one, two in zip(first.drawn, second.drawn, strict=True):
        for a, b in zip(one.files, two.files, strict=True):
            assert a.read_bytes() == b.read_bytes(), a.name
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "channels.png", "channels.svg", "layers.png", "layers.svg"]  # fmt: skip
    assert (tmp_path / "one" / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_the_user_s_settings_do_not_matter(results: Path, tmp_path: Path) -> None:
    store(pairs(["a"]))
    with matplotlib.rc_context({"font.size": 40, "axes.facecolor": "red", "svg.hashsalt": None}):
        changed = plots.plot("made", ["layers"], ["svg"], tmp_path / "one")
    usual = plots.plot("made", ["layers"], ["svg"], tmp_path / "two")
    assert changed.drawn[0].files[0].read_bytes() == usual.drawn[0].files[0].read_bytes()


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["plot", *arguments])
    return int(str(ended.value.code))


def test_the_command_says_what_was_drawn_and_what_not(results: Path, capsys: Any) -> None:
    store(pairs(["a"]))
    assert command("made", "--kind", "pareto", "--format", "svg", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    drawn = {item["name"]: [Path(path) for path in item["files"]] for item in said["drawn"]}
    assert drawn["pareto-flash-instructions"] == [results / "plots" / "made" / "pareto-flash-instructions.svg"]
    assert all(path.is_file() for paths in drawn.values() for path in paths)
    reasons = {item["name"]: item["reason"] for item in said["not_drawn"]}
    assert reasons["pareto-instructions-accuracy"] == "no point has a value of accuracy: there is no test set for it"
    store([Made()])
    assert command("made", "-k", "layers", "-k", "speedup", "--output", str(results / "here")) == 0
    out = capsys.readouterr().out
    assert "layers.png, .svg" in out and "not drawn: speedup: no two measured points" in out
    assert (results / "here" / "layers.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no stored sweep 'nothing'"),
        (["made", "--kind", "pie"], "unknown kind of plot 'pie'"),
        (["made", "--format", "pdf"], "unknown format 'pdf'"),
        (["empty"], "no point of the sweep 'empty' is measured"),
        (["single", "--kind", "speedup"], "nothing of the sweep 'single' can be drawn: speedup: no two"),
    ],
)
def test_mistakes_are_named(results: Path, capsys: Any, arguments: list[str], said: str) -> None:
    store(pairs(["a"]))
    store([Made(layers=None)], name="empty")
    store([Made()], name="single")
    assert command(*arguments) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (results / "plots").exists()


def test_a_folder_that_cannot_be_written(results: Path, tmp_path: Path) -> None:
    store(pairs(["a"]))
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match="cannot write "):
        plots.plot("made", ["layers"], folder=tmp_path / "file")


@pytest.mark.parametrize("module", ["matplotlib", "pandas"])
def test_a_missing_package(results: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    store(pairs(["a"]))
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else found(name))
    with pytest.raises(MissingToolError, match=f"{module} is not installed") as raised:
        plots.plot("made")
    assert raised.value.hint == "pip install 'tflm-harness[sweep]'"


def test_a_sweep_under_way_is_drawn(results: Path) -> None:
    swept = store([*pairs(["a"]), Made("later", None)])
    assert swept.points["instructions"].isna().sum() == 1
    assert plots.plot("made", ["layers"], ["svg"]).drawn
    with pytest.raises(BadInputError):
        plots.plot("never")
