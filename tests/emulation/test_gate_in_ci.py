"""The gate in somebody else's CI: the steps of action.yml and of the GitLab template, run as their runners do.

The sample repository is made here. What is installed is this Python's harness: "install" finds it by HARNESS_PYTHON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml

from harness import baseline, pipeline
from harness.paths import checkout
from harness.result import Result
from tests.conftest import DIGITS
from tests.unit.comment_server import BOT, SHA, Server, running

ROOT = checkout()
if ROOT is None:
    pytest.skip("the action belongs to a source checkout", allow_module_level=True)

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
GITLAB = yaml.safe_load((ROOT / ".gitlab" / "tflm-harness-gate.yml").read_text())
STEPS = ACTION["runs"]["steps"]
PLATFORM = "stm32l496zg"
POLICY = f"""
name = "sample"
[[runs]]
models = ["../nets/*.tflite"]
platforms = ["{PLATFORM}"]
kernels = ["cmsis-nn"]
[[rules]]
metric = "instructions"
unit = "instructions"
allowed_percent = 1
[[rules]]
metric = "flash"
unit = "B"
allowed = 512
"""


class Sample(NamedTuple):
    """A repository that has a network, a policy and its baseline, which is ``result``; and where runs are stored."""

    folder: Path
    result: Result
    results: Path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    (folder / "nets").mkdir()
    shutil.copyfile(DIGITS, folder / "nets" / "mine.tflite")
    (folder / "gate").mkdir()
    (folder / "gate" / "sample.toml").write_text(POLICY)
    results = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(results))
        measured = pipeline.run(folder / "nets" / "mine.tflite", PLATFORM, kernels="cmsis-nn")
    baseline.save(measured, folder / "gate" / "baselines")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "Sample")
    return Sample(folder, measured, results)


def _git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{what}": "test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], env=os.environ | who, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def repository(sample: Sample, tmp_path: Path) -> Path:
    """A copy of the sample, to be changed by a test. It holds what must not be taken for the harness."""
    folder = tmp_path / "work space"
    shutil.copytree(sample.folder, folder)
    for name in ("harness", "typer", "msgspec"):
        (folder / f"{name}.py").write_text("raise SystemExit('code of the pull request was run')\n")
    (folder / "harness.toml").write_text('toolchain = "./of-the-pull-request/arm-none-eabi-"\n')
    return folder


def slower(repository: Path, before: Result) -> None:
    """The baseline was 5 % faster."""
    counts = msgspec.structs.replace(before.counts, total=before.counts.total * 95 // 100)
    baseline.save(msgspec.structs.replace(before, counts=counts), repository / "gate" / "baselines")


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as made:
        yield made


def _surroundings() -> dict[str, str]:
    """What a job finds on its machine: nothing that a CI system, pytest or the user said to this process."""
    others = ("CI", "GITHUB_", "GITLAB_", "HARNESS_", "PYTEST_", "PYTHON", "RUNNER_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return kept | {name: os.environ[name] for name in ("HARNESS_CACHE",) if name in os.environ}


class Step(NamedTuple):
    code: int
    out: str


class Runner:
    """Runs the steps of action.yml as GitHub's runner does: each in bash -eo pipefail, until one fails."""

    def __init__(self, repository: Path, folder: Path, **inputs: str) -> None:
        self.repository = repository
        self.folder = folder
        self.inputs = {name: str(item.get("default", "")) for name, item in ACTION["inputs"].items()}
        self.inputs |= {"policy": "gate/sample.toml", "baseline": "gate/baselines", "python": sys.executable} | inputs
        self.outputs: dict[str, dict[str, str]] = {}
        self.steps: dict[str, Step] = {}
        self.event = folder / "event.json"
        self.event.write_text('{"ref": "refs/heads/main"}')
        self.more = {"GITHUB_API_URL": "http://127.0.0.1:1", "NO_PROXY": "*"}

    def run(self) -> int:
        """The exit code of the action."""
        (self.folder / "runner").mkdir(exist_ok=True)
        (self.folder / "summary").write_text("")
        for index, step in enumerate(STEPS):
            if self._wanted(step.get("if")):
                done = self._step(index, step)
                self.steps[step["name"]] = done
                if done.code:
                    return done.code
        return 0

    def again(self, name: str) -> Step:
        """One more run of a step that ran."""
        (index,) = (index for index, step in enumerate(STEPS) if step["name"] == name)
        return self._step(index, STEPS[index])

    def _wanted(self, condition: str | None) -> bool:
        if condition is None:
            return True
        name, value = re.fullmatch(r"inputs\.([a-z-]+) == '([a-z]*)'", condition).groups()  # type: ignore[union-attr]
        return self.inputs[name] == value

    def _step(self, index: int, step: dict[str, Any]) -> Step:
        assert step["shell"] == "bash" and set(step) <= {"name", "id", "if", "shell", "env", "run"}
        script, output = self.folder / f"step{index}.sh", self.folder / f"output{index}"
        script.write_text(step["run"])
        output.write_text("")
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.repository,
            env=self._environment() | {name: self._value(text) for name, text in step.get("env", {}).items()}
            | {"GITHUB_OUTPUT": str(output)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )  # fmt: skip
        lines = output.read_text().splitlines()
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)
        return Step(ended.returncode, ended.stdout)

    def _environment(self) -> dict[str, str]:
        return _surroundings() | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "PYTHONPATH": str(self.repository),
            "RUNNER_TEMP": str(self.folder / "runner"),
        } | self.more  # fmt: skip

    def _value(self, text: str) -> str:
        """An expression as a step's environment has it."""

        def replaced(match: re.Match[str]) -> str:
            kind, *names = match[1].split(".")
            if kind == "inputs":
                return self.inputs[names[0]]
            assert kind == "steps" and names[1] == "outputs"
            return self.outputs[names[0]].get(names[2], "")

        return re.sub(r"\$\{\{ ([a-z.-]+) \}\}", replaced, text)

    def output(self, name: str) -> str:
        """An output of the action."""
        return self._value(ACTION["outputs"][name]["value"])

    @property
    def log(self) -> str:
        return "".join(step.out for step in self.steps.values())

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()


