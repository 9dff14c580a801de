"""Exports: sums that close, what was not measured left out, estimates named as such, names that break nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree
from collections import Counter
from collections.abc import Callable
from typing import Any

import export_maker
import matplotlib
import msgspec
import pytest
import result_maker
from export_maker import HOSTILE, calibrated, counted, estimate, hostile
from markdown_it import MarkdownIt
from test_compare import outside_of_code

from harness import isa
from harness.calltree.result import CallNode
from harness.elfprofile import export as profile_export
from harness.elfprofile.tree import Stack
from harness.errors import EXIT_NOT_MEASURED, HarnessError
from harness.export import chrome, markdown, metrics, model_explorer, netron, picture, speedscope, tables_csv
from harness.export.made import Made, Run
from harness.export.stacks import Frame, Weighted, folded
from harness.result import ArenaPart, Result
from harness.store import safe_cell


def of(make: Callable[[Run], Made], result: Result, command: tuple[str, ...] | None = None) -> dict[str, bytes]:
    """The files of a format by part and suffix."""
    made = make(Run(result=result, command=command))
    names = [".".join(filter(None, (file.part, file.suffix))) for file in made.files]
    assert len(set(names)) == len(names)
    return dict(zip(names, (file.content for file in made.files), strict=True))


def only(make: Callable[[Run], Made], result: Result) -> Any:
    (content,) = of(make, result).values()
    return json.loads(content)


def clean(text: str) -> bool:
    """Whether it is one line that moves no cursor and turns no text around."""
    return all(character.isprintable() for character in text)


def texts(value: Any) -> list[str]:
    """All text in JSON."""
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


# --- speedscope and folded stacks ------------------------------------------------------------------------------------


def profiles(result: Result) -> dict[str, dict[tuple[str, ...], int]]:
    """Weights by the names of a stack's frames, of each profile."""
    made = only(speedscope.make, result)
    frames = [frame["name"] for frame in made["shared"]["frames"]]
    found = {}
    for item in made["profiles"]:
        assert (item["unit"], item["startValue"]) == ("none", 0)
        assert item["endValue"] == sum(item["weights"])
        assert min(item["weights"]) > 0, "speedscope refuses a file with others"
        weights: Counter[tuple[str, ...]] = Counter()
        for stack, weight in zip(item["samples"], item["weights"], strict=True):
            weights[tuple(frames[number] for number in stack)] += weight
        found[item["name"]] = dict(weights)
    return found


def test_speedscope_has_a_profile_a_metric_and_each_adds_up() -> None:
    run = result_maker.result(estimate=estimate())
    found = profiles(run)
    assert list(found) == ["instructions", "instructions by class", "MACs", "estimated cycles (made/1, uncalibrated)"]
    function = "tflite::Eval(TfLiteContext*, TfLiteNode*)"
    assert found["instructions"] == {
        ("inference", "0 CONV_2D", function): 900,
        ("inference", "1 SOFTMAX", function): 90,
        ("inference", "around the operators"): 10,
    }
    assert sum(found["instructions by class"].values()) == run.counts.total
    assert found["MACs"] == {("inference", "0 CONV_2D"): 300}, "an operator without MACs has no box"
    assert sum(found["estimated cycles (made/1, uncalibrated)"].values()) == 201_000


def followed() -> Result:
    """A run whose calls were followed."""
    return result_maker.result(calls=export_maker.calls(("conv", "exp"), [900, 90], 10))


def test_where_calls_were_followed_the_tree_is_drawn() -> None:
    found = profiles(followed())
    assert list(found)[:3] == ["instructions", "instructions by function", "instructions by class"]
    layer = ("inference", "1 SOFTMAX", "Invoke")
    assert found["instructions"] == {
        ("inference", "0 CONV_2D", "Invoke"): 10,
        ("inference", "0 CONV_2D", "Invoke", "Eval"): 20,
        ("inference", "0 CONV_2D", "Invoke", "Eval", "Eval"): 30,
        ("inference", "0 CONV_2D", "Invoke", "Eval", "Eval", "conv"): 835,
        ("inference", "0 CONV_2D", "Invoke", "Eval", "Eval", "small calls, together"): 5,
        layer: 10,
        (*layer, "Eval"): 20,
        (*layer, "Eval", "Eval"): 30,
        (*layer, "Eval", "Eval", "exp"): 25,
        (*layer, "Eval", "Eval", "small calls, together"): 5,
        ("inference", "around the operators", "Invoke"): 10,
    }
    assert sum(found["instructions by function"].values()) == followed().counts.total
    (content,) = of(speedscope.make_folded, followed()).values()
    assert "inference;0 CONV_2D;Invoke;Eval;Eval;conv 835\n" in content.decode()


