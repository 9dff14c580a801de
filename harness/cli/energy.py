"""The command that tells what an inference costs in energy, and how long a battery lasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from harness.cli.app import Json, app, print_json
from harness.cli.calibration import Calibration, Carry
from harness.cli.project import command_line
from harness.cli.toolchain import Sysroot, Toolchain, choose_toolchain
from harness.errors import EXIT_PASS, EXIT_VERDICT_NO, BadInputError

if TYPE_CHECKING:
    from harness.energy.answer import Answer, Query
    from harness.energy.trace import Measured
    from harness.energy.units import Battery
    from harness.result import Result

_MODEL_SUFFIX = ".tflite"


def _option(name: str, text: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(name, help=text, show_default=False)
    return found


@app.command()
def energy(
    target: Annotated[
        str | None, typer.Argument(metavar="RUN|MODEL", help="A stored run, or a .tflite file.", show_default=False)
    ] = None,
    platform: Annotated[str | None, typer.Option("--platform", "-p", help="Board, for a MODEL or none.")] = None,
    kernels: Annotated[
        str | None, typer.Option("--kernels", "-k", help="Kernel set of a MODEL: reference or cmsis-nn.")
    ] = None,
    opt: Annotated[str | None, typer.Option("--opt", help="Optimisation level of a MODEL.")] = None,
    toolchain: Toolchain = None,
    sysroot: Sysroot = None,
    calibration: Calibration = None,
    carry: Carry = False,
    period: Annotated[str | None, _option("--period", "Time from inference to inference: 1s, 500ms, 5min.")] = None,
    battery: Annotated[str | None, _option("--battery", "225mAh@3V, 2.4Ah@3.6V, 675mWh or 2430J.")] = None,
    latency: Annotated[str | None, _option("--latency", "Of an inference, instead of an estimate: 12ms.")] = None,
    active_power: Annotated[str | None, _option("--active-power", "While it infers, instead of what is known.")] = None,
    active_current: Annotated[str | None, _option("--active-current", "The same as a current, at --supply.")] = None,
    sleep_power: Annotated[str | None, _option("--sleep-power", "Between inferences: 6uW.")] = None,
    sleep_current: Annotated[str | None, _option("--sleep-current", "The same as a current: 2uA, at --supply.")] = None,
    supply: Annotated[str | None, _option("--supply", "Voltage of currents; the battery's where not given.")] = None,
    trace: Annotated[Path | None, _option("--trace", "Power trace of the board, a CSV file.")] = None,
    marker: Annotated[str | None, _option("--marker", "Its digital channel that is high during inferences.")] = None,
    threshold: Annotated[str | None, _option("--threshold", "Or the level above which one runs: 5mA, 20mW.")] = None,
    as_json: Json = False,
) -> int:
    """Estimate the energy of an inference and of each layer; with a period, average power and battery life."""
    from harness.energy import answer, units
    from harness.report.energy import shown
    from harness.report.tables import console

    if trace is None and (marker or threshold):
        raise BadInputError(f"{'--marker' if marker else '--threshold'} is about a trace", "add --trace FILE.csv")
    choose_toolchain(toolchain, sysroot)
    store = None if battery is None else units.battery(battery, "--battery")
    volts = _volts(supply, store)
    query = answer.Query(
        platform=platform,
        latency_s=None if latency is None else units.seconds(latency, "--latency"),
        active_w=_watts("--active", active_power, active_current, volts),
        sleep_w=_watts("--sleep", sleep_power, sleep_current, volts),
        period_s=None if period is None else units.seconds(period, "--period"),
        battery=store,
        trace=None if trace is None else _trace(trace, marker, threshold, volts),
    )
    by = (calibration, carry)
    if (calibration is not None or carry) and (latency is not None or not (target or "").endswith(_MODEL_SUFFIX)):
        raise BadInputError(
            "a calibration is about the latency of a MODEL that is measured",
            "name a .tflite file, without --latency; a stored run has its estimate: harness run --calibration",
        )
    found = _answer(target, query, kernels, opt, by, quiet=as_json)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        console().print(shown(found))
    return EXIT_PASS if found.verdict.passed else EXIT_VERDICT_NO


def _volts(supply: str | None, battery: Battery | None) -> float | None:
    from harness.energy import units

    if supply is not None:
        return units.volts(supply, "--supply")
    return battery.volts if battery else None


def _watts(option: str, power: str | None, current: str | None, volts: float | None) -> float | None:
    from harness.energy import units

    if power is not None and current is not None:
        raise BadInputError(f"{option}-power and {option}-current say the same thing", "give one of them")
    if power is not None:
        return units.watts(power, f"{option}-power")
    if current is None:
        return None
    amperes = units.amperes(current, f"{option}-current")
    if volts is None:
        raise BadInputError(f"{option}-current {current}: at which voltage?", "add --supply 3V")
    return amperes * volts


def _trace(path: Path, marker: str | None, threshold: str | None, volts: float | None) -> Measured:
    from harness.energy import trace as traces
    from harness.energy import trace_read, units

    if marker is not None and threshold is not None:
        raise BadInputError("inferences are found by --marker or by --threshold", "give one of them")
    read = trace_read.read(path, volts)
    level = None
    if threshold is not None:
        amperes, watts = units.amperes_or_watts(threshold, "--threshold")
        level = watts if amperes is None else amperes * read.volts
    return traces.measure(read, marker, level)


def _answer(
    target: str | None, query: Query, kernels: str | None, opt: str | None, by: tuple[str | None, bool], quiet: bool
) -> Answer:
    """The answer about a run, a network that is measured first where its latency is not given, or neither."""
    from harness import model
    from harness.energy import answer, network

    is_model = target is not None and target.endswith(_MODEL_SUFFIX)
    if not is_model and opt is not None:
        raise BadInputError("--opt is about a MODEL that is built", "name a .tflite file, or leave it out")
    if target is None:
        return answer.answer(msgspec.structs.replace(query, kernels=kernels))
    if not is_model:
        if kernels is not None:
            raise BadInputError("a stored run has its kernels", "leave --kernels out, or name a .tflite file")
        result = _stored(target, query.platform)
    elif query.platform is None:
        raise BadInputError(f"{target}: on which board?", "add --platform P (harness platforms lists them)")
    elif query.latency_s is not None:
        loaded = model.load(Path(target))
        known = msgspec.structs.replace(query, kernels=kernels or "reference", type=network.type_of(loaded))
        return answer.answer(known, model=loaded.path.name)
    else:
        model.load(Path(target))
        answer.check(query)  # so that nobody waits for a measurement that leads nowhere
        result = _measured(Path(target), query.platform, kernels, opt, by, quiet)
    known = msgspec.structs.replace(
        query, platform=result.platform, kernels=result.kernels, type=network.type_of_run(result)
    )
    return answer.answer(known, result)


def _stored(run: str, platform: str | None) -> Result:
    from harness import store

    result = store.load(run)
    if platform is not None and platform != result.platform:
        raise BadInputError(f"run {result.run_id} is of {result.platform}, not of {platform}", "leave --platform out")
    return result


def _measured(
    path: Path, platform: str, kernels: str | None, opt: str | None, by: tuple[str | None, bool], quiet: bool
) -> Result:
    """``by`` is the calibration that the latency is estimated by, and whether it may be carried."""
    from harness import pipeline
    from harness.report.progress import Steps

    with Steps(quiet=quiet) as steps:
        return pipeline.run(
            path,
            platform,
            kernels=kernels or "reference",
            optimisation=opt or "-O2",
            cycles=True,
            calibration=by[0],
            carry=by[1],
            progress=steps,
            command=command_line(),
        )