@pytest.fixture
def runner(repository: Path, tmp_path: Path, sample: Sample) -> Runner:
    """Runs that were measured before are not measured again."""
    made = Runner(repository, tmp_path)
    made.more["HARNESS_RESULTS"] = str(sample.results)
    return made


def test_a_gate_that_passes(runner: Runner) -> None:
    del runner.more["HARNESS_RESULTS"]
    assert runner.run() == 0, runner.log
    assert list(runner.steps) == ["Check the inputs", "Install the harness", "Run the gate", "The verdict"]
    assert (runner.output("exit-code"), runner.output("verdict")) == ("0", "PASS")
    assert "PASS  sample: 1 run, 4 comparisons, none worse than allowed" in runner.steps["Run the gate"].out
    assert runner.steps["The verdict"].out == "PASS, exit code 0\n"
    assert runner.summary.startswith("### PASS: gate `sample`\n")
    folder = Path(runner.output("folder"))
    assert folder.parent == runner.folder / "runner"
    assert json.loads(Path(runner.output("json")).read_text())["exit_code"] == 0
    assert Path(runner.output("markdown")).read_text() == runner.summary
    assert Path(runner.output("junit")).read_text().startswith("<?xml")
    assert len(list((folder / "results" / "runs").glob("mine-*"))) == 1
    # Nothing is left in the repository but what the test put there.
    assert {line[3:] for line in _git(runner.repository, "status", "--short").splitlines()} == {
        "harness.py", "harness.toml", "msgspec.py", "typer.py"
    }  # fmt: skip


