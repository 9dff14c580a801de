"""New baselines: what becomes of each, what is refused, what is stored with it, and the commands."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gate_maker import HOW, MARKS, build_nothing, measure, plain, replaced, slower
from git_maker import Repository

from harness import baseline, baseline_update, cli, git
from harness.errors import BadInputError, NewerSchemaError
from harness.gate import run
from harness.result import Result, Verdict

NAME = "kws-stm32l496zg-cmsis-nn-O2.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "baselines"
    baseline.save(plain(), made, "first")
    return made


def planned(result: Result, folder: Path) -> baseline_update.Item:
    (item,) = baseline_update.plan([result], folder)
    return item


def exact(result: Result, exact: bool) -> Result:
    reasons = () if exact else ("layer 0 (CONV_2D) differs",)
    return msgspec.structs.replace(result, verdict=Verdict(passed=exact, reasons=reasons))


def write(update: baseline_update.Update, folder: Path) -> tuple[Path, ...]:
    return baseline_update.write(update, folder, "a reason", ("harness", "baseline", "update"))


# --- what becomes of a baseline --------------------------------------------------------------------------------------


def test_a_first_baseline_is_new(tmp_path: Path) -> None:
    item = planned(plain(), tmp_path / "none")
    assert (item.state, item.former, item.notes) == ("new", None, ())


def test_the_same_run_changes_nothing_whatever_commit_measured_it(folder: Path) -> None:
    before = (folder / NAME).read_bytes()
    again = replaced(plain(), "identity", git_commit="ab" * 20, git_dirty=True, harness_version="9")
    again = replaced(again, "artifacts", elf="/home/somebody/firmware.elf")
    item = planned(again, folder)
    assert item.state == "unchanged"
    assert write(baseline_update.Update(items=(item,)), folder) == ()
    assert (folder / NAME).read_bytes() == before


def test_other_numbers_change_it(folder: Path) -> None:
    item = planned(slower(plain(), 0, 50), folder)
    assert (item.state, item.notes) == ("changed", ())
    (change,) = [change for change in item.changes if change.metric == "instructions"]
    assert (change.before, change.after, change.unit) == (1000, 1050, "instructions")


def test_other_outputs_change_it(folder: Path) -> None:
    assert planned(replaced(plain(), "check", outputs=("80fe",)), folder).state == "changed"


def test_another_compiler_with_the_same_numbers_renews_it(folder: Path) -> None:
    item = planned(replaced(plain(), "identity", compiler="arm-none-eabi-gcc 14.2.1"), folder)
    assert item.state == "renewed"
    assert item.notes == ("compiler: arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205 -> arm-none-eabi-gcc 14.2.1",)


def test_a_bare_result_is_read_and_gets_provenance(folder: Path) -> None:
    (folder / NAME).write_bytes(plain().to_json())
    assert baseline.find(plain(), folder) == plain()
    assert baseline.read(folder / NAME).provenance is None
    item = planned(plain(), folder)
    assert (item.state, item.notes) == ("renewed", ("had no provenance",))


@pytest.mark.parametrize(
    "content", [b"{", b'{"schema": "tflm-harness/run/1"}', b'{"schema": "tflm-harness/baseline/1"}']
)
def test_what_cannot_be_read_is_replaced_and_said(folder: Path, content: bytes) -> None:
    (folder / NAME).write_bytes(content)
    item = planned(plain(), folder)
    assert (item.state, item.former) == ("changed", None)
    assert item.notes[0].startswith("the former one cannot be read: ")
    assert str(folder) not in item.notes[0]


@pytest.mark.parametrize("schema", ["tflm-harness/baseline/2", "tflm-harness/run/9", "other/1"])
def test_what_a_newer_version_stored_is_refused_everywhere(folder: Path, schema: str) -> None:
    (folder / NAME).write_text(json.dumps({"schema": schema}))
    with pytest.raises(NewerSchemaError, match=schema) as raised:
        baseline.find(plain(), folder)
    assert (raised.value.exit_code, raised.value.hint) == (2, "update the harness")
    with pytest.raises(NewerSchemaError):
        baseline_update.plan([plain()], folder)


def test_a_newer_result_in_a_baseline_is_refused(folder: Path) -> None:
    content = json.loads((folder / NAME).read_text())
    content["result"]["schema"] = "tflm-harness/run/9"
    (folder / NAME).write_text(json.dumps(content))
    with pytest.raises(NewerSchemaError, match="run/9"):
        baseline.read(folder / NAME)


def test_a_run_that_is_not_exact_keeps_all_from_being_written(folder: Path) -> None:
    before = (folder / NAME).read_bytes()
    other = replaced(plain(), "model", file="other.tflite")
    items = baseline_update.plan([slower(plain(), 0, 50), exact(other, False)], folder)
    update = baseline_update.Update(items=items)
    assert [item.state for item in items] == ["changed", "refused"]
    assert items[1].notes == ("layer 0 (CONV_2D) differs",)
    assert update.exit_code == 1
    with pytest.raises(BadInputError, match="not every run is one"):
        write(update, folder)
    assert (folder / NAME).read_bytes() == before and len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_a_reason_is_needed(folder: Path, reason: Any) -> None:
    with pytest.raises(BadInputError, match="needs a reason"):
        baseline_update.require_reason(reason)
    with pytest.raises(BadInputError, match="needs a reason"):
        baseline_update.write(baseline_update.Update(items=()), folder, reason, ())


def test_two_networks_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="two networks of the name kws"):
        baseline_update.plan([plain(), replaced(plain(), "model", sha256="00")], tmp_path)


def test_of_two_emulators_the_one_that_tells_functions_apart_counts(tmp_path: Path) -> None:
    renode = msgspec.structs.replace(plain(), emulator="renode", functions=None)
    for given in ([renode, plain()], [plain(), renode]):
        (item,) = baseline_update.plan(given, tmp_path)
        assert item.result is not None and item.result.emulator == "qemu"


# --- what is stored --------------------------------------------------------------------------------------------------


def test_provenance_says_why_when_by_what_and_what_it_replaced(folder: Path) -> None:
    faster = replaced(slower(plain(), 0, -100), "memory", flash=122600)
    after = msgspec.structs.replace(faster, run_id="another")
    (path,) = write(baseline_update.Update(items=(planned(after, folder),)), folder)
    content = json.loads(path.read_text())
    assert (content["schema"], content["result"]["schema"]) == ("tflm-harness/baseline/1", "tflm-harness/run/2")
    said = baseline.read(path).provenance
    assert said is not None and said.replaced is not None
    assert (said.reason, said.command) == ("a reason", ("harness", "baseline", "update"))
    created = datetime.fromisoformat(said.created)
    assert created.utcoffset() == timedelta(0) and datetime.now(UTC) - created < timedelta(minutes=5)
    assert said.replaced.run_id == plain().run_id
    moved = {item.metric: (item.before, item.after) for item in said.replaced.changes if item.before != item.after}
    assert moved == {
        "instructions": (1000, 900),
        "flash": (122628, 122600),
    }
    assert baseline.find(after, folder) == after


@pytest.mark.parametrize("inside", ["", "some/folder"])
def test_git_says_the_commit_and_whether_there_are_changes_but_for_the_baselines(tmp_path: Path, inside: str) -> None:
    repository = Repository(tmp_path / "made")
    folder = repository.folder / inside / "baselines"
    assert git.state(folder) == (None, None), "no commit yet"
    commit = repository.commit("Begin")
    baseline.save(plain(), folder)
    assert git.state(folder, but=folder) == (commit, False)
    assert git.state(folder) == (commit, True)
    (repository.folder / "network.tflite").write_bytes(b"")
    assert git.state(folder, but=folder) == (commit, True)
    baseline.save(plain(), folder, "again")
    said = baseline.read(folder / NAME).provenance
    assert said is not None and (said.git_commit, said.git_dirty) == (commit, True)


def test_outside_of_git(folder: Path) -> None:
    said = baseline.read(folder / NAME).provenance
    assert said is not None and (said.git_commit, said.git_dirty, said.replaced) == (None, None, None)


def test_the_committed_baselines_say_why_they_are_there() -> None:
    folder = Path(__file__).parents[2] / "results" / "baselines"
    assert len(baseline.files(folder)) == 3
    for path in baseline.files(folder):
        found = baseline.read(path)
        assert found.provenance is not None and found.provenance.reason, path.name
        assert baseline.name(found.result) == path.name


def test_the_committed_schema_is_that_of_the_records() -> None:
    path = Path(__file__).parents[2] / "results" / "schema" / "baseline-1.json"
    made = json.loads(json.dumps(baseline.schema()))
    assert made == json.loads(path.read_text()), "write harness.baseline.schema() there, if it only grew"


# --- commands --------------------------------------------------------------------------------------------------------

POLICY = """
name = "made"
[[runs]]
models = ["kws.tflite"]
platforms = ["stm32l496zg", "mps2-an385"]
kernels = ["cmsis-nn"]
[[rules]]
metric = "instructions"
unit = "instructions"
"""
M3 = "kws-mps2-an385-cmsis-nn-O2-nofpu.json"


@pytest.fixture
def here(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy of two runs, which are made up; the current one."""
    from gate_networks import network

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(MARKS, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    network().save(tmp_path, "kws.tflite")
    (tmp_path / "policy.toml").write_text(POLICY)
    real = run.measured

    def made_up(*arguments: Any, **options: Any) -> run.Measured:
        return real(*arguments, **options, measure=measure, build=build_nothing)

    monkeypatch.setattr(run, "measured", made_up)
    return tmp_path


class Ended:
    """Exit code and output of the command."""

    def __init__(self, capfd: pytest.CaptureFixture[str], *arguments: str) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main(["baseline", *arguments])
        self.code = ended.value.code
        self.out, self.err = capfd.readouterr()


def update(capfd: pytest.CaptureFixture[str], *more: str) -> Ended:
    return Ended(capfd, "update", "--policy", "policy.toml", "--baseline", "made", *more)


def test_update_measures_what_the_policy_lists(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "baseline", "update", "--reason", "because"])
    dry = update(capfd, "--dry-run")
    assert dry.code == 0 and not (here / "made").exists(), dry.err
    assert "nothing is written: --dry-run" in dry.out
    made = update(capfd, "--reason", " because ")
    assert made.code == 0, made.err
    assert "new" in made.out and "2 files changed in made: commit them" in made.out
    assert sorted(path.name for path in (here / "made").iterdir()) == [M3, NAME]
    said = baseline.read(here / "made" / M3).provenance
    assert said is not None and said.reason == "because" and said.command[-1] == "because"
    assert (here / "calls").read_text().count("\n") == 2, "what is known is not measured again"
    again = update(capfd, "--reason", "other")
    assert again.code == 0 and "nothing to write: every baseline is as it was" in again.out