def test_what_a_function_calls_stands_behind_it() -> None:
    """Nodes of a tree come after their callers, but not beside them: drawn in time, a caller would be in pieces."""
    calls = export_maker.calls(("conv", "exp"), [900, 90], 10)
    first, *others = calls.layers
    late = CallNode(function=2, parent=0, calls=1, inclusive=7, exclusive=7)
    later = CallNode(function=3, parent=1, calls=1, inclusive=6, exclusive=6)
    nodes = (first.nodes[0], first.nodes[1], late, later)
    tree = msgspec.structs.replace(first, nodes=nodes)
    made = only(speedscope.make, result_maker.result(calls=msgspec.structs.replace(calls, layers=(tree, *others))))
    names = [frame["name"] for frame in made["shared"]["frames"]]
    stacks = [[names[number] for number in stack][3:] for stack in made["profiles"][0]["samples"]]
    assert stacks[:4] == [[], ["Eval"], ["Eval", "exp"], ["conv"]]


def test_calls_in_the_other_formats() -> None:
    calls = rows(of(tables_csv.make, followed())["calls.csv"])
    assert sum(int(row["exclusive"]) for row in calls) == followed().counts.total
    assert calls[3] == {"index": "0", "op": "CONV_2D", "node": "3", "caller": "2", "function": "conv", "calls": "7",
                        "inclusive": "835", "exclusive": "835"}  # fmt: skip
    assert (calls[0]["caller"], calls[-1]["index"], calls[-1]["op"]) == ("", "", "overhead")
    assert node_data(followed())["stack"]["results"] == {"0": {"value": 1100}, "1": {"value": 290}}
    assert node_data(followed())["stack"]["name"] == "deepest stack, B (derived from the code)"
    said = page(followed())
    assert "Deepest stack: 8 B derived from the code, 680 B measured" in said
    assert "| `conv` | 8 |" in said and "| `exp` | - |" in said
    assert "Deepest stack" not in page(result_maker.result())


def test_classes_of_speedscope_are_those_of_the_run() -> None:
    run = result_maker.result()
    by_class: Counter[str] = Counter()
    for stack, weight in profiles(run)["instructions by class"].items():
        by_class[stack[-1]] += weight
    assert dict(by_class) == {name: count for name, count in (run.counts.classes or {}).items() if count}


def test_estimates_say_what_they_rest_on() -> None:
    made = only(speedscope.make, calibrated(export_maker.CARRIED))
    assert made["profiles"][-1]["name"] == (
        "estimated cycles (made/1, calibrated on stm32l496zg, carried to another build)"
    )
    (root,) = (frame for frame in made["shared"]["frames"] if frame["name"] == "inference, estimated")
    assert "calibrated on stm32l496zg, gcc 8, and much more" in root["file"] and "90 % of cases" in root["file"]


@pytest.mark.parametrize("run", [hostile(), calibrated(), counted()], ids=["hostile", "calibrated", "counted"])
def test_every_profile_is_of_the_whole_inference(run: Result) -> None:
    names = ("instructions", "instructions by function", "instructions by class")
    wholes = dict.fromkeys(names, run.counts.total) | {"MACs": run.counts.macs}
    for name, weights in profiles(run).items():
        whole = wholes.get(name) or (run.estimate.cycles.value if run.estimate else None)
        assert sum(weights.values()) == whole, name


def test_without_functions_layers_are_the_innermost() -> None:
    found = profiles(counted())
    assert found["instructions"][("inference", "0 CONV_2D")] == 900
    assert list(found) == ["instructions", "MACs"]
    assert "functions" in speedscope.make(Run(result=counted(), command=None)).left[0]


