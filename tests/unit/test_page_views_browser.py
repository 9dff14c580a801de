"""Sweeps, comparisons, studies and calibrations in a browser: nothing is loaded, links lead to their rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser as browsers
import page_maker
import pytest
import views_maker
from browser import Watched
from gate_maker import slower
from optimize_maker import scenario, study_file
from page_maker import Names
from test_page_sweep import hostile

from harness import compare
from harness.calibrate import calibration as stored
from harness.page import calibration, comparison, render, run, study, sweep
from harness.page.document import Page
from harness.page.study import Stored

ROOT = Path(__file__).parents[2]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsers.started() as made:
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a report by its name; each is written once, when it is first asked for."""
    folder = tmp_path_factory.mktemp("views")

    def file(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HARNESS_RESULTS", str(folder / name))
                page = PAGES[name](folder)
            path.write_text(render.html(page), encoding="utf-8")
        return path

    return file


def _sweep(_folder: Path) -> Page:
    found = views_maker.mixed()
    return sweep.page(found.plan, found.rows)


def _hostile(_folder: Path) -> Page:
    return sweep.page(*hostile(Names()))


def _comparison(_folder: Path) -> Page:
    """A run with the comparison in its place."""
    before, after = page_maker.large(3, 3, 4), page_maker.large(3, 3, 4)
    compared = compare.compare(before, slower(slower(after, 1, 500), 2, -900))
    return run.page(after, None, (comparison.section(compared),), comparison.not_measured(compared))


def _study(folder: Path) -> Page:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    made = scenario(folder, views_maker.STUDY)
    records = views_maker.several(made)
    return study.page(Stored(made, study_file(made), records, views_maker.picked(records)))


def _calibration(_folder: Path) -> Page:
    path = ROOT / "results" / "calibration" / "stm32l4r5zi.json"
    return calibration.page(stored.read(path), path.name)


PAGES: dict[str, Callable[[Path], Page]] = {
    "sweep": _sweep, "hostile": _hostile, "comparison": _comparison, "study": _study, "calibration": _calibration,
}  # fmt: skip


def opened(browser: Any, file: Path, **settings: Any) -> Watched:
    watched = Watched(browser, **settings)
    watched.open(file)
    return watched


def closed(watched: Watched, file: Path) -> None:
    assert watched.complaints == []
    assert watched.requests == [file.as_uri()]
    watched.context.close()


@pytest.mark.parametrize(
    ("name", "width", "theme"),
    [
        ("sweep", 1280, "light"),
        ("sweep", 400, "dark"),
        ("comparison", 1280, "dark"),
        ("comparison", 400, "light"),
        ("study", 1280, "light"),
        ("calibration", 1280, "dark"),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_is_loaded(
    browser: Any, files: Callable[[str], Path], name: str, width: int, theme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    file = files(name)
    watched = opened(browser, file, color_scheme=theme, viewport={"width": width, "height": 900})
    page = watched.page
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response
    assert len(found["passes"]) > 15
    serious = [item for item in found["violations"] if item["impact"] in ("serious", "critical")]
    assert [(item["id"], item["nodes"][0]["html"][:200]) for item in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    browsers.keep(page, f"{name}-{theme}-{width}")
    closed(watched, file)


def test_hostile_names_of_points_run_nothing(browser: Any, files: Callable[[str], Path]) -> None:
    file = files("hostile")
    watched = opened(browser, file)
    page = watched.page
    for mark in page.locator(".scatter .mark").all():
        mark.hover(force=True)
    page.locator("#sweep-front a").first.click()
    assert page.evaluate("window.hit === undefined")
    browsers.keep(page, "sweep-hostile")
    closed(watched, file)


def test_a_point_of_the_scatter_leads_to_its_row(browser: Any, files: Callable[[str], Path]) -> None:
    file = files("sweep")
    watched = opened(browser, file)
    page = watched.page
    mark = page.locator('#sweep-flash-instructions .mark[data-target="point-2"]')
    mark.hover()
    assert page.locator("#tip").inner_text().startswith("small.tflite: 3\u202f007, 20\u202f000\u00a0B; on the front")
    mark.click()
    assert page.locator("#point-2").is_visible()
    assert page.evaluate("document.querySelector('#point-2').getBoundingClientRect().top < innerHeight")
    assert "point-2" in page.url
    closed(watched, file)


def test_links_lead_to_points_and_points_are_sorted_and_filtered(browser: Any, files: Callable[[str], Path]) -> None:
    file = files("sweep")
    watched = opened(browser, file)
    page = watched.page
    page.locator("#sweep-infeasible a").first.click()
    assert "point-4" in page.url and page.locator("#point-4").is_visible()
    page.locator("#sweep-points th[data-key=instructions] button").click()
    models = page.locator("#sweep-points tbody td:first-child").all_inner_texts()
    names = ["worse", "small", "fast", "big", "wrong", "dead"]  # what has no number stands behind
    assert models == [f"{name}.tflite" for name in names]
    page.get_by_label("Filter Every point: 6", exact=True).fill("over budget")
    page.locator("#sweep-points .status").filter(has_text="1 of 6").wait_for()
    rows = page.locator("#sweep-points tbody tr:visible")
    assert rows.count() == 1 and "big.tflite" in rows.first.inner_text()
    closed(watched, file)


def test_a_layer_selects_what_moved_in_it(browser: Any, files: Callable[[str], Path]) -> None:
    file = files("comparison")
    watched = opened(browser, file)
    page = watched.page
    assert "+500" in page.locator("#compare-layers tbody tr").first.inner_text()
    assert page.locator("#compare-within tbody tr:visible").count() == 4  # a function and a class of both layers
    page.locator("#compare-layers tbody tr a").first.click()
    page.wait_for_url(re.compile("choose=layer-1"))
    chosen = page.locator("#compare-within tbody tr:visible td:first-child").all_inner_texts()
    assert chosen == ["1 DEPTHWISE_CONV_2D"] * 2
    closed(watched, file)


def test_all_of_it_is_there_without_script(browser: Any, files: Callable[[str], Path]) -> None:
    file = files("sweep")
    watched = opened(browser, file, java_script_enabled=False)
    page = watched.page
    for table, rows in (("sweep-front", 2), ("sweep-beaten", 1), ("sweep-infeasible", 2), ("sweep-points", 6)):
        assert page.locator(f"#{table} tbody tr:visible").count() == rows
    page.locator("#sweep-front a").first.click()
    assert page.url.endswith("#point-1")
    closed(watched, file)