def test_a_regression(runner: Runner, repository: Path, sample: Sample) -> None:
    slower(repository, sample.result)
    assert runner.run() == 1
    assert (runner.output("exit-code"), runner.output("verdict")) == ("1", "FAIL")
    assert "### FAIL: gate `sample`" in runner.summary and "instructions" in runner.summary
    assert runner.steps["The verdict"].out == "FAIL, exit code 1\n"


def test_a_policy_that_cannot_be_read(runner: Runner, repository: Path) -> None:
    (repository / "gate" / "sample.toml").write_text("name = \n")
    assert runner.run() == 2
    assert (runner.output("exit-code"), runner.output("verdict")) == ("2", "ERROR")
    assert "error: gate/sample.toml: " in runner.log
    assert runner.summary.startswith("### ERROR: gate `sample`")


def test_a_run_without_a_baseline(runner: Runner, repository: Path) -> None:
    shutil.copyfile(DIGITS, repository / "nets" / "mine.tflite")
    (repository / "nets" / "mine.tflite").rename(repository / "nets" / "yours.tflite")
    assert runner.run() == 3
    assert (runner.output("exit-code"), runner.output("verdict")) == ("3", "INCOMPLETE")
    assert "### INCOMPLETE: gate `sample`" in runner.summary


def test_a_given_folder_and_its_stale_files(repository: Path, tmp_path: Path) -> None:
    """A pull request cannot bring a verdict along."""
    (repository / "out" / "exit-code").mkdir(parents=True)
    (repository / "out" / "verdict.json").write_text("planted")
    (repository / "gate" / "sample.toml").write_text("no policy")
    runner = Runner(repository, tmp_path, output="out", jobs="1")
    assert runner.run() == 2
    assert Path(runner.output("folder")) == repository / "out"
    assert json.loads((repository / "out" / "verdict.json").read_text())["exit_code"] == 2


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"policy": "none.toml"}, "error: policy: there is no file none.toml in "),
        ({"policy": "a\nb"}, r"error: policy: $'a\nb' has control characters"),
        ({"policy": "--help"}, "error: policy: --help begins with a dash"),
        ({"policy": "$(touch planted).toml"}, r"error: policy: there is no file \$\(touch\ planted\).toml in "),
        ({"policy": "`touch planted`"}, r"error: policy: there is no file \`touch\ planted\` in "),
        ({"baseline": "none"}, "error: baseline: there is no folder none in "),
        ({"baseline": '"; touch planted; "'}, "error: baseline: there is no folder "),
        ({"output": "-o"}, "error: output: -o begins with a dash"),
        ({"jobs": "0"}, "error: jobs: 0 is no number of runs at once"),
        ({"jobs": "two"}, "error: jobs: two is no number of runs at once"),
        ({"jobs": "99999"}, "error: jobs: 99999 is no number of runs at once"),
        ({"comment": "yes"}, "error: comment: yes is neither true nor false"),
        ({"python": "no-python"}, "error: python: there is no program no-python"),
    ],
)
def test_inputs_are_checked_first(repository: Path, tmp_path: Path, inputs: dict[str, str], message: str) -> None:
    runner = Runner(repository, tmp_path, **inputs)
    assert runner.run() == 2
    assert list(runner.steps) == ["Check the inputs"]
    assert runner.log.startswith(message), runner.log
    assert not (repository / "planted").exists()


