"""The networks of the zoo, and what was made of them, as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.zoo.evaluate import Accuracy
from harness.zoo.recipe import Metadata
from harness.zoo.spec import Network, Parameter, text


def networks(items: Iterable[Network]) -> RenderableType:
    """Each network with its parameters, their defaults and limits, and the data it can be trained on."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for item in items:
        lines = [Text(item.title)]
        lines += [Text(f"  {_parameter(parameter)}: {parameter.help}", style="dim") for parameter in item.parameters]
        trained = f"trained on {item.dataset} with --train" if item.dataset else f"not trained: {item.untrainable}"
        table.add_row(item.name, Group(*lines, Text(f"  {trained}", style="dim")))
    return Group(table, Text("\nharness zoo build NAME, or NAME:PARAMETER=VALUE,PARAMETER=VALUE"))


def _parameter(item: Parameter) -> str:
    if item.kind == "choice":
        others = [choice for choice in item.choices if choice != item.default]
        return f"{item.name}={item.default} (or {' or '.join(others)})"
    return f"{item.name}={text(item.default)} ({item.minimum:g} to {item.maximum:g})"


def made(metadata: Metadata, path: str) -> Text:
    """Two or three lines of a made file, and one of each step that changed its accuracy."""
    shown = Text(path, style="bold")
    shown.append(f"\n    {metadata.description}", style="not bold")
    shown.append(
        f"\n    {metadata.size_bytes:,} B, {metadata.compressed_bytes:,} B compressed, {metadata.macs:,} MACs, "
        f"{len(metadata.operators)} operator{'' if len(metadata.operators) == 1 else 's'}",
        style="not bold",
    )
    if metadata.data is not None:
        for step in metadata.steps:
            if step.after is not None:
                shown.append(f"\n    {step.name}: {_change(step.before, step.after)}", style="not bold")
                shown.append(f"  {step.detail}", style="dim not bold")
        shown.append(f"\n    test set: {metadata.data.name}, {metadata.data.split}", style="not bold")
    else:
        for step in metadata.steps[1:-1]:
            shown.append(f"\n    {step.name}: {step.detail}", style="not bold")
        shown.append("\n    its outputs mean nothing, its counts and sizes are those of a trained network",
                     style="not bold")  # fmt: skip
    return shown


def _change(before: Accuracy | None, after: Accuracy) -> str:
    now = f"{100 * after.fraction:.1f} % ({after.correct} of {after.images})"
    return now if before is None else f"{100 * before.fraction:.1f} to {now}"


def failures(labels: Sequence[str]) -> str:
    """One line for what could not be made besides the first."""
    return f"{len(labels)} more could not be made: {', '.join(labels)}"
