"""Two results side by side: sums, order, what is incomparable, hostile names, what may be given, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import plots_maker
import pytest
import result_maker
from gate_maker import plain, replaced, slower, with_layer
from git_maker import Repository
from rich.console import Console

from harness import baseline, cli, compare, store
from harness.compare import Compared
from harness.report import compare as report
from harness.report import compare_markdown
from harness.result import Result
from harness.sweep import points

HOSTILE = "a|b`c``<img src=x onerror=1>[bold]@all\n\x1b[31m" + "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 90 + ".tflite"


def text(shown: Compared, width: int = 80, everything: bool = False) -> str:
    out = Console(width=width, color_system=None, file=None, highlight=False, emoji=False)
    with out.capture() as captured:
        out.print(report.compared(shown, everything))
    return captured.get()


def total(shown: Compared, metric: str) -> compare.Total:
    (found,) = (item for item in shown.totals if item.metric == metric)
    return found


def test_nothing_moved() -> None:
    shown = compare.compare(plain(), plain())
    assert all(item.change == 0 and item.comparable for item in shown.totals)
    assert (shown.differs, shown.functions, shown.classes) == ((), (), ())
    assert shown.outputs_equal and shown.same_operators
    assert "2 layers did not change" in text(shown) and "the final outputs are the same bytes" in text(shown)


def test_layers_are_the_worst_first_and_add_up() -> None:
    shown = compare.compare(plain(), slower(slower(plain(), 0, -30), 1, 45))
    assert [(item.op, item.change) for item in shown.layers] == [("SOFTMAX", 45), ("CONV_2D", -30)]
    assert sum(item.change for item in shown.layers) + shown.overhead.change == total(shown, "instructions").change
    worst = shown.layers[0]
    assert worst.functions is not None and [(item.name, item.change) for item in worst.functions] == [("waste", 45)]
    assert worst.classes is not None and [(item.name, item.change) for item in worst.classes] == [("load", 45)]
    lines = text(shown).splitlines()
    softmax = next(index for index, line in enumerate(lines) if line.startswith("1 SOFTMAX"))
    assert lines[softmax].split()[2:] == ["90", "135", "+45", "+50.00"]
    assert lines[softmax + 1].split() == ["waste", "0", "45", "+45", "-"]
    assert lines[softmax + 2].split()[0] == "load"


def test_memory_stands_below_its_total() -> None:
    after = replaced(plain(), "memory", flash=122700, code=68764, ram=36604, arena=35664)
    lines = text(compare.compare(plain(), after)).splitlines()
    rows = {line.split("  ")[0] or line.split()[0]: line.split() for line in lines if line}
    assert rows["flash, B"][-4:] == ["122,628", "122,700", "+72", "+0.06"]
    assert rows["code"][1:] == ["68,692", "68,764", "+72", "+0.10"]
    assert rows["ram, B"][-2] == "+16" and rows["arena"][3] == "+16" and rows["static"][3] == "-"


def test_what_is_incomparable_is_named_and_shown_still() -> None:
    after = replaced(
        slower(plain(), 0, 45), "identity", compiler="arm-none-eabi-gcc 14", flags=("-mcpu=cortex-m4", "-g")
    )
    shown = compare.compare(plain(), after)
    assert not total(shown, "instructions").comparable and total(shown, "macs").comparable
    assert [item.what for item in shown.differs] == ["compiler", "flags"]
    assert total(shown, "instructions").change == 45
    said = text(shown, 200)
    assert "compiler: arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205 -> arm-none-eabi-gcc 14" in said
    assert "flags: -mthumb -> -g\n" in said
    assert said.count("not comparable for it: arena, code, flash, instructions, instructions_per_mac, layers, ram") == 1


def test_other_operators_and_shapes() -> None:
    added = result_maker.result(
        (
            result_maker.layer(0, "CONV_2D", 900, 1000, output_shape=(1, 4)),
            result_maker.layer(1, "RELU", 5, 1000),
            result_maker.layer(2, "SOFTMAX", 90, 1000),
        )
    )
    shown = compare.compare(plain(), added)
    assert not shown.same_operators
    relu, *_ = shown.layers
    assert (relu.op, relu.before, relu.after, relu.index_before, relu.index_after) == ("RELU", None, 5, None, 1)
    said = text(shown, 120, everything=True)
    assert "only in B" in said and "1x8x8x16 -> 1x4" in said and "1 -> 2 SOFTMAX" in said
    assert "sequence of operators: - -> RELU" in said
    assert "only in A" in text(compare.compare(added, plain()), 120)


def test_first_other_output() -> None:
    after = replaced(with_layer(plain(), 1, output_crc32="0"), "check", outputs=("80fe",))
    shown = compare.compare(plain(), after)
    assert "the final outputs differ, first those of layer 1 SOFTMAX" in text(shown)


def test_an_emulator_that_tells_no_functions_apart() -> None:
    bare = msgspec.structs.replace(replaced(plain(), "counts", classes=None), functions=None)
    for index in range(2):
        bare = with_layer(bare, index, functions=None, classes=None)
    shown = compare.compare(plain(), bare)
    assert shown.functions is None and shown.classes is None and shown.layers[0].functions is None
    assert "tells no functions and classes apart" in text(shown)
    assert "tells no functions and classes apart" in compare_markdown.compared(shown)


# --- hostile names ---------------------------------------------------------------------------------------------------


def hostile() -> Compared:
    before = replaced(plain(), "model", file=HOSTILE)
    after = slower(before, 0, 45)
    layer = after.layers[0]
    assert layer.functions is not None
    after = with_layer(after, 0, functions={**layer.functions, HOSTILE: 3}, op=HOSTILE)
    return compare.compare(msgspec.structs.replace(before, run_id=HOSTILE), after)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_names_break_no_table(width: int) -> None:
    from rich.cells import cell_len

    said = text(hostile(), width, everything=True)
    assert "\x1b" not in said and "[bold]" in said
    assert all(cell_len(line) <= width for line in said.splitlines())


def test_names_break_no_markdown() -> None:
    said = compare_markdown.compared(hostile(), everything=True)
    assert "\x1b" not in said
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert rows and all(line.count("|") == 7 for line in rows), "names add no cells"
    bare = "\n".join(outside_of_code(line) for line in said.splitlines())
    assert "<img" not in bare and "@all" not in bare
    assert bare.count("<details>") == bare.count("</details>")


def outside_of_code(line: str) -> str:
    """A line without its code spans, which end where as many backticks stand as they began with."""
    rest, kept = line, ""
    while "`" in rest:
        before, _, rest = rest.partition("`")
        fence = "`"
        while rest.startswith("`"):
            fence, rest = fence + "`", rest[1:]
        import re

        end = re.search(f"(?<!`){fence}(?!`)", rest)
        assert end is not None, line
        kept, rest = kept + before, rest[end.end() :]
    return kept + rest


# --- what is given, and the command ----------------------------------------------------------------------------------


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", *arguments])
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def given(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stored run, a result's file, a baseline and a sweep whose first point is that run; the current folder."""
    monkeypatch.chdir(tmp_path)
    elf = tmp_path / "elf"
    elf.write_bytes(b"")
    store.save(plain(), elf, "", ())
    Path("result.json").write_bytes(slower(plain(), 0, 45).to_json())
    baseline.save(plain(), tmp_path / "baselines")
    plots_maker.store(
        [plots_maker.Made(), plots_maker.Made(kernels="cmsis-nn"), plots_maker.Made(layers=None, model="x")]
    )
    plan = points.read_plan("made")
    with points.Log("made") as log:
        row = points.read("made")[str(plan.points[0].identity)]
        log.add(msgspec.structs.replace(row, run_id=plain().run_id))
    return tmp_path


