"""The schema of stored results: the committed file, the command and the records say the same, and names stay."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import result_maker

from harness import cli
from harness.paths import checkout
from harness.result import SCHEMA, Result, schema


def test_the_committed_schema_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    root = checkout()
    assert root is not None
    name = SCHEMA.removeprefix("tflm-harness/").replace("/", "-")
    with pytest.raises(SystemExit) as ended:
        cli.main(["schema"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    committed = (root / "results" / "schema" / f"{name}.json").read_text()
    assert printed == committed, f"harness schema > results/schema/{name}.json; a field that goes needs a new version"


def resolve(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema behind references, the items of lists, and the alternatives to null."""
    while True:
        if "$ref" in part:
            part = definitions[part["$ref"].removeprefix("#/$defs/")]
        elif "anyOf" in part:
            (part,) = (choice for choice in part["anyOf"] if choice.get("type") != "null")
        elif part.get("type") == "array" and "items" in part:
            part = part["items"]
        else:
            return part


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("schema", "string"),
        ("run_id", "string"),
        ("platform", "string"),
        ("emulator", "string"),
        ("kernels", "string"),
        ("tflm", "string"),
        ("counts.total", "integer"),
        ("counts.overhead", "integer"),
        ("layers.index", "integer"),
        ("layers.op", "string"),
        ("layers.instructions", "integer"),
        ("layers.macs", "integer"),
        ("layers.classes", "object"),
        ("layers.output_crc32", "string"),
        ("memory.flash", "integer"),
        ("memory.ram", "integer"),
        ("memory.arena", "integer"),
        ("memory.stack", "integer"),
        ("check.output_exact", "boolean"),
        ("check.layers_exact", "boolean"),
        ("check.first_difference", "object"),
        ("artifacts.elf", "string"),
        ("artifacts.uart_log", "string"),
        ("marks.symbol", "string"),
    ],
)
def test_names_that_other_tools_rely_on(path: str, kind: str) -> None:
    definitions = schema()["$defs"]
    part = resolve(schema(), definitions)
    for name in path.split("."):
        assert name in part["required"]
        part = resolve(part["properties"][name], definitions)
    assert part["type"] == kind


def test_each_part_is_described_and_nothing_is_left_out_of_a_stored_result() -> None:
    for name, part in schema()["$defs"].items():
        assert part["description"], name
        assert "\n " not in part["description"], name
        # Results that were stored before these came are still read.
        later = {
            "Result": ["estimate", "library", "arena", "calls"],
            "Layer": ["arena"],
            "CheckPart": ["reference"],
            "Identity": ["cost_model", "calibration", "calls"],
            "EstimatePart": ["type", "calibration"],
        }.get(name, [])
        assert sorted(part["required"] + later) == sorted(part["properties"]), name


def test_a_result_survives_being_stored() -> None:
    made = result_maker.result(
        check=msgspec.structs.replace(
            result_maker.result().check, first_difference=result_maker.difference(index=None, op=None)
        )
    )
    content = made.to_json()
    assert msgspec.json.decode(content, type=Result) == made
    assert content.endswith(b"}\n")
    assert json.loads(content)["check"]["first_difference"]["index"] is None


def test_a_field_of_the_wrong_type_is_no_result() -> None:
    content = json.loads(result_maker.result().to_json())
    content["counts"]["total"] = "many"
    with pytest.raises(msgspec.ValidationError, match=r"counts\.total"):
        msgspec.json.decode(json.dumps(content), type=Result)
