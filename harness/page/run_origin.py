"""Where a run's numbers come from: the command that measures them again, hashes, versions."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.page.document import Cell, Code, Column, Facts, Row, Section, Table
from harness.page.render import PROVENANCE
from harness.result import Identity, Result
from harness.store import Manifest

_SHORT = 16  # characters of a hash that are shown


def command(result: Result, manifest: Manifest | None) -> str:
    """The command that made the run, as its manifest recorded it, or one that makes the same."""
    if manifest is not None and manifest.command:
        return shlex.join(manifest.command)
    return again(result)


def again(result: Result, emulator: str | None = None, cycles: bool = False, calls: bool = False) -> str:
    """A command that measures the same network so once more; ``emulator``, ``cycles`` and ``calls`` change it."""
    words = ["harness", "run", result.model.file, "--platform", result.platform]
    if result.library is None:
        words += ["--kernels", result.kernels]
    else:
        words += ["--tflm-lib", result.library.name, "--tflm-include", "HEADERS"]
    words += ["--opt", result.optimisation]
    chosen = emulator or result.emulator
    words += ["--emulator", chosen] if chosen != "qemu" else []
    words += ["--cycles"] if cycles or (result.estimate is not None and chosen == "qemu") else []
    words += ["--calls"] if calls or (result.calls is not None and chosen == "qemu") else []
    return shlex.join(words)


def hashes(result: Result) -> Facts:
    """What identifies the run, shortened; whole in the provenance."""
    identity = result.identity
    return Facts(
        items=(
            ("run", Code(text=result.run_id)),
            ("network, SHA-256", digest(identity.model_sha256)),
            ("firmware, SHA-256", digest(identity.elf_sha256)),
            ("input, SHA-256", digest(identity.input_sha256)),
        )
    )


def digest(sha256: str) -> Code:
    """A hash by its beginning, with the whole of it as title."""
    return Code(text=sha256[:_SHORT], title=sha256)


def section(result: Result, manifest: Manifest | None) -> Section:
    """Everything that decides the numbers."""
    columns = (Column(key="what", title="what"), Column(key="value", title="value"))
    rows = tuple(Row(cells=(name, value)) for name, value in (*_run(result, manifest), *_identity(result.identity)))
    table = Table(id="identity-table", caption="What the numbers depend on", columns=columns, rows=rows)
    return Section(
        id=PROVENANCE,
        title="Provenance",
        blocks=(table,),
        lead="The same of all this gives the same numbers, to the instruction.",
    )


def _run(result: Result, manifest: Manifest | None) -> list[tuple[str, Cell]]:
    machine = result.machine
    found: list[tuple[str, Cell]] = [
        ("run", Code(text=result.run_id)),
        ("network", result.model.file),
        ("board", f"{result.platform}: {result.platform_title}"),
        ("core", f"{result.core}, {result.fpu or 'no FPU'}"),
        ("ran on", f"{machine.name} in its place: other memory map" if machine.stands_in else machine.name),
        ("kernels", result.kernels),
        ("input", result.check.input),
        ("runtime", result.tflm),
    ]
    found += [("note", note) for note in machine.notes]
    if result.library is not None:
        library = result.library
        found += [
            ("library of the user", library.name),
            ("library, SHA-256", Code(text=library.sha256)),
            ("headers of the library, SHA-256", Code(text=library.headers_sha256)),
        ]
    if manifest is not None:
        found += [
            ("stored at", manifest.created),
            ("command", Code(text=shlex.join(manifest.command)) if manifest.command else "- (called from Python)"),
            ("folder", Path(result.artifacts.elf).parent.name),
        ]
    return found


def _identity(identity: Identity) -> list[tuple[str, Cell]]:
    """Every field of the identity, hashes in full."""
    return [(_NAMES.get(name, name.replace("_", " ")), _cell(getattr(identity, name))) for name in _fields(identity)]


_NAMES = {
    "model_sha256": "network, SHA-256",
    "elf_sha256": "firmware, SHA-256",
    "platform_sha256": "description of the board, SHA-256",
    "machine_sha256": "description of the machine, SHA-256",
    "input_sha256": "input, SHA-256",
    "machine_description_sha256": "the emulator's description of the machine, SHA-256",
    "tflm": "sources of the runtime",
    "cmsis_nn": "sources of CMSIS-NN",
    "tflite_micro": "PyPI's tflite-micro",
    "git_commit": "commit of the harness",
    "git_dirty": "changes beyond the commit",
    "calibration": "calibration, SHA-256",
    "calls": "what followed calls",
}


def _fields(identity: Identity) -> tuple[str, ...]:
    return identity.__struct_fields__


def _cell(value: object) -> Cell:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return Code(text=" ".join(map(str, value)))
    return Code(text=str(value))
