"""A verdict as people and programs see it: terminal, Markdown, JUnit XML, JSON; names are text and nothing else."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import gate_maker
import junitparser
import msgspec
import pytest
import result_maker
from gate_maker import plain, replaced, slower, verdict
from markdown_it import MarkdownIt
from rich.console import Console

from harness import baseline, cli
from harness.errors import HarnessError
from harness.gate.policy import Rule
from harness.gate.verdict import SCHEMA, FailurePart, Verdict, schema
from harness.report import gate, gate_files
from harness.report.gate_junit import junit
from harness.report.gate_markdown import COMMENT_LIMIT, code, comment, marker, summary
from tests.conftest import ROOT

EVIL = 'x`|<script>alert(1)</script>|[a](http://b.example)@all ![p](//c) -->\x1b[31m\n| "&amp; \\|#1.tflite'


def worse() -> Verdict:
    """Worse in a layer, blocked, missing, better, suppressed, and a run that failed."""
    before = plain()
    after = replaced(slower(before, 0, by=60), "model", sha256="ff" * 32)
    rules = [
        Rule(metric="layers", unit="instructions"),
        Rule(metric="output_equal", unit="bool", incomparable="suppress"),
        Rule(metric="latency", unit="ms", missing="warn"),
        Rule(metric="flash", unit="B"),
    ]
    return verdict(after, before, rules, [FailurePart(what="a on b", message="it broke", hint="mend it")])


def evil() -> Verdict:
    """A network, a layer and a function with names that mean something to every output."""
    named = replaced(plain(), "model", file=EVIL)
    layers = tuple(msgspec.structs.replace(item, op=EVIL, functions={EVIL: item.instructions}) for item in named.layers)
    before = msgspec.structs.replace(named, layers=layers)
    after = slower(before, 0, by=60)
    after = gate_maker.with_layer(after, 0, functions={EVIL: 960})
    return verdict(after, before, [*gate_maker.RULES, Rule(metric="latency", unit="ms")],
                   [FailurePart(what=EVIL, message=EVIL, hint=EVIL)])  # fmt: skip


def shown(found: Verdict, width: int = 120, everything: bool = False) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    out.print(gate.headline(found), soft_wrap=True)
    out.print(gate.verdict(found, everything))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("made", [worse, evil])
def test_the_terminal(width: int, made: Any) -> None:
    text = shown(made(), width)
    first, *rest = text.splitlines()
    assert first.startswith("INCOMPLETE  ")
    assert all(len(line) <= width for line in rest)
    assert "\x1b" not in text
    assert "+60" in text and ("allowed" in text) and "hint: " in text
    assert "worse" in text and "exact" not in text


def test_the_terminal_shows_everything_on_demand() -> None:
    assert "output_exact" in shown(worse(), everything=True)
    assert "flash" in shown(worse(), everything=True)


def test_a_gate_that_passed_shows_the_totals() -> None:
    text = shown(verdict(slower(plain(), 0, by=5), plain()))
    assert text.startswith("PASS  made: 1 run, 8 comparisons, none worse than allowed\n")
    assert re.search(r"instructions +flash +ram\n", text)
    assert "1,005 (+0.50 %)" in text


def test_one_run_is_no_runs() -> None:
    found = verdict(plain(), plain())
    for text in (shown(found), summary(found)):
        assert "1 run, 8 comparisons" in text and "1 runs" not in text


def test_a_network_of_many_layers_is_cut(tmp_path: Path) -> None:
    layers = tuple(result_maker.layer(index, "CONV_2D", 1000, 300_000) for index in range(300))
    before = result_maker.result(layers)
    slow = tuple(msgspec.structs.replace(item, instructions=1100 + item.index) for item in layers)
    found = verdict(msgspec.structs.replace(before, layers=slow), before)
    assert len(found.of("worse")) == 300
    assert "and 281 more" in shown(found)
    assert "and 250 more" in summary(found)
    assert len(comment(found)) <= COMMENT_LIMIT
    assert comment(found).startswith(marker("made"))


def test_the_summary_names_the_cause_first() -> None:
    title, _, cause, *_ = summary(worse()).splitlines()
    assert title == "### INCOMPLETE: gate `made`"
    assert cause.startswith("`a on b: it broke; and worse: kws.tflite on stm32l496zg")


def test_the_comment_is_found_again() -> None:
    assert comment(worse()).splitlines()[0] == "<!-- tflm-harness gate made -->" == marker("made")


@pytest.mark.parametrize("text", ["a", "`", "``a`", "a|b", EVIL, "a\n| b", "` `", "a\\|b"])
def test_code_spans_hold_whatever_is_in_them(text: str) -> None:
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None and span.endswith(fence[0])
    inside = span[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inside)
    assert "|" not in span and "\n" not in span and "\x1b" not in span


def test_names_break_no_table() -> None:
    for line in comment(evil()).splitlines():
        if line.startswith("|"):
            assert line.count("|") == 9


def test_names_are_text_of_code_spans_where_markdown_is_rendered() -> None:
    """By a parser of CommonMark with GitHub's tables; what is ours in HTML is the marker and the folded details."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = [token for block in parser.parse(comment(evil())) for token in (block, *(block.children or ()))]
    assert {token.type for token in tokens} & {"link_open", "image", "html_inline", "s_open", "em_open"} == set()
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert set(re.findall("<[^>]*>", html)) == {
        "<!-- tflm-harness gate made -->", "<details>", "</details>", "<summary>", "</summary>"
    }  # fmt: skip
    spans = [token.content for token in tokens if token.type == "code_inline"]
    assert any("<script>" in span and "@all" in span and "http" in span for span in spans)
    rest = "".join(token.content for token in tokens if token.type == "text")
    assert not re.search("[<>@]|http|script", rest)


