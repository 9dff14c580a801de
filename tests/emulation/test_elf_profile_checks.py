"""What is said of firmware before it runs: the file, the core, the FPU, the memories, the vector table, the names."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.elfprofile import measure
from harness.elfprofile.measure import Request
from harness.errors import BadInputError
from tests.emulation import elf_maker

LOOP = " func work\n movs r0, #1\n bx lr\n endfunc work\n func reset\n 1: bl work\n b 1b\n endfunc reset\n"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return elf_maker.build(tmp_path_factory.mktemp("checks"), LOOP)


def refusal(path: Path, platform: str = "mps2-an386", **changes: object) -> str:
    with pytest.raises(BadInputError) as raised:
        measure.check(Request(path=path, platform=platform, **changes))  # type: ignore[arg-type]
    assert raised.value.exit_code == 2
    return raised.value.message


def changed(elf: Path, folder: Path, change: Callable[[bytearray], object]) -> Path:
    content = bytearray(elf.read_bytes())
    change(content)
    path = folder / "changed.elf"
    path.write_bytes(content)
    return path


def put(offset: int, layout: str, value: int) -> Callable[[bytearray], object]:
    return lambda content: struct.pack_into(layout, content, offset, value)


HEADER: dict[str, tuple[int, str, int]] = {
    "not an ELF file": (0, "<I", 0x12345678),
    "a 64-bit ELF file": (4, "<B", 2),
    "big-endian": (5, "<B", 2),
    "damaged: class 7": (4, "<B", 7),
    "built for RISC-V, not for Arm": (18, "<H", 243),
    "an object file, not linked": (16, "<H", 1),
    "a shared object": (16, "<H", 3),
    "a core dump": (16, "<H", 4),
    "program headers of 32 bytes at 4294967295 do not fit": (28, "<I", 0xFFFFFFFF),
    "section headers of 40 bytes at 4294967295 do not fit": (32, "<I", 0xFFFFFFFF),
}


@pytest.mark.parametrize("message", HEADER)
def test_header(message: str, elf: Path, tmp_path: Path) -> None:
    assert message in refusal(changed(elf, tmp_path, put(*HEADER[message])))


def test_file_that_is_not_there_or_cut_off(elf: Path, tmp_path: Path) -> None:
    assert "cannot be read (No such file" in refusal(tmp_path / "none.elf")
    assert "damaged" in refusal(changed(elf, tmp_path, lambda content: content.__delitem__(slice(200, None))))


def test_cores(elf: Path, tmp_path: Path) -> None:
    assert "built for ARMv7E-M; mps2-an385 is a cortex-m3 (ARMv7-M)" in refusal(elf, "mps2-an385")
    newer = elf_maker.build(tmp_path, LOOP, cpu="cortex-m33")
    assert "built for ARMv8-M.main; mps2-an386 is a cortex-m4 (ARMv7E-M)" in refusal(newer)
    older = elf_maker.build(tmp_path, LOOP, cpu="cortex-m0", name="older")
    assert measure.check(Request(path=older, platform="mps2-an386")).machine.name == "mps2-an386"


def test_fpu(tmp_path: Path) -> None:
    source = "  .fpu fpv5-d16\n" + LOOP
    assert "built for the FPU FPv5-D16; mps2-an386, a cortex-m4, has the FPU fpv4-sp-d16" in refusal(
        elf_maker.build(tmp_path, source, cpu="cortex-m7")
    )
    assert "has no FPU" in refusal(
        elf_maker.build(tmp_path, "  .fpu fpv4-sp-d16\n" + LOOP, cpu="cortex-m3"), "mps2-an385"
    )


def test_memories(elf: Path, tmp_path: Path) -> None:
    # The first program header's two addresses.
    moved = changed(elf, tmp_path, lambda content: struct.pack_into("<II", content, 52 + 8, 0x08000000, 0x08000000))
    assert "at 0x08000000 are in no memory of mps2-an386" in refusal(moved)
    message = refusal(moved, "stm32l496zg")
    assert "at 0x08000000 are in no memory of mps2-an386, which stands in for stm32l496zg" in message
    assert measure.check(Request(path=elf, platform="stm32l496zg")).machine.name == "mps2-an386"


def test_vector_table(elf: Path, tmp_path: Path) -> None:
    start = struct.unpack_from("<I", elf.read_bytes(), 52 + 4)[0]  # of the first segment
    assert "begins with 0x30000000, which is no stack" in refusal(changed(elf, tmp_path, put(start, "<I", 0x30000000)))
    even = struct.unpack_from("<I", elf.read_bytes(), start + 4)[0] & ~1
    assert "has no Thumb bit" in refusal(changed(elf, tmp_path, put(start + 4, "<I", even)))
    assert "is not in the firmware's code" in refusal(changed(elf, tmp_path, put(start + 4, "<I", 0x20000001)))


def test_options(elf: Path) -> None:
    assert "has no function 'wrk'" in refusal(elf, regions=("a=wrk",))
    assert "two regions are named 'a'" in refusal(elf, regions=("a=work", "a=reset"))
    assert "are the same function" in refusal(elf, regions=("a=work", "b=work"))
    assert "names nothing" in refusal(elf, regions=("=work",))
    assert "no regions are known as 'cmsis'" in refusal(elf, presets=("cmsis",))
    assert "there is no code at 0x20000000" in refusal(elf, regions=("a=0x20000000",))


NAMES = {
    "one.cc": """
