"""A metric over the baselines in git: every change of a file, renamed and removed ones, older schemas, the plot."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gate_maker import plain, replaced, slower
from git_maker import Repository
from rich.cells import cell_len
from rich.console import Console

from harness import baseline, cli, history, process
from harness.errors import HarnessError, MissingToolError
from harness.history import Entry, History
from harness.report import history as report
from harness.report import plots_history, plots_page
from harness.result import Result

NAME = "kws-stm32l496zg-cmsis-nn-O2.json"


class Kept(Repository):
    """A repository that keeps baselines in its folder ``kept``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.baselines = folder / "kept"

    def store(self, result: Result, reason: str | None = None, day: int = 1) -> str:
        baseline.save(result, self.baselines, reason)
        return self.commit(f"Day {day}", day)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "repository")


def only(found: History) -> tuple[Entry, ...]:
    (series,) = found.series
    return series.entries


def values(entries: tuple[Entry, ...]) -> list[Any]:
    return [entry.value for entry in entries]


def text(shown: History, width: int = 80) -> str:
    out = Console(width=width, color_system=None, highlight=False, emoji=False)
    with out.capture() as captured:
        out.print(report.history(shown))
    return captured.get()


def test_each_commit_that_stored_a_baseline(kept: Kept) -> None:
    first = kept.store(plain(), "begin", 1)
    (kept.folder / "other").write_text("no baseline")
    kept.commit("Something else", 2)
    second = kept.store(slower(plain(), 0, 50), "more careful", 3)
    entries = only(history.history("instructions", kept.baselines))
    assert [entry.commit for entry in entries] == [first, second]
    assert [entry.reason for entry in entries] == ["begin", "more careful"]
    assert values(entries) == [1000, 1050]
    assert (entries[1].change, entries[1].change_percent) == (50, 5.0)
    assert str(entries[1].date).startswith("2026-01-03T12:00:00")
    assert entries[0].change is None and not entries[1].notes


def test_the_folder_may_be_the_repository_itself(kept: Kept) -> None:
    baseline.save(plain(), kept.folder)
    kept.store(replaced(plain(), "model", file="other.tflite"))
    found = history.history("flash", kept.folder)
    assert [series.file for series in found.series] == [NAME], "not what is in folders below"


def test_every_metric_has_its_own_value(kept: Kept) -> None:
    kept.store(plain())
    expected = {"instructions": 1000, "flash": 122628, "ram": 37268, "arena": 35648, "stack": 680, "macs": 300}
    for metric, value in expected.items():
        assert values(only(history.history(metric, kept.baselines))) == [value]
    (entry,) = only(history.history("latency", kept.baselines))
    assert entry.value is None and entry.notes == ("holds no latency",)


def test_what_is_not_committed_comes_last(kept: Kept) -> None:
    assert kept.git("rev-list", "--all") == ""
    baseline.save(plain(), kept.baselines, "new")
    (entry,) = only(history.history("instructions", kept.baselines))
    assert (entry.commit, entry.date, entry.value) == (None, None, 1000), "no commit yet"
    kept.commit("Begin")
    baseline.save(slower(plain(), 0, 50), kept.baselines, "changed")
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, 1050] and entries[-1].commit is None
    assert "changed (not committed)" in text(history.history("instructions", kept.baselines))
    (kept.baselines / NAME).unlink()
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, None] and entries[-1].notes == ("removed",)


def test_a_renamed_network_is_followed(kept: Kept) -> None:
    kept.store(plain(), day=1)
    renamed = replaced(slower(plain(), 0, 50), "model", file="speech.tflite")
    (kept.baselines / NAME).rename(kept.baselines / baseline.name(renamed))
    kept.commit("Rename", 2)
    kept.store(renamed, day=3)
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, 1000, 1050]
    assert history.history("instructions", kept.baselines).series[0].file == baseline.name(renamed)


