"""The gate on real runs: what each kind of change leads to, in its exit code and in the first line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import baseline, cli, store, toolchain
from harness.errors import MissingToolError
from harness.gate import measure
from tests.unit.gate_networks import RULES, network

PLATFORM = "stm32l496zg"
POLICY = (
    """
name = "made"
[[runs]]
models = ["*.tflite"]
platforms = ["{platform}"]
kernels = ["{kernels}"]
optimisation = ["{optimisation}"]
"""
    + RULES
)

Ended = tuple[int, str]


class Repository:
    """A folder with two networks, a policy and the baselines of both; ``gate`` runs the command in it."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    @property
    def policy(self) -> Path:
        return self.folder / "nets" / "made.toml"

    def baseline(self, name: str) -> Path:
        (path,) = (self.folder / "baselines").glob(f"{name}-*.json")
        return path

    def gate(self, *more: str) -> Ended:
        """Exit code and first line: of standard output, or of the error."""
        arguments = ["gate", "--policy", str(self.policy), "--baseline", str(self.folder / "baselines"), *more]
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        captured = self._capfd.readouterr()
        self.text, self.err = captured.out, captured.err
        code = int(ended.value.code or 0)
        return code, (captured.out or captured.err).splitlines()[0]

    def write_policy(self, more: str = "", kernels: str = "cmsis-nn", optimisation: str = "-O2") -> None:
        text = POLICY.format(platform=PLATFORM, kernels=kernels, optimisation=optimisation)
        self.policy.write_text(text + more)

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        """Edit the result in a baseline, as JSON."""
        path = self.baseline(name)
        content = json.loads(path.read_text())
        change(content["result"])
        path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks, policy, baselines and stored runs, made once."""
    folder = tmp_path_factory.mktemp("gate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(folder / "results"))
        patch.setattr(measure, "_harness_sha256", lambda: "fixed")
        (folder / "nets").mkdir()
        network().save(folder / "nets", "small.tflite")
        network(size=12, seed=2).save(folder / "nets", "other.tflite")
        (folder / "nets" / "made.toml").write_text(
            POLICY.format(platform=PLATFORM, kernels="cmsis-nn", optimisation="-O2")
        )
        (folder / "baselines").mkdir()
        with pytest.raises(SystemExit) as ended:
            cli.main(["gate", "--policy", str(folder / "nets" / "made.toml"), "--baseline", str(folder / "baselines")])
        assert ended.value.code == 3
        runs = store.stored()
        assert len(runs) == 2
        for item in runs:
            assert item.result is not None
            baseline.save(item.result, folder / "baselines")
    return folder


@pytest.fixture
def repository(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Repository:
    folder = tmp_path / "repository"
    shutil.copytree(measured, folder)
    monkeypatch.setenv("HARNESS_RESULTS", str(folder / "results"))
    # In a checkout that somebody works on, a source that changes would make every run a new one.
    monkeypatch.setattr(measure, "_harness_sha256", lambda: "fixed")
    capfd.readouterr()
    return Repository(folder, capfd)


def test_a_clean_gate_passes_and_measures_nothing_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.gate.run.Workers", None)
    code, line = repository.gate("--jobs", "1")
    assert (code, line) == (0, "PASS  made: 2 runs, 18 comparisons, none worse than allowed")
    assert "points" not in repository.err


def test_a_wider_layer(repository: Repository) -> None:
    """A model edit: one channel more in the middle; only that network is measured."""
    network(channels=9).save(repository.folder / "nets", "small.tflite")
    code, line = repository.gate()
    assert code == 1
    assert line.startswith(f"FAIL  small.tflite on {PLATFORM} (cmsis-nn, -O2): layer 1 CONV_2D +")
    assert "output 1x16x16x8 -> 1x16x16x9" in line and "in arm_nn_mat_mult_nt_t_s8 +" in line
    assert "1/1 points" in repository.err
    assert "suppressed  another model than the baseline's" in repository.text


def test_a_kibibyte_more_of_flash(repository: Repository) -> None:
    network(ballast=1024).save(repository.folder / "nets", "small.tflite")
    code, line = repository.gate()
    assert code == 1
    assert f"FAIL  small.tflite on {PLATFORM} (cmsis-nn, -O2): flash +" in line and "; model +" in line
    assert "worse" not in line.partition("model +")[2]


def test_one_flipped_output_bit(repository: Repository) -> None:
    def flip(content: Any) -> None:
        first = content["check"]["outputs"][0]
        content["check"]["outputs"][0] = f"{int(first[:2], 16) ^ 1:02x}{first[2:]}"

    repository.edit("small", flip)
    code, line = repository.gate()
    assert code == 1
    assert line.startswith(
        f"FAIL  small.tflite on {PLATFORM} (cmsis-nn, -O2): the outputs are not the baseline's: 1 of "
    )
    assert "the first is byte 0" in line


def test_a_missing_metric(repository: Repository) -> None:
    repository.write_policy('[[rules]]\nmetric = "latency"\nunit = "ms"\nlimit = 10\n')
    code, line = repository.gate()
    assert code == 3
    assert line.startswith("INCOMPLETE  no estimate of latency in the result (cycles = true in [[runs]], or ")
    assert line.endswith(" makes one): estimated latency of 2 runs missing")


def test_estimated_latency_and_energy(repository: Repository) -> None:
    """Asked for by the policy, missing in baselines without it, then judged against baselines that hold it."""
    rules = (
        '[[rules]]\nmetric = "latency"\nunit = "ms"\nallowed_percent = 1\nlimit = 1000\n'
        '[[rules]]\nmetric = "energy"\nunit = "uJ"\nallowed_percent = 1\n'
    )
    repository.write_policy(rules)
    repository.policy.write_text(repository.policy.read_text().replace("[[runs]]", "[[runs]]\ncycles = true"))
    code, line = repository.gate()
    assert code == 3
    assert line == (
        "INCOMPLETE  no estimate of latency in the baseline (harness baseline update makes it anew): "
        "estimated latency of 2 runs missing (and 1 more like this)"
    )
    for item in store.stored():
        if item.result is not None and item.result.estimate is not None:
            baseline.save(item.result, repository.folder / "baselines")
    assert repository.gate()[0] == 0

    def faster(content: Any) -> None:
        content["estimate"]["latency_ms"]["value"] /= 2
        content["estimate"]["layers"][1]["cycles"] -= 1000

    repository.edit("small", faster)
    code, line = repository.gate()
    assert code == 1
    assert line.startswith(f"FAIL  small.tflite on {PLATFORM} (cmsis-nn, -O2): estimated latency +")
    assert "layer 1 CONV_2D +1,000 estimated cycles" in line

    def another(content: Any) -> None:
        content["estimate"]["model"] = "another/9"

    repository.edit("small", another)
    code, line = repository.gate()
    assert code == 3
    assert line.startswith("INCOMPLETE  another cost model than the baseline's: first-principles/2, uncalibrated, ")
    assert "estimated latency, estimated energy of small.tflite on" in line


def test_a_changed_compiler(repository: Repository) -> None:
    def change(content: Any) -> None:
        content["identity"]["compiler"] = "arm-none-eabi-gcc 14.2.1"

    for name in ("small", "other"):
        repository.edit(name, change)
    code, line = repository.gate()
    assert code == 3
    assert line.startswith("INCOMPLETE  another compiler than the baseline's: arm-none-eabi-gcc (")
    assert line.endswith("baseline arm-none-eabi-gcc 14.2.1: instructions, layers, flash, arena of 2 runs not compared")


@pytest.mark.parametrize(
    ("axis", "value", "what"), [("optimisation", "-Os", "optimisation"), ("kernels", "reference", "kernel set")]
)
def test_baselines_of_other_flags_or_kernels(repository: Repository, axis: str, value: str, what: str) -> None:
    """The baseline of one is put in the place of the other's: the gate reads what is in it, not its name."""
    repository.write_policy(**{axis: value})
    former = {"optimisation": "-O2", "kernels": "cmsis-nn"}[axis]
    for name in ("small", "other"):
        path = repository.baseline(name)
        path.rename(path.with_name(path.name.replace(former, value)))
    code, line = repository.gate()
    assert code == 3
    assert line.startswith(f"INCOMPLETE  another {what} than the baseline's: {value}, baseline {former}: instructions")