def test_folded_lines_add_up_and_are_split_as_they_are_read() -> None:
    (content,) = of(speedscope.make_folded, hostile()).values()
    lines = content.decode().split("\n")[:-1]
    pattern = re.compile(r"(.*) (\d+)")
    found = [pattern.fullmatch(line) for line in lines]
    assert all(found), "each line is a stack, a space, a number"
    assert sum(int(match[2]) for match in found if match) == hostile().counts.total
    assert {len(match[1].split(";")) for match in found if match} == {3, 4, 5, 6}, "names add no frames"
    assert folded([Weighted((Frame("a;b"), Frame("c\nd")), 3)]) == "a:b;c\ufffdd 3\n"


def test_profiles_of_other_firmware_are_written_by_the_same_code() -> None:
    stacks = [Stack(functions=("main", "f<a;b>"), instructions=7, interrupt=False),
              Stack(functions=("SysTick",), instructions=2, interrupt=True)]  # fmt: skip
    made = json.loads(profile_export.speedscope(stacks, "fw.elf"))
    assert [(item["name"], item["weights"]) for item in made["profiles"]] == [("threads", [7]), ("exceptions", [2])]
    assert made["shared"]["frames"] == [{"name": "main"}, {"name": "f<a;b>"}, {"name": "SysTick"}]
    assert profile_export.folded(stacks) == "main;f<a:b> 7\nSysTick 2\n"


# --- Model Explorer --------------------------------------------------------------------------------------------------


def node_data(result: Result) -> dict[str, dict[str, Any]]:
    files = of(model_explorer.make, result)
    return {name.removeprefix("model-explorer.").removesuffix(".json"): json.loads(files[name]) for name in files}


def test_node_data_is_a_file_a_metric_with_indices_as_text() -> None:
    layers = tuple(
        msgspec.structs.replace(item, arena=arena)
        for item, arena in zip(result_maker.result().layers, (512, 16), strict=True)
    )
    plan = ArenaPart(origin="measured", planned=512, persistent=16, buffers=(), note=None)
    found = node_data(result_maker.result(layers, estimate=estimate(), arena=plan))
    assert found["instructions"]["results"] == {"0": {"value": 900}, "1": {"value": 90}}
    assert [item["stop"] for item in found["instructions"]["gradient"]] == [0, 1]
    assert found["macs"]["results"].keys() == {"0"}, "SOFTMAX has none: it is left out, and not 0"
    assert found["instructions-per-mac"]["results"].keys() == {"0"}
    assert found["arena-alive"]["results"] == {"0": {"value": 512}, "1": {"value": 16}}
    assert found["cycles-estimated"]["name"] == "estimated cycles (made/1, uncalibrated)"
    assert found["latency-estimated"]["results"]["0"]["value"] == 1.25
    assert all(item["name"] and item["results"] for item in found.values())


def test_equal_values_have_a_colour_of_their_own() -> None:
    """Model Explorer divides by the difference of the largest and the smallest."""
    found = node_data(result_maker.result(estimate=estimate()))
    equal = found["cycles-estimated"]
    assert "gradient" not in equal
    assert {item["bgColor"] for item in equal["results"].values()} == {found["macs"]["results"]["0"]["bgColor"]}
    assert "bgColor" not in found["instructions"]["results"]["0"]


def test_what_was_not_measured_has_no_file() -> None:
    found = node_data(counted())
    assert found.keys() == {"instructions", "macs", "instructions-per-mac"}
    assert not any(name.endswith("estimated") for name in node_data(result_maker.result()))
    assert "class-mve" not in node_data(hostile_without("mve"))


def hostile_without(name: str) -> Result:
    made = hostile()
    layers = tuple(
        msgspec.structs.replace(item, classes={**(item.classes or {}), name: 0}) for item in made.layers
    )  # fmt: skip
    return msgspec.structs.replace(made, layers=layers)


def test_keys_of_nodes_are_indices_whatever_tensors_are_called() -> None:
    for found in node_data(hostile()).values():
        assert all(key.isdecimal() and int(key) < len(HOSTILE) for key in found["results"])
        assert all(isinstance(item["value"], int | float) for item in found["results"].values())


# --- Netron ----------------------------------------------------------------------------------------------------------