@pytest.mark.parametrize("made", [worse, evil])
def test_junit(made: Any) -> None:
    """The structure that CI systems read: suites of cases, a result in each at most, counts that are those of it."""
    found = made()
    root = ET.fromstring(junit(found))
    assert root.tag == "testsuites"
    cases = 0
    for suite in root:
        assert suite.tag == "testsuite" and set(suite.attrib) == {"name", "tests", "failures", "errors", "skipped"}
        kinds = {"failure": "failures", "error": "errors", "skipped": "skipped"}
        for case in suite:
            assert case.tag == "testcase" and set(case.attrib) == {"classname", "name"}
            assert [child.tag for child in case] in (["failure"], ["error"], ["skipped"], ["system-out"])
            assert all(child.get("message") for child in case if child.tag != "system-out")
            assert all(child.get("type") for child in case if child.tag in ("failure", "error"))
        assert int(suite.attrib["tests"]) == len(suite)
        for tag, name in kinds.items():
            assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{tag}"))
        names = [(case.get("classname"), case.get("name")) for case in suite]
        assert len(names) == len(set(names))
        cases += len(suite)
    assert cases == int(root.attrib["tests"]) == len(found.comparisons) + len(found.failures)
    assert int(root.attrib["failures"]) == len(found.of("worse"))
    assert int(root.attrib["errors"]) == len(found.of("blocked", "missing")) + len(found.failures)


def test_junit_is_read_by_others() -> None:
    read = junitparser.JUnitXml.fromstring(junit(worse()))
    assert (read.tests, read.failures, read.errors, read.skipped) == (8, 1, 1, 2)


def test_json_holds_all_of_it() -> None:
    found = worse()
    assert msgspec.json.decode(found.to_json(), type=Verdict) == found
    assert json.loads(found.to_json())["schema"] == SCHEMA


def test_the_committed_schema_is_that_of_the_records() -> None:
    name = SCHEMA.removeprefix("tflm-harness/").replace("/", "-")
    committed = json.loads((ROOT / "results" / "schema" / f"{name}.json").read_text())
    assert json.loads(json.dumps(schema())) == committed, "write harness.gate.verdict.schema() there, if it only grew"