def test_a_file_that_is_like_one_of_another_platform_is_no_rename(kept: Kept) -> None:
    kept.store(plain(), day=1)
    (kept.baselines / NAME).unlink()
    other = msgspec.structs.replace(plain(), platform="stm32f767zi")
    kept.store(other, day=2)
    assert "R" in kept.git("log", "-1", "-M90%", "--name-status", "--format="), "git takes it for one"
    found = history.history("instructions", kept.baselines)
    assert [values(series.entries) for series in found.series] == [[1000], [1000, None]]
    assert found.series[1].entries[-1].notes == ("removed",)


def test_removed_and_stored_again(kept: Kept) -> None:
    kept.store(plain(), day=1)
    (kept.baselines / NAME).unlink()
    kept.commit("Remove", 2)
    kept.store(slower(plain(), 0, 50), day=3)
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, None, 1050]
    assert entries[-1].change == 50, "from the last value that there was"


def test_of_a_merged_branch_the_merge_counts(kept: Kept) -> None:
    kept.store(plain(), day=1)
    kept.git("checkout", "--quiet", "-b", "side")
    kept.store(slower(plain(), 0, 50), "first try", day=2)
    kept.store(slower(plain(), 0, 20), "second try", day=3)
    kept.git("checkout", "--quiet", "main")
    kept.git("merge", "--quiet", "--no-ff", "-m", "Merge", "side", day=4)
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, 1020]
    assert (entries[-1].subject, entries[-1].reason) == ("Merge", "second try")


def test_what_makes_it_incomparable_is_said(kept: Kept) -> None:
    kept.store(plain(), day=1)
    kept.store(replaced(slower(plain(), 0, 50), "identity", compiler="gcc 14", platform_sha256="0"), day=2)
    kept.store(replaced(slower(plain(), 0, 60), "model", sha256="0"), day=3)
    entries = only(history.history("instructions", kept.baselines))
    assert [entry.notes for entry in entries] == [(), ("another compiler",), ("another compiler", "another model")]
    assert [entry.notes for entry in only(history.history("macs", kept.baselines))] == [(), (), ("another model",)]
    assert "another compiler" in text(history.history("instructions", kept.baselines))


# --- what cannot be read in full -------------------------------------------------------------------------------------


def test_older_schemas_have_their_totals(kept: Kept) -> None:
    content = json.loads(plain().to_json())
    content["schema"] = "tflm-harness/run/1"
    del content["functions"], content["memory"]["stack"]
    kept.baselines.mkdir()
    (kept.baselines / NAME).write_text(json.dumps(content))
    kept.commit("Old", 1)
    kept.store(slower(plain(), 0, 50), day=2)
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, 1050] and entries[1].change == 50
    assert entries[0].notes == ("of the older schema 'tflm-harness/run/1': only its totals can be read",)
    assert values(only(history.history("stack", kept.baselines))) == [None, 680]
    assert values(only(history.history("ram", kept.baselines))) == [None, 37268], "half of a sum is none"


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"{", "damaged: it cannot be read"),
        (b"\xff\x00", "damaged: it cannot be read"),
        (b"[]", "damaged: it cannot be read"),
        (b'{"schema": "tflm-harness/baseline/1"}', "damaged: it cannot be read"),
        (b'{"schema": "tflm-harness/baseline/9"}', "of a newer schema, 'tflm-harness/baseline/9': update the harness"),
        (
            b'{"schema": "tflm-harness/baseline/1", "provenance": null, "result": {"schema": "tflm-harness/run/9"}}',
            "of a newer schema, 'tflm-harness/run/9': update the harness",
        ),
        (
            b'{"schema": "tflm-harness/run/1", "counts": []}',
            "of the older schema 'tflm-harness/run/1': only its totals can be read",
        ),
    ],
)
def test_what_cannot_be_read_is_said(kept: Kept, content: bytes, note: str) -> None:
    kept.store(plain(), day=1)
    (kept.baselines / NAME).write_bytes(content)
    kept.commit("Damage", 2)
    kept.store(slower(plain(), 0, 50), day=3)
    entries = only(history.history("instructions", kept.baselines))
    assert values(entries) == [1000, None, 1050]
    assert entries[1].notes == (note,) and entries[2].change == 50