def test_netron_finds_nodes_by_index_and_the_model_by_its_file() -> None:
    run = result_maker.result(estimate=estimate())
    made = only(netron.make, run)
    assert made["signature"] == "netron:attachment"
    nodes = {(item["identifier"], item["name"]): item["value"] for item in made["metrics"] if item["kind"] == "node"}
    assert nodes["0", "instructions"] == 900 and nodes["1", "instructions"] == 90
    assert nodes["0", "MACs"] == 300 and ("1", "MACs") not in nodes
    assert nodes["0", "per MAC"] == 3.0 and nodes["0", "class alu"] == (run.layers[0].classes or {})["alu"]
    assert nodes["0", "est. cycles"] == "100,000 (made/1, uncalibrated)"
    assert nodes["0", "est. ms"] == "1.25 (made/1, uncalibrated)"
    assert max(len(name) for _, name in nodes) <= 14, "Netron cuts longer ones"
    model = {item["name"]: item["value"] for item in (*made["metrics"], *made["metadata"]) if item["kind"] == "model"}
    assert {item["identifier"] for item in made["metadata"] if item["kind"] == "model"} == {"kws.tflite"}
    assert {item["target"] for item in made["metrics"] if item["kind"] == "model"} == {""}
    assert model["instructions"] == run.counts.total and model["stack, B"] == 680
    assert model["estimate"].startswith("estimated, not measured, by made/1, uncalibrated")


def test_netron_shows_whole_numbers_as_such() -> None:
    made = estimate()
    large = msgspec.structs.replace(made.layers[0], cycles=1_617_011)
    run = result_maker.result(estimate=msgspec.structs.replace(made, layers=(large, made.layers[1])))
    shown = {item["value"] for item in only(netron.make, run)["metrics"]}
    assert "1,617,011 (made/1, uncalibrated)" in shown


def test_netron_has_the_functions_of_a_layer_line_by_line() -> None:
    functions = {f"f{number:02}": 100 - number for number in range(13)}
    layer = result_maker.layer(0, "CONV_2D", sum(functions.values()), 2000, functions=functions)
    (entry,) = (item for item in only(netron.make, result_maker.result((layer,)))["metadata"] if item["kind"] == "node")
    lines = entry["value"].split("\n")
    assert lines[0] == "100 f00" and lines[-1] == f"{90 + 89 + 88} in 3 others" and len(lines) == 11
    assert not any(item["kind"] == "node" for item in only(netron.make, counted())["metadata"])


def test_hostile_names_stay_lines_in_netron() -> None:
    made = only(netron.make, hostile())
    for item in (*made["metadata"], *made["metrics"]):
        if isinstance(item["value"], str):
            limit = 3 if item["name"] == "functions" else 1
            lines = item["value"].split("\n")
            assert len(lines) <= limit and all(clean(line) for line in lines)


# --- time line -------------------------------------------------------------------------------------------------------


def test_slices_of_the_time_line_stand_one_behind_the_other_in_the_inference() -> None:
    made = only(chrome.make, calibrated())
    whole, *parts = (item for item in made["traceEvents"] if item["ph"] == "X")
    assert (whole["name"], whole["ts"], whole["dur"]) == ("inference", 0, 2512.5), "201,000 cycles at 80 MHz"
    assert [item["name"] for item in parts] == ["0 CONV_2D", "1 SOFTMAX", "around the operators"]
    moment = 0.0
    for item in parts:
        assert item["ts"] == moment
        moment = round(item["ts"] + item["dur"], 3)
    assert moment == whole["dur"]
    assert parts[0]["args"] == {
        "estimated_cycles": 100_000, "tensor": "model/conv_2d_0", "instructions": 900, "macs": 300
    }  # fmt: skip
    assert "macs" not in parts[1]["args"]
    thread = next(item for item in made["traceEvents"] if item["name"] == "thread_name")
    assert thread["args"]["name"] == "estimated time (made/1, calibrated on stm32l496zg)"
    assert "not measured" in made["otherData"]["time"]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (result_maker.result(), "its time is not estimated"),
        (result_maker.result(estimate=estimate()), "its estimate is by made/1, uncalibrated"),
        (calibrated(export_maker.CARRIED, bounds=False), "its calibration is of another compiler, with an error here"),
    ],
)
def test_time_that_is_not_calibrated_is_refused(run: Result, reason: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(reason)) as caught:
        chrome.make(Run(result=run, command=None))
    assert caught.value.exit_code == EXIT_NOT_MEASURED and "--calibration" in (caught.value.hint or "")


