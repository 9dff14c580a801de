"""A user's TFLM as it was found: what its archives hold, what its headers define, what that makes of a run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness import cache
from harness.errors import BadInputError
from harness.model import PACKAGED, Runtime
from harness.records import Record
from harness.result import LibraryPart
from harness.user_library import archive, headers, objects
from harness.user_library.headers import Headers
from harness.user_library.objects import Object

REFERENCE, CMSIS_NN = "reference", "cmsis-nn"

_INTERPRETER = "_ZN6tflite16MicroInterpreter15AllocateTensorsEv"
_REGISTER = re.compile(r"_ZN6tflite(?:3ops5micro)?\d+Register_([A-Z0-9_]+)Ev")
# Functions of libraries of kernels begin so.
_KERNELS = {"arm_": CMSIS_NN, "esp_nn_": "esp-nn", "xa_nn_": "xtensa", "mli_": "arc-mli", "ceva_": "ceva"}
# In a build for a microcontroller these are left out (TF_LITE_STATIC_MEMORY).
_DYNAMIC = frozenset({"TfLiteTensorRealloc", "TfLiteTensorResizeMaybeCopy"})


class Brought(Record, frozen=True):
    """What the user names: archives, in the linker's order, and include folders as an option gives them.

    ``host`` are archives of the same release for this machine, which the reference is then computed with; empty: none.
    ``kernels`` is the kernel set that it is said to hold, None where nothing is said.
    """

    archives: tuple[str, ...]
    include: tuple[str, ...]
    host: tuple[str, ...] = ()
    kernels: str | None = None


class Named(Record, frozen=True):
    """A user's TFLM as a value of an axis: its name there, and the kernel set that it holds."""

    name: str
    brought: Brought
    kernels: str


class Contents(Record, frozen=True):
    """What archives hold: a summary that is kept in the cache.

    ``kinds`` has one object file of each kind (core, rules of calls), without its symbols. ``operators`` are the
    builtins that have a kernel; ``kernels`` names the library behind those that call one. ``missing`` are functions of
    such a library that no archive holds.
    """

    kinds: tuple[Object, ...]
    operators: tuple[str, ...]
    kernels: dict[str, str]
    missing: tuple[str, ...]
    compilers: tuple[str, ...]
    has_interpreter: bool
    static_memory: bool
    link_time: bool

    @property
    def kernel_set(self) -> str:
        """Of the libraries behind the operators, one name: "reference" where there is none."""
        return "+".join(sorted(set(self.kernels.values()))) or REFERENCE


class UserLibrary(Record, frozen=True):
    """A library that firmware can be built with, for one compiler and core.

    ``archives`` are copies in the cache: the user's files may change meanwhile. ``sha256`` is of their contents.
    """

    brought: Brought
    name: str
    archives: tuple[Path, ...]
    sha256: str
    contents: Contents
    headers: Headers

    @property
    def kernels(self) -> str:
        """The kernel set that it holds."""
        return self.contents.kernel_set

    @property
    def operators(self) -> frozenset[str]:
        """Builtins that it can run: those with a kernel, and in its headers a way to add that."""
        known = frozenset(self.contents.operators)
        return known & (frozenset(self.headers.adds) if self.headers.adds else PACKAGED.operators)

    @property
    def optimised(self) -> tuple[str, ...]:
        """The operators whose kernels call a library of kernels, sorted."""
        return tuple(sorted(self.operators & frozenset(self.contents.kernels)))

    @property
    def runtime(self) -> Runtime:
        """What a model is checked against before it is built with this."""
        return Runtime(name=self.name, operators=self.operators, checks=self.headers.api != headers.JULY_2020)

    @property
    def text(self) -> str:
        """What it is, in one line."""
        flatbuffers = "" if self.headers.flatbuffers is None else f", flatbuffers {self.headers.flatbuffers}"
        source = "" if self.headers.source is None else f", {self.headers.source}"
        return f"{self.name}: TFLM with {self.headers.api}{flatbuffers}{source}"

    @property
    def identity(self) -> str:
        """What stands for it in a run's identity."""
        return f"{self.text} (archive sha256 {self.sha256}, headers sha256 {self.headers.sha256})"

    @property
    def part(self) -> LibraryPart:
        """What a result stores of it."""
        return LibraryPart(
            name=self.name,
            sha256=self.sha256,
            headers_sha256=self.headers.sha256,
            api=self.headers.api,
            flatbuffers=self.headers.flatbuffers,
            source=self.headers.source,
            compilers=self.contents.compilers,
            optimised=self.optimised,
        )


# Refuses object files that do not fit, given the archive's path and an object of each kind.
Check = Callable[[Path, Sequence[Object]], None]


