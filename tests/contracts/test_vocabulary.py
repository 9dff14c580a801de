"""The console's vocabulary: firmware/app/wire.h, the firmware that prints it, and harness/wire.py that reads it.

Its frames' codec, firmware/app/frame.c, is held to harness/frames.py in test_frame_codec.py.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from harness import wire
from harness.paths import data_folder
from harness.user_library import build

FIRMWARE = data_folder("firmware")
HEADER = FIRMWARE / "app" / "wire.h"
SOURCES = [path for path in sorted(FIRMWARE.rglob("*")) if path.suffix in (".c", ".cc", ".h") and path != HEADER]

DEFINED = dict(re.findall(r"^#define (WIRE_\w+) \"?([\w-]+)\"?", HEADER.read_text(), re.MULTILINE))
USED = {name for path in SOURCES for name in re.findall(r"\bWIRE_[A-Z_]+\b", path.read_text())}

# Values that fit each kind of key, as print.c writes them.
SAMPLES = {"text": "reference", "unsigned": "0", "signed": "-1", "hex32": "000000d4", "hex64": "00000000000000d4"}
# Printed for people who read the log.
NOT_READ = {("arena", "size"), ("fault", "xpsr")}


def printed() -> dict[str, list[tuple[str, str]]]:
    """Keys of each word with the kind of value, in the order in which the firmware's sources print them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in SOURCES:
        for name, body in re.findall(r"print_begin\(WIRE_(\w+)\);(.*?)print_end\(\);", path.read_text(), re.DOTALL):
            calls = re.findall(r"print_(text|unsigned|signed|hex32|hex64)\(\"(\w+)\"", body)
            keys = [(key, kind) for kind, key in calls]
            known = found.setdefault(DEFINED[f"WIRE_{name}"], keys)
            assert dict(known).keys() == dict(keys).keys(), f"{path} prints other keys of {name} than another source"
    return found


PRINTED = printed()


def line(word: str, keys: list[tuple[str, str]]) -> str:
    values = {"stage": wire.STAGES[0], "wire": str(wire.VERSION), "size": "1"}
    text = " ".join(f"{key}={values.get(key, SAMPLES[kind])}" for key, kind in keys)
    return f"@{word} {text}\n" + ("@data ff\n" if word in ("output", "dump") else "")


def test_the_header_defines_what_the_parser_knows() -> None:
    words, stages, statuses = [], [], {}
    for name, value in DEFINED.items():
        if name.startswith("WIRE_STAGE_"):
            stages.append(value)
        elif name.startswith("WIRE_STATUS_"):
            statuses[name.removeprefix("WIRE_")] = int(value)
        elif name != "WIRE_VERSION" and not name.startswith("WIRE_FRAME_"):
            words.append(value)
    assert int(DEFINED["WIRE_VERSION"]) == wire.VERSION
    assert tuple(words) == wire.WORDS
    assert tuple(stages) == wire.STAGES
    assert statuses == {name: getattr(wire, name) for name in dir(wire) if name.startswith("STATUS_")}


def test_frames_have_the_same_numbers_on_both_sides() -> None:
    ours = {name: value for name, value in vars(wire).items() if name.startswith("FRAME_") and isinstance(value, int)}
    theirs = {name.removeprefix("WIRE_"): int(value, 0) for name, value in DEFINED.items() if "_FRAME_" in name}
    assert ours == theirs
    types = [value for name, value in theirs.items() if name.removeprefix("FRAME_") in wire.FRAME_NAMES.values()]
    assert sorted(types) == sorted(wire.FRAME_NAMES)
    assert {wire.FRAME_NAMES[theirs[f"FRAME_{name}"]] for name in wire.FRAME_NAMES.values()} == {
        *wire.FRAME_NAMES.values()
    }


def test_the_firmware_answers_each_request_and_tells_each_error() -> None:
    served = (FIRMWARE / "app" / "serve.cc").read_text() + (FIRMWARE / "app" / "frame.c").read_text()
    # Units are the harness's to send, as is COUNTS: the firmware has no counter.
    frames = {name for name in DEFINED if name.startswith("WIRE_FRAME_") and "_UNIT_" not in name}
    assert {name for name in frames if name not in served} == {"WIRE_FRAME_COUNTS"}


def test_the_firmware_uses_defined_words_and_prints_all_of_them() -> None:
    assert not USED - set(DEFINED)
    words = {name for name in DEFINED if not name.startswith(("WIRE_STAGE_", "WIRE_STATUS_", "WIRE_FRAME_"))}
    assert not words - USED
    # "log" and "data" have no keys of their own: free text, and bytes (see below).
    assert set(PRINTED) - {"log", "data"} == set(wire.WORDS) - {"log", "data"}


