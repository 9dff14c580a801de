"""A run as Markdown, for issues and chats. Text of others stands in code spans, in which nothing is a link, a mention,
HTML or the end of a table's cell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from harness.export.made import File, Made, Run, by, in_full
from harness.gate import words
from harness.report.estimates import milliseconds
from harness.report.gate_markdown import code
from harness.report.tables import exactness, printable
from harness.result import EstimatePart, Layer, Result

_LAYERS, _FUNCTIONS, _NAME, _COMMAND = 40, 15, 70, 1000
_PLAIN = re.compile("[A-Za-z0-9 ,%()-]*")


def make(run: Run) -> Made:
    """Verdict, what it is of, layers, memory; functions and provenance folded away."""
    result = run.result
    lines = [
        *_heading(result), *_layers(result), *_memory(result), *_stack(result), *_functions(result), *_provenance(run)
    ]  # fmt: skip
    return Made((File(None, "md", "\n".join(lines).encode(errors="replace")),))


def short(text: str, most: int = _NAME) -> str:
    """Text of others as a code span of a length that a table bears; both ends are kept."""
    line = printable(text)
    half = (most - 1) // 2
    return code(line if len(line) <= most else f"{line[:half]}…{line[-half:]}")


def said(text: str, most: int = 400) -> str:
    """A sentence that may hold text of others: a code span, unless there is nothing in it but words."""
    return text if _PLAIN.fullmatch(text) and len(text) <= most else short(text, most)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numeric: int) -> list[str]:
    """A table whose last ``numeric`` columns are numbers, and an empty line."""
    rule = ["---"] * (len(header) - numeric) + ["--:"] * numeric
    return [*(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)), ""]


def _heading(result: Result) -> list[str]:
    word = "PASS" if result.verdict.passed else "FAIL"
    counts = result.counts
    per_mac = "" if counts.instructions_per_mac is None else f", {counts.instructions_per_mac:.2f} per MAC"
    machine = result.machine
    where = f" (in its place: {short(machine.name)}, another memory map)" if machine.stands_in else ""
    reasons = [f"fits its board, {exactness(result)}"] if result.verdict.passed else result.verdict.reasons
    return [
        f"### {word}: {short(result.model.file)} on {short(result.platform)}",
        "",
        f"- **{counts.total:,} instructions**, counted exactly; {counts.macs:,} MACs{per_mac}",
        *(f"- {said(reason)}" for reason in reasons),
        f"- {short(result.kernels)} kernels, {short(result.optimisation)}, {short(result.core)}{where}",
        *_estimate(result.estimate),
        "",
    ]


def _estimate(estimate: EstimatePart | None) -> list[str]:
    if estimate is None:
        return ["- latency: not estimated"]
    amount = f"about {milliseconds(estimate.latency_ms.value)} ms, about {estimate.cycles.value:,.0f} cycles"
    return [f"- estimated, not measured: {amount}{_bounds(estimate)}, by {short(by(estimate), 200)}"]


def _bounds(estimate: EstimatePart) -> str:
    low, high = estimate.latency_ms.low, estimate.latency_ms.high
    if low is None:
        return ", without bounds"
    upper = "an unknown number of" if high is None else milliseconds(high)
    return f" ({milliseconds(low)} to {upper} ms in {100 * estimate.coverage:.0f} % of cases)"


def _layers(result: Result) -> list[str]:
    """All layers, or the most expensive in their order, the others as one row: the columns add up to the inference."""
    kept = sorted(result.layers, key=lambda item: (-item.instructions, item.index))[:_LAYERS]
    rows = [_layer(item) for item in sorted(kept, key=lambda item: item.index)]
    others = [item for item in result.layers if item not in kept]
    if others:
        rows.append(_row("", words.count(len(others), "other layer"), sum(i.instructions for i in others), result,
                         sum(item.macs for item in others)))  # fmt: skip
    rows.append(_row("", "overhead", result.counts.overhead, result, 0))
    rows.append(_row("", "**total**", result.counts.total, result, result.counts.macs))
    return table(("#", "operator", "output tensor", "instructions", "share", "MACs"), rows, numeric=3)


def _layer(item: Layer) -> list[str]:
    differs = "" if item.output_exact else " differs"
    return [f"{item.index}", f"{short(item.op)}{differs}", short(item.name), f"{item.instructions:,}",
            f"{100 * item.share:.1f} %", f"{item.macs:,}" if item.macs else "-"]  # fmt: skip


def _row(index: str, name: str, instructions: int, result: Result, macs: int) -> list[str]:
    share = f"{100 * instructions / result.counts.total:.1f} %" if result.counts.total else "-"
    return [index, name, "", f"{instructions:,}", share, f"{macs:,}" if macs else "-"]


def _memory(result: Result) -> list[str]:
    memory = result.memory
    rows = [
        ["flash", f"{memory.code:,} program + {memory.model:,} model", *_of(memory.flash, memory.flash_budget)],
        ["RAM", f"{memory.arena:,} arena + {memory.static:,} static + {memory.stack:,} stack",
         *_of(memory.ram + memory.stack, memory.ram_budget)],
    ]  # fmt: skip
    return table(("memory", "parts, B", "used, B", "of, B", "share"), rows, numeric=3)


def _of(used: int, budget: int) -> tuple[str, str, str]:
    return f"{used:,}", f"{budget:,}", f"{100 * used / budget:.1f} %"


def _stack(result: Result) -> list[str]:
    """The functions on the stack where it was deepest, with what each holds."""
    path = None if result.calls is None else result.calls.deepest
    if path is None:
        return []
    rows = [[short(item.function), "-" if item.bytes is None else f"{item.bytes:,}"] for item in path.frames]
    rows.append(["**sum**", f"{path.bytes:,}"])
    said = f"Deepest stack: {path.bytes:,} B derived from the code, {path.measured:,} B measured"
    return _folded(said, table(("function, outermost first", "held, B"), rows, numeric=1))


def _functions(result: Result) -> list[str]:
    if result.functions is None:
        return ["Functions: not measured, the emulator counts instructions without telling them apart.", ""]
    shown, others = result.functions[:_FUNCTIONS], result.functions[_FUNCTIONS:]
    rows = [[short(item.name), f"{item.instructions:,}", f"{100 * item.share:.1f} %"] for item in shown]
    if others:
        rest = sum(item.instructions for item in others)
        share = f"{100 * sum(item.share for item in others):.1f} %"
        rows.append([words.count(len(others), "other function"), f"{rest:,}", share])
    return _folded("Functions", table(("function", "instructions", "share"), rows, numeric=2))


def _provenance(run: Run) -> list[str]:
    result = run.result
    facts = {
        "run": result.run_id,
        "command": None if run.command is None else shlex.join(run.command),
        "network": f"sha256 {result.identity.model_sha256}",
        "firmware": f"sha256 {result.identity.elf_sha256}",
        "input": f"{result.check.input}, sha256 {result.identity.input_sha256}",
        "compiler": result.identity.compiler,
        "TFLM": result.identity.tflm,
        "CMSIS-NN": result.identity.cmsis_nn,
        "emulator": f"{result.identity.emulator} {result.identity.emulator_version}",
        "harness": result.identity.harness_version,
        "estimate": None if result.estimate is None else in_full(result.estimate),
    }
    lines = [f"- {name}: {short(value, _COMMAND)}" for name, value in facts.items() if value is not None]
    return _folded("Provenance", [*lines, ""])


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "</details>", ""]