def test_whatever_holds_a_result_can_be_given(given: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for item in (plain().run_id, "kws-stm32", f"results/runs/{plain().run_id}", f"baselines/{baseline.name(plain())}",
                 "made:net.tflite reference"):  # fmt: skip
        code, out, err = run(capfd, item, "result.json", "--json")
        assert code == 0, err
        shown = msgspec.json.decode(out, type=Compared)
        assert shown == compare.compare(plain(), slower(plain(), 0, 45)), item


def test_a_former_baseline_can_be_given(given: Path, capfd: pytest.CaptureFixture[str]) -> None:
    repository = Repository(given)
    repository.commit("Begin", 1)
    name = baseline.name(plain())
    baseline.save(slower(plain(), 0, 45), given / "baselines")
    code, out, err = run(capfd, f"HEAD:baselines/{name}", f"baselines/{name}", "--json")
    assert code == 0, err
    assert msgspec.json.decode(out, type=Compared) == compare.compare(plain(), slower(plain(), 0, 45))
    for item, what in (
        (f"nowhere:baselines/{name}", "git has no such file"),
        ("HEAD:nothing.json", "git has no such file"),
        ("--output=x:nothing.json", "git has no such file"),
    ):
        code, out, err = run(capfd, "--", "result.json", item)
        assert (code, out) == (2, "") and what in err and "Traceback" not in err, item
    Path("text.json").write_text("text")
    repository.commit("Text", 2)
    code, _, err = run(capfd, "result.json", "HEAD:text.json")
    assert code == 2 and "HEAD:text.json: no result: " in err


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("nothing", "no stored run 'nothing'"),
        ("made:", "made:: no point matches"),
        ("made:armv9", "made:armv9: no point matches"),
        ("made:net.tflite", "made:net.tflite: 2 points match"),
        ("made:cmsis-nn", "its stored run cannot be read"),
        ("made:x", "made:x: that point is not measured"),
        ("other:x", "no stored run 'other:x'"),
        ("text.json", "text.json: no result: "),
        ("newer.json", "schema 'tflm-harness/run/9'"),
        ("baselines", "no stored run 'baselines'"),
        ("a\0b", "no stored run"),
    ],
)
def test_mistakes(given: Path, capfd: pytest.CaptureFixture[str], item: str, what: str) -> None:
    Path("text.json").write_text("text")
    Path("newer.json").write_text('{"schema": "tflm-harness/run/9"}')
    code, out, err = run(capfd, "result.json", item)
    assert (code, out) == (2, "")
    assert what in err and "Traceback" not in err


def test_outputs_exclude_each_other(given: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "result.json", "kws", "--json", "--markdown")[0] == 2


def test_terminal_and_markdown(given: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "kws", "result.json")
    assert code == 0 and "waste" in out
    code, out, _ = run(capfd, "kws", "result.json", "--markdown")
    assert code == 0 and "| `instructions` | 1,000 | 1,045 | +45 | +4.50 |  |" in out


def test_the_committed_schema_is_that_of_the_records() -> None:
    path = Path(__file__).parents[2] / "results" / "schema" / "comparison-1.json"
    made: Any = json.loads(json.dumps(compare.schema()))
    assert made == json.loads(path.read_text()), "write harness.compare.schema() there, if it only grew"


def test_json_has_no_folder_of_this_machine(given: Path) -> None:
    loaded: Result = store.load("kws")
    assert str(given) in loaded.artifacts.elf
    assert str(given).encode() not in msgspec.json.encode(compare.compare(loaded, loaded))
