"""The report of a sweep: the front, what is infeasible or failed and why, every point, how large the page is."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import page_maker
import plots_maker
import pytest
from page_maker import Names
from plots_maker import Made
from views_maker import blocks, layers, many, mixed, table

from harness.page import render, sweep
from harness.page.document import Chart, Link, Mark, Page, Table
from harness.page.values import Number
from harness.report.plots_points import Swept
from harness.sweep import tables as swept_tables
from harness.sweep.estimates import Estimate, Quantity
from harness.sweep.file import Objective
from harness.sweep.plan import Failure, Plan
from harness.sweep.tables import PointRow

MOST_BYTES = 5_000_000


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path))


def page(found: Swept) -> Page:
    return sweep.page(found.plan, found.rows)


def names(of: Table) -> list[str]:
    return [row.cells[0].text if isinstance(row.cells[0], Link) else str(row.cells[0]) for row in of.rows]


def test_verdict_counts_points_and_names_the_best_of_each_objective() -> None:
    shown = page(mixed())
    assert shown.state == "undecided"  # a point that was not measured may be better
    assert shown.verdict.startswith(
        "6 points, 3 within every limit, 2 infeasible (1 over budget, 1 verdict no), 1 without numbers (not measured)"
    )
    assert "least instructions 1\u202f007: fast.tflite" in shown.verdict
    assert "least flash 20\u202f000\u00a0B: small.tflite" in shown.verdict


def test_verdict_without_a_point_that_can_be_chosen() -> None:
    shown = page(plots_maker.store([Made(flash=90_000), Made(kernels="cmsis-nn", flash=90_001)], flash_kib=64))
    assert shown.state == "fail" and "no point can be chosen" in shown.verdict
    assert "sweep-front" not in blocks(shown, Table) and render.html(shown)


def test_verdict_passes_where_nothing_is_open() -> None:
    assert page(plots_maker.store([Made()])).state == "pass"


def test_tables_tell_front_beaten_infeasible_and_failed_apart() -> None:
    shown = page(mixed())
    assert names(table(shown, "sweep-front")) == ["fast.tflite", "small.tflite"]
    assert names(table(shown, "sweep-beaten")) == ["worse.tflite"]
    assert names(table(shown, "sweep-infeasible")) == ["big.tflite", "wrong.tflite"]
    assert names(table(shown, "sweep-failed")) == ["dead.tflite"]
    limits = [row.cells[2] for row in table(shown, "sweep-infeasible").rows]
    assert limits == ["budget of flash", "exact outputs, budget of flash"] or limits[0] == "budget of flash"
    assert "24,464 B" in str(table(shown, "sweep-infeasible").rows[0].cells[3])
    assert table(shown, "sweep-failed").rows[0].cells[2] == "died"


def test_links_lead_to_the_row_of_the_point() -> None:
    shown = page(mixed())
    rows = {row.id: row for row in table(shown, "sweep-points").rows}
    for name in ("sweep-front", "sweep-beaten", "sweep-infeasible", "sweep-failed", "sweep-best"):
        for row in table(shown, name).rows:
            (link,) = (cell for cell in row.cells if isinstance(cell, Link))
            assert rows[link.target].cells[0] == link.text


def test_every_point_has_a_row_with_its_state_and_numbers_or_the_reason() -> None:
    points = table(page(mixed()), "sweep-points")
    assert [row.cells[1] for row in points.rows] == [
        Mark(state="pass", text="on the front"), Mark(state="pass", text="on the front"),
        Mark(state="note", text="beaten"), Mark(state="fail", text="over budget"),
        Mark(state="fail", text="verdict no"), Mark(state="undecided", text="not measured"),
    ]  # fmt: skip
    place = [column.key for column in points.columns].index("instructions")
    counts = [row.cells[place] for row in points.rows]
    assert [cell.value for cell in counts if isinstance(cell, Number)] == [1007, 3007, 4007, 907, 807, None]
    assert isinstance(counts[-1], Number) and counts[-1].reason == "died"


def test_a_chart_has_every_point_with_both_numbers_and_a_table_beside_it() -> None:
    shown = page(mixed())
    (chart,) = blocks(shown, Chart).values()
    assert isinstance(chart, Chart) and chart.table in blocks(shown, Table)
    assert "5 points" in chart.summary and "1 point without numbers of both cannot be drawn" in chart.note
    assert chart.svg.count('class="limit"') == 1 and "Dashed lines are budgets." in chart.note
    assert chart.svg.count('class="reach"') == 5 and 'data-target="point-4"' in chart.svg
    assert [kind for kind, _ in chart.legend] == ["circle part-0", "ring part-9", "triangle part-6", "cross part-2"]


def test_axes_show_the_best_and_no_average() -> None:
    found = plots_maker.store(
        [Made(layers=layers(5000)), Made(platform="rp2040", layers=layers(1000)), Made(kernels="cmsis-nn", layers=None)]
    )
    axes = table(page(found), "sweep-axes")
    reference, cmsis = (next(row for row in axes.rows if row.cells[1] == name) for name in ("reference", "cmsis-nn"))
    assert [cell.value for cell in reference.cells if isinstance(cell, Number)][:4] == [2, 2, 1, 1007]
    assert [cell.value for cell in cmsis.cells if isinstance(cell, Number)] == [1, 0, 0, None, None]


def test_estimates_have_bounds_and_what_is_not_estimated_a_reason() -> None:
    found = mixed()
    quantity = Quantity(value=5.0, low=3.0, high=9.0, model="m/1", tier="uncalibrated", coverage=0.9)
    estimate = Estimate(latency_ms=quantity, energy_uj=None, without_energy="no power of it is known",
                        layer_cycles=(1,), overhead_cycles=1)  # fmt: skip
    rows = []
    for item in found.rows:
        row = item.row
        if row is not None and row.measured is not None:
            row = msgspec.structs.replace(row, estimate=estimate)
        rows.append(msgspec.structs.replace(item, row=row))
    plan = msgspec.structs.replace(found.plan, objectives=(*found.plan.objectives, Objective(metric="latency")))
    shown = sweep.page(plan, rows)
    front = table(shown, "sweep-front")
    cell = front.rows[0].cells[3]
    assert isinstance(cell, Number) and (cell.origin, cell.low, cell.high) == ("estimated", 3.0, 9.0)
    assert ("estimated latency against instructions" in [chart.title for chart in blocks(shown, Chart).values()]) or (
        blocks(shown, Chart)["sweep-instructions-latency"].svg.count('class="band"') == 5
    )
    missing = {item.item: item.reason for item in shown.not_measured}
    assert missing["energy of 5 points"] == "no power of it is known"


def test_what_no_point_has_is_said_once_with_the_number_of_points() -> None:
    missing = {item.item: item for item in page(mixed()).not_measured}
    assert missing["accuracy of 5 points"].reason == "there is no test set for it"
    assert missing["latency of 5 points"].command == "cycles = true in the sweep file"


def test_of_a_stored_sweep() -> None:
    mixed()
    assert sweep.of("made").title == "Sweep made"


def hostile(new: Names) -> tuple[Plan, tuple[PointRow, ...]]:
    """The mixed sweep, with every name another one."""
    found = mixed()
    points, rows = [], {}
    for point in found.plan.points:
        choice = msgspec.structs.replace(point.choice, model=new(), platform=new(), kernels=new(), optimisation=new(),
                                         emulator=new())  # fmt: skip
        assert point.facts is not None
        facts = msgspec.structs.replace(point.facts, core=new(), compiler=new(), emulator_version=new())
        points.append(msgspec.structs.replace(point, choice=choice, facts=facts))
    for item in found.rows:
        assert item.row is not None
        row = msgspec.structs.replace(item.row, reasons=(new(),), run_id=new())
        if row.failure is not None:
            row = msgspec.structs.replace(row, failure=Failure(kind="not measured", message=new(), hint=new()))
        rows[row.identity] = row
    plan = msgspec.structs.replace(found.plan, points=tuple(points), name=new(), file=new(), notes=(new(), new()),
                                   inputs=(new(),))  # fmt: skip
    return plan, swept_tables.point_rows(plan, rows)


def test_hostile_names_change_no_element() -> None:
    pages = [render.html(sweep.page(*hostile(Names(harmless)))) for harmless in (False, True)]
    assert page_maker.outline(pages[0]) == page_maker.outline(pages[1])
    assert "</script><script>window.hit=1</script>" in " ".join(page_maker.texts(pages[0]))


def test_a_sweep_of_300_points_is_small_and_written_in_seconds() -> None:
    found = many()
    began = time.process_time()
    html = render.html(page(found))
    seconds = time.process_time() - began
    assert len(html.encode()) < MOST_BYTES / 5, len(html)
    assert seconds < 20
    assert html.count('id="point-') == 300
