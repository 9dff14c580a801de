"""The report of a run: it says what the result says, its totals close, and it stays small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import page_maker
import pytest
import result_maker
from page_maker import Names

from harness import cli, store
from harness.errors import BadInputError
from harness.page import named, render, run, run_calls, run_functions, run_origin
from harness.page.document import Block, Chart, Fold, Link, Page, Table
from harness.page.values import Number
from harness.result import Function, Result, Verdict


def blocks(found: tuple[Block, ...]) -> Iterator[Block]:
    for block in found:
        yield block
        if isinstance(block, Fold):
            yield from blocks(block.blocks)


def tables(page: Page) -> dict[str, Table]:
    return {
        block.id: block for section in page.sections for block in blocks(section.blocks) if isinstance(block, Table)
    }


def charts(page: Page) -> dict[str, Chart]:
    return {
        block.id: block for section in page.sections for block in blocks(section.blocks) if isinstance(block, Chart)
    }


def numbers(table: Table, key: str, kinds: tuple[str, ...] = ("item", "other")) -> list[float]:
    place = [column.key for column in table.columns].index(key)
    cells = [row.cells[place] for row in table.rows if row.kind in kinds]
    return [cell.value for cell in cells if isinstance(cell, Number) and cell.value is not None]


def test_sections_stand_in_the_order_of_reading() -> None:
    html = render.html(named.run_page(result_maker.result())[1])
    places = re.findall(r'<section id="([\w-]+)"', html)
    assert places == ["verdict", "layers", "functions", "memory", "not-measured", "provenance"]
    assert re.findall(r'<li><a href="#([\w-]+)"', html) == places


@pytest.mark.parametrize(
    ("changes", "verdict", "state"),
    [
        ({}, "fits stm32l496zg, bit-exact, 1 k instructions", "pass"),
        ({"verdict": Verdict(passed=False, reasons=("too large", "differs"))}, "too large; differs", "fail"),
    ],
)
def test_verdict_is_one_sentence(changes: dict[str, Any], verdict: str, state: str) -> None:
    page = run.page(result_maker.result(**changes))
    assert (page.verdict, page.state) == (verdict, state)


def test_a_comparison_ends_the_sentence_and_can_only_make_it_worse() -> None:
    page = run.page(result_maker.result(), said=("instructions +1.8 % against a limit of 1 %", "fail"))
    assert page.verdict.endswith("instructions; instructions +1.8 % against a limit of 1 %")
    assert page.state == "fail"
    failed = result_maker.result(verdict=Verdict(passed=False, reasons=("too large",)))
    assert run.page(failed, said=("no change", "pass")).state == "fail"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (229495, "229 k"),
        (7746538, "7.75 M"),
        (999_600_000, "1,000 M"),
        (2.5e9, "2.5 G"),
    ],
)
def test_counts_in_three_digits(count: int, said: str) -> None:
    assert run.count(count) == said


def test_totals_close() -> None:
    result = page_maker.large(layers=20)
    found = tables(run.page(result))
    for table, total in (("layer-table", result.counts.total), ("function-table", result.counts.total)):
        assert sum(numbers(found[table], "instructions")) == total
        assert numbers(found[table], "instructions", ("total",)) == [total]
    assert sum(numbers(found["layer-function-table"], "instructions")) == result.counts.layers


def test_calls_close_and_stand_below_their_callers() -> None:
    layers = result_maker.result().layers
    result = result_maker.result(calls=page_maker.calls(layers, Names(harmless=True)))
    page = run.page(result)
    table = tables(page)[run_calls.TABLE]
    assert sum(numbers(table, "exclusive")) == result.counts.total
    first = [row for row in table.rows if row.tags == ("layer-0",)]
    assert {row.cells[0] for row in first} == {"0 CONV_2D"}
    assert [str(row.cells[1]).count("\u00b7") for row in first] == [0, 1, 2, 0]
    assert first[-1].kind == "other"
    assert numbers(table, "inclusive")[:4] == [900, 870, 1, 20]
    assert charts(page)["icicle"].table == run_calls.TABLE
    assert {item.item for item in page.not_measured}.isdisjoint({"the tree of calls of each layer"})


def test_small_calls_are_put_together_below_their_caller() -> None:
    layer = result_maker.result().layers[0]
    part = page_maker.calls((layer,), Names(harmless=True))
    root = run_calls.tree(part, part.layers[0], run_calls.large(part.layers[0], 25))
    assert root is not None
    assert [(call.function is None, call.inclusive) for call in root.children] == [(False, 870), (True, 20)]
    assert [(call.function, call.inclusive) for call in root.children[0].children] == [(None, 1)]


def test_the_calls_that_execute_most_stay_with_their_callers() -> None:
    layer = page_maker.large(1).calls
    assert layer is not None
    kept = run_calls.largest(layer.layers[0], 2)
    assert kept == {0, 1, 2, 3}  # the kernel and the first of what it calls; their callers execute nothing themselves


def test_a_frame_that_is_not_known_makes_no_sum_below_it() -> None:
    result = result_maker.result(calls=page_maker.calls(result_maker.result().layers, Names(harmless=True)))
    table = tables(run.page(result))["stack-table"]
    assert numbers(table, "bytes") == [32, 8]
    assert numbers(table, "together") == [32]


def test_500_functions_and_the_others_as_one() -> None:
    result = page_maker.large()
    assert result.functions is not None and len(result.functions) == 700
    table = tables(run.page(result))["function-table"]
    assert len(numbers(table, "instructions", ("item",))) == run_functions.MOST == 500
    other = next(row for row in table.rows if row.kind == "other")
    assert other.cells[0] == "200 other functions"
    assert sum(numbers(table, "instructions")) == result.counts.total


def test_functions_that_do_not_add_up_are_no_report() -> None:
    result = result_maker.result(functions=(Function(name="f", instructions=10**6, share=1.0),))
    with pytest.raises(BadInputError, match="its functions have 999000 instructions too many"):
        run.page(result)


def test_a_layer_leads_to_its_functions_alone() -> None:
    page = run.page(result_maker.result())
    found = tables(page)
    link = found["layer-table"].rows[1].cells[1]
    assert isinstance(link, Link) and link.chooses == "layer-1"
    assert {tag for row in found[link.target].rows for tag in row.tags} == {"layer-0", "layer-1"}


def test_memory_is_shown_apart_with_used_free_and_limit() -> None:
    result = result_maker.result()
    memory, table = result.memory, tables(run.page(result))["memory-table"]
    rows = {
        str(row.cells[0]): [cell.value for cell in row.cells[1:4] if isinstance(cell, Number)] for row in table.rows
    }
    assert rows["flash"] == [memory.flash, memory.flash_free, memory.flash_budget]
    assert rows["RAM: static, arena and stack"] == [memory.ram + memory.stack, memory.ram_free, memory.ram_budget]
    for name, used in (("static RAM", memory.static), ("arena", memory.arena), ("stack", memory.stack)):
        assert rows[name] == [used, memory.ram_free, used + memory.ram_free]
    for row in rows.values():
        assert row[0] + row[1] == row[2]


def test_what_does_not_fit_is_over_its_limit_in_words() -> None:
    memory = msgspec.structs.replace(result_maker.result().memory, flash=1048676, code=994740, flash_free=-100)
    page = run.page(result_maker.result(memory=memory))
    assert tables(page)["memory-table"].rows[0].state == "fail"
    assert "B too much" in charts(page)["memory-bars"].svg


def test_without_classes_and_functions_there_are_reasons_and_commands() -> None:
    """As Renode tells."""
    layers = tuple(
        msgspec.structs.replace(layer, classes=None, functions=None) for layer in result_maker.result().layers
    )
    counts = msgspec.structs.replace(result_maker.result().counts, classes=None)
    page = run.page(result_maker.result(layers, counts=counts, functions=None, emulator="renode"))
    lacking = {item.item: item for item in page.not_measured}
    for item in ("instruction classes", "functions"):
        assert lacking[item].reason
        assert lacking[item].command == ("harness run kws.tflite --platform stm32l496zg --kernels cmsis-nn --opt -O2")
    assert "class-table" not in tables(page)
    html = render.html(page)
    assert "tells no functions apart" in html


def test_what_nobody_asked_for_is_not_measured() -> None:
    lacking = {item.item: item.command for item in run.page(result_maker.result()).not_measured}
    assert (lacking["cycles and latency"] or "").endswith("--cycles")
    assert lacking["energy"] == "harness energy kws-stm32l496zg-cmsis-nn-O2-0123456789ab"
    assert "the arena over time" in lacking
    assert "the arena over time" not in {item.item for item in run.page(page_maker.large(2)).not_measured}


def test_a_missing_arena_is_a_dash_and_no_step() -> None:
    result = page_maker.large(layers=3)
    layers = (*result.layers[:1], msgspec.structs.replace(result.layers[1], arena=None), *result.layers[2:])
    page = run.page(msgspec.structs.replace(result, layers=layers))
    assert len(numbers(tables(page)["layer-table"], "arena")) == 2
    assert charts(page)["arena-course"].svg.count("<rect") == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("harness", "run", "my nets/kws.tflite"), "harness run 'my nets/kws.tflite'"),
        ((), "harness run kws.tflite --platform stm32l496zg --kernels cmsis-nn --opt -O2"),
    ],
)
def test_the_command_is_the_recorded_one_or_one_that_makes_the_same(command: tuple[str, ...], said: str) -> None:
    result = result_maker.result()
    manifest = store.Manifest(schema="s", run_id=result.run_id, created="now", command=command, files={})
    assert run_origin.command(result, manifest) == said


def test_charts_have_tables_that_are_there() -> None:
    for result in (result_maker.result(), page_maker.large(5)):
        page = run.page(result)
        assert charts(page).keys() >= {"memory-bars", "icicle"}
        for chart in charts(page).values():
            assert chart.table in tables(page)


def test_hostile_names_of_a_run_change_no_element() -> None:
    hostile = render.html(named.run_page(page_maker.named(Names()))[1])
    harmless = render.html(named.run_page(page_maker.named(Names(harmless=True)))[1])
    assert page_maker.outline(hostile) == page_maker.outline(harmless)
    hostile.encode()


def test_a_network_of_100_layers_takes_less_than_a_megabyte() -> None:
    result = page_maker.large()
    assert len(result.layers) == 100
    assert len(render.html(named.run_page(result)[1]).encode()) < 1_000_000


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(results: Path, tmp_path: Path) -> Result:
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(b"ELF")
    return store.save(result_maker.result(), elf, "uart", ("harness", "run", "kws.tflite"))


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_report_is_written_beside_the_runs(
    stored: Result, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = store.files(results / "runs" / stored.run_id)
    code, out, _ = command(capsys, "kws-stm32l496zg")
    assert (code, out.strip()) == (0, f"results/reports/{stored.run_id}.html")
    html = (tmp_path / out.strip()).read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "<code>harness run kws.tflite</code>" in html
    assert store.files(results / "runs" / stored.run_id) == before


def test_report_of_a_run_beside_another(stored: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new folder" / "a.html"
    code, _, _ = command(capsys, stored.run_id, "--compare", stored.run_id, "-o", str(file))
    assert code == 0
    assert 'id="comparison"' in file.read_text(encoding="utf-8")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "nothing: no run, sweep or study of that name, and no file of a result"),
        (("kws", "--compare", "nothing"), "nothing: no run, sweep or study of that name"),
        (("kws", "--policy", "p.toml"), "p.toml judges a difference, and there is one run"),
        (("kws", "-o", "/"), "/ is a folder"),
        (("x" * 5000,), "no result: "),
    ],
)
def test_mistakes_are_told_in_a_line(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err and "Traceback" not in err


def test_open_without_a_browser(
    stored: Result, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def fail(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", fail)
    code, out, err = command(capsys, stored.run_id, "--open")
    assert (code, out.strip()[-5:]) == (3, ".html")
    assert opened[0].startswith("file:///") and opened[0].endswith(".html")
    assert "no browser" in err


def test_file_names_are_safe() -> None:
    for name in page_maker.HOSTILE:
        assert re.fullmatch(r"[A-Za-z0-9._+-]{1,120}", named.file_name(name))
        assert not named.file_name(name).startswith((".", "-"))