def test_the_files(tmp_path: Path) -> None:
    written = gate_files.write(worse(), tmp_path / "new" / "out")
    assert [path.name for path in written] == ["verdict.json", "summary.md", "comment.md", "junit.xml"]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(path.name for path in written)
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        gate_files.write(worse(), tmp_path / "file")


def call(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["gate", *map(str, arguments)])
    captured = capfd.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """The arguments that judge a result by a policy."""
    (tmp_path / "made.toml").write_text('name = "made"\n[[rules]]\nmetric = "flash"\nunit = "B"\n')
    (tmp_path / "r.json").write_bytes(plain().to_json())
    baseline.save(plain(), tmp_path / "baselines")
    paths = ("--policy", "made.toml"), ("--baseline", "baselines"), ("--run", "r.json")
    return [part for option, name in paths for part in (option, str(tmp_path / name))]


def test_the_command(given: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capfd, *given)
    assert (code, out.splitlines()[0], err) == (0, "PASS  made: 1 run, 3 comparisons, none worse than allowed", "")
    code, out, err = call(capfd, *given, "--json", "--output", tmp_path / "out")
    assert (code, json.loads(out)["exit_code"], err) == (0, 0, "")
    assert (tmp_path / "out" / "verdict.json").read_text() == out
    assert str(tmp_path) not in out
    code, out, _ = call(capfd, *given, "--all")
    assert (code, "output_exact" in out) == (0, True)


def test_the_command_refuses(given: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capfd, *given, "--jobs", 2)
    assert (code, out) == (2, "") and "--jobs says nothing where --run is given" in err
    code, out, err = call(capfd, "--policy", tmp_path / "none.toml", "--output", tmp_path / "out")
    assert (code, out) == (2, "") and err.splitlines()[0].startswith(f"error: {tmp_path / 'none.toml'}: cannot be read")
    written = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert (written["exit_code"], written["policy"]["name"]) == (2, "none")
    assert "### ERROR: gate `none`" in (tmp_path / "out" / "comment.md").read_text()
    assert ET.parse(tmp_path / "out" / "junit.xml").getroot().get("errors") == "1"


def test_an_earlier_verdict_does_not_outlive_a_gate_that_is_interrupted(
    given: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("of somebody else")
    call(capfd, *given, "--output", tmp_path / "out")
    monkeypatch.setattr("harness.gate.run.judge", interrupted)
    code, _, _ = call(capfd, *given, "--output", tmp_path / "out")
    assert (code, [path.name for path in (tmp_path / "out").iterdir()]) == (130, ["notes.txt"])


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(
    given: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = call(capfd, *given, "--output", tmp_path / "file")
    assert (code, out) == (3, "") and err.startswith(f"error: cannot write {tmp_path / 'file'}: File exists\n")


def test_the_verdict_is_printed_also_where_it_cannot_be_written(
    given: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise HarnessError("cannot write: No space left on device")

    monkeypatch.setattr("harness.report.gate_files.write", full)
    code, out, err = call(capfd, *given, "--output", tmp_path / "out")
    assert (code, out.split()[0]) == (3, "PASS") and err == "error: cannot write: No space left on device\n"
    assert "written to" not in out


def test_the_files_are_written_where_the_reader_of_the_output_goes(given: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "harness", "gate", *given, "--output", str(tmp_path / "out")]
    ended = subprocess.run(command, stdout=writer, check=False)
    os.close(writer)
    assert ended.returncode == -signal.SIGPIPE
    assert (tmp_path / "out" / "junit.xml").exists()


def test_the_name_of_a_policys_file_ends_no_marker(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call(capfd, "--policy", tmp_path / "--><b>.toml", "--output", tmp_path / "out")
    assert (tmp_path / "out" / "comment.md").read_text().splitlines()[0] == "<!-- tflm-harness gate --__b_ -->"


def test_the_schema_of_a_policy(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capfd, "--schema")
    assert (code, "Rule" in json.loads(out)["$defs"]) == (0, True)