@pytest.mark.parametrize(("schema", "hint"), [("tflm-harness/run/1", "measure it again"),
                                              ("tflm-harness/run/9", "update the harness")])  # fmt: skip
def test_a_baseline_of_another_schema(repository: Repository, schema: str, hint: str) -> None:
    repository.edit("small", lambda content: content.update(schema=schema))
    code, line = repository.gate()
    assert (code, repository.text) == (2, "")
    assert line.startswith("error: ") and "small-stm32l496zg-cmsis-nn-O2.json" in line and schema in line
    assert hint in repository.err


def test_a_damaged_baseline(repository: Repository) -> None:
    repository.baseline("small").write_text("{")
    code, line = repository.gate()
    assert (code, repository.text) == (2, "")
    assert line.startswith(f"error: {repository.baseline('small')}: ")


def test_an_emulator_that_is_missing(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.folder))
    code, line = repository.gate()
    assert code == 3
    assert line.startswith(f"INCOMPLETE  other.tflite on {PLATFORM} (cmsis-nn, -O2): qemu-system-arm is not installed")


def test_a_compiler_that_is_missing(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No point can be identified, so that there is no verdict; what others read is written all the same."""

    def missing() -> None:
        raise MissingToolError("arm-none-eabi-gcc is not installed", "apt-get install gcc-arm-none-eabi")

    monkeypatch.setattr(toolchain, "arm", missing)
    code, line = repository.gate("--output", str(repository.folder / "out"))
    assert (code, repository.text, line) == (3, "", "error: arm-none-eabi-gcc is not installed")
    written = json.loads((repository.folder / "out" / "verdict.json").read_text())
    assert (written["exit_code"], written["headline"], written["policy"]["name"]) == (3, line[len("error: ") :], "made")


def test_a_baseline_whose_network_is_gone(repository: Repository) -> None:
    (repository.folder / "nets" / "other.tflite").unlink()
    code, line = repository.gate()
    assert (code, line) == (
        3, "INCOMPLETE  baseline other-stm32l496zg-cmsis-nn-O2.json: no run of the policy has it: is its network gone?"
    )  # fmt: skip


def test_a_network_without_a_baseline(repository: Repository) -> None:
    repository.baseline("other").unlink()
    code, line = repository.gate()
    assert code == 3
    assert line.startswith("INCOMPLETE  no baseline other-stm32l496zg-cmsis-nn-O2.json: ")


def test_an_unreadable_policy(repository: Repository) -> None:
    repository.write_policy('[[rules]]\nmetric = "flash"\nunit = "KiB"\n')
    code, line = repository.gate()
    assert (code, repository.text) == (2, "")
    assert line == f"error: {repository.policy}: rules[5].unit: flash is in 'B', not in 'KiB'"


def test_a_damaged_network(repository: Repository) -> None:
    (repository.folder / "nets" / "small.tflite").write_bytes(b"no network")
    code, line = repository.gate()
    assert code == 3
    assert line.startswith(f"INCOMPLETE  small.tflite on {PLATFORM} (cmsis-nn, -O2): ")
    assert str(repository.folder) not in line


def test_a_run_whose_files_are_gone_is_measured_again(repository: Repository) -> None:
    (run,) = (repository.folder / "results" / "runs").glob("small-*")
    shutil.rmtree(run)
    assert repository.gate()[0] == 0
    assert "1/1 points" in repository.err and run.is_dir()


def test_given_runs_are_judged(repository: Repository) -> None:
    (run,) = (repository.folder / "results" / "runs").glob("small-*")
    assert repository.gate("--run", run.name)[1] == "PASS  made: 1 run, 9 comparisons, none worse than allowed"
    assert repository.gate("--run", str(run / "result.json"))[0] == 0
    code, line = repository.gate("--run", str(repository.policy))
    assert (code, "no result" in line) == (2, True)


def test_accuracy_on_the_device(repository: Repository) -> None:
    """Labels that are the network's own answers on the host: all images are right."""
    import numpy as np

    from harness import inputs, model
    from harness.accuracy import load

    folder = repository.folder / "nets"
    given = model.load(folder / "small.tflite")
    image = np.frombuffer(inputs.deterministic(given).data[0], dtype=np.int8).reshape(1, 16, 16, 1)
    np.save(folder / "x.npy", image)
    (run,) = (repository.folder / "results" / "runs").glob("small-*")
    answer = np.frombuffer(bytes.fromhex(store.load(str(run)).check.outputs[0]), dtype=np.int8)
    np.save(folder / "y.npy", np.array([int(np.argmax(answer))]))
    assert len(load(folder / "x.npy", folder / "y.npy", given).images) == 1
    text = POLICY.format(platform=PLATFORM, kernels="cmsis-nn", optimisation="-O2")
    runs = 'test_set = { inputs = "x.npy", labels = "y.npy" }\n'
    rule = '[[rules]]\nmetric = "accuracy"\nunit = "share"\nlimit = 1.0\n[rules.only]\nmodels = ["small*"]\n'
    text = text.replace('models = ["*.tflite"]', f'models = ["small.tflite"]\n{runs}')
    repository.policy.write_text(f'unused_baselines = "ignore"\n{text}{rule}')
    code, line = repository.gate("--json")
    verdict = json.loads(repository.text)
    (item,) = (item for item in verdict["comparisons"] if item["metric"] == "accuracy")
    assert (code, item["value"], item["state"], item["against"]) == (0, 1.0, "ok", "limit"), line
    np.save(folder / "y.npy", np.array([int(np.argmin(answer))]))
    code, line = repository.gate()
    assert (code, "accuracy 0 share, limit at least 1 share" in line) == (1, True)
