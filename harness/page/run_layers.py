"""The layers of a run: instructions, shares, MACs, and the mix of instruction classes."""

from __future__ import annotations

from harness import isa
from harness.page.document import Block, Cell, Column, Fold, Link, Mark, Row, Section, Stack, Table
from harness.page.values import Number, derived, measured, missing
from harness.result import ArenaPart, Layer, Result

NO_CLASSES = "this emulator counts instructions without telling them apart"
NO_MACS = "no multiply-accumulates are counted for this operator"

_CLASS_HELP = {
    "alu": "integer arithmetic, logic, shifts, moves and compares",
    "mac": "multiplications of the base instruction set, with or without accumulation",
    "dsp": "the DSP extension: two or four operations at once, saturating arithmetic",
    "load": "loads, of the FPU's registers too",
    "store": "stores, of the FPU's registers too",
    "branch": "branches, calls and low-overhead loops",
    "division": "SDIV and UDIV",
    "fp": "arithmetic, conversions and moves of the FPU",
    "mve": "Helium: everything on vector registers",
    "other": "IT, hints, barriers and system registers",
}


PAIRS = "layer-function-table"  # the place of the functions of each layer


def tag(index: int) -> str:
    """What rows and marks of a layer are chosen by."""
    return f"layer-{index}"


def label(layer: Layer) -> str:
    """A layer's number with its operator."""
    return f"{layer.index} {layer.op}"


def section(result: Result) -> Section:
    """The layers in the network's order."""
    blocks: list[Block] = [_table(result)]
    if result.counts.classes is not None:
        blocks.append(Fold(summary="Instruction classes of each layer", blocks=(_classes(result),), id="layer-classes"))
    blocks.append(Fold(summary="Outputs of each layer", blocks=(_outputs(result),), id="layer-outputs"))
    return Section(
        id="layers",
        title="Layers",
        blocks=tuple(blocks),
        lead="Executed instructions of each operator in the network's order. They are no cycles and no time. A layer's "
        "name leads to its functions.",
    )


def _table(result: Result) -> Table:
    columns = (
        Column(key="index", title="#", help="Place of the operator in the network", numeric=True),
        Column(key="op", title="operator", help="Operator of the network; it leads to the functions that ran in it"),
        Column(key="tensor", title="output tensor", help="Name of the first output in the network's file", cut=True),
        Column(key="shape", title="shape", help="Shape of the first output, in elements"),
        Column(key="instructions", title="instructions", numeric=True, bar=True, adds=True,
               help="Instructions executed in the operator, counted by the emulator"),
        Column(key="share", title="share", numeric=True, help="Of all instructions of the inference"),
        Column(key="macs", title="MACs", numeric=True, adds=True,
               help="Multiply-accumulates that the operator's shapes make necessary"),
        Column(key="per_mac", title="per MAC", numeric=True, help="Instructions for each multiply-accumulate"),
        *_arena_columns(result),
        Column(key="mix", title="class mix", help="Instruction classes as shares of the layer; numbers: table below"),
    )  # fmt: skip
    rows = [_row(layer, result) for layer in result.layers]
    return Table(
        id="layer-table",
        caption="Layers",
        columns=columns,
        rows=(*rows, _overhead(result), _total(result)),
        filter=True,
        legend=_legend(result),
    )


def _arena_columns(result: Result) -> tuple[Column, ...]:
    """The arena's column, where the result says what lies in it."""
    if result.arena is None:
        return ()
    text = "Bytes of tensors and scratch buffers that are alive while it runs"
    return (Column(key="arena", title="arena", help=text, numeric=True),)


def _arena(layer: Layer, result: Result) -> tuple[Number, ...]:
    if result.arena is None:
        return ()
    if layer.arena is None:
        return (missing("B", "not told for this operator"),)
    return (arena_number(layer.arena, result.arena),)


def arena_number(size: int, part: ArenaPart) -> Number:
    """Bytes of the arena, as the result says that they came about."""
    return measured(size, "B") if part.origin == "measured" else derived(size, "B")


def _legend(result: Result) -> tuple[tuple[str, str], ...]:
    """The colours of the classes that there are."""
    whole = result.counts.classes or {}
    return tuple((f"part-{index}", name) for index, name in enumerate(isa.CLASSES) if whole.get(name))


