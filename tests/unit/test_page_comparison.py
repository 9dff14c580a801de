"""The comparison in a report: the worst first, sums that close, what is blocked and why, the verdict of a policy."""

from __future__ import annotations

from pathlib import Path

import msgspec
import page_maker
import pytest
from gate_maker import plain, replaced, slower, with_layer
from page_maker import Names

from harness import compare
from harness.compare import Compared
from harness.gate.verdict import Verdict
from harness.page import comparison, render
from harness.page.document import Block, Chart, Fold, Link, Mark, Row, Table, Text
from harness.page.values import Number
from harness.result import Function, Result

POLICY = """name = "pr"
[[rules]]
metric = "instructions"
unit = "instructions"
allowed_percent = {percent}
[[rules]]
metric = "flash"
unit = "B"
limit = 1000000
"""


def tables(shown: Compared, verdict: Verdict | None = None) -> dict[str, Table]:
    return {item.id: item for item in flat(comparison.section(shown, verdict).blocks) if isinstance(item, Table)}


def flat(blocks: tuple[Block, ...]) -> list[Block]:
    found: list[Block] = []
    for block in blocks:
        found += [block, *(flat(block.blocks) if isinstance(block, Fold) else ())]
    return found


def value(cell: object) -> float | None:
    assert isinstance(cell, Number)
    return cell.value


def row(table: Table, *first: str) -> Row:
    (found,) = (item for item in table.rows if item.cells[: len(first)] == first)
    return found


def judged(before: Result, after: Result, folder: Path, percent: float = 1) -> Verdict:
    policy = folder / "pr.toml"
    policy.write_text(POLICY.format(percent=percent))
    return comparison.judged(before, after, policy)


def test_layers_are_the_worst_first_and_close() -> None:
    layers = tables(compare.compare(plain(), slower(slower(plain(), 0, -30), 1, 45)))["compare-layers"]
    links = [Link(text=number, target="compare-within", chooses=f"layer-{number}") for number in "10"]
    assert [item.cells[:2] for item in layers.rows] == [
        (links[0], "SOFTMAX"), (links[1], "CONV_2D"), ("", "around the layers"), ("", "all")
    ]  # fmt: skip
    changes = [value(item.cells[4]) for item in layers.rows]
    assert changes == [45, -30, 0, 15]
    assert layers.rows[0].tags == ("layer-1",)
    assert [item.kind for item in layers.rows[2:]] == ["other", "total"]


def test_functions_and_classes_close_to_the_whole_inference() -> None:
    before = plain()
    assert before.functions is not None and before.counts.classes is not None
    after = replaced(slower(before, 1, 45), "counts", total=before.counts.total + 45,
                     classes=before.counts.classes | {"load": before.counts.classes["load"] + 45})  # fmt: skip
    functions = (*before.functions, Function(name="waste", instructions=45, share=0.04))
    found = tables(compare.compare(before, msgspec.structs.replace(after, functions=functions)))
    for name, first in (("compare-functions", "waste"), ("compare-classes", "load")):
        *parts, whole = found[name].rows
        assert parts[0].cells[0] == first and whole.kind == "total"
        for place in (1, 2, 3):
            assert sum(value(part.cells[place]) or 0 for part in parts) == value(whole.cells[place])


def test_within_layers_the_largest_increase_is_first_and_chosen_by_its_layer() -> None:
    within = tables(compare.compare(plain(), slower(plain(), 1, 45)))["compare-within"]
    assert within.rows[0].cells[:3] == ("1 SOFTMAX", "function", "waste")
    assert within.rows[0].tags == ("layer-1",)


def test_more_than_the_most_functions_close_by_another_row() -> None:
    functions = {f"f{number}": 1 for number in range(700)}
    after = with_layer(slower(plain(), 0, 700), 0, functions=(plain().layers[0].functions or {}) | functions)
    within = tables(compare.compare(plain(), after))["compare-within"]
    assert len(within.rows) == 501 and within.rows[-1].kind == "other"
    moved = compare.compare(plain(), after).layers[0]
    expected = sum(part.change for part in (*(moved.functions or ()), *(moved.classes or ())))
    assert sum(value(item.cells[5]) or 0 for item in within.rows) == expected


def test_what_differs_blocks_numbers_with_the_reason() -> None:
    after = replaced(slower(plain(), 0, 45), "identity", compiler="arm-none-eabi-gcc 14")
    shown = compare.compare(plain(), after)
    found = tables(shown)
    total = row(found["compare-totals"], "instructions")
    assert value(total.cells[1]) is not None and value(total.cells[3]) is None
    assert isinstance(total.cells[3], Number) and total.cells[3].reason == "blocked: another compiler"
    assert total.cells[5] == Mark(state="undecided", text="blocked: another compiler")
    assert row(found["compare-differs"], "compiler").cells[2] == "arm-none-eabi-gcc 14"
    assert value(row(found["compare-memory"], "flash", "model").cells[4]) == 0  # the file does not depend on it
    code = row(found["compare-memory"], "flash", "code").cells[4]
    assert isinstance(code, Number) and code.reason == "blocked: another compiler"
    folds = [block for block in comparison.section(shown).blocks if isinstance(block, Fold)]
    assert [fold.id for fold in folds] == ["compare-parts"] and "another compiler" in folds[0].summary
    said, state = comparison.sentence(shown)
    assert said.startswith("blocked, another compiler: instructions") and state == "undecided"


