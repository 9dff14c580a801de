"""What the fixture ``emulate`` takes from a project file: what ``harness run`` would, in pytest's root folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import BadInputError

if TYPE_CHECKING:
    from harness.project import file

_COMMAND = ("run",)
_AXES = {"kernels": "kernels", "optimisation": "opt", "fpu": "fpu", "emulator": "emulator"}
_ESTIMATES = ("cycles", "calibration", "carry")
# What the fixture has where neither a test nor a project file says anything.
_OWN = {"kernels": "reference", "optimisation": "-O2", "emulator": "qemu", "cycles": False, "carry": False}

_of_session = pytest.StashKey["Project"]()


def of(config: pytest.Config) -> Project:
    """The project file that is in force in pytest's root folder, read once in a session.

    Raises:
        BadInputError: there is one that cannot be used.
    """
    if _of_session not in config.stash:
        config.stash[_of_session] = _read(config.rootpath)
    return config.stash[_of_session]


def _read(root: Path) -> Project:
    from harness.project import find

    place = find.choose(None, False, root)
    if place is None:
        return Project(root, None, {})
    import typer

    import harness.cli  # noqa: F401  (registers the commands)
    from harness.cli.app import app
    from harness.cli.project import commands
    from harness.project import defaults, file

    known = commands(typer.main.get_command(app))
    read = file.load(place, known)
    given = defaults.of_command(read, _COMMAND, known[_COMMAND])
    return Project(root, read, {item.key.name: item.value for item in given})


class Project:
    """What a project file gives; nothing where there is none."""

    def __init__(self, root: Path, read: file.Project | None, given: dict[str, Any]) -> None:
        self._root = root
        self._read = read
        self._given = given
        self._here = Path.cwd()  # where the paths in ``given`` are seen from

    @property
    def time_limit_s(self) -> float | None:
        """The limit of each start of an emulator, in seconds."""
        return self._given.get("timeout")

    def board(self, platform: str | None) -> str:
        """The platform: what the test says, else what the file says.

        Raises:
            BadInputError: neither says one.
        """
        board: str | None = platform or self._given.get("platform")
        if board is None:
            raise BadInputError(
                "no platform is given", 'emulate(model, "stm32l496zg"), or platform = "stm32l496zg" in harness.toml'
            )
        return board

    def model(self, model: str | os.PathLike[str]) -> Path:
        """The file of a model: a name of the project file's, or a path below pytest's root folder.

        Raises:
            BadInputError: it is both, or the file that the project file names is not there.
        """
        if self._read is None:
            return self._root / model
        from harness.project import defaults

        return (self._root / defaults.model(self._read, os.fspath(model), self._root)).absolute()

    def axes(self, said: dict[str, Any]) -> dict[str, Any]:
        """The axes of a run, with what the test does not say; "both" emulators are for the command alone."""
        found = {name: self._of(name, _AXES[name], value) for name, value in said.items()}
        if said["kernels"] is None and self._given.get("tflm_lib"):
            found["kernels"] = None  # those that the library holds
        if found["emulator"] == "both" and said["emulator"] is None:
            found["emulator"] = "qemu"
        return found

    def estimates(self, said: dict[str, Any]) -> dict[str, Any]:
        """Whether cycles are estimated, and by what; and the TFLM of the file."""
        found = {name: self._of(name, name, said[name]) for name in _ESTIMATES}
        if said["calibration"] is None and found["calibration"] is not None:
            file = self._here / found["calibration"]
            found["calibration"] = file if file.is_file() else found["calibration"]
        archives = [self._here / item for item in self._given.get("tflm_lib", ())]
        if archives:
            from harness.cli.tflm import brought

            include = [":".join(str(self._here / part) for part in item.split(":"))
                       for item in self._given.get("tflm_include", ())]  # fmt: skip
            host = [self._here / item for item in self._given.get("tflm_host_lib", ())]
            found["tflm"] = brought(archives, include, host)
        return found

    def _of(self, name: str, key: str, said: Any) -> Any:
        return said if said is not None else self._given.get(key, _OWN.get(name))

    @contextlib.contextmanager
    def environment(self) -> Iterator[None]:
        """With the compiler and the Renode of the file; the results of tests do not go where the file says."""
        if self._read is None:
            yield
            return
        from harness.cli.project import environment
        from harness.project import defaults, keys

        variables = defaults.variables(self._read, _COMMAND)
        variables.pop(keys.VARIABLES[keys.RESULTS], None)
        with environment(variables):
            yield
