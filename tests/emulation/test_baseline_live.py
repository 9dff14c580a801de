"""Baselines of real runs in a git repository: made, judged by the gate, renewed after a change, compared, shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import baseline, cli
from harness.gate import measure
from tests.unit.gate_networks import network
from tests.unit.git_maker import Repository

POLICY = """
name = "made"
[[runs]]
models = ["*.tflite"]
platforms = ["stm32l496zg"]
kernels = ["cmsis-nn"]
[[rules]]
metric = "instructions"
unit = "instructions"
"""


def test_from_the_first_baseline_to_the_history_of_two(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def harness(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out or captured.err

    monkeypatch.setattr(measure, "_harness_sha256", lambda: "fixed")
    repository = Repository(tmp_path / "repository")
    monkeypatch.chdir(repository.folder)
    network().save(repository.folder, "small.tflite")
    Path("policy.toml").write_text(POLICY)
    where = ("--policy", "policy.toml", "--baseline", "baselines")
    first = repository.commit("Begin", 1)

    code, said = harness("baseline", "update", *where, "--reason", "the first one")
    assert code == 0, said
    (path,) = Path("baselines").iterdir()
    repository.commit("Keep a baseline", 2)
    before = baseline.read(path)
    assert before.provenance is not None and before.provenance.replaced is None
    assert (before.provenance.git_commit, before.provenance.git_dirty) == (first, False)
    assert harness("gate", *where)[0] == 0

    network(channels=12).save(repository.folder, "small.tflite")  # wider: more of everything
    code, said = harness("gate", *where)
    assert code == 1 and 'baseline update --reason "..."' not in said.splitlines()[0]
    code, said = harness("baseline", "update", *where, "--reason", "a wider network")
    assert code == 0 and "changed" in said and "model: " in said
    after = baseline.read(path)
    assert after.provenance is not None and after.provenance.replaced is not None
    assert after.provenance.git_dirty is True and after.provenance.replaced.run_id == before.result.run_id
    repository.commit("Widen the network", 3)
    assert harness("gate", *where)[0] == 0

    Path("former.json").write_text(repository.git("show", f"HEAD~1:{path}"))
    code, said = harness("compare", "former.json", str(path), "--json")
    compared = json.loads(said)
    assert code == 0 and [item["what"] for item in compared["differs"]] == ["model"]
    total = next(item for item in compared["totals"] if item["metric"] == "instructions")
    assert total["change"] == after.result.counts.total - before.result.counts.total > 0
    assert sum(layer["change"] for layer in compared["layers"]) + compared["overhead"]["change"] == total["change"]
    for layer in compared["layers"]:
        for parts in ("functions", "classes"):
            assert sum(part["change"] for part in layer[parts]) == layer["change"]

    code, said = harness("history", "--baseline", "baselines", "--json")
    (series,) = json.loads(said)["series"]
    assert [entry["reason"] for entry in series["entries"]] == ["the first one", "a wider network"]
    assert series["entries"][1]["change"] == total["change"]
    assert series["entries"][1]["notes"] == ["another model"]