def test_without_a_reason_nothing_is_measured(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for more in ((), ("--reason", " "), ("--reason", "", "--dry-run")):
        ended = update(capfd, *more)
        assert (ended.code, ended.out) == (2, "") and "a baseline needs a reason" in ended.err
    assert not (here / "calls").exists()


@pytest.mark.parametrize(("how", "code"), [("fail", 3), ("too large", 1)])
def test_where_a_run_has_no_result_nothing_is_written(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: str, code: int
) -> None:
    monkeypatch.setenv(HOW, how)
    ended = update(capfd, "--reason", "because")
    assert ended.code == code and "nothing is written: not every run is a baseline" in ended.out
    assert "mps2-an385" in ended.out and not (here / "made").exists()


def test_unused_baselines_are_named_and_removed_where_that_is_asked(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = baseline.save(replaced(plain(), "model", file="gone.tflite"), here / "made")
    ended = update(capfd, "--reason", "because")
    assert ended.code == 0 and path.exists()
    assert f"{path.stem}: no run of the policy has it; --remove-unused removes it" in ended.out
    dry = update(capfd, "--remove-unused", "--dry-run")
    assert "removed" in dry.out and path.exists()
    ended = update(capfd, "--remove-unused", "--reason", "because", "--json")
    assert ended.code == 0 and not path.exists()
    assert json.loads(ended.out)["written"] == [path.name]
    assert sorted(item.name for item in (here / "made").iterdir()) == [M3, NAME]


def test_given_runs_become_baselines(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("result.json").write_bytes(slower(plain(), 0, 100).to_json())
    baseline.save(plain(), here / "made")
    ended = Ended(capfd, "update", "result.json", "--baseline", "made", "--reason", "because", "--json")
    assert ended.code == 0, ended.err
    (item,) = json.loads(ended.out)["baselines"]
    assert (item["state"], item["file"]) == ("changed", NAME)
    assert {"metric": "instructions", "unit": "instructions", "before": 1000, "after": 1100} in item["changes"]
    Path("failed.json").write_bytes(exact(plain(), False).to_json())
    ended = Ended(capfd, "update", "failed.json", "--baseline", "made", "--reason", "because")
    assert ended.code == 1 and "refused" in ended.out and "layer 0 (CONV_2D) differs" in ended.out


@pytest.mark.parametrize("option", [("--remove-unused",), ("--policy", "policy.toml"), ("--jobs", "2")])
def test_options_that_say_nothing_to_given_runs(
    here: Path, capfd: pytest.CaptureFixture[str], option: tuple[str, ...]
) -> None:
    ended = Ended(capfd, "update", "result.json", "--reason", "because", *option)
    assert ended.code == 2 and f"{option[0]} says nothing where runs are given" in ended.err


def test_two_runs_of_one_baseline(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("a.json").write_bytes(plain().to_json())
    Path("b.json").write_bytes(msgspec.structs.replace(plain(), run_id="other").to_json())
    ended = Ended(capfd, "update", "a.json", "b.json", "--reason", "because")
    assert ended.code == 2 and f"would both be the baseline {NAME}" in ended.err


def test_list_and_show(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = here / "results" / "baselines"
    baseline.save(plain(), folder, "a \x1b[31mred\n[bold]reason")
    baseline.save(slower(plain(), 0, 100), folder, "a \x1b[31mred\n[bold]reason", ("harness", "\x1b[2J"))
    (folder / "damaged.json").write_text("{")
    listed = Ended(capfd, "list")
    assert listed.code == 0 and "\x1b" not in listed.out
    assert "[bold]reason" in listed.out and "unreadable: " in listed.out and "1,100" in listed.out
    items = {item["file"]: item for item in json.loads(Ended(capfd, "list", "--json").out)}
    assert items[NAME]["totals"]["instructions"] == 1100
    assert "unreadable" in items["damaged.json"]
    shown = Ended(capfd, "show", "kws")
    assert shown.code == 0 and "\x1b" not in shown.out and "+10.00 %" in shown.out
    assert f"replaced: {plain().run_id}" in shown.out
    assert Ended(capfd, "show", "kws", "--json").out.encode() == (folder / NAME).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("list",), "there is no such folder of baselines"),
        (("show", "kws"), "there is no such folder of baselines"),
        (("list", "--baseline", "empty"), "there is no baseline in it"),
        (("show", "nothing", "--baseline", "two"), "'nothing' is no baseline in two"),
        (("show", "O2", "--baseline", "two"), "'O2' is ambiguous: 2 baselines match"),
    ],
)
def test_mistakes(here: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], what: str) -> None:
    (here / "empty").mkdir()
    baseline.save(plain(), here / "two")
    baseline.save(replaced(plain(), "model", file="other.tflite"), here / "two")
    ended = Ended(capfd, *arguments)
    assert (ended.code, ended.out) == (2, "") and what in ended.err
