"""From a result with an estimate to the rows of the features' CSV."""

from __future__ import annotations

from harness.cost.features import Row
from harness.errors import BadInputError
from harness.result import LayerEstimate, Result


def of(result: Result) -> tuple[Row, ...]:
    """A row for each operator, and the last one for what runs around them.

    Raises:
        BadInputError: nothing was estimated.
    """
    estimate = result.estimate
    if estimate is None:
        raise BadInputError(f"{result.run_id} has no estimate", "harness run --cycles makes one")
    layers = [
        _row(result, part, layer.op, layer.macs) for part, layer in zip(estimate.layers, result.layers, strict=True)
    ]
    return (*layers, _row(result, estimate.overhead, "overhead", 0))


def _row(result: Result, part: LayerEstimate, op: str, macs: int) -> Row:
    estimate = result.estimate
    assert estimate is not None
    identity, features = result.identity, part.features
    use = features.flash
    return Row(
        model=result.model.file,
        model_sha256=result.model.sha256,
        platform=result.platform,
        core=result.core,
        clock_hz=estimate.clock_hz,
        kernels=result.kernels,
        optimisation=result.optimisation,
        fpu=result.fpu or "",
        compiler=identity.compiler,
        tflm=identity.tflm,
        cmsis_nn=identity.cmsis_nn,
        elf_sha256=identity.elf_sha256,
        cost_model=estimate.model if estimate.calibration is None else estimate.calibration.cost_model,
        index=part.index,
        op=op,
        macs=macs,
        instructions=features.instructions,
        core_cycles=features.core_cycles,
        taken=features.taken,
        unaligned=features.unaligned,
        code_bytes=features.code_bytes,
        fetched=None if use is None else use.fetched,
        jump_misses=None if use is None else use.jump_misses,
        onward_misses=None if use is None else use.onward_misses,
        flash_loads=None if use is None else use.loads,
        load_misses=None if use is None else use.load_misses,
    )
