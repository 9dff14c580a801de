"""Calibrations in a report: what they were fitted to, residuals, the error on what they had not seen, the band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.calibrate import calibration as stored
from harness.calibrate import use
from harness.calibrate.calibration import Calibration, Carried, Family, Residual
from harness.calibrate.heldout import Bounds, HeldOut, Summary
from harness.errors import BadInputError
from harness.gate import words
from harness.page.document import (
    Block,
    Cell,
    Chart,
    Code,
    Column,
    Command,
    Facts,
    Fold,
    NotMeasured,
    Page,
    Row,
    Section,
    State,
    Table,
)
from harness.page.svg import Axis, Point, Polyline, scatter
from harness.page.values import Number, derived, measured, missing
from harness.paths import data_folder, results_folder
from harness.result import CalibrationPart

_NO_ERROR = "one network: there is nothing to tell its error by"
_ONE_KIND = "all its networks are of one architecture"
_NO_BAND = "too few networks for one"


def page(shown: Calibration, file: str) -> Page:
    """The report of a stored calibration; ``file`` is where it is kept."""
    said, state = sentence(shown)
    sections = [_section(family, place, len(shown.families) > 1) for place, family in enumerate(shown.families, 1)]
    return Page(
        title=f"Calibration of {shown.platform}",
        kind="calibration",
        verdict=said,
        state=state,
        sections=(_overview(shown), *sections, _provenance(shown, file)),
        not_measured=tuple(item for family in shown.families for item in _lacking(family)),
    )


def sentence(shown: Calibration) -> tuple[str, State]:
    """How many builds it is of, the error on networks left out, and the worst; what it comes to.

    "pass": every family has a band; "undecided": one has none, so that its estimates are not bounded.
    """
    known = [family for family in shown.families if family.without_network is not None]
    said = f"{words.count(len(shown.families), 'build')} of {shown.platform} calibrated"
    if known:
        worst = max(known, key=lambda family: _worst(family.without_network))
        said += (f"; the worst error on a network that a fit had not seen is "
                 f"{100 * _worst(worst.without_network):.1f} % ({worst.build.label})")  # fmt: skip
    lacking = [family.build.label for family in shown.families if family.bounds is None]
    if lacking:
        said += f"; {len(lacking)} of them without a band, as too few networks were measured"
    return said, "undecided" if lacking else "pass"


def _worst(summary: Summary | None) -> float:
    return 0.0 if summary is None else summary.worst


# --- in the report of a run or of a sweep ----------------------------------------------------------------------------


def of_part(part: CalibrationPart) -> tuple[tuple[Block, ...], NotMeasured | None]:
    """What the calibration that a run was estimated by rests on; or why its rows cannot be shown."""
    item = "residuals and held-out errors of the calibration"
    try:
        shown = _find(part.file)
    except BadInputError as error:
        return (), NotMeasured(item=item, reason=error.message, command=error.hint)
    family = next((found for found in shown.families if use.sha256(found) == part.sha256), None)
    if family is None:
        reason = f"{part.file} was made anew since: it has no family of the hash {part.sha256[:12]}"
        return (), NotMeasured(item=item, reason=reason, command="harness run MODEL --calibration BOARD")
    blocks = family_blocks(family, "calibration")
    return blocks, None


def is_stored(platform: str) -> bool:
    """Whether there is a calibration of a board."""
    return any((folder / f"{platform}.json").is_file() for folder in _folders())


def _folders() -> tuple[Path, ...]:
    return results_folder() / "calibration", data_folder("results") / "calibration"


def _find(file: str) -> Calibration:
    path = next((folder / file for folder in (*_folders(), Path()) if (folder / file).is_file()), None)
    if path is None:
        raise BadInputError(f"the calibration {file} is not stored here any more", "harness calibrate")
    return stored.read(path)


# --- all families ----------------------------------------------------------------------------------------------------


def _overview(shown: Calibration) -> Section:
    table = Table(
        id="calibration-families",
        caption="Builds, and how far their fits are off",
        columns=(
            Column(key="build", title="build"),
            Column(key="networks", title="networks", numeric=True),
            Column(key="rows", title="rows", numeric=True, help="Layers, or whole networks, that were fitted to."),
            *_ERRORS,
            Column(key="band", title="band, factors", help="From an estimate to the bounds of the truth."),
            Column(key="held", title="held", help="Of networks that the band was not made from."),
            Column(key="features", title="features of", help="How near the emulated build is to the measured one."),
        ),
        rows=tuple(_family(family) for family in shown.families),
    )
    lead = "Errors are of whole networks, predicted by fits that had not seen them. Cycles were measured on the board."
    return Section(id="families", title="Builds", blocks=(table,), lead=lead)


_ERRORS = (
    Column(key="mean", title="mean error", numeric=True),
    Column(key="worst", title="worst", numeric=True),
    Column(key="architecture-mean", title="mean, new architecture", numeric=True,
           help="Networks of one architecture are much alike: none of them was seen."),
    Column(key="architecture-worst", title="worst, new architecture", numeric=True),
)  # fmt: skip


def _family(family: Family) -> Row:
    return Row(
        cells=(
            family.build.label,
            derived(family.networks, ""),
            derived(family.rows, ""),
            *_errors(family.without_network, _NO_ERROR),
            *_errors(family.without_architecture, _NO_ERROR if family.without_network is None else _ONE_KIND),
            _band(family.bounds),
            _held(family),
            family.features_from,
        )
    )


def _errors(found: Summary | None, reason: str) -> tuple[Number, Number]:
    if found is None:
        return missing("%", reason, "derived"), missing("%", reason, "derived")
    return derived(100 * found.mean, "%", 1), derived(100 * found.worst, "%", 1)


def _band(bounds: Bounds | None) -> str:
    return f"- ({_NO_BAND})" if bounds is None else f"{bounds.low:.3g} to {bounds.high:.3g} times"


def _held(family: Family) -> str:
    found = family.covered
    return "-" if found is None else f"{found.inside} of {found.networks}"


# --- one family ------------------------------------------------------------------------------------------------------


def _section(family: Family, place: int, several: bool) -> Section:
    own = f"build-{place}"
    return Section(id=own, title=_short(family) if several else "Fit", blocks=family_blocks(family, own),
                   lead=family.tier)  # fmt: skip


def _short(family: Family) -> str:
    """A build without its board, which is the same for all."""
    return family.build.label.removeprefix(family.build.platform).strip()


def family_blocks(family: Family, prefix: str) -> tuple[Block, ...]:
    """What is known of one fit: facts, the drawing of its errors, held-out networks, residuals.

    Args:
        family: the calibration of one build.
        prefix: what the ids of the tables begin with.
    """
    blocks: list[Block] = [Facts(items=tuple(_facts(family)))]
    held, residuals = _left_out(family, prefix), _residuals(family, prefix)
    blocks += [_chart(family, prefix)] if held or residuals else []
    blocks += [held] if held else []
    if residuals:
        long = len(residuals.rows) > 20
        blocks.append(Fold(summary=residuals.caption, blocks=(residuals,)) if long else residuals)
    return tuple(blocks)


def _facts(family: Family) -> list[tuple[str, Cell]]:
    build = family.build
    terms = " + ".join(f"{value:.3g} x {name}" for name, value in family.coefficients.items())
    facts: list[tuple[str, Cell]] = [
        ("cycles", terms),
        ("fitted to", f"{words.count(family.rows, 'row')} of {words.count(family.networks, 'network')}"),
        ("compiler on the board", build.compiler),
        ("library on the board", build.library),
        ("features", f"{family.features_from}, {family.features_compiler}"),
        ("cost model", family.cost_model),
        (f"band, {100 * family.coverage:.0f} % of cases", _band(family.bounds)),
        ("sources", "; ".join(family.sources) or "-"),
    ]
    if family.bounds is not None:
        facts += [("band by", family.bounds.method), ("band held", _held(family))]
    if family.carried is not None:
        facts.append(("carried to another compiler", _carried(family.carried)))
    return facts


def _carried(found: Carried) -> str:
    errors = found.without_network
    said = "" if errors is None else f", mean error {100 * errors.mean:.1f} %, worst {100 * errors.worst:.1f} %"
    return f"{found.compiler}{said}; band {_band(found.bounds)}"


def _left_out(family: Family, prefix: str) -> Table | None:
    if not family.left_out:
        return None
    found = sorted(family.left_out, key=lambda item: -abs(item.error or 0.0))
    return Table(
        id=f"{prefix}-left-out",
        caption="Networks, predicted by fits without them, the worst first",
        columns=(
            Column(key="network", title="network"),
            Column(key="architecture", title="architecture"),
            Column(key="measured", title="cycles on the board", numeric=True),
            Column(key="predicted", title="predicted", numeric=True),
            Column(key="error", title="error", numeric=True),
            Column(key="architecture-error", title="error, architecture left out", numeric=True),
        ),
        rows=tuple(map(_held_out, found)),
        filter=len(found) > 15,
    )


def _held_out(item: HeldOut) -> Row:
    predicted = (missing("", "nothing else was left to fit to", "estimated") if item.without_network is None else
                 Number(value=item.without_network, unit="", origin="estimated"))  # fmt: skip
    return Row(cells=(item.network, item.architecture, measured(item.measured, ""), predicted, _error(item.error),
                      _error(item.architecture_error)))  # fmt: skip


def _error(value: float | None, reason: str = "nothing else was left to fit to") -> Number:
    if value is None:
        return missing("%", reason, "derived")
    return Number(value=100 * value, unit="%", origin="derived", digits=1, signed=True)


def _residuals(family: Family, prefix: str) -> Table | None:
    if not family.residuals:
        return None
    found = sorted(family.residuals, key=lambda item: -abs(item.fitted - item.measured))
    return Table(
        id=f"{prefix}-residuals",
        caption=f"Residuals of the fit, the farthest first: {words.count(len(found), 'row')}",
        columns=(
            Column(key="network", title="network"),
            Column(key="layer", title="layer", help="- of a whole network."),
            Column(key="op", title="operator"),
            Column(key="measured", title="cycles on the board", numeric=True),
            Column(key="fitted", title="fitted", numeric=True),
            Column(key="error", title="error", numeric=True),
            Column(key="part", title="took part", help="Why a row was not fitted to."),
        ),
        rows=tuple(map(_residual, found)),
        filter=len(found) > 15,
    )


def _residual(item: Residual) -> Row:
    layer = "-" if item.index is None else str(item.index)
    fitted = Number(value=item.fitted, unit="", origin="estimated")
    return Row(cells=(item.network, layer, item.op or "whole network", measured(item.measured, ""), fitted,
                      _error(item.error, "0 cycles were measured: the timer does not tell it from none"),
                      item.unfit or "yes"))  # fmt: skip


def _chart(family: Family, prefix: str) -> Chart:
    """Errors over measured cycles: of layers by the fit, of whole networks by fits without them, with the band."""
    layers = [item for item in family.residuals if not item.unfit and item.error is not None and item.measured > 0]
    networks = [item for item in family.left_out if item.error is not None]
    points = [_layer_point(item) for item in layers] + [_network_point(item) for item in networks]
    across = [point.x for point in points] or [1.0]
    lines = [Polyline(points=((min(across), 0.0), (max(across), 0.0)), kind="base")]
    if family.bounds is not None:
        # measured / predicted lies within the bounds: predicted / measured - 1 within these
        for bound in (family.bounds.low, family.bounds.high):
            error = 100 * (1 / bound - 1)
            lines.append(Polyline(points=((min(across), error), (max(across), error)), kind="limit"))
    inside = sum(abs(point.y) <= 10 for point in points)
    summary = (f"{words.count(len(layers), 'row')} by the fit, {words.count(len(networks), 'network')} by fits without "
               f"them; {inside} of {len(points)} are off by at most 10 %.")  # fmt: skip
    return Chart(
        id=f"{prefix}-chart",
        title="How far predictions are off",
        svg=scatter(points, Axis(title="cycles on the board", log=True), Axis(title="predicted too much, %"), summary,
                    lines),
        summary=summary,
        table=f"{prefix}-left-out" if networks else f"{prefix}-residuals",
        note="" if family.bounds is None else f"The lines are the band of {100 * family.coverage:.0f} % for networks.",
        legend=(("ring part-9", "a row, by the fit"), ("cross part-2", "a network, by a fit without it")),
    )  # fmt: skip


def _layer_point(item: Residual) -> Point:
    where = "whole network" if item.index is None else f"layer {item.index} {item.op}"
    error = 100 * (item.error or 0.0)
    return Point(x=item.measured, y=error, tip=f"{item.network}, {where}: {error:+.1f} %", kind="part-9", shape="ring")


def _network_point(item: HeldOut) -> Point:
    error = 100 * (item.error or 0.0)
    return Point(
        x=item.measured, y=error, tip=f"{item.network}, left out: {error:+.1f} %", kind="part-2", shape="cross"
    )


# --- the rest --------------------------------------------------------------------------------------------------------


def _lacking(family: Family) -> Sequence[NotMeasured]:
    found = []
    if family.without_network is None:
        found.append(NotMeasured(item=f"held-out error of {family.build.label}", reason=_NO_ERROR))
    if family.bounds is None:
        found.append(NotMeasured(item=f"band of {family.build.label}", reason=_NO_BAND))
    return found


def _provenance(shown: Calibration, file: str) -> Section:
    items: list[tuple[str, Cell]] = [("file", Code(text=file))]
    for family in shown.families:
        items += [(f"measurements, {family.build.label}", Code(text=family.data_sha256)),
                  (f"features, {family.build.label}", Code(text=family.features_sha256))]  # fmt: skip
    command = Command(text=f"harness run MODEL --platform {shown.platform} --calibration {shown.platform}",
                      caption="estimates a run by it")  # fmt: skip
    return Section(id="provenance", title="Provenance", blocks=(command, Facts(items=tuple(items))))
