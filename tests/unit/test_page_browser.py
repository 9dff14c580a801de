"""The report in a browser: it loads nothing, complains of nothing, and does what its controls say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as browsers
import page_maker
import pytest
from browser import Watched
from page_maker import Names

from harness.page import named, render
from harness.result import Result

LAYERS = "layer-table"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsers.started() as made:
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report with hostile names, one of a network of a dozen layers, one with every kind of block."""
    folder = tmp_path_factory.mktemp("reports")
    results: dict[str, Result] = {"hostile": page_maker.named(Names()), "deep": page_maker.large(12, 5, 30)}
    pages = {name: named.run_page(result)[1] for name, result in results.items()}
    pages["blocks"] = page_maker.document(Names())
    made = {}
    for name, page in pages.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(render.html(page), encoding="utf-8")
    return made


@pytest.fixture
def deep(browser: Any, files: dict[str, Path]) -> Iterator[Watched]:
    watched = Watched(browser)
    watched.open(files["deep"])
    yield watched
    assert watched.complaints == []
    watched.context.close()


def shown(page: Any, table: str) -> list[list[str]]:
    """The texts of a table's rows that are seen, cell by cell."""
    found: list[list[str]] = page.evaluate(
        """id => [...document.querySelectorAll(`#${id} tbody tr`)].filter(row => row.offsetParent !== null)
           .map(row => [...row.cells].map(cell => cell.textContent.trim()))""",
        table,
    )
    return found


def column(page: Any, table: str, key: str) -> list[float]:
    """The values of a column's rows that are seen; those without one are left out."""
    found: list[float] = page.evaluate(
        """([id, key]) => {
             const heads = [...document.querySelectorAll(`#${id} thead th`)];
             const place = heads.findIndex(head => head.dataset.key === key);
             return [...document.querySelectorAll(`#${id} tbody tr`)].filter(row => row.offsetParent !== null)
               .map(row => row.cells[place]).map(cell => cell.dataset.v ?? cell.textContent.replaceAll('\u202f', ''))
               .filter(text => /^\\d/.test(text)).map(Number); }""",
        [table, key],
    )
    return found


def sort(page: Any, table: str, key: str) -> Any:
    return page.locator(f"#{table} th[data-key={key}]")


# --- what the page does not do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "theme"), [("hostile", "dark"), ("blocks", "light")])
def test_hostile_names_run_and_load_nothing(browser: Any, files: dict[str, Path], name: str, theme: str) -> None:
    watched = Watched(browser, color_scheme=theme)
    page = watched.open(files[name])
    for fold in page.locator("summary").all():
        fold.click()
    page.locator("#layer-table a, #table a").first.click()
    page.mouse.wheel(0, 4000)
    assert watched.requests == [files[name].as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert watched.complaints == []
    assert page.evaluate("window.hit === undefined")
    browsers.keep(page, f"{name}-{theme}")
    watched.context.close()


def test_a_script_that_is_not_the_pages_own_would_not_run(browser: Any, files: dict[str, Path], tmp_path: Path) -> None:
    """As if the escaping had a hole."""
    file = tmp_path / "holed.html"
    hole = "<script>window.hit=1</script><img src=x onerror='window.hit=1'><p style='color:red'>"
    file.write_text(files["deep"].read_text(encoding="utf-8").replace("<footer>", f"{hole}<footer>"), encoding="utf-8")
    watched = Watched(browser)
    page = watched.open(file)
    assert page.evaluate("window.hit === undefined")
    refused = [said for said in watched.complaints if "Content Security Policy" in said]
    assert len(refused) >= 3  # the script, what its address was to load or to run, the style
    watched.context.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 400)])