namespace net { struct Runner { int Invoke(); int Invoke(int); int Stop(); }; }
static int __attribute__((noinline)) helper() { asm volatile(""); return 1; }
int net::Runner::Invoke() { return helper(); }
int net::Runner::Stop() { return helper() + 3; }
extern "C" int other();
extern "C" void reset() { net::Runner runner; runner.Invoke(); runner.Stop(); other(); for (;;) {} }
extern "C" void fault() { for (;;) {} }
""",
    "two.cc": """
static int __attribute__((noinline)) helper() { asm volatile(""); return 2; }
extern "C" int other() { return helper() + 1; }
""",
    "vectors.S": ' .section .vectors, "a"\n .word 0x20008000, reset\n .rept 14\n .word fault\n .endr\n',
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C++ with static functions of one name in two files."""
    folder = tmp_path_factory.mktemp("names")
    for name, text in NAMES.items():
        (folder / name).write_text(text)
    script = elf_maker.selftest.data_folder("firmware") / "selftest" / "selftest.ld"
    places = "-Wl,--defsym=CODE=0,--defsym=RAM=0x20000000,--unresolved-symbols=ignore-all"
    flags = ("-mcpu=cortex-m4", "-mthumb", "-O1", "-fno-exceptions", "-nostdlib", places, "-T", script)
    subprocess.run(
        ["arm-none-eabi-g++", *flags, *(folder / name for name in NAMES), "-o", folder / "names.elf"], check=True
    )
    return folder / "names.elf"


@pytest.mark.parametrize(
    "text", ["net::Runner::Invoke()", "net::Runner::Invoke", "Runner::Invoke", "Invoke", "_ZN3net6Runner6InvokeEv"]
)
def test_names_of_cpp_functions(text: str, names: Path) -> None:
    checked = measure.check(Request(path=names, platform="mps2-an386", regions=(f"x={text}",)))
    assert [item.name for _, item in checked.regions] == ["net::Runner::Invoke()"]


def test_ambiguous_names(names: Path) -> None:
    message = refusal(names, regions=("helper",))
    assert "'helper' may be any of 2 functions" in message
    assert "(one.cc)" in message and "(two.cc)" in message
    assert "'Runner' may be any of 2 functions" in refusal(names, regions=("Runner",))


def test_static_functions_by_their_file(names: Path) -> None:
    regions = ("a=one.cc:helper", "b=two.cc:helper()", "o=other")
    profile = measure.run(Request(path=names, platform="mps2-an386", regions=regions, instruction_limit=200)).profile
    assert [item.calls for item in profile.regions] == [2, 1, 1]
    files = {item.file for item in profile.functions or () if item.name == "helper()"}
    assert files == {"one.cc", "two.cc"}


def test_memories_of_qemus_machines_alone_are_refused_on_renode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack in the PSRAM of QEMU's MPS2, which the description for Renode leaves out."""
    monkeypatch.setattr(elf_maker, "HEAD", elf_maker.HEAD.replace("{stack:#x}", "0x21001000"))
    elf = elf_maker.build(tmp_path, "  func reset\n  b reset\n  endfunc reset\n")
    measure.check(Request(path=elf, platform="mps2-an386", regions=("reset",)))
    with pytest.raises(BadInputError, match="0x21001000, which is no stack in memory"):
        measure.check(Request(path=elf, platform="mps2-an386", regions=("reset",), emulator="renode"))
