"""The report of one run: its verdict, layers, functions, memory, what was not measured, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from harness.page import run_functions, run_layers, run_memory, run_missing, run_origin
from harness.page.document import Block, Command, Facts, Mark, NotMeasured, Page, Section, State
from harness.page.values import derived, measured
from harness.result import Result
from harness.store import Manifest


def page(
    result: Result,
    manifest: Manifest | None = None,
    parts: Sequence[Section] = (),
    not_measured: Sequence[NotMeasured] = (),
    said: tuple[str, State] | None = None,
) -> Page:
    """The report.

    Args:
        result: a run.
        manifest: that of its folder, None where it is stored in none, as a baseline is.
        parts: sections to stand behind the memory: a comparison, an estimate.
        not_measured: what those parts lack.
        said: what a comparison comes to, for the verdict: a sentence and its state.
    """
    verdict, state = sentence(result)
    if said is not None:
        verdict, state = f"{verdict}; {said[0]}", worst(state, said[1])
    return Page(
        title=f"{result.model.file} on {result.platform}",
        kind="run",
        verdict=verdict,
        state=state,
        sections=(
            _verdict(result, manifest),
            run_layers.section(result),
            run_functions.section(result),
            run_memory.section(result),
            *parts,
            run_origin.section(result, manifest),
        ),
        not_measured=(*run_missing.items(result, manifest), *not_measured),
        data=_data(result),
    )


def sentence(result: Result) -> tuple[str, State]:
    """The verdict in one sentence, and its state."""
    if not result.verdict.passed:
        return "; ".join(result.verdict.reasons), "fail"
    return f"fits {result.platform}, {_exactness(result)}, {count(result.counts.total)} instructions", "pass"


def worst(first: State, second: State) -> State:
    """The worse of two states."""
    order: tuple[State, ...] = ("fail", "undecided", "pass", "note")
    return min(first, second, key=order.index)


def count(number: int) -> str:
    """A count in three digits: "7.75 M"."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {letter}" if number < 999.5 * limit else f"{number / limit:,.0f} {letter}"
    return str(number)


def _exactness(result: Result) -> str:
    reference = result.check.reference
    if reference is not None and reference.rounding:
        differing = sum(not layer.output_exact for layer in result.layers)
        return f"equal but for rounding between releases ({differing} of {len(result.layers)} layers differ)"
    return "bit-exact"


def _verdict(result: Result, manifest: Manifest | None) -> Section:
    blocks: tuple[Block, ...] = (
        _totals(result),
        *run_memory.limits(result),
        Command(text=run_origin.command(result, manifest), caption="Measured again, to the same numbers, by"),
        run_origin.hashes(result),
    )
    return Section(id="verdict", title="Verdict", blocks=blocks)


def _totals(result: Result) -> Facts:
    counts = result.counts
    return Facts(
        items=(
            ("instructions of one inference", measured(counts.total, "")),
            ("multiply-accumulates (MACs)", derived(counts.macs, "")),
            ("instructions per MAC", run_layers.per_mac(counts.instructions_per_mac)),
            ("layers", measured(len(result.layers), "")),
            ("output", exact(result.check.output_exact, "equal to the host's bit for bit")),
            ("every layer", exact(result.check.layers_exact, "equal to the host's bit for bit")),
        )
    )


def exact(equal: bool, what: str) -> Mark:
    """Whether outputs are equal."""
    return Mark(state="pass", text=what) if equal else Mark(state="fail", text=f"not {what}")


def _data(result: Result) -> dict[str, object]:
    """What other programs may want of the page."""
    counts = result.counts
    return {
        "schema": result.schema,
        "run_id": result.run_id,
        "passed": result.verdict.passed,
        "instructions": counts.total,
        "overhead": counts.overhead,
        "macs": counts.macs,
        "layers": [[layer.index, layer.op, layer.instructions, layer.macs] for layer in result.layers],
    }
