"""Parts of pages that are made from the code when the site is built: ``<!-- made: NAME -->`` is one of PARTS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import macs
import messages

from harness import cores, isa, operators, platforms
from harness.records import Platform

ROOT = Path(__file__).resolve().parents[2]
_KIB = 1024
_MARK = re.compile(r"^<!-- made: ([a-z-]+) -->$", re.MULTILINE)

# Whose errors they are: the beginning of a module's name, and what its reader does. The first that fits decides.
_AREAS = (
    ("harness.optimize", "Finding the best network"),
    ("harness.zoo", "Making networks"),
    ("harness.sweep", "Sweeps"),
    ("harness.gate harness.baseline harness.history harness.compare harness.comment harness.git", "The gate"),
    ("harness.calibrate harness.cost harness.validate harness.bands", "Estimates and calibration"),
    ("harness.energy", "Energy"),
    ("harness.elfprofile harness.elf", "Profiling firmware"),
    ("harness.user_library", "A TFLM of your own"),
    ("harness.project harness.toml_file", "Project file"),
    ("harness.emulators harness.doctor harness.selftest harness.realtime", "Emulators"),
    ("harness.serving harness.client harness.bad_frames harness.relay harness.pty harness.mlperf harness.accuracy "
     "harness.frames", "Serving and accuracy"),
    ("harness.capture harness.flashable harness.uf2", "Boards"),
    ("harness.model harness.operators harness.flatbuffer harness.tensors harness.inputs", "Networks and inputs"),
    ("harness.library harness.image harness.toolchain harness.clang harness.sources harness.cores", "Building"),
    ("harness.platforms", "Platforms"),
    ("harness.report harness.page harness.export", "Reports"),
    ("harness.reproduce", "Reproduction"),
    ("harness.scenario harness.budgets", "Scenarios"),
    ("harness", "Everything else"),
)  # fmt: skip


def plain(text: str) -> str:
    """Text for a cell of a Markdown table: nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#$~])", r"\\\1", text)


def table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


# --- platforms -------------------------------------------------------------------------------------------------------


def platform_table() -> str:
    """A row for each board and machine, as platforms/*/platform.toml has it."""
    rows = [
        [
            f"[{item.name}](#{item.name})",
            item.kind,
            item.core.removeprefix("cortex-"),
            item.fpu or "-",
            f"{item.clock_hz / 1e6:g}",
            f"{item.flash.size_bytes // _KIB:,}",
            f"{item.ram.size_bytes // _KIB:,}",
            "-" if item.wait_states is None else str(item.wait_states),
            ", ".join(item.machines),
        ]
        for item in platforms.all()
    ]
    titles = ["name", "kind", "core", "FPU", "MHz", "flash KiB", "RAM KiB", "wait states", "runs on"]
    return f":::{{container}} one-line\n{table(titles, rows)}\n:::"


def platform_pages() -> str:
    """Each platform's own README, below a heading of its name."""
    return "\n\n".join(_platform(item) for item in platforms.all())


def _platform(item: Platform) -> str:
    text = (ROOT / "platforms" / item.name / "README.md").read_text(encoding="utf-8")
    body = re.sub(r"^# .*\n", "", text, count=1)
    body = re.sub(r"^(#+) ", r"\1# ", body, flags=re.MULTILINE)  # headings one level down
    body = re.sub(r"\]\((?!https?:|#)[^)]*\)", "]", body)
    sources = [[f"`{key}`", plain(value)] for key, value in item.sources.items()]
    notes = "\n".join(f"- {plain(note)}" for note in item.notes)
    return (
        f"({item.name})=\n## {item.name}\n\n{plain(item.title)}: {item.core}, flash at {item.flash.origin:#010x}, "
        f"RAM at {item.ram.origin:#010x}.\n\n{notes}\n\n{body}\n\n### Sources of {item.name}\n\n"
        + table(["number", "source"], sources)
    )