@pytest.mark.parametrize(
    ("word", "keys"), [item for item in PRINTED.items() if item[0] not in ("log", "data")], ids=lambda value: str(value)
)
def test_the_parser_reads_each_key_that_is_printed(word: str, keys: list[tuple[str, str]]) -> None:
    wire.parse(line(word, keys))
    for key, kind in keys:
        rest = [item for item in keys if item != (key, kind)]
        if (word, key) in NOT_READ:
            wire.parse(line(word, rest))
        else:
            with pytest.raises(wire.WireError, match=key):
                wire.parse(line(word, rest))


def test_log_lines_begin_as_the_parser_expects() -> None:
    begins = [begin for path in SOURCES for begin in re.findall(r"WIRE_LOG\);\s*(\S.*)", path.read_text())]
    assert begins == ['hal_write(" text=", 6);'] * 3
    assert wire.parse("@log text=a  message = of TFLM \n").log == ("a  message = of TFLM",)


def test_texts_of_the_firmware_hold_no_blanks() -> None:
    vintage = re.search(r'set\(HARNESS_VINTAGE "([^"]*)"', (FIRMWARE / "CMakeLists.txt").read_text())
    words = r'(?:harness_kernels\[\] =|#define HARNESS_KERNELS) "([^"]*)"'
    kernels = re.findall(words, (FIRMWARE / "kernels" / "ops.cc").read_text())
    assert vintage is not None
    assert len(kernels) == 2
    for text in (vintage[1], *kernels, *build._WORDS.values()):
        assert re.fullmatch(r"\S+", text)


MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "hal.h"
#include "print.h"
#include "wire.h"

void hal_write(const char *bytes, size_t size) { fwrite(bytes, 1, size, stdout); }

int main(int argc, char **argv) {
  (void)argc;
  const char *kind = argv[1];
  uint32_t value = (uint32_t)strtoul(argv[2], NULL, 10);
  if (*kind == 's') { print_begin(WIRE_END); print_signed("status", (int32_t)value); print_end(); }
  if (*kind == 'u') { print_begin(WIRE_NEEDED); print_unsigned("size", value); print_end(); }
  if (*kind == 'h') {
    print_begin(WIRE_NODE); print_unsigned("index", 0); print_hex32("crc32", value); print_end();
  }
  if (*kind == 't') {
    print_begin(WIRE_BEGIN); print_unsigned("wire", WIRE_VERSION); print_text("tflm", argv[2]);
    print_text("kernels", "k"); print_end();
  }
  if (*kind == 'd') {
    static uint8_t bytes[256];
    for (uint32_t i = 0; i < value; ++i) bytes[i] = (uint8_t)(255 - 7 * i);
    print_begin(WIRE_OUTPUT); print_unsigned("index", 0); print_unsigned("size", value); print_end();
    print_data(bytes, value);
  }
  return 0;
}
"""

Printer = Callable[[str, object], str]


@pytest.fixture(scope="module")
def printer(tmp_path_factory: pytest.TempPathFactory) -> Printer:
    """The firmware's own print.c on this machine: what it writes for a kind and a value."""
    folder = tmp_path_factory.mktemp("print")
    source, program = folder / "main.c", folder / "main"
    source.write_text(MAIN)
    subprocess.run(
        ["gcc", "-Wall", "-Werror", f"-I{FIRMWARE / 'app'}", f"-I{FIRMWARE / 'hal'}", source,
         FIRMWARE / "app" / "print.c", "-o", program],
        check=True,
    )  # fmt: skip
    return lambda kind, value: (
        subprocess.run([program, kind, str(value)], check=True, capture_output=True, text=True).stdout
    )


@pytest.mark.parametrize("value", [0, 9, 10, 4294967295, 4294967290, 1000000000])
def test_unsigned_numbers_as_the_firmware_prints_them(printer: Printer, value: int) -> None:
    assert wire.parse(printer("unsigned", value)).arena_needed == value


@pytest.mark.parametrize("value", [0, 1, -1, -10, 2**31 - 1, -(2**31)])
def test_signed_numbers_as_the_firmware_prints_them(printer: Printer, value: int) -> None:
    assert wire.parse(printer("signed", value % 2**32)).status == value


@pytest.mark.parametrize("value", [0, 0xF, 0x10, 0xDEADBEEF, 0xFFFFFFFF])
def test_hexadecimal_numbers_as_the_firmware_prints_them(printer: Printer, value: int) -> None:
    text = printer("hex", value)
    assert wire.parse(text).crcs == (value,)
    assert text == f"@node index=0 crc32={value:08x}\n"


def test_text_as_the_firmware_prints_it(printer: Printer) -> None:
    assert wire.parse(printer("text", "2020-07")).tflm == "2020-07"


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 255])
def test_data_as_the_firmware_prints_them(printer: Printer, size: int) -> None:
    text = printer("data", size)
    assert wire.parse(text).outputs == (bytes((255 - 7 * index) % 256 for index in range(size)),)
    lengths = [len(line) for line in text.splitlines()[1:]]
    assert lengths == [len("@data ") + 64] * (size // 32) + [len("@data ") + 2 * (size % 32)] * (size % 32 > 0)