def test_a_python_without_the_harness(repository: Path, tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\necho 'No module named harness' >&2\nexit 1\n")
    stand_in.chmod(0o755)
    runner = Runner(repository, tmp_path, python=str(stand_in))
    assert runner.run() == 3
    assert list(runner.steps) == ["Check the inputs", "Install the harness"]
    assert "has no harness" in runner.log


def test_without_a_python_it_is_installed(repository: Path, tmp_path: Path) -> None:
    """By the bootstrap beside the script, here one that only says so."""
    action = tmp_path / "action"
    (action / ".ci").mkdir(parents=True)
    (action / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "gate", action / ".ci")
    (action / ".ci" / "bootstrap").write_text('echo "bootstrap $*"\n')
    python = action / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "python $*"\n')
    python.chmod(0o755)
    runner = Runner(repository, tmp_path, python="")
    runner.more["GITHUB_ACTION_PATH"] = str(action)
    assert runner.run() == 0
    assert runner.steps["Install the harness"].out == "bootstrap demo\npython -m harness --version\n"
    assert "python -m harness --no-project gate --policy gate/sample.toml" in runner.steps["Run the gate"].out


def test_what_is_printed_is_no_command_to_the_runner(runner: Runner, repository: Path, sample: Sample) -> None:
    """A network's name begins a line: GitHub must not take it as a workflow command."""
    name = "::error::planted.tflite"
    (repository / "nets" / "mine.tflite").rename(repository / "nets" / name)
    shutil.rmtree(repository / "gate" / "baselines")
    model = msgspec.structs.replace(sample.result.model, file=name)
    slower(repository, msgspec.structs.replace(sample.result, model=model))
    assert runner.run() == 1
    lines = runner.steps["Run the gate"].out.splitlines()
    assert any(line.startswith("::error::planted") for line in lines)
    token = lines[0].removeprefix("::stop-commands::")
    assert re.fullmatch("[0-9a-f]{32}", token)
    assert lines[-1] == f"::{token}::" and lines.count(lines[-1]) == 1
    assert "::" not in "".join(
        step.out for step in runner.steps.values() if step.out != runner.steps["Run the gate"].out
    )


def test_the_comment(server: Server, repository: Path, tmp_path: Path, sample: Sample) -> None:
    runner = Runner(repository, tmp_path, comment="true", token="secret")
    runner.more["HARNESS_RESULTS"] = str(sample.results)
    runner.event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": SHA}}}))
    runner.more["GITHUB_API_URL"] = server.url
    assert runner.run() == 0, runner.log
    assert runner.steps["Comment on the pull request"].out == "comment written\n"
    slower(repository, sample.result)
    assert runner.run() == 1
    assert runner.steps["Comment on the pull request"].out == "comment updated\n"
    (kept,) = server.kept
    assert kept["by"] == BOT and "### FAIL: gate `sample`" in kept["body"] and SHA in kept["body"]
    # A fork's token may only read, and a server may be down: the verdict stands.
    server.refuse = {"GET": 403}
    done = runner.again("Comment on the pull request")
    assert (done.code, "::notice title=tflm-harness::no comment: " in done.out) == (0, True)
    server.refuse = {"GET": 500}
    done = runner.again("Comment on the pull request")
    assert (done.code, "::warning title=tflm-harness::the comment could not" in done.out) == (0, True)


def scripts() -> Iterator[tuple[str, str]]:
    """Everything that a shell runs, of both files."""
    for step in STEPS:
        yield step["name"], step["run"]
    job = GITLAB["tflm-harness-gate"]
    for index, line in enumerate([*job["before_script"], *job["script"]]):
        yield f"gitlab {index}", line


def test_no_expression_is_part_of_a_script() -> None:
    """${{ }} and $[[ ]] are replaced before a shell reads them: what they stand for would be code."""
    found = dict(scripts())
    assert len(found) == len(STEPS) + 7
    assert all("${{" not in script and "$[[" not in script for script in found.values())


def test_other_peoples_actions_are_pinned() -> None:
    for step in STEPS:
        assert "uses" not in step
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job["steps"]:
                assert re.fullmatch(r"\./|[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", "./")), step


