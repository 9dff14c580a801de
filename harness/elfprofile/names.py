"""Functions of a firmware by name: the symbols, readable C++ names, and what a user may call them."""

from __future__ import annotations

import bisect
import collections
import re
import shutil
from collections.abc import Iterable, Sequence
from functools import cached_property

from harness import profile
from harness.elfprofile.image import Image, Symbol
from harness.errors import BadInputError
from harness.records import Record

_DEMANGLERS = ("arm-none-eabi-c++filt", "c++filt")
_AT_ONCE = 500
_MOST_CANDIDATES = 4
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]+")

# CMSIS-NN, all versions: what its functions begin with; CMSIS-DSP's begin with arm_, too.
_CMSIS_NN = re.compile(
    r"arm_(?:convolve|depthwise|fully_connected|softmax|avgpool|avg_pool|max_?pool|elementwise|nn_|svdf|relu|reshape"
    r"|concatenation|lstm|batch_matmul|transpose|pad_|minimum|maximum|vector_sum|q7_to|s8_to|nntables)\w*"
)
# A kernel's Eval has these arguments alone: helpers that it calls, such as EvalQuantized, have more.
_TFLM_EVAL = re.compile(r"(?:.*::)?\w*Eval\w*(?:<.*>)?\(TfLiteContext\*, TfLiteNode\*\)")
_TFLM_INVOKE = re.compile(r"tflite::(?:micro::)?MicroInterpreter::Invoke\(\)")
PRESETS = ("cmsis-nn", "tflm")


class Named(Record, frozen=True):
    """A function: address, readable name, source file where it is local and that is known, size or 0."""

    address: int
    name: str
    file: str | None
    size_bytes: int


class Functions:
    """The functions of a firmware, from its symbols; ``code`` limits addresses to what is executed."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._symbols: dict[int, list[Symbol]] = {}
        self._labels: list[Symbol] = []
        for symbol in image.symbols:
            if not image.executes(symbol.address):
                continue
            if symbol.is_function:
                self._symbols.setdefault(symbol.address, []).append(symbol)
            else:
                self._labels.append(symbol)
        names = {item.name for items in self._symbols.values() for item in items}
        self._readable = _demangled(sorted(names))

    @cached_property
    def all(self) -> tuple[Named, ...]:
        """One of each address, sorted by it; of several names the global one, then the first by the alphabet."""
        return tuple(self._named(self._symbols[address]) for address in sorted(self._symbols))

    @cached_property
    def _by_address(self) -> dict[int, Named]:
        return {item.address: item for item in self.all}

    @cached_property
    def _addresses(self) -> list[int]:
        return [item.address for item in self.all]

    def _named(self, symbols: Sequence[Symbol]) -> Named:
        best = min(symbols, key=lambda item: (item.rank, -item.size_bytes, item.name))
        size = max(item.size_bytes for item in symbols)
        return Named(address=best.address, name=self._readable[best.name], file=best.file, size_bytes=size)

    def at(self, address: int) -> Named:
        """The function that begins at an address; where none is known it is named by the address."""
        found = self._by_address.get(address)
        return found or Named(address=address, name=self._anonymous(address), file=None, size_bytes=0)

    def containing(self, address: int) -> Named | None:
        """The function that holds an address; None where none is known to. One without a size ends at the next one."""
        at = bisect.bisect_right(self._addresses, address) - 1
        if at < 0:
            return None
        found = self.all[at]
        return found if not found.size_bytes or address < found.address + found.size_bytes else None

    def _anonymous(self, address: int) -> str:
        label = next((item.name for item in self._labels if item.address == address), None)
        if label is not None:
            return label
        around = self.containing(address)
        if around is not None and around.size_bytes:
            return f"{around.name}+{address - around.address:#x}"
        return f"fn_{address:#010x}"

    def find(self, text: str) -> Named:
        """The function that a user means: an address, a symbol, a C++ name with or without its arguments, a part of a
        name that no other has, or any of these behind ``FILE:``, for static functions of one name.

        Raises:
            BadInputError: there is none, or there are several.
        """
        if _ADDRESS.fullmatch(text):
            return self._by_number(text)
        for candidates in self._candidates(text):
            found = sorted({item.address: item for item in candidates}.values(), key=lambda item: item.address)
            if len(found) == 1:
                return found[0]
            if found:
                raise _ambiguous(text, found)
        hint = f"did you mean {near}?" if (near := self._near(text)) else "arm-none-eabi-nm -C lists its functions"
        if not self._symbols:
            hint = "the firmware is stripped: give an address, as in NAME=0x8001234"
        raise BadInputError(f"{self._image.path.name} has no function {text!r}", hint)

    def _by_number(self, text: str) -> Named:
        address = int(text, 16) & ~1
        if not self._image.executes(address):
            raise BadInputError(
                f"there is no code at {text} in {self._image.path.name}", "is it an address of a function?"
            )
        return self.at(address)

    def _candidates(self, text: str) -> Iterable[list[Named]]:
        file, _, name = text.rpartition(":") if re.match(r"[^:]+\.\w+:[^:]", text) else ("", "", text)
        pool = [symbol for items in self._symbols.values() for symbol in items]
        if file:
            pool = [item for item in pool if item.file is not None and item.file.endswith(file)]
        yield self._those(pool, lambda item: item.name == name)
        yield [
            Named(address=item.address, name=item.name, file=item.file, size_bytes=item.size_bytes)
            for item in self._labels
            if item.name == name
        ]
        yield self._those(pool, lambda item: self._readable[item.name] == name)
        yield self._those(pool, lambda item: without_arguments(self._readable[item.name]) == name)
        yield self._those(pool, lambda item: name in self._readable[item.name])

    def _those(self, pool: Iterable[Symbol], wanted: object) -> list[Named]:
        assert callable(wanted)
        return [self.at(item.address) for item in pool if wanted(item)]

    def _near(self, text: str) -> str:
        import difflib

        names = sorted({without_arguments(item.name) for item in self.all})
        return ", ".join(difflib.get_close_matches(text, names, n=3, cutoff=0.6))

    def preset(self, name: str) -> tuple[tuple[str, Named], ...]:
        """Names of regions and their functions, of a runtime whose layer functions are known.

        Raises:
            BadInputError: there is no such preset, or the firmware has none of its functions.
        """
        if name not in PRESETS:
            raise BadInputError(f"no regions are known as {name!r}", f"one of {', '.join(PRESETS)}")
        if name == "cmsis-nn":
            found = [(item.name, item) for item in self.all if _CMSIS_NN.fullmatch(without_clone(item.name))]
        else:
            found = [(short(item.name), item) for item in self.all if _is_of_tflm(item.name)]
        if not found:
            what = "functions of CMSIS-NN (arm_convolve_s8, ...)" if name == "cmsis-nn" else "kernels of TFLM (...Eval)"
            raise BadInputError(
                f"{self._image.path.name} has no {what}",
                "is it stripped, or linked with -flto? Name functions by --region NAME=FUNCTION",
            )
        return tuple(_unique(found))


def without_arguments(name: str) -> str:
    """A C++ name without its arguments: "tflite::MicroInterpreter::Invoke"."""
    bare = name.replace("(anonymous namespace)", "{anonymous}")
    return bare.split("(")[0].replace("{anonymous}", "(anonymous namespace)")


def without_clone(name: str) -> str:
    """A function's name without what GCC adds to its specialised copies: ".constprop.0", ".isra.0"."""
    return re.sub(r"(?:\.(?:constprop|isra|part|cold)(?:\.\d+)?| \[clone [^]]*\])+$", "", name)


