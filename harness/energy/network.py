"""What a network computes in, which its power depends on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness import model
from harness.errors import BadInputError
from harness.records import Model
from harness.result import Result

_SYMBOL = "image_model"


def type_of(network: Model) -> str:
    """The type of the operators that most multiply-accumulates are in: "int8" or "float32"."""
    macs: dict[str, int] = {}
    for operator in network.operators:
        name = network.tensors[operator.outputs[0]].type
        macs[name] = macs.get(name, 0) + operator.macs
    return max(macs, key=lambda name: macs[name])


def type_of_run(result: Result) -> str | None:
    """The same of a stored run: as its estimate says, or by the network that its ELF carries; None where neither does.

    A baseline has no ELF.
    """
    if result.estimate is not None and result.estimate.type is not None:
        return result.estimate.type
    try:
        with Path(result.artifacts.elf).open("rb") as file:
            content = _carried(ELFFile(file), result.model.size_bytes)
    except (OSError, ELFError):
        return None
    if content is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        try:
            return type_of(model.load(path))
        except BadInputError:
            return None


def _carried(elf: ELFFile, size: int) -> bytes | None:
    tables = [section for section in elf.iter_sections() if isinstance(section, SymbolTableSection)]
    for address in [symbol["st_value"] for table in tables for symbol in table.get_symbol_by_name(_SYMBOL) or ()]:
        for section in elf.iter_sections():
            start = section["sh_addr"]
            if section["sh_type"] == "SHT_PROGBITS" and start <= address < start + section["sh_size"]:
                content: bytes = section.data()[address - start : address - start + size]
                return content if len(content) == size else None
    return None