def test_a_shallow_clone_says_so(kept: Kept, tmp_path: Path) -> None:
    kept.store(plain(), day=1)
    kept.store(slower(plain(), 0, 50), day=2)
    kept.git("clone", "--quiet", "--depth=1", f"file://{kept.folder}", str(tmp_path / "clone"))
    found = history.history("instructions", tmp_path / "clone" / "kept")
    assert values(only(found)) == [1050]
    assert "the clone is shallow" in found.notes[0] and "git fetch --unshallow" in text(found, 200)


# --- filters and errors ----------------------------------------------------------------------------------------------


@pytest.fixture
def several(kept: Kept) -> Kept:
    for day, (model, platform) in enumerate((("kws", "stm32l496zg"), ("kws", "rp2040"), ("ad01", "rp2040")), 1):
        made = msgspec.structs.replace(replaced(plain(), "model", file=f"{model}.tflite"), platform=platform)
        kept.store(made, day=day)
    return kept


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["ad01-rp2040", "kws-rp2040", "kws-stm32l496zg"]),
        ({"model": "kws"}, ["kws-rp2040", "kws-stm32l496zg"]),
        ({"model": "kws.tflite", "platform": "rp*"}, ["kws-rp2040"]),
        ({"since": "2026-01-02"}, ["ad01-rp2040", "kws-rp2040"]),
    ],
)
def test_filters(several: Kept, filters: dict[str, str], names: list[str]) -> None:
    found = history.history("instructions", several.baselines, **filters)
    assert [series.file.removesuffix("-cmsis-nn-O2.json") for series in found.series] == names


def test_since_a_day_changes_are_from_the_one_before(kept: Kept) -> None:
    kept.store(plain(), day=1)
    kept.store(slower(plain(), 0, 50), day=2)
    (entry,) = only(history.history("instructions", kept.baselines, since="2026-01-02"))
    assert entry.change == 50


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("layers",), "baselines hold no number 'layers' a run"),
        (("output_exact",), "baselines hold no number 'output_exact' a run"),
        (("speed",), "baselines hold no number 'speed' a run"),
        (("--model", "nothing"), "there is no baseline of such a model and platform"),
        (("--since", "soon"), "'soon' is no date"),
        (("--since", "2026-02-01"), "no baseline changed since 2026-02-01"),
        (("--baseline", "nowhere"), "there is no such folder of baselines"),
        (("--baseline", ".."), "not in a git repository"),
        (("--baseline", "empty"), "there is no baseline"),
        (("--format", "png"), "--format says nothing without --plot"),
        (("--plot", "--format", "bmp"), "unknown format 'bmp'"),
        (("latency", "--plot"), "no baseline in git holds a number of latency"),
    ],
)
def test_mistakes(
    several: Kept,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    what: str,
) -> None:
    monkeypatch.chdir(several.folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(several.folder.parent.parent))
    (several.folder / "empty").mkdir()
    where = () if "--baseline" in arguments else ("--baseline", "kept")
    with pytest.raises(SystemExit) as ended:
        cli.main(["history", *arguments, *where])
    out, err = capfd.readouterr()
    assert (ended.value.code, out) == (2, "") and what in err and "Traceback" not in err


def test_no_git(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: Any, **_options: Any) -> None:
        raise FileNotFoundError

    kept.store(plain())
    monkeypatch.setattr(process, "run", missing)
    with pytest.raises(MissingToolError, match="git is not installed") as raised:
        history.history("instructions", kept.baselines)
    assert (raised.value.exit_code, raised.value.hint) == (3, "apt install git")