def test_a_carried_calibration_whose_error_was_measured_is_drawn_and_says_so() -> None:
    made = only(chrome.make, calibrated(export_maker.CARRIED))
    thread = next(item for item in made["traceEvents"] if item["name"] == "thread_name")
    assert "carried to another build" in thread["args"]["name"]


FORMULA = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


# --- tables ----------------------------------------------------------------------------------------------------------


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_columns_of_the_tables_add_up_to_the_inference() -> None:
    run = result_maker.result(estimate=estimate())
    files = of(tables_csv.make, run)
    layers = rows(files["layers.csv"])
    assert [row["op"] for row in layers] == ["CONV_2D", "SOFTMAX", "overhead"]
    assert sum(int(row["instructions"]) for row in layers) == run.counts.total
    for name in isa.CLASSES:
        assert sum(int(row[name]) for row in layers) == (run.counts.classes or {})[name]
    assert sum(int(row["cycles_estimated"]) for row in layers) == 201_000
    assert {(row["estimate_model"], row["estimate_tier"]) for row in layers} == {("made/1", "uncalibrated")}
    by_layer = Counter({row["index"]: 0 for row in layers[:2]})
    for row in rows(files["layer-functions.csv"]):
        by_layer[row["index"]] += int(row["instructions"])
    assert by_layer == {"0": 900, "1": 90}


def test_what_is_not_known_is_an_empty_cell() -> None:
    files = of(tables_csv.make, counted())
    assert files.keys() == {"layers.csv"}
    conv, softmax, overhead = rows(files["layers.csv"])
    assert conv["alu"] == overhead["alu"] == conv["cycles_estimated"] == conv["estimate_tier"] == ""
    assert softmax["instructions_per_mac"] == conv["arena_alive"] == overhead["macs"] == overhead["index"] == ""
    assert "functions" in tables_csv.make(Run(result=counted(), command=None)).left[0]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_is_a_formula_in_any_language(separator: str) -> None:
    """Spreadsheets whose language has commas in numbers split at semicolons, also in what is quoted for commas."""
    for name, content in of(tables_csv.make, hostile()).items():
        text = content.decode()
        if separator == ",":
            cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        else:
            cells = [cell for line in text.split("\n") for cell in line.split(separator)]
        formulas = [cell for cell in cells if FORMULA.match(cell) and not NUMBER.fullmatch(cell)]
        assert formulas == [], name
        assert all(clean(line) for line in text.split("\n"))
    lengths = {len(row) for row in csv.reader(io.StringIO(of(tables_csv.make, hostile())["layers.csv"].decode()))}
    assert len(lengths) == 1


def test_cells_keep_what_is_no_formula() -> None:
    assert [safe_cell(text) for text in ("a;b", "a = b", "x-y@z", "conv;Relu")] == [
        "a;b",
        "a = b",
        "x-y@z",
        "conv;Relu",
    ]
    assert [safe_cell(text) for text in (" =1", "a; =1", "\t=1")] == ["' =1", "a;' =1", "\ufffd=1"]


# --- Markdown --------------------------------------------------------------------------------------------------------


def page(result: Result, command: tuple[str, ...] | None = None) -> str:
    (content,) = of(markdown.make, result, command).values()
    return content.decode()


def test_the_summary_of_a_run() -> None:
    said = page(result_maker.result(estimate=estimate()), ("harness", "run", "my net.tflite"))
    assert said.startswith("### PASS: `kws.tflite` on `stm32l496zg`\n")
    assert "- **1,000 instructions**, counted exactly; 300 MACs, 3.33 per MAC" in said
    assert "- fits its board, every layer bit-exact" in said
    assert "about 2.51 ms, about 201,000 cycles (2.01 to 4.02 ms in 90 % of cases), by `made/1, uncalibrated`" in said
    assert "| 0 | `CONV_2D` | `model/conv_2d_0` | 900 | 90.0 % | 300 |" in said
    assert "| 1 | `SOFTMAX` | `model/softmax_1` | 90 | 9.0 % | - |" in said
    assert "|  | **total** |  | 1,000 | 100.0 % | 300 |" in said
    assert "- command: `harness run 'my net.tflite'`" in said
    assert "latency: not estimated" in page(result_maker.result())
    assert "Functions: not measured" in page(counted())