def _is_of_tflm(name: str) -> bool:
    bare = without_clone(name)
    return bool(_TFLM_EVAL.fullmatch(bare) or _TFLM_INVOKE.fullmatch(bare))


def short(name: str) -> str:
    """The last two parts of a C++ name: "conv::Eval", "cmsis_nn::Eval<Depthwise>"; "ConvEval" of TFLM's own space."""
    bare = without_arguments(without_clone(name)).replace("(anonymous namespace)::", "")
    bare = re.sub(r"<(?:\w+::)*(\w+)>", r"<\1>", bare).rpartition(" ")[2]
    return "::".join(part for part in bare.split("::")[-2:] if part != "tflite")


def _unique(found: Sequence[tuple[str, Named]]) -> Iterable[tuple[str, Named]]:
    """Functions of one name are told apart by their addresses."""
    counted = collections.Counter(name for name, _ in found)
    for name, item in found:
        yield (name if counted[name] == 1 else f"{name}@{item.address:#x}", item)


def _ambiguous(text: str, found: Sequence[Named]) -> BadInputError:
    listed = [
        f"{without_arguments(item.name)} at {item.address:#010x}{f' ({item.file})' if item.file else ''}"
        for item in found
    ]
    more = f", and {len(listed) - _MOST_CANDIDATES} more" if len(listed) > _MOST_CANDIDATES else ""
    return BadInputError(
        f"{text!r} may be any of {len(found)} functions: {'; '.join(listed[:_MOST_CANDIDATES])}{more}",
        "give more of the name, FILE:NAME, or the address",
    )


def _demangled(names: Sequence[str]) -> dict[str, str]:
    """Readable names; as they are where no program for that is installed."""
    program = next((path for name in _DEMANGLERS if (path := shutil.which(name))), None)
    if program is None:
        return {name: name for name in names}
    readable: dict[str, str] = {}
    for first in range(0, len(names), _AT_ONCE):
        readable |= profile.demangle(names[first : first + _AT_ONCE], program)
    return readable