def read(brought: Brought, compiler: str, arch: tuple[str, ...], check: Check) -> UserLibrary:
    """Read archives and headers.

    Args:
        brought: what the user names.
        compiler: the program whose preprocessor reads the headers.
        arch: GCC's flags for core and FPU.
        check: raises where the code does not fit.

    Raises:
        BadInputError: one of them cannot be used.
    """
    paths = tuple(Path(name) for name in brought.archives)
    contents = {path: archive.read(path) for path in paths}
    sha256 = _sha256(contents.values())
    held = _contents(paths, contents, sha256)
    check(paths[0], held.kinds)
    _check(paths[0], held)
    include = headers.folders(brought.include)
    return UserLibrary(
        brought=brought,
        name=_name(paths[0]),
        archives=tuple(_kept(path, content) for path, content in contents.items()),
        sha256=sha256,
        contents=held,
        headers=headers.read(include, compiler, arch),
    )


def held(brought: Brought) -> Contents:
    """What the archives hold, without a look at headers or cores.

    Raises:
        BadInputError: they cannot be read, or are no TFLM.
    """
    paths = tuple(Path(name) for name in brought.archives)
    contents = {path: archive.read(path) for path in paths}
    found = _contents(paths, contents, _sha256(contents.values()))
    _check(paths[0], found)
    return found


def _sha256(contents: Iterable[bytes]) -> str:
    """Of one archive its own, as sha256sum prints it; of several that of theirs."""
    digests = [hashlib.sha256(content) for content in contents]
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(item.digest() for item in digests)).hexdigest()


def _name(path: Path) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in path.name)


def _kept(path: Path, content: bytes) -> Path:
    """A copy in the cache."""
    target = cache.path("user_libraries", hashlib.sha256(content).hexdigest()).with_suffix(".a")
    if not target.is_file() or target.stat().st_size != len(content):
        cache.write(target, content)
    return target


def _contents(paths: Sequence[Path], contents: Mapping[Path, bytes], sha256: str) -> Contents:
    code = hashlib.sha256(Path(__file__).read_bytes() + Path(objects.__file__).read_bytes()).hexdigest()
    kept = cache.path("user_libraries", f"{sha256}-{code[:16]}")
    known = cache.read(kept, Contents)
    if known is None:
        found: list[Object] = []
        for path in paths:
            found += _objects(path, contents[path])
        known = summary(found)
        cache.write(kept, msgspec.json.encode(known))
    return known


def _objects(path: Path, content: bytes) -> list[Object]:
    members = list(archive.members(path, content))
    found: list[Object] = []
    for member in members:
        read = objects.read(member)
        if read is None and member.content.startswith(b"\x7fELF"):
            raise BadInputError(f"{path}: {member.name} is damaged or cut off", "build or copy it again")
        if read is not None:
            found.append(read)
    if not found:
        what = f"none of its {len(members)} members is an object file" if members else "it holds nothing"
        raise BadInputError(f"{path}: no library to link with: {what}", "build or copy it again")
    return found


def summary(found: Sequence[Object]) -> Contents:
    """What object files hold together."""
    defined = {name for item in found for name in item.defined}
    kernels: dict[str, str] = {}
    operators: set[str] = set()
    for item in found:
        registered = [match[1] for match in map(_REGISTER.fullmatch, item.defined) if match]
        operators.update(registered)
        calls = [name for prefix, name in _KERNELS.items() if any(n.startswith(prefix) for n in item.undefined)]
        kernels |= {name: calls[0] for name in registered if calls}
    wanted = {name for item in found for name in item.undefined if name.startswith(tuple(_KERNELS))}
    kinds = {(item.machine, item.bits, tuple(sorted(item.attributes.items()))): item for item in reversed(found)}
    return Contents(
        kinds=tuple(msgspec.structs.replace(item, defined=(), undefined=()) for item in reversed(kinds.values())),
        operators=tuple(sorted(operators)),
        kernels=dict(sorted(kernels.items())),
        missing=tuple(sorted(wanted - defined)),
        compilers=tuple(sorted({item.compiler for item in found if item.compiler is not None})),
        has_interpreter=_INTERPRETER in defined,
        static_memory=not _DYNAMIC & defined,
        link_time=any(item.link_time and all(name.startswith("__gnu_lto") for name in item.defined) for item in found),
    )


def _check(path: Path, contents: Contents) -> None:
    """Refuse what is no TFLM, or not all of it."""
    if contents.link_time and not contents.has_interpreter:
        raise BadInputError(f"{path}: its members hold no code but -flto's", "build the library without -flto")
    if not contents.has_interpreter:
        raise BadInputError(
            f"{path}: holds no TFLM: tflite::MicroInterpreter::AllocateTensors() is missing",
            "give libtensorflow-microlite.a, and every other archive that it needs with a --tflm-lib of its own",
        )
    if not contents.operators:
        raise BadInputError(f"{path}: holds no kernels: no tflite::Register_... function is in it", None)
    if contents.missing:
        users = contents.kernel_set
        more = f" and {len(contents.missing) - 3} more" if len(contents.missing) > 3 else ""
        raise BadInputError(
            f"{path}: its kernels call {users}, which no archive holds: {', '.join(contents.missing[:3])}{more}",
            f"add the archive of {users} with another --tflm-lib",
        )