def test_axe_finds_nothing_serious(browser: Any, files: dict[str, Path], theme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    watched = Watched(browser, color_scheme=theme, viewport={"width": width, "height": 900})
    page = watched.open(files["deep"])
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}}).response
    assert len(found["passes"]) > 20
    serious = [item for item in found["violations"] if item["impact"] in ("serious", "critical")]
    assert [(item["id"], item["nodes"][0]["html"][:200]) for item in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    browsers.keep(page, f"run-{theme}-{width}")
    watched.context.close()


def test_all_of_it_is_there_without_script(browser: Any, files: dict[str, Path]) -> None:
    watched = Watched(browser, java_script_enabled=False)
    page = watched.open(files["deep"])
    assert page.locator("button").count() == 0
    assert page.locator("details:not([open])").count() == 0
    for table in (
        "layer-table",
        "class-table",
        "output-table",
        "function-table",
        "layer-function-table",
        "arena-buffers",
    ):
        rows = page.locator(f"#{table} tbody tr")
        assert rows.count() >= 12
        assert rows.last.is_visible()
    watched.context.close()


# --- what it does ----------------------------------------------------------------------------------------------------


def test_tables_are_sorted_by_click_and_by_key(deep: Watched) -> None:
    page = deep.page
    given = column(page, "function-table", "instructions")
    assert sort(page, "function-table", "instructions").get_attribute("aria-sort") == "descending"
    button = sort(page, "function-table", "layers").locator("button")
    button.click()
    values = column(page, "function-table", "layers")
    assert values == sorted(values, reverse=True) and values[0] > values[-1]
    assert sort(page, "function-table", "layers").get_attribute("aria-sort") == "descending"
    assert sort(page, "function-table", "instructions").get_attribute("aria-sort") is None
    button.press("Enter")
    values = column(page, "function-table", "layers")
    assert values == sorted(values)
    assert sort(page, "function-table", "layers").get_attribute("aria-sort") == "ascending"
    button.press("Space")
    assert column(page, "function-table", "instructions") == given
    assert shown(page, "function-table")[-1][0] == "inference"  # the total stays last


def test_filter_shows_what_matches_and_its_sum(deep: Watched) -> None:
    page = deep.page
    page.get_by_label("Filter Layers", exact=True).fill("block_3 DEPTHWISE")
    status = page.locator(f"#{LAYERS} .status")
    status.filter(has_text="2 of 13 rows").wait_for()
    rows = shown(page, LAYERS)
    assert [row[0] for row in rows] == ["3", "", ""]  # with what runs around the operators, and the total
    page.get_by_label("Filter Layers", exact=True).fill("nothing like it")
    status.filter(has_text="1 of 13 rows").wait_for()
    assert "filter.layer-table=nothing" in page.url


def test_a_layer_selects_its_functions_and_widens_in_the_icicle(deep: Watched) -> None:
    page = deep.page
    assert not page.locator("#layer-functions").get_attribute("open")
    page.locator("#layer-4 a").click()
    rows = shown(page, "layer-function-table")
    assert {row[0] for row in rows} == {"4 DEPTHWISE_CONV_2D"} and len(rows) == 5
    assert (
        "5 of 60 rows, 5\u202f000 instructions together" in page.locator("#layer-function-table .status").inner_text()
    )
    assert page.locator("#layer-4 a").get_attribute("aria-current") == "true"
    zoom = page.locator("#icicle .zoom")
    assert float(zoom.get_attribute("width").rstrip("%")) > 1000
    page.locator("#icicle .chip").click()
    assert len(shown(page, "layer-function-table")) == 60
    assert zoom.get_attribute("width") == "100%"


def test_marks_of_a_chart_are_reached_and_chosen_by_keys(deep: Watched) -> None:
    page = deep.page
    first = page.locator("#icicle .mark[tabindex='0']")
    assert first.count() == 1
    first.focus()
    page.keyboard.press("ArrowRight")
    assert "0 DEPTHWISE_CONV_2D: 5\u202f000 instructions, 8.3 %" in page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    assert "choose=layer-0" in page.url
    assert {row[0] for row in shown(page, "layer-function-table")} == {"0 DEPTHWISE_CONV_2D"}
    page.keyboard.press("End")
    assert "around the operators" in page.locator("#tip").inner_text()


def test_tooltips_come_by_pointer_and_by_focus_and_leave_by_escape(deep: Watched) -> None:
    page = deep.page
    tip = page.locator("#tip")
    assert not tip.is_visible()
    page.locator("#layer-1 .cut").hover()
    assert tip.is_visible() and tip.inner_text().startswith("functional_1/block_1/batch_normalization_1")
    tip.hover()
    page.wait_for_timeout(250)
    assert tip.is_visible()  # the pointer can go onto it
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    sort(page, LAYERS, "macs").locator("button").focus()
    assert tip.inner_text() == "Multiply-accumulates that the operator's shapes make necessary"
    assert sort(page, LAYERS, "macs").locator("button").get_attribute("aria-describedby") == "tip"


def test_the_address_restores_what_one_sees(browser: Any, deep: Watched, files: dict[str, Path]) -> None:
    page = deep.page
    sort(page, LAYERS, "arena").locator("button").click()
    page.get_by_label("Filter Functions of the inference", exact=True).fill("Kernel3")
    page.locator("#layer-2 a").click()
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    page.wait_for_url(lambda address: "filter.function-table=Kernel3" in address)
    other = Watched(browser)
    again = other.open(files["deep"], page.url.partition("#")[2].join(("#", "")))
    for table in (LAYERS, "function-table", "layer-function-table"):
        assert shown(again, table) == shown(page, table)
    arena = column(again, LAYERS, "arena")
    assert arena == sorted(arena, reverse=True)
    assert again.locator("html").get_attribute("data-theme") == "dark"
    assert again.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert other.complaints == []
    other.context.close()


@pytest.mark.parametrize(
    "hash", ["#memory", "#%", "#choose=layer-99", "#sort.layer-table=x&filter.y=1&theme=red&at=%22>"]
)
def test_any_address_leads_to_the_report(browser: Any, files: dict[str, Path], hash: str) -> None:
    watched = Watched(browser)
    page = watched.open(files["deep"], hash)
    assert watched.complaints == []
    assert len(shown(page, LAYERS)) == 14
    assert page.locator("html").get_attribute("data-theme") is None
    watched.context.close()


def test_keys_reach_every_control_and_show_where_they_are(deep: Watched) -> None:
    page = deep.page
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    wanted = page.evaluate(
        """() => { const all = [...document.querySelectorAll('a, button, input, summary, [tabindex="0"]')]
             .filter(item => item.checkVisibility()); all.forEach((item, place) => { item.dataset.place = place; });
             return all.length; }"""
    )
    reached, unseen = set(), []
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            """() => { const at = document.activeElement; const style = getComputedStyle(at);
                 const drawn = at.matches('.mark') && [...at.querySelectorAll('rect, circle, polygon, path')]
                   .some(item => getComputedStyle(item).strokeWidth === '3px');
                 return [at.dataset.place, style.outlineStyle !== 'none' || drawn]; }"""
        )
        reached.add(place)
        if not outline and place is not None:
            unseen.append(place)
    assert {str(place) for place in range(wanted)} <= reached
    assert unseen == []


def test_targets_are_large_enough(deep: Watched) -> None:
    """24 pixels each way, or so far from the next one, as WCAG 2.2 has it; links within text are exempt."""
    page = deep.page
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, input, summary, .contents a')]
             .map(item => [item.textContent, item.getBoundingClientRect()])
             .filter(([, box]) => box.height > 0 && (box.height < 24 || box.width < 24)).map(([text]) => text)"""
    )
    assert small == []


def test_print_is_light_and_shows_everything(browser: Any, files: dict[str, Path]) -> None:
    watched = Watched(browser, color_scheme="dark")
    page = watched.open(files["deep"], "#choose=layer-2&filter.layer-table=nothing&theme=dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert len(shown(page, LAYERS)) == 14
    assert len(shown(page, "layer-function-table")) == 60
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.frame')).overflowY") == "visible"
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    watched.context.close()