def test_shellcheck_of_the_scripts(tmp_path: Path) -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    for index, (name, script) in enumerate(scripts()):
        path = tmp_path / f"{index}.sh"
        # HARNESS_SOURCE is of the script before: the runner puts them into one.
        path.write_text(f"#!/bin/bash\n: \"${{HARNESS_SOURCE:=}}\"\n{script}\n")  # fmt: skip
        checked = subprocess.run([shellcheck, str(path)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, f"{name}: {checked.stdout}"
    gate = subprocess.run([shellcheck, str(ROOT / ".ci" / "gate")], capture_output=True, text=True, check=False)
    assert gate.returncode == 0, gate.stdout


class Job:
    """The job of the GitLab template, as its runner runs it: all scripts in one bash."""

    def __init__(self, repository: Path, folder: Path, **variables: str) -> None:
        self.repository = repository
        self.source = folder / "tflm-harness"
        (self.source / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "gate", self.source / ".ci")
        _git(self.source, "init", "-q")
        _git(self.source, "add", ".")
        _git(self.source, "commit", "-q", "-m", "Harness")
        self.variables = {
            "HARNESS_REPOSITORY": f"file://{self.source}",
            "HARNESS_COMMIT": _git(self.source, "rev-parse", "HEAD"),
            "HARNESS_POLICY": "gate/sample.toml",
            "HARNESS_BASELINES": "gate/baselines",
            "HARNESS_PYTHON": sys.executable,
        } | variables
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    def run(self) -> Step:
        job = GITLAB["tflm-harness-gate"]
        given = {name: str(item["value"]) for name, item in GITLAB["variables"].items()}
        job_variables = {name: value for name, value in job["variables"].items() if name != "HARNESS_CACHE"}
        ended = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join([*job["before_script"], *job["script"]])],
            cwd=self.repository,
            env=_surroundings()
            | given
            | self.variables
            | job_variables
            | {"GITLAB_CI": "true", "TMPDIR": str(self.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Step(ended.returncode, ended.stdout)


def test_the_job_of_gitlab(repository: Path, tmp_path: Path, server: Server, sample: Sample) -> None:
    job = Job(repository, tmp_path, HARNESS_RESULTS=str(sample.results))
    done = job.run()
    assert (done.code, done.out.splitlines()[-1]) == (0, "PASS, exit code 0"), done.out
    artifacts = GITLAB["tflm-harness-gate"]["artifacts"]
    for path in (*artifacts["paths"], artifacts["reports"]["junit"]):
        assert (repository / path).is_file()
    slower(repository, sample.result)
    job.variables |= {
        "CI_API_V4_URL": server.url, "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "2", "NO_PROXY": "*",
        "HARNESS_GITLAB_TOKEN": "secret", "HARNESS_COMMENT": "true",
    }  # fmt: skip
    done = job.run()
    assert (done.code, done.out.splitlines()[-2:]) == (1, ["comment written", "FAIL, exit code 1"])
    (repository / "gate" / "sample.toml").write_text("[")
    del job.variables["HARNESS_GITLAB_TOKEN"]
    done = job.run()
    assert done.code == 2 and "error: HARNESS_GITLAB_TOKEN holds no token" in done.out
    assert "::" not in done.out


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        ({"HARNESS_REPOSITORY": ""}, 2, "error: HARNESS_REPOSITORY is no address of tflm-harness"),
        ({"HARNESS_REPOSITORY": "ext::touch planted"}, 2, "error: HARNESS_REPOSITORY is no address"),
        ({"HARNESS_COMMIT": "main"}, 2, "error: HARNESS_COMMIT is no full commit"),
        ({"HARNESS_COMMIT": "--upload-pack=touch planted; exit 1; 0000000000"}, 2, "error: HARNESS_COMMIT is no full"),
        ({"HARNESS_COMMIT": "0" * 40}, 128, "fatal: "),
        ({"HARNESS_POLICY": "none.toml"}, 2, "error: policy: there is no file none.toml"),
    ],
)
def test_the_variables_of_gitlab(
    repository: Path, tmp_path: Path, variables: dict[str, str], code: int, message: str
) -> None:
    done = Job(repository, tmp_path, **variables).run()
    assert done.code == code and message in done.out
    assert not (repository / "planted").exists()
