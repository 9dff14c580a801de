"""The policy: what it may hold, and how what it may not is said."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.gate import policy
from harness.gate.metrics import METRICS
from harness.gate.policy import Rule

RULE = '[[rules]]\nmetric = "flash"\nunit = "B"\n'


def write(folder: Path, rule: str = "", text: str = "", name: str = "made") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'name = "{name}"\n{text}\n{RULE}{rule}\n')
    return path


def test_a_policy(tmp_path: Path) -> None:
    path = write(tmp_path, "allowed_percent = 2\nallowed = 64\nlimit = 100_000\n[rules.only]\nplatforms = ['stm32*']")
    found = policy.load(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (rule,) = found.policy.rules
    assert (rule.allowed_percent, rule.allowed, rule.limit, rule.missing) == (2, 64, 100_000, "fail")
    assert rule.only.platforms == ("stm32*",)


def test_exactness_and_fitting_hold_without_being_written() -> None:
    made = policy.Policy(name="x", rules=(Rule(metric="flash", unit="B"),))
    assert [rule.metric for rule in made.all_rules] == ["output_exact", "fits", "flash"]
    made = policy.Policy(name="x", rules=(Rule(metric="fits", unit="bool", only=policy.Only(models=("a*",))),))
    assert [rule.metric for rule in made.all_rules] == ["output_exact", "fits"]
    assert made.all_rules[1].only.models == ("a*",)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('metrik = "x"', "rules[0]: the table contains unknown key `metrik`"),
        ("allowed_percent = -1", "rules[0].allowed_percent: Expected `float` >= 0.0"),
        ("allowed_percent = nan", "rules[0].allowed_percent: "),
        ("limit = inf", "rules[0].limit: inf is no number to compare with"),
        ('direction = "max"', 'rules[0].direction: of flash, less is better'),
        ('missing = "maybe"', "rules[0].missing: Invalid enum value 'maybe'"),
        ('only = { boards = ["x"] }', "rules[0].only: the table contains unknown key `boards`"),
    ],
)  # fmt: skip
def test_what_a_rule_may_not_be(tmp_path: Path, rule: str, message: str) -> None:
    with pytest.raises(BadInputError) as raised:
        policy.load(write(tmp_path, rule))
    assert (
        raised.value.message.replace("Object", "the table")
        .replace("field", "key")
        .startswith(f"{tmp_path / 'made.toml'}: {message}")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "`name`"),
        ('name = "x"', "`rules`"),
        ('name = "x"\nrules = []', "rules: Expected "),
        ('name = "a/b"\n' + RULE, "name: Expected `str` matching regex"),
        ('name = "x"\n' + RULE.replace("flash", "size"), "rules[0].metric: unknown metric 'size'"),
        ('name = "x"\n' + RULE.replace('"B"', '"KiB"'), "rules[0].unit: flash is in 'B', not in 'KiB'"),
        (
            'name = "x"\n[[rules]]\nmetric = "fits"\nunit = "bool"\nallowed = 1',
            "rules[0].allowed: fits holds or does not",
        ),
        ("name = [", ""),
        ("\xff", ""),
    ],
)
def test_what_a_policy_may_not_be(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "made.toml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(BadInputError) as raised:
        policy.load(path)
    assert raised.value.message.startswith(f"{path}: ") and message in raised.value.message
    assert "\n" not in raised.value.message


def test_a_metric_has_one_rule_for_a_run(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"rules\[1\]: a second rule on flash for the same runs"):
        policy.load(write(tmp_path, RULE))
    more = f"{RULE}[rules.only]\nplatforms = ['rp2040']"
    assert len(policy.load(write(tmp_path, more)).policy.rules) == 2


@pytest.mark.parametrize("path", ["none.toml", ".", "a\0b"])
def test_a_policy_that_cannot_be_read(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        policy.load(tmp_path / path)


def test_the_schema_lists_metrics_and_axes() -> None:
    made = policy.schema()
    rule = made["$defs"]["Rule"]["properties"]
    assert rule["metric"]["enum"] == [*METRICS]
    assert "B" in rule["unit"]["enum"]
    assert "stm32l496zg" in made["$defs"]["Runs"]["properties"]["platforms"]["items"]["enum"]
    json.dumps(made)
