"""Reports for tests: of a run whose every name is hostile, of a large network, of every kind of block."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import msgspec
import result_maker

from harness.calltree.result import CallNode, CallsPart, LayerCalls, StackFrame, StackPath
from harness.page import svg
from harness.page import values as v
from harness.page.document import (
    Cell,
    Chart,
    Code,
    Column,
    Command,
    Facts,
    Fold,
    Link,
    Mark,
    NotMeasured,
    Page,
    Row,
    Section,
    Stack,
    Table,
    Text,
)
from harness.result import ArenaBuffer, ArenaPart, Function, Layer, LibraryPart, Result, Verdict

# Each would set window.hit, load something, end an element, or disturb the line that it stands in.
HOSTILE = (
    "</script><script>window.hit=1</script>",
    '"><img src=x onerror=window.hit=1>',
    "' onmouseover='window.hit=1' x='",
    "</title></style><style>*{display:none}</style>",
    "--><svg onload=window.hit=1>",
    "javascript:window.hit=1",
    '=HYPERLINK("http://example.invalid/","x")',
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt;&#60;i&#62;",
    "]]><!--",
    "a\x00b\x1b[31m\r\nc\td",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200f",
    "line\u2028and\u2029paragraph",
    "half of a pair: \ud800",
    "\u05e9\u05dc\u05d5\u05dd \u0639\u0631\u0628\u064a",
    "long " + "x" * 5000,
)


class Names:
    """Hostile names, each another one than the one before, and told apart by a number at their ends."""

    def __init__(self, harmless: bool = False) -> None:
        self._harmless = harmless
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        name = HOSTILE[self._count % len(HOSTILE)]
        name = "n" * len(name) if self._harmless else name
        return f"{name} {self._count}"


def named(new: Names) -> Result:
    """A run of three layers with everything that can have a name named anew."""
    functions = [{new(): 300, new(): 200}, {new(): 90}, {new(): 400, new(): 10}]
    layers = tuple(
        result_maker.layer(index, new(), sum(found.values()), 1000, macs=index * 10, name=new(), functions=found,
                           output_crc32=new(), output_exact=index != 1, arena=64 * index)
        for index, found in enumerate(functions)
    )  # fmt: skip
    base = result_maker.result(layers)
    together = {name: count for found in functions for name, count in found.items()} | {new(): base.counts.overhead}
    identity = msgspec.to_builtins(base.identity)
    texts = {name: new() for name, value in identity.items() if isinstance(value, str)}
    return msgspec.structs.replace(
        base,
        run_id=new(),
        verdict=Verdict(passed=False, reasons=(new(), new())),
        model=msgspec.structs.replace(base.model, file=new()),
        platform=new(),
        platform_title=new(),
        core=new(),
        fpu=new(),
        machine=msgspec.structs.replace(base.machine, name=new(), notes=(new(),)),
        kernels=new(),
        optimisation=new(),
        tflm=new(),
        functions=tuple(Function(name=name, instructions=count, share=0.1) for name, count in together.items()),
        check=msgspec.structs.replace(
            base.check, input=new(), tflite_micro_exact=None, tflite_micro_reason=new(), output_exact=False
        ),
        identity=msgspec.structs.replace(base.identity, **texts, flags=(new(), new())),
        library=LibraryPart(
            name=new(), sha256=new(), headers_sha256=new(), api=new(), flatbuffers=new(), source=new(),
            compilers=(new(),), optimised=(new(),),
        ),
        arena=ArenaPart(
            origin="measured",
            planned=128,
            persistent=20,
            buffers=tuple(
                ArenaBuffer(tensor=at or None, name=new() if at else None, size=64, offset=64 * at, first=0, last=at)
                for at in range(3)
            ),
            note=new(),
        ),
        calls=calls(layers, new),
    )  # fmt: skip


def calls(layers: tuple[Layer, ...], new: Names) -> CallsPart:
    """Calls of layers: a root that calls two functions, one of which calls one that is small."""
    trees = tuple(
        LayerCalls(
            index=layer.index,
            nodes=(
                CallNode(function=0, parent=None, calls=0, inclusive=layer.instructions, exclusive=10),
                CallNode(
                    function=1, parent=0, calls=2,
                    inclusive=layer.instructions - 30, exclusive=layer.instructions - 31,
                ),
                CallNode(function=2, parent=1, calls=1, inclusive=1, exclusive=1),
                CallNode(function=None, parent=0, calls=3, inclusive=20, exclusive=20),
            ),
            stack=64,
        )
        for layer in layers
    )  # fmt: skip
    overhead = CallNode(function=0, parent=None, calls=0, inclusive=10, exclusive=10)
    frames = (StackFrame(function=new(), bytes=32, reason=None), StackFrame(function=new(), bytes=None, reason=new()),
              StackFrame(function=new(), bytes=8, reason=None))  # fmt: skip
    return CallsPart(
        functions=(new(), new(), new()),
        layers=trees,
        overhead=LayerCalls(index=None, nodes=(overhead,), stack=None),
        deepest=StackPath(frames=frames, bytes=40, measured=36, segment=new(), note=new()),
        counter=new(),
    )


def large(layers: int = 100, functions: int = 14, others: int = 600) -> Result:
    """A run of a deep network with long names, as networks of Keras and templates of C++ have them."""
    pool = [
        f"TfLiteStatus harness::cmsis_nn::(anonymous namespace)::Eval<harness::cmsis_nn::Kernel{index}>(TfLiteContext*,"
        f" TfLiteNode*, signed char const*, long) [clone .isra.{index}]"
        for index in range(layers + others)
    ]
    made = tuple(
        result_maker.layer(
            index, "DEPTHWISE_CONV_2D", 1000 * functions, 1000 * functions * layers, macs=9000,
            name=f"functional_1/block_{index}/batch_normalization_{index}/FusedBatchNormV3;functional_1/block_{index}/"
            f"depthwise_{index}/BiasAdd/ReadVariableOp/resource;functional_1/block_{index}/depthwise_{index}/Conv2D",
            functions={pool[(index + step) % len(pool)]: 1000 for step in range(functions)},
            arena=1000 + index % 7 * 500,
        )
        for index in range(layers)
    )  # fmt: skip
    base = result_maker.result(made)
    share, rest = divmod(base.counts.total, len(pool))
    counts = [share + (rest if index == 0 else 0) for index in range(len(pool))]
    buffers = tuple(
        ArenaBuffer(
            tensor=at, name=layer.name, size=1024, offset=1024 * (at % 5), first=at, last=min(at + 2, layers - 1)
        )
        for at, layer in enumerate(made)
    )  # fmt: skip
    return msgspec.structs.replace(
        base,
        functions=tuple(
            Function(name=name, instructions=count, share=0.001) for name, count in zip(pool, counts, strict=True)
        ),
        arena=ArenaPart(origin="measured", planned=5120, persistent=900, buffers=buffers, note=None),
        calls=_deep(base, pool, functions),
    )  # fmt: skip


def _deep(base: Result, pool: list[str], functions: int) -> CallsPart:
    """Calls as kernels have them: three functions that call one another, the last of them all others."""
    trees = []
    for layer in base.layers:
        kernels = range(3, functions)
        own = layer.instructions - 1000 * len(kernels)
        nodes = [
            CallNode(function=0, parent=None, calls=0, inclusive=layer.instructions, exclusive=0),
            CallNode(function=1, parent=0, calls=1, inclusive=layer.instructions, exclusive=0),
            CallNode(function=2, parent=1, calls=1, inclusive=layer.instructions, exclusive=own),
            *(CallNode(function=(layer.index + kernel) % len(pool), parent=2, calls=9, inclusive=1000, exclusive=1000)
              for kernel in kernels),
        ]  # fmt: skip
        trees.append(LayerCalls(index=layer.index, nodes=tuple(nodes), stack=64))
    overhead = CallNode(function=0, parent=None, calls=0, inclusive=10, exclusive=10)
    return CallsPart(
        functions=tuple(pool),
        layers=tuple(trees),
        overhead=LayerCalls(index=None, nodes=(overhead,), stack=None),
        deepest=None,
        counter="flow/1",
    )


def document(new: Names) -> Page:
    """A report with every kind of block and cell, and a name in every place that takes text."""
    tree = svg.Node(name=new(), value=2, tip=new(), children=(svg.Node(name=new(), value=1, tip=new()),))
    chart = Chart(
        id="chart", title=new(), summary=new(), table="table", note=new(), legend=(("part-0", new()),),
        svg=svg.bars([svg.Bar(name=new(), parts=(svg.Part(value=2, tip=new()),), limit=3, text=new())], new())
        + svg.icicle(tree, new())
        + svg.scatter([svg.Point(x=1, y=2, tip=new())], svg.Axis(title=new()), svg.Axis(title=new()), new())
        + svg.steps([svg.Step(name=new(), value=1, tip=new())], new(), new(), new(), [svg.Line(value=2, text=new())])
        + svg.plan([svg.Piece(low=0, high=2, first=0, last=0, tip=new())], 1, new(), new(), new()),
    )  # fmt: skip
    columns = tuple(
        Column(key=f"c{at}", title=new(), help=new(), numeric=at == 0, bar=at == 0, adds=at == 0, cut=at == 1)
        for at in range(7)
    )  # fmt: skip
    table = Table(
        id="table", caption=new(), columns=columns, note=new(), filter=True, legend=(("part-1", new()),),
        rows=(
            Row(cells=_cells(new, v.measured(1, new())), id="row-1", tags=("kind-1",)),
            Row(cells=_cells(new, v.missing(new(), new())), tags=("kind-2",)),
            Row(cells=_cells(new, v.estimated(2, new(), 1, 3)), kind="other"),
            Row(cells=_cells(new, v.given(3, new())), kind="total"),
        ),
    )  # fmt: skip
    facts = Facts(items=tuple((new(), cell) for cell in _cells(new, v.missing(new(), new()))))
    fold = Fold(summary=new(), id="fold", blocks=(Text(text=new(), state="fail"), Text(text=new())))
    blocks = (table, chart, facts, fold, Command(text=new(), caption=new()))
    return Page(
        title=new(),
        kind="run",
        verdict=new(),
        state="fail",
        sections=(Section(id="section", title=new(), lead=new(), blocks=blocks),),
        not_measured=(NotMeasured(item=new(), reason=new(), command=new()),),
        data={new(): [new()]},
    )


def _cells(new: Names, number: v.Number) -> tuple[Cell, ...]:
    return (
        number, new(), Mark(state="undecided", text=new()), Link(text=new(), target="row-1", chooses="kind-1"),
        Code(text=new(), title=new()), Stack(parts=((0, new(), 0.4), (1, new(), 0.6))), Stack(parts=(), reason=new()),
    )  # fmt: skip


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def outline(html: str) -> list[tuple[str, ...]]:
    """Every tag of a page with the names of its attributes, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.elements


def texts(html: str) -> Iterator[str]:
    """The text of a page, piece by piece."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return iter(reader.texts)