def test_the_worst_total_is_first_and_what_is_blocked_last() -> None:
    after = replaced(slower(plain(), 0, 10), "memory", flash=222700, code=168764)
    totals = tables(compare.compare(plain(), after))["compare-totals"]
    assert [item.cells[0] for item in totals.rows][:2] == ["code", "flash"]
    blocked = replaced(after, "identity", cmsis_nn="another")
    names = [item.cells[0] for item in tables(compare.compare(plain(), blocked))["compare-totals"].rows]
    assert set(names[:2]) == {"MACs", "model's size"}


def test_totals_that_moved_stand_before_those_that_did_not() -> None:
    after = replaced(slower(plain(), 0, -10), "memory", flash=222700, code=168764)
    names = [item.cells[0] for item in tables(compare.compare(plain(), after))["compare-totals"].rows]
    assert names[:3] == ["code", "flash", "instructions"]


def test_nothing_changed() -> None:
    shown = compare.compare(plain(), plain())
    assert comparison.sentence(shown) == ("no number changed; no policy judged it", "note")
    assert not [item for item in flat(comparison.section(shown).blocks) if isinstance(item, Chart)]


def test_without_a_policy_the_worst_changes_are_said() -> None:
    said, state = comparison.sentence(compare.compare(plain(), slower(plain(), 0, 18)))
    assert "instructions +1.80 %" in said and "no policy judged it" in said and state == "note"


@pytest.mark.parametrize(("percent", "state", "word"), [(1, "fail", "worse than"), (5, "pass", "no worse than")])
def test_a_policy_judges_against_its_limit(tmp_path: Path, percent: float, state: str, word: str) -> None:
    before, after = plain(), slower(plain(), 0, 18)
    shown, verdict = compare.compare(before, after), judged(before, after, tmp_path, percent)
    said, found = comparison.sentence(shown, verdict)
    assert found == state and said.startswith(f"{word} allowed by policy pr: ")
    assert f"instructions +1.80 % against a limit of {percent} %" in said
    judgements = tables(shown, verdict)["compare-judged"]
    first = row(judgements, Mark(state="fail" if percent == 1 else "pass", text="worse" if percent == 1 else "ok"),
                "instructions")  # fmt: skip
    assert value(first.cells[2]) == 1000 and value(first.cells[3]) == 1018
    assert value(first.cells[5]) == 1000 + 10 * percent


def test_a_limit_is_said_as_it_was_written_and_not_as_its_whole_number(tmp_path: Path) -> None:
    before, after = (
        replaced(item, "counts", total=item.counts.total + 40) for item in (plain(), slower(plain(), 0, 5))
    )
    said, _ = comparison.sentence(compare.compare(before, after), judged(before, after, tmp_path))
    assert "instructions +0.48 % against a limit of 1 %" in said  # the bound is 1,050 of 1,040: 0.962 %


def test_a_policy_does_not_judge_what_is_blocked(tmp_path: Path) -> None:
    before, after = plain(), replaced(slower(plain(), 0, 18), "identity", compiler="another")
    said, state = comparison.sentence(compare.compare(before, after), judged(before, after, tmp_path))
    assert state == "undecided" and said.startswith("not decided by policy pr: ") and "another compiler" in said


def test_a_layer_that_only_one_has() -> None:
    before = plain()
    after = msgspec.structs.replace(before, layers=before.layers[:1])
    layers = tables(compare.compare(before, after))["compare-layers"]
    gone = row(layers, "1", "SOFTMAX")
    assert value(gone.cells[3]) is None and gone.cells[-1] == "only in A"
    assert isinstance(gone.cells[3], Number) and gone.cells[3].reason == "only A has this layer"
    assert gone.tags == ()


def test_what_is_not_there_is_said() -> None:
    silent = replaced(msgspec.structs.replace(plain(), functions=None), "counts", classes=None)
    found = comparison.not_measured(compare.compare(plain(), silent))
    assert [item.item for item in found] == ["functions and classes, compared", "latency, compared", "energy, compared"]
    assert all(item.reason and item.command for item in found)


def test_the_verdict_stands_in_the_section_only_where_the_page_does_not_say_it() -> None:
    shown = compare.compare(plain(), slower(plain(), 0, 18))
    assert isinstance(comparison.section(shown).blocks[0], Text)
    page = comparison.page(shown)
    assert page.kind == "comparison" and not isinstance(page.sections[0].blocks[0], Text)


class Begun(Names):
    """Names that differ in how they begin: of hashes the beginnings alone are compared."""

    def __call__(self) -> str:
        name = super().__call__()
        return f"{name.rsplit(' ', 1)[1]:>5} {name}"


def test_hostile_names_change_no_element() -> None:
    def html(harmless: bool) -> str:
        new = Begun(harmless)
        before, after = page_maker.named(new), page_maker.named(new)
        return render.html(comparison.page(compare.compare(before, after)))

    hostile = html(harmless=False)
    assert page_maker.outline(hostile) == page_maker.outline(html(harmless=True))
    assert "</script><script>window.hit=1</script>" in " ".join(page_maker.texts(hostile))
