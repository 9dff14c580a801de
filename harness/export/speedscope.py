"""A run as flame graphs: speedscope's file with a profile a metric, and folded lines of its instructions."""

from __future__ import annotations

from collections.abc import Iterator

from harness import isa
from harness.calltree.result import LayerCalls
from harness.export import stacks
from harness.export.made import File, Made, Run, by, in_full, named
from harness.export.stacks import Frame, Profile, Weighted
from harness.result import Layer, Result

_ROOT = "inference"
_OVERHEAD = Frame("around the operators")
_SMALL = Frame("small calls, together")
_NO_FUNCTIONS = "functions: the emulator counts instructions without telling them apart"


def make(run: Run) -> Made:
    """speedscope's file: executed instructions by layer and call or function, by class, MACs, estimated cycles."""
    result = run.result
    found = [Profile("instructions", tuple(_instructions(result)))]
    found += [] if result.calls is None else [Profile("instructions by function", tuple(_functions(result)))]
    if result.counts.classes is not None:
        found.append(Profile("instructions by class", tuple(_classes(result, result.counts.classes))))
    found += [Profile("MACs", tuple(_macs(result)))] if result.counts.macs else []
    found += [_estimate(result)] if result.estimate is not None else []
    text = stacks.speedscope(f"{result.model.file} on {result.platform}, {result.kernels}", found)
    return Made((File(None, "speedscope.json", text.encode()),), _left(result))


def make_folded(run: Run) -> Made:
    """Folded lines of the executed instructions, for flamegraph.pl and its kin."""
    text = stacks.folded(_instructions(run.result))
    return Made((File(None, "folded.txt", text.encode(errors="replace")),), _left(run.result))


def _left(result: Result) -> tuple[str, ...]:
    return () if result.functions is not None else (_NO_FUNCTIONS,)


def frame(layer: Layer) -> Frame:
    """A layer's box; its tensor is what stands beside the name."""
    return Frame(named(layer), layer.name)


def _instructions(result: Result) -> Iterator[Weighted]:
    """Layers in their order, in each its tree of calls where that was followed, else its functions."""
    if result.calls is None:
        yield from _functions(result)
        return
    trees = {item.index: item for item in (*result.calls.layers, result.calls.overhead)}
    for layer in result.layers:
        yield from _tree((Frame(_ROOT), frame(layer)), trees[layer.index], result.calls.functions)
    yield from _tree((Frame(_ROOT), _OVERHEAD), trees[None], result.calls.functions)


def _tree(above: tuple[Frame, ...], tree: LayerCalls, names: tuple[str, ...]) -> Iterator[Weighted]:
    """Stacks of a tree, each with what its innermost function executed itself; what a node calls stands behind it."""
    paths: list[tuple[int, ...]] = []
    for number, node in enumerate(tree.nodes):
        paths.append((*(() if node.parent is None else paths[node.parent]), number))
    for path in sorted(paths):
        nodes = [tree.nodes[number] for number in path]
        if nodes[-1].exclusive:
            frames = (_SMALL if node.function is None else Frame(names[node.function]) for node in nodes)
            yield Weighted((*above, *frames), nodes[-1].exclusive)


def _functions(result: Result) -> Iterator[Weighted]:
    """Layers in their order, in each its functions, the most expensive first; they add up to the inference exactly."""
    root = Frame(_ROOT)
    for layer in result.layers:
        if layer.functions is None:
            yield Weighted((root, frame(layer)), layer.instructions)
            continue
        for name, count in sorted(layer.functions.items(), key=lambda item: (-item[1], item[0])):
            yield Weighted((root, frame(layer), Frame(name)), count)
    yield Weighted((root, _OVERHEAD), result.counts.overhead)


def _classes(result: Result, whole: dict[str, int]) -> Iterator[Weighted]:
    """Layers in their order, in each its classes of instructions."""
    root, rest = Frame(_ROOT), dict(whole)
    for layer in result.layers:
        for name in isa.CLASSES:
            count = 0 if layer.classes is None else layer.classes[name]
            rest[name] -= count
            if count:
                yield Weighted((root, frame(layer), Frame(name)), count)
    for name in isa.CLASSES:
        if rest[name] > 0:
            yield Weighted((root, _OVERHEAD, Frame(name)), rest[name])


def _macs(result: Result) -> Iterator[Weighted]:
    return (Weighted((Frame(_ROOT), frame(layer)), layer.macs) for layer in result.layers if layer.macs)


def _estimate(result: Result) -> Profile:
    estimate = result.estimate
    assert estimate is not None
    root = Frame(f"{_ROOT}, estimated", in_full(estimate))
    rows = [
        Weighted((root, frame(layer)), part.cycles) for layer, part in zip(result.layers, estimate.layers, strict=True)
    ]
    rows.append(Weighted((root, _OVERHEAD), estimate.overhead.cycles))
    return Profile(f"estimated cycles ({by(estimate)})", rows)
