"""A verdict of the gate as JUnit XML: a test suite a run, a test case a comparison."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter

from harness.gate import words
from harness.gate.verdict import Comparison, FailurePart, State, Verdict

# What XML 1.0 cannot hold, not even as a reference to a character.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KINDS: dict[State, str | None] = {
    "worse": "failure",
    "undecided": "error",
    "blocked": "error",
    "missing": "error",
    "warned": "skipped",
    "suppressed": "skipped",
    "ignored": "skipped",
    "better": None,
    "ok": None,
}
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit(shown: Verdict) -> bytes:
    """The verdict as JUnit XML (UTF-8). What was not compared is an error, what a rule leaves out is skipped."""
    root = ET.Element("testsuites", name=_clean(f"gate {shown.policy.name}"))
    whole: Counter[str] = Counter()
    if shown.failures:
        whole += _suite(root, "not measured", [_failure(shown, item) for item in shown.failures])
    for index, run in enumerate(shown.runs):
        items = [item for item in shown.comparisons if item.run == index]
        if items:
            whole += _suite(root, run.label, [_case(shown, item) for item in items])
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(whole[name]))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _suite(root: ET.Element, name: str, cases: list[ET.Element]) -> Counter[str]:
    counts: Counter[str] = Counter(tests=len(cases))
    counts.update(_COUNTED[child.tag] for case in cases for child in case if child.tag in _COUNTED)
    numbers = {key: str(counts[key]) for key in ("tests", "failures", "errors", "skipped")}
    ET.SubElement(root, "testsuite", {"name": _clean(name), **numbers}).extend(cases)
    return counts


def _case(shown: Verdict, item: Comparison) -> ET.Element:
    run = shown.runs[item.run]
    name = words.subject(item) if item.layer is None else f"layers: {words.subject(item)}"
    case = ET.Element("testcase", classname=_clean(f"gate.{shown.policy.name}.{run.platform}.{run.model}"),
                      name=_clean(f"{name} against {item.against}"))  # fmt: skip
    kind = _KINDS[item.state]
    said = words.finding(item)
    if kind == "skipped":
        ET.SubElement(case, kind, message=_clean(said))
    elif kind is not None:
        ET.SubElement(case, kind, message=_clean(said), type=item.state).text = _clean(words.sentence(item, run))
    else:
        ET.SubElement(case, "system-out").text = _clean(said)
    return case


def _failure(shown: Verdict, item: FailurePart) -> ET.Element:
    case = ET.Element("testcase", classname=_clean(f"gate.{shown.policy.name}"), name=_clean(item.what))
    kind, sort = ("failure", "too large") if item.too_large else ("error", "not measured")
    text = item.message if item.hint is None else f"{item.message}\nhint: {item.hint}"
    ET.SubElement(case, kind, message=_clean(item.message), type=sort).text = _clean(text)
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
