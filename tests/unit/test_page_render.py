"""Reports as HTML: whatever names look like, the page has the same elements; its policy allows its own two parts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys

import msgspec
import page_maker
import pytest
from page_maker import HOSTILE, Names

from harness.page import render, text
from harness.page import values as v
from harness.page.document import Column, Page, Row, Section, Table
from harness.page.values import Number


def element(html: str, name: str) -> list[str]:
    return re.findall(rf"<{name}(?:\s[^>]*)?>(.*?)</{name}>", html, re.DOTALL)


def test_hostile_names_change_no_element() -> None:
    hostile = render.html(page_maker.document(Names()))
    assert page_maker.outline(hostile) == page_maker.outline(render.html(page_maker.document(Names(harmless=True))))


def test_every_name_is_there_as_text() -> None:
    html = render.html(page_maker.document(Names()))
    shown = " ".join(page_maker.texts(html))
    for name in HOSTILE[:10]:
        assert name in shown, name


def test_what_is_no_visible_character_is_replaced() -> None:
    html = render.html(page_maker.document(Names()))
    outside = html.replace(element(html, "script")[0], "")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]", outside)
    assert "a\ufffdb\ufffd[31m" in html
    assert "\u05e9\u05dc\u05d5\u05dd" in html  # letters that run from right to left are letters


def test_is_text_that_can_be_encoded() -> None:
    assert "half of a pair: \ufffd" in render.html(page_maker.document(Names())).encode().decode()


def test_policy_allows_the_style_and_the_script_by_their_hashes() -> None:
    html = render.html(page_maker.document(Names()))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.group(1).replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    for kind, content in (("style-src", element(html, "style")), ("script-src", element(html, "script")[1:])):
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


def test_nothing_is_loaded_and_no_style_stands_in_an_attribute() -> None:
    outline = page_maker.outline(render.html(page_maker.document(Names(harmless=True))))
    names = {name for _, *attributes in outline for name in attributes}
    assert names & {"style", "src", "srcset", "action", "background", "poster"} == set()
    assert not [name for name in names if name.startswith("on")]
    assert {tag for tag, *_ in outline} & {"link", "iframe", "object", "embed", "img", "form", "base"} == set()


def test_script_and_style_cannot_end_early() -> None:
    for name in ("page.css", "page.js"):
        source = (render._TEMPLATES / name).read_text(encoding="utf-8")
        assert "</" not in source.replace("</g", ""), name
    assert len((render._TEMPLATES / "page.js").read_bytes()) < 40_000


def test_data_is_json_that_no_name_ends() -> None:
    data = {"name": [*HOSTILE], "\u2028</script>": "&"}
    page = msgspec.structs.replace(page_maker.document(Names()), data=data)
    content = element(render.html(page), "script")[0]
    assert not set(content) & set("<>&\u2028\u2029")
    assert json.loads(content) == data


def test_the_same_document_gives_the_same_file() -> None:
    assert render.html(page_maker.document(Names())) == render.html(page_maker.document(Names()))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (v.measured(7746538, ""), "7\u202f746\u202f538"),
        (v.measured(0, ""), "0"),
        (v.derived(-1234.5, "B", 1), "\u22121\u202f234.5"),
        (v.derived(-0.004, "%", 2), "0.00"),
        (v.estimated(3.8, "ms", 2.9, 8.3, 1), "\u2248\u202f3.8"),
        (v.missing("B", "nobody said"), "-"),
        (Number(value=1.8, unit="%", origin="derived", digits=2, signed=True), "+1.80"),
        (v.measured(float("inf"), ""), "not finite"),
    ],
)
def test_numbers(number: Number, shown: str) -> None:
    assert text.shown(number) == shown


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1.0, 2.0, "1 to 2"), (1.0, None, "at least 1"), (None, 2.0, "at most 2"), (None, None, "no bounds")],
)
def test_bands(low: float | None, high: float | None, said: str) -> None:
    assert text.bounds(v.estimated(1.5, "ms", low, high)) == said


def _page(cells: tuple[Number | str, ...], columns: int = 1, **settings: object) -> Page:
    titles = tuple(Column(key=f"c{index}", title=f"title {index}", numeric=True) for index in range(columns))
    table = Table(id="table", caption="caption", columns=titles, rows=(Row(cells=cells), Row(cells=cells)))
    table = msgspec.structs.replace(table, **settings)
    return Page(
        title="t", kind="run", verdict="v", state="pass", sections=(Section(id="s", title="s", blocks=(table,)),)
    )


def test_origin_and_unit_stand_in_the_head_where_all_cells_share_them() -> None:
    html = render.html(_page((v.measured(5, "B"),)))
    assert re.search(r"title 0\s*<small>B, measured</small>", html)
    assert 'class="o' not in html.split("<footer>")[0]


def test_origin_and_unit_stand_beside_each_number_where_they_differ() -> None:
    rows = (Row(cells=(v.measured(5, "B"),)), Row(cells=(v.estimated(6, "ms", 4, 9),)))
    html = render.html(_page((v.measured(5, "B"),), rows=rows)).split("<footer>")[0]
    assert re.search(r">measured</small>\s*5&nbsp;<small>B</small>", html)
    assert re.search(
        r">estimated</small>\s*\u2248\u202f6&nbsp;<small>ms</small>\s*<small class=\"band\">4 to 9</small>", html
    )


def test_what_is_missing_is_a_dash_with_its_reason_and_no_value() -> None:
    html = render.html(_page((v.missing("B", "the planner was not asked"),)))
    assert '<td class="n none" title="the planner was not asked">-' in html
    assert "- in title 0: the planner was not asked." in html
    assert "data-v" not in html.split("<footer>")[0]


def test_tables_that_do_not_fit_together_are_no_report() -> None:
    with pytest.raises(ValueError, match="table table: 1 cells in a row of 2 columns"):
        render.html(_page((v.measured(5, "B"),), columns=2))
    page = _page(("x",))
    with pytest.raises(ValueError, match="two places of the report are called 's'"):
        render.html(msgspec.structs.replace(page, sections=page.sections * 2))


def test_a_number_has_a_value_or_a_reason() -> None:
    with pytest.raises(ValueError, match="a value, or a reason"):
        Number(value=None, unit="B", origin="measured")
    with pytest.raises(ValueError, match="bounds belong to estimates"):
        Number(value=1, unit="B", origin="measured", low=0)


def test_long_names_are_cut_in_the_middle() -> None:
    shown = text.name("a" * 5000 + "the end")
    assert len(shown) == text.LONGEST_NAME
    assert shown.endswith("the end") and "\u2026" in shown


def test_all_characters_can_stand_in_a_name() -> None:
    """Every code point but letters, digits and signs that are seen becomes one character that is."""
    everything = "".join(map(chr, range(0, sys.maxunicode, 7)))
    cleaned = text.clean(everything)
    assert len(cleaned) == len(everything)
    assert cleaned == text.clean(cleaned)
    cleaned.encode()


# --- contrast --------------------------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _colours(theme: int) -> dict[str, str]:
    """The colours of a theme by their names: 0 light, 1 dark."""
    source = (render._TEMPLATES / "page.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));", source)
    return {name: (light, dark)[theme] if light else both for name, light, dark, both in found}


@pytest.mark.parametrize("theme", [0, 1])
def test_contrast_of_text_and_graphics(theme: int) -> None:
    colours = _colours(theme)
    for name in ("text", "quiet", "accent", "pass", "fail", "undecided"):
        for ground in ("ground", "raised"):
            assert _contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    assert _contrast(colours["text"], colours["tint"]) >= 4.5
    assert _contrast(colours["accent"], colours["tint"]) >= 4.5
    for name in ("edge", *(f"c{index}" for index in range(10))):
        assert _contrast(colours[name], colours["ground"]) >= 3, name