def core_table() -> str:
    used = sorted({item.core for item in platforms.all()})
    rows = [
        [
            name,
            "yes" if (facts := cores.get(name)).dsp else "no",
            "yes" if facts.mve else "no",
            ", ".join(item.name for item in platforms.all() if item.core == name),
        ]
        for name in used
    ]
    return table(["core", "DSP", "Helium", "platforms"], rows)


# --- operators -------------------------------------------------------------------------------------------------------


def operator_table() -> str:
    """A row for each builtin of the catalogue: types, the highest version, whether MACs are counted."""
    rows = [
        [name, ", ".join(spec.types), str(spec.version), "yes" if spec.macs else "-"]
        for name, spec in sorted(operators.CATALOGUE.items())
    ]
    return table(["operator", "types", "version up to", "MACs counted"], rows)


def refusal_table() -> str:
    rows = [[name, plain(hint)] for name, hint in sorted(operators.HINTS.items())]
    return table(["refused", "what to do"], rows)


def class_table() -> str:
    """The instruction classes, from the table in the docstring of harness.isa."""
    lines = re.findall(r"^(\w+) {2,}(\S.*)$", isa.__doc__ or "", re.MULTILINE)
    return table(["class", "what is in it"], [[name, plain(text)] for name, text in lines if name in isa.CLASSES])


# --- schemas ---------------------------------------------------------------------------------------------------------


def schema_pages() -> str:
    """Each schema of results/schema: its records, with their fields."""
    return "\n\n".join(_schema(path) for path in sorted((ROOT / "results" / "schema").glob("*.json")))


def _schema(path: Path) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    records: dict[str, Any] = content.get("$defs", {})
    top = content["$ref"].rsplit("/", 1)[-1]
    parts = [f"({path.stem})=\n## {path.stem}\n\n`results/schema/{path.name}`"]
    for name in (top, *(other for other in sorted(records) if other != top)):
        record = records[name]
        if "properties" not in record:
            continue
        required = record.get("required", [])
        rows = [
            [f"`{field}`", plain(_type(kind)), "" if field in required else "may be absent"]
            for field, kind in record["properties"].items()
        ]
        said = plain(record.get("description", "")).replace("``", "`").replace("\\`\\`", "`")
        parts.append(f"### {path.stem}: {name}\n\n{said}\n\n" + table(["field", "type", ""], rows))
    return "\n\n".join(parts)


def _type(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        return str(kind["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in kind:
        return " or ".join(_type(item) for item in kind["anyOf"])
    if "enum" in kind:
        return " or ".join(json.dumps(item) for item in kind["enum"])
    if kind.get("type") == "array":
        return f"list of {_type(kind['items'])}" if kind.get("items") else "list"
    if kind.get("type") == "object" and kind.get("additionalProperties"):
        return f"names to {_type(kind['additionalProperties'])}"
    return str(kind.get("type", "any"))


# --- errors ----------------------------------------------------------------------------------------------------------


def error_tables() -> str:
    """All messages by what their reader does, equal ones once."""
    groups: dict[str, dict[tuple[str, str, int], None]] = {}
    for item in messages.collect():
        area = next(title for names, title in _AREAS if item.module.startswith(tuple(names.split())))
        groups.setdefault(area, {})[(item.text, item.hint or "", item.exit_code)] = None
    parts = []
    for title in sorted(groups):
        rows = [[plain(text), plain(hint), str(code)] for text, hint, code in sorted(groups[title])]
        parts.append(f"## {title}\n\n" + table(["message", "hint", "exit"], rows))
    return "\n\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "platform-table": platform_table,
    "platform-pages": platform_pages,
    "core-table": core_table,
    "operator-table": operator_table,
    "refusal-table": refusal_table,
    "class-table": class_table,
    "schema-pages": schema_pages,
    "error-tables": error_tables,
    "macs-table": macs.table,
}


def fill(text: str) -> str:
    """A page with its parts in place.

    Raises:
        KeyError: no part has that name.
    """
    return _MARK.sub(lambda match: PARTS[match[1]](), text)


def setup(app: Any) -> dict[str, bool]:
    def read(_app: Any, _page: str, source: list[str]) -> None:
        source[0] = fill(source[0])

    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