def _row(layer: Layer, result: Result) -> Row:
    cells: tuple[Cell, ...] = (
        str(layer.index),
        Link(text=layer.op, target=PAIRS, chooses=tag(layer.index)),
        layer.name,
        shape(layer),
        measured(layer.instructions, "instructions"),
        share(layer.instructions, result.counts.total),
        macs(layer.macs),
        per_mac(layer.instructions_per_mac),
        *_arena(layer, result),
        mix(layer.classes),
    )  # fmt: skip
    return Row(cells=cells, id=tag(layer.index), state=None if layer.output_exact else "fail")


def _overhead(result: Result) -> Row:
    counts = result.counts
    cells: tuple[Cell, ...] = (
        "", "around the operators", "", "", measured(counts.overhead, "instructions"),
        share(counts.overhead, counts.total), "", "", *[""] * len(_arena_columns(result)), "",
    )  # fmt: skip
    return Row(cells=cells, kind="other")


def _total(result: Result) -> Row:
    counts = result.counts
    cells: tuple[Cell, ...] = (
        "", "inference", "", "", measured(counts.total, "instructions"), share(counts.total, counts.total),
        macs(counts.macs), per_mac(counts.instructions_per_mac), *[""] * len(_arena_columns(result)),
        mix(counts.classes),
    )  # fmt: skip
    return Row(cells=cells, kind="total")


def shape(layer: Layer) -> str:
    """The shape of a layer's output, with multiplication signs."""
    return "\u00d7".join(map(str, layer.output_shape)) or "scalar"


def share(part: int, whole: int) -> Number:
    """A part of a whole in per cent."""
    return derived(100 * part / whole, "%", 2) if whole else missing("%", "nothing was executed", "derived")


def macs(value: int) -> Number:
    """Multiply-accumulates, which are not there of operators that have none."""
    return derived(value, "MACs") if value else missing("MACs", NO_MACS, "derived")


def per_mac(value: float | None) -> Number:
    """Instructions per multiply-accumulate."""
    return missing("", NO_MACS, "derived") if value is None else derived(value, "", 2)


def mix(classes: dict[str, int] | None) -> Stack:
    """The shares of the classes."""
    total = sum(classes.values()) if classes else 0
    if classes is None or not total:
        return Stack(parts=(), reason=NO_CLASSES if classes is None else "nothing was executed")
    return Stack(
        parts=tuple((index, name, classes[name] / total) for index, name in enumerate(isa.CLASSES) if classes[name])
    )


def _classes(result: Result) -> Table:
    """Instructions by class: one row a layer."""
    whole = result.counts.classes or {}
    used = [name for name in isa.CLASSES if whole.get(name)]
    columns = (
        Column(key="index", title="#", numeric=True),
        Column(key="op", title="operator"),
        *(Column(key=name, title=name, help=_CLASS_HELP[name], numeric=True, adds=True) for name in used),
    )
    rows = [Row(cells=(str(layer.index), layer.op, *_counts(layer.classes, used))) for layer in result.layers]
    total = Row(cells=("", "inference", *_counts(whole, used)), kind="total")
    return Table(
        id="class-table",
        caption="Instructions by class",
        columns=columns,
        rows=(*rows, total),
        note="Classes that no instruction of this inference is of are left out. The inference has what runs around the "
        "operators, too.",
    )


def _counts(classes: dict[str, int] | None, used: list[str]) -> list[Number]:
    if classes is None:
        return [missing("", NO_CLASSES) for _ in used]
    return [measured(classes[name], "") for name in used]


def _outputs(result: Result) -> Table:
    columns = (
        Column(key="index", title="#", numeric=True),
        Column(key="op", title="operator"),
        Column(key="tensor", title="output tensor", help="Name of the first output, as the network's file has it"),
        Column(key="shape", title="shape"),
        Column(key="crc", title="CRC-32", help="Of the outputs as the firmware computed them"),
        Column(key="exact", title="against the host", help="Whether the outputs equal the host build's bit for bit"),
    )
    rows = tuple(
        Row(
            cells=(
                str(layer.index), layer.op, layer.name, shape(layer), layer.output_crc32,
                Mark(state="pass", text="equal") if layer.output_exact else Mark(state="fail", text="differs"),
            ),
            state=None if layer.output_exact else "fail",
        )
        for layer in result.layers
    )  # fmt: skip
    return Table(id="output-table", caption="Outputs", columns=columns, rows=rows)