def test_layers_that_there_is_no_room_for_are_one_row_and_the_table_adds_up() -> None:
    layers = tuple(result_maker.layer(index, "ADD", 100 + index, 30_000, macs=2) for index in range(120))
    run = result_maker.result(layers)
    lines = page(run).splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("| # |"))) :]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[2 : table.index("")]]
    assert len(cells) == 40 + 3 and cells[40][1] == "80 other layers"
    numbers = [int(row[3].replace(",", "")) for row in cells]
    assert sum(numbers[:-1]) == numbers[-1] == run.counts.total


def test_names_break_no_markdown() -> None:
    said = page(hostile(), ("harness", "run", *HOSTILE))
    assert all(clean(line) for line in said.split("\n"))
    tables = [line for line in said.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {3, 4, 6, 7}, "names add no cells"
    bare = "\n".join(outside_of_code(line) for line in said.splitlines())
    for part in ("<script", "<img", "<b>", "@everyone", "http", "www.", "](", "#1"):
        assert part not in bare
    tags = re.findall(r"</?\w+", bare)
    assert set(tags) == {"<details", "<summary", "</summary", "</details"}
    kinds = {token.type for token in MarkdownIt("gfm-like", {"linkify": False}).parse(said)}
    inline = {
        child.type for token in MarkdownIt("commonmark").enable("table").parse(said) for child in token.children or ()
    }
    assert "table_open" in kinds and not inline & {"link_open", "image", "html_inline"}
    assert len(said) < 60_000, "GitHub takes it as a comment"


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_pictures_are_the_same_bytes_each_time() -> None:
    run = result_maker.result(estimate=estimate())
    for make in (picture.make_svg, picture.make_png):
        assert of(make, run) == of(make, run)


@pytest.mark.filterwarnings("error")
def test_hostile_names_are_drawn_within_the_page() -> None:
    from harness.report import plots_page

    (content,) = of(picture.make_svg, hostile()).values()
    root = xml.etree.ElementTree.fromstring(content)
    assert root.get("width") == "576pt"
    assert not any(item.tag.endswith("script") or "onerror" in item.attrib for item in root.iter())
    with plots_page.style():
        for run in (hostile(), counted(), crowded()):
            figure = picture.draw(run)
            figure.set_dpi(matplotlib.rcParams["savefig.dpi"])  # letters are as wide as their pixels let them
            figure.draw_without_rendering()
            drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
            assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height


def crowded() -> Result:
    """Many layers, on a board that is too small for them."""
    layers = tuple(result_maker.layer(index, "ADD", 100 + index, 30_000, macs=2) for index in range(120))
    made = result_maker.result(layers)
    return msgspec.structs.replace(made, memory=msgspec.structs.replace(made.memory, flash=3_000_000, code=2_900_000))


def test_a_picture_of_many_layers_has_all_their_instructions() -> None:
    looks = picture._looks(crowded())
    bars = picture._bars(crowded(), looks)
    assert len(bars) == 42 and bars[40].label == "80 other layers"
    assert sum(bar.instructions for bar in bars) == crowded().counts.total
    assert all(sum(bar.parts.values()) == bar.instructions for bar in bars)


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [speedscope.make, model_explorer.make, netron.make])
def test_text_in_json_moves_no_cursor(make: Callable[[Run], Made]) -> None:
    for content in of(make, hostile()).values():
        assert content.isascii()
        found = set(texts(json.loads(content))) - {hostile().model.file}  # by which Netron knows a network
        assert all(clean(line) for text in found for line in text.split("\n"))


def test_metrics_are_in_the_files_by_distinct_keys() -> None:
    found = metrics.of(result_maker.result(estimate=estimate()))
    assert len({item.key for item in found}) == len({item.name for item in found}) == len(found)
