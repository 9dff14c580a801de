"""A firmware's profile on a terminal: regions, functions, what was printed, what to know about the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from harness.elfprofile.names import without_arguments
from harness.elfprofile.result import ElfProfile, FunctionCounts, Region, Spread
from harness.report.tables import Column, FittingTable, Row, bar, mix, printable

_UART_LINES = 20
_ENDS = {
    "stop function": "ended before the function that was asked for",
    "stop text": "ended at the text that was asked for",
    "semihosting exit": "the firmware exited",
    "reset": "the firmware reset the machine",
    "instruction limit": "ended at the limit of instructions",
    "time limit": "ended at the limit of time",
}


def profile(shown: ElfProfile, target: Console, top: int) -> RenderableType:
    """Everything about one profile; ``top`` functions at the most."""
    parts: list[RenderableType] = [_heading(shown)]
    if shown.regions:
        parts += [Text(), _regions(shown, target), *_remarks(shown.regions)]
    if shown.functions:
        parts += [Text(), _functions(shown, shown.functions[:top], target)]
        rest = shown.functions[top:]
        if rest:
            left = sum(item.exclusive for item in rest)
            parts.append(Text(f"and {len(rest)} more functions with {left:,} instructions of their own (--top)", "dim"))
    parts += [Text(), *_printed("UART", shown.uart), *_printed("semihosting", shown.console)]
    if shown.total.classes is not None:
        parts.append(Text(f"instruction mix of the whole: {mix(shown.total.classes)}", "dim"))
    parts += [Text(f"note: {note}", "yellow" if _is_doubt(note) else "dim") for note in shown.notes]
    return Group(*parts, _last(shown))


def _is_doubt(note: str) -> bool:
    return note.startswith(("partial", "not exact")) or "guessed" in note


def _heading(shown: ElfProfile) -> Text:
    text = Text()
    text.append(printable(shown.firmware.file), style="bold")
    text.append(f" on {shown.ran.platform}", style="bold")
    text.append(f", {shown.ran.emulator} {shown.ran.emulator_version}")
    if shown.ran.stands_in:
        text.append(f"\nran on {shown.ran.machine} in its place: same core, other memory map")
    built_for = shown.firmware.built_for
    text.append(f"\nbuilt for {printable(built_for)}" if built_for else "\nbuilt for an unknown core")
    if shown.firmware.stripped:
        text.append(", stripped")
    return text


def _regions(shown: ElfProfile, target: Console) -> FittingTable:
    columns = [
        Column("region", least=28),
        Column("calls", right=True),
        Column("min", right=True, spare=3),
        Column("median", right=True, spare=1),
        Column("max", right=True, spare=2),
        Column("total", right=True),
        Column("share", spare=4),
    ]
    rows = [
        Row(
            {
                "region": item.name + (" *" if item.uncertain else ""),
                "calls": f"{item.calls:,}",
                **_spread(item.spread),
                "total": f"{item.total:,}",
                "share": bar(item.total / max(shown.total.instructions, 1), target),
            },
        )
        for item in shown.regions
        if item.calls or item.unfinished
    ]
    return FittingTable(columns, rows)


def _spread(spread: Spread | None) -> dict[str, str | Text]:
    if spread is None:
        return {"min": "-", "median": "-", "max": "-"}
    return {"min": f"{spread.min:,}", "median": f"{spread.median:,}", "max": f"{spread.max:,}"}


def _remarks(regions: Sequence[Region]) -> Iterator[Text]:
    never = [printable(item.name) for item in regions if not item.calls and not item.unfinished]
    if never:
        yield Text(f"never called: {', '.join(never)}", "dim")
    for item in regions:
        name = printable(item.name)
        for doubt in item.uncertain:
            yield Text(f"* {name}: {_calls(doubt.calls)} {doubt.why}", "yellow")
        if item.nested:
            yield Text(f"  {name}: {_calls(item.nested)} inside of another one, in the total once", "dim")
        if item.interrupted and item.spread_with_interrupts:
            longest = item.spread_with_interrupts.max
            yield Text(
                f"  {name}: {_calls(item.interrupted)} interrupted, for {item.interrupts:,} instructions that are"
                f" not in the table; with them the longest has {longest:,}",
                "dim",
            )


def _calls(count: int) -> str:
    return f"{count:,} call" if count == 1 else f"{count:,} calls"


def _functions(shown: ElfProfile, functions: Sequence[FunctionCounts], target: Console) -> FittingTable:
    columns = [
        Column("function", least=16),
        Column("calls", right=True, spare=2),
        Column("own", right=True),
        Column("share"),
        Column("with callees", right=True, spare=1),
        Column("own instruction mix", spare=3),
    ]
    rows = [
        Row(
            {
                "function": without_arguments(item.name),
                "calls": f"{item.calls:,}",
                "own": f"{item.exclusive:,}",
                "share": bar(item.exclusive / max(shown.total.instructions, 1), target),
                "with callees": f"{item.inclusive:,}",
                "own instruction mix": mix(item.exclusive_classes),
            }
        )
        for item in functions
    ]
    return FittingTable(columns, rows)


def _printed(where: str, text: str) -> Iterator[Text]:
    lines = text.splitlines()
    if not lines:
        return
    left_out = len(lines) - _UART_LINES
    yield Text(f"{where}:" if left_out <= 0 else f"{where}, the last {_UART_LINES} of {len(lines):,} lines:", "dim")
    for line in lines[-_UART_LINES:]:
        yield Text("  " + printable(line))


def _last(shown: ElfProfile) -> Text:
    text = Text()
    if shown.ended.partial:
        text.append("PARTIAL", style="bold yellow")
    elif shown.ended.exit_code:
        text.append("EXIT CODE " + str(shown.ended.exit_code), style="bold red")
    else:
        text.append("MEASURED", style="bold green")
    total = shown.total
    text.append(f"  {total.instructions:,} instructions; {_ENDS[shown.ended.by]}")
    if total.exceptions:
        text.append(f"; {total.interrupts:,} of them in {total.exceptions:,} exceptions")
    return text
