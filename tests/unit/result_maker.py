"""A made-up result that closes, for tests of what stores and shows results."""

from __future__ import annotations

from typing import Any

import msgspec

from harness import isa
from harness.result import (
    SCHEMA,
    CheckPart,
    CountsPart,
    Difference,
    Function,
    Identity,
    Layer,
    MachinePart,
    MarksPart,
    MemoryPart,
    ModelPart,
    Result,
    Verdict,
    per_mac,
)
from harness.store import ARTIFACTS


def classes(total: int) -> dict[str, int]:
    """A total spread over all classes, alu getting most."""
    rest = len(isa.CLASSES) - 1
    share = total // (2 * rest)
    return dict.fromkeys(isa.CLASSES, share) | {"alu": total - rest * share}


def layer(index: int, op: str, instructions: int, whole: int, macs: int = 0, **changes: Any) -> Layer:
    made = Layer(
        index=index,
        op=op,
        name=f"model/{op.lower()}_{index}",
        output_shape=(1, 8, 8, 16),
        instructions=instructions,
        share=round(instructions / whole, 6) if whole else 0.0,
        macs=macs,
        instructions_per_mac=per_mac(instructions, macs),
        classes=classes(instructions),
        functions={"tflite::Eval(TfLiteContext*, TfLiteNode*)": instructions},
        output_crc32="deadbeef",
        output_exact=True,
    )
    return msgspec.structs.replace(made, **changes)


def result(layers: tuple[Layer, ...] | None = None, **changes: Any) -> Result:
    """A passing run of two layers on a board whose machine stands in; ``changes`` replace fields of the result."""
    made = layers or (layer(0, "CONV_2D", 900, 1000, macs=300), layer(1, "SOFTMAX", 90, 1000))
    instructions = sum(item.instructions for item in made)
    total, macs = instructions + 10, sum(item.macs for item in made)
    digest = "0123456789abcdef" * 4
    base = Result(
        schema=SCHEMA,
        run_id="kws-stm32l496zg-cmsis-nn-O2-0123456789ab",
        verdict=Verdict(passed=True, reasons=()),
        model=ModelPart(file="kws.tflite", sha256=digest, size_bytes=53936, macs=macs),
        platform="stm32l496zg",
        platform_title="STM32L496ZG (NUCLEO-L496ZG)",
        core="cortex-m4",
        fpu="fpv4-sp-d16",
        machine=MachinePart(name="mps2-an386", core="cortex-m4", stands_in=True, notes=()),
        emulator="qemu",
        kernels="cmsis-nn",
        optimisation="-O2",
        tflm="TFLM July 2020",
        counts=CountsPart(
            total=total,
            overhead=10,
            layers=instructions,
            setup=5000,
            macs=macs,
            instructions_per_mac=per_mac(total, macs),
            classes=classes(total),
        ),
        layers=made,
        functions=(Function(name="tflite::Eval(TfLiteContext*, TfLiteNode*)", instructions=instructions, share=0.99),),
        memory=MemoryPart(
            flash=122628,
            ram=36588,
            arena=35648,
            stack=680,
            model=53936,
            code=68692,
            static=940,
            arena_used=35000,
            flash_budget=1048576,
            ram_budget=327680,
            flash_free=1048576 - 122628,
            ram_free=327680 - 36588 - 680,
        ),
        check=CheckPart(
            output_exact=True,
            layers_exact=True,
            first_difference=None,
            tflite_micro_exact=True,
            tflite_micro_reason=None,
            expf="host",
            input="deterministic: SHAKE-128 of 'tflm-harness input N'",
            input_sha256=digest,
            outputs=("80ff",),
        ),
        marks=MarksPart(symbol="harness_mark", address=0x1234, segments=(5000, total), sequence=("setup", "between")),
        identity=Identity(
            model_sha256=digest,
            elf_sha256=digest,
            platform_sha256=digest,
            machine_sha256=digest,
            input_sha256=digest,
            compiler="arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205",
            flags=("-mcpu=cortex-m4", "-mthumb"),
            optimisation="-O2",
            tflm="TFLM July 2020 (tfmicro 0.1.0)",
            cmsis_nn="CMSIS-NN 4.0.0 (bakenn 1.0.0)",
            emulator="qemu",
            emulator_version="7.2.22",
            machine_description_sha256=None,
            counter="plugin API 1",
            host_compiler="g++ 12.2.0",
            tflite_micro="0",
            harness_version="0.1.0",
            git_commit=None,
            git_dirty=None,
        ),
        artifacts=ARTIFACTS,
    )
    return msgspec.structs.replace(base, **changes)


def difference(**changes: Any) -> Difference:
    """The first layer differs in one element."""
    made = Difference(
        index=0, op="CONV_2D", name="model/conv", elements=12, differing=1, largest=1.0, reference="host build"
    )
    return msgspec.structs.replace(made, **changes)