def test_a_damaged_repository(kept: Kept) -> None:
    kept.store(plain())
    for path in (kept.folder / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(HarnessError) as raised:
        history.history("instructions", kept.baselines)
    assert raised.value.exit_code == 3 and "fatal: " in str(raised.value.detail)


def test_the_settings_of_the_user_change_nothing(kept: Kept) -> None:
    kept.store(plain(), day=1)
    kept.store(slower(plain(), 0, 50), day=2)
    expected = history.history("instructions", kept.baselines)
    for name, value in (("color.ui", "always"), ("diff.relative", "true"), ("log.showSignature", "true"),
                        ("status.showUntrackedFiles", "no"), ("log.decorate", "full")):  # fmt: skip
        kept.git("config", name, value)
    assert history.history("instructions", kept.baselines) == expected


# --- how it is shown -------------------------------------------------------------------------------------------------

HOSTILE = "a|b`[bold]\x1b[31m$x_1$" + "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 40 + "\N{SNOWMAN}.tflite"


@pytest.fixture
def hostile(kept: Kept) -> Kept:
    named = replaced(plain(), "model", file=HOSTILE)
    kept.store(named, "first\n\x1b[2J[red]line\x02\x01", day=1)
    baseline.save(slower(named, 0, 50), kept.baselines)
    kept.commit("Subject \x01\x02 \x1b[31m | `code`", day=2)
    return kept


@pytest.mark.parametrize("width", [60, 80, 120])
def test_names_and_reasons_break_no_table(hostile: Kept, width: int) -> None:
    found = history.history("instructions", hostile.baselines)
    assert values(only(found)) == [1000, 1050]
    said = text(found, width)
    assert "\x1b" not in said and "[red]" in said
    lines = [line for line in said.splitlines() if line.startswith(("date", "2026"))]
    assert len(lines) == 3 and all(cell_len(line) <= width for line in said.splitlines())


def test_the_plot_is_the_same_each_time_and_stays_on_the_page(hostile: Kept, tmp_path: Path) -> None:
    for number in range(1, 10):
        made = replaced(plain(), "model", file=f"net{number}.tflite")
        baseline.save(made, hostile.baselines)
    hostile.commit("More", 3)
    found = history.history("flash", hostile.baselines)
    first, second = (plots_history.plot(found, ["svg"], tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == ["flash-1.svg", "flash-2.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert xml.etree.ElementTree.parse(first[0]).getroot().get("width") == "576pt", "8 inches"
    with plots_page.style():
        figure = plots_history.page(found, found.series[:8])
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height


def test_changes_that_would_cover_each_other_are_left_out(kept: Kept) -> None:
    for day in range(1, 21):
        kept.store(slower(plain(), 0, 10 * day * day), day=day)
    found = history.history("instructions", kept.baselines)
    with plots_page.style():
        figure = plots_history.page(found, found.series)
        figure.draw_without_rendering()
        (axes,) = figure.axes
        boxes = sorted((item.get_window_extent() for item in axes.texts), key=lambda box: box.x0)
        assert len(boxes) > 3
        assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
        ticks = [item.get_window_extent() for item in axes.get_xticklabels()]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(ticks))


def test_command(several: Kept, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["history", "--baseline", str(several.baselines), "-o", str(tmp_path / "plots"), "-f", "png"])
    out, err = capfd.readouterr()
    assert ended.value.code == 0, err
    assert "kws-rp2040" in out and (tmp_path / "plots" / "instructions.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit) as ended:
        cli.main(["history", "ram", "--baseline", str(several.baselines), "--json"])
    found = msgspec.json.decode(capfd.readouterr().out, type=History)
    assert found == history.history("ram", several.baselines)
    assert (found.schema, found.unit, found.direction) == ("tflm-harness/history/1", "B", "min")


def test_the_committed_schema_is_that_of_the_records() -> None:
    path = Path(__file__).parents[2] / "results" / "schema" / "history-1.json"
    made = json.loads(json.dumps(history.schema()))
    assert made == json.loads(path.read_text()), "write harness.history.schema() there, if it only grew"
