"""platforms/ and its loader: every shipped file, every rule that refuses a wrong one, the compiler flags per core."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness import cores, platforms
from harness.errors import BadInputError
from harness.paths import data_folder
from harness.records import Region

BOARDS = (
    "nrf52840",
    "rp2040",
    "stm32f446re",
    "stm32f469ni",
    "stm32f746zg",
    "stm32f767zi",
    "stm32l496zg",
    "stm32l4r5zi",
    "stm32u575",
)
MACHINES = ("microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")

# core, KiB of flash, KiB of contiguous RAM, MHz: typed again from the datasheets, so that a slip in a file shows
EXPECTED = {
    "nrf52840": ("cortex-m4", 1024, 256, 64),
    "rp2040": ("cortex-m0plus", 2048, 264, 133),
    "stm32f446re": ("cortex-m4", 512, 128, 180),
    "stm32f469ni": ("cortex-m4", 2048, 320, 180),
    "stm32f746zg": ("cortex-m7", 1024, 320, 216),
    "stm32f767zi": ("cortex-m7", 2048, 512, 216),
    "stm32l496zg": ("cortex-m4", 1024, 320, 80),
    "stm32l4r5zi": ("cortex-m4", 2048, 640, 120),
    "stm32u575": ("cortex-m33", 2048, 768, 160),
    "microbit": ("cortex-m0", 256, 16, 16),
    "mps2-an385": ("cortex-m3", 4096, 4096, 25),
    "mps2-an386": ("cortex-m4", 4096, 4096, 25),
    "mps2-an500": ("cortex-m7", 4096, 4096, 25),
    "mps2-an505": ("cortex-m33", 4096, 4096, 20),
    "mps3-an547": ("cortex-m55", 2048, 4096, 32),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of platforms/ that a test may damage."""
    copy = tmp_path / "platforms"
    shutil.copytree(data_folder("platforms"), copy)
    return copy


def edit(folder: Path, name: str, pattern: str, replacement: str) -> None:
    """Replace the one match of ``pattern`` in a platform.toml."""
    path = folder / name / "platform.toml"
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{pattern!r} matches {count} times in {name}"
    path.write_text(text)


def refusal(folder: Path, name: str) -> str:
    with pytest.raises(BadInputError) as caught:
        platforms.load(name, folder)
    assert str(folder / name / "platform.toml") in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


# --- what is shipped -------------------------------------------------------------------------------------------------


def test_names_are_the_boards_and_machines() -> None:
    assert platforms.names() == tuple(sorted(BOARDS + MACHINES))


@pytest.mark.parametrize("name", BOARDS + MACHINES)
def test_shipped_platform(name: str) -> None:
    platform = platforms.load(name)
    core, flash_kib, ram_kib, mhz = EXPECTED[name]
    assert (platform.core, platform.clock_hz) == (core, mhz * 1_000_000)
    assert platform.flash.size_bytes == flash_kib * 1024
    assert platform.ram.size_bytes == ram_kib * 1024
    assert platform.kind == ("board" if name in BOARDS else "machine")
    assert (data_folder("platforms") / name / "README.md").is_file()


def test_boards_come_before_machines() -> None:
    assert [platform.name for platform in platforms.all()] == [*BOARDS, *MACHINES]


@pytest.mark.parametrize("name", BOARDS)
def test_stand_in_is_large_enough_for_the_board(name: str) -> None:
    board = platforms.load(name)
    assert board.machine.qemu is None
    machine = platforms.load(board.machines[0])
    assert machine.machine.qemu is not None
    assert machine.flash.size_bytes >= board.flash.size_bytes
    assert machine.ram.size_bytes >= board.ram.size_bytes


@pytest.mark.parametrize("name", MACHINES)
def test_machine_names_itself_first_and_shares_its_memory(name: str) -> None:
    platform = platforms.load(name)
    machine = platform.machine
    assert machine.qemu is not None
    assert platform.machines[0] == name
    assert (machine.core, machine.flash, machine.ram) == (platform.core, platform.flash, platform.ram)
    assert cores.get(machine.core).qemu_cpu is not None


def test_vectors_lie_elsewhere_on_the_m55_and_behind_the_boot_loader() -> None:
    elsewhere = {
        platform.name: platform.machine.vectors
        for platform in platforms.all()
        if platform.machine.vectors != platform.flash.origin
    }
    assert elsewhere == {"mps3-an547": 0, "rp2040": 0x10000100}


def test_a_microbit_that_is_too_small_gives_way_to_the_m3() -> None:
    assert platforms.load("microbit").machines == ("microbit", "mps2-an385")


def test_m0_code_on_an_m3_is_noted() -> None:
    for name in ("microbit", "rp2040"):
        assert any("does not trap" in note for note in platforms.load(name).notes)


def test_identity_is_the_sha256_of_the_file(folder: Path) -> None:
    before = platforms.load("rp2040", folder)
    assert before.sha256 == platforms.load("rp2040").sha256
    edit(folder, "rp2040", r"size_kib = 2048", "size_kib = 16384")
    after = platforms.load("rp2040", folder)
    assert after.flash == Region(origin=0x10000000, size_bytes=16 * 1024 * 1024)
    assert after.sha256 != before.sha256


# --- unknown names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("stm32l496", "stm32l496zg"),
        ("STM32F767ZI", "stm32f767zi"),
        ("f446", "stm32f446re"),
        ("mps2-an501", "mps2-an505"),
        ("nrf52480", "nrf52840"),
    ],
)
def test_unknown_platform_names_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(BadInputError) as caught:
        platforms.load(wrong)
    assert f"unknown platform '{wrong}'" in caught.value.message
    assert near in caught.value.message
    assert caught.value.hint == "harness platforms lists them"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("wrong", ["", "..", "../platforms/rp2040", "zzzzzzzz"])
def test_unknown_platform_without_a_neighbour(wrong: str) -> None:
    with pytest.raises(BadInputError, match=r"^unknown platform '[^;]*$"):
        platforms.load(wrong)


# --- wrong files -----------------------------------------------------------------------------------------------------


def keys(name: str) -> list[tuple[str, str]]:
    """Every (table, key) of a shipped file; the table of the top level is ''."""
    data = tomllib.loads((data_folder("platforms") / name / "platform.toml").read_text())
    found = []
    for key, value in data.items():
        if not isinstance(value, dict):
            found.append(("", key))
            continue
        for inner, content in value.items():
            if isinstance(content, dict):
                found += [(f"{key}.{inner}", deepest) for deepest in content]
            else:
                found.append((key, inner))
    return found


OPTIONAL = {("", "notes"), ("cpu", "fpu"), ("cpu", "vectors")}  # files stay valid without them
ALL_KEYS = [(name, *key) for name in ("stm32f469ni", "mps3-an547") for key in keys(name)]


def cut(table: str, key: str) -> str:
    """The pattern of the line (or list) of a key inside its table."""
    value = r"(\[\n(?:  .*\n)*\]|.*)"
    if not table:
        return rf"\A((?:.*\n)*?){key} = {value}\n"
    return rf"(^\[{re.escape(table)}\]\n(?:(?!\[).*\n)*?){key} = {value}\n"


@pytest.mark.parametrize(("name", "table", "key"), ALL_KEYS)
def test_missing_key(folder: Path, name: str, table: str, key: str) -> None:
    edit(folder, name, cut(table, key), r"\1")
    if (table, key) in OPTIONAL:
        platforms.load(name, folder)
    else:
        message = refusal(folder, name)
        assert key in message
        # wait states and their source belong together, so the error names the one that is left
        assert ("sources" if key == "wait_states" else table) in message


@pytest.mark.parametrize(("name", "table", "key"), ALL_KEYS)
def test_renamed_key(folder: Path, name: str, table: str, key: str) -> None:
    edit(folder, name, cut(table, key), rf"\1{key}_x = \2\n")
    assert key in refusal(folder, name)


@pytest.mark.parametrize(("name", "table", "key"), ALL_KEYS)
def test_key_of_a_wrong_type(folder: Path, name: str, table: str, key: str) -> None:
    edit(folder, name, cut(table, key), rf"\1{key} = 1.5\n")
    message = refusal(folder, name)
    assert "float" in message
    assert key in message
    assert table in message


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "expected"),
    [
        ("rp2040", r'^title = ".*"', 'title = " "', "title: is empty"),
        ("rp2040", r'^kind = "board"', 'kind = "chip"', "Invalid enum value 'chip'"),
        ("rp2040", r'^kind = "board"', 'kind = "machine"', "machine: a table [machine] belongs"),
        ("microbit", r'^kind = "machine"', 'kind = "board"', "machine: a table [machine] belongs"),
        ("rp2040", r"^stand_ins = .*", "stand_ins = []", "stand_ins: a board needs"),
        ("rp2040", r"^stand_ins = .*", 'stand_ins = ["mps2-an384"]', "no platform 'mps2-an384'; nearest: mps2-an38"),
        ("rp2040", r"^stand_ins = .*", 'stand_ins = ["stm32l496zg"]', "'stm32l496zg' is a board"),
        ("stm32l496zg", r"^stand_ins = .*", 'stand_ins = ["mps2-an385"]', "does not run cortex-m4 code"),
        ("microbit", r"^stand_ins = .*", 'stand_ins = ["mps2-an500"]', "does not run cortex-m0 code"),
        ("rp2040", r'^core = ".*"', 'core = "cortex-m1"', "cpu.core: unknown core 'cortex-m1'"),
        ("rp2040", r'^core = ".*"', r'\g<0>\nfpu = "fpv4-sp-d16"', "cpu.fpu: cortex-m0plus has no FPU"),
        ("stm32l496zg", r'^fpu = ".*"', 'fpu = "fpv5-d16"', "cpu.fpu: cortex-m4 has no FPU 'fpv5-d16'"),
        ("mps3-an547", r'^fpu = ".*"', 'fpu = "fpv5-d16"', "cpu.fpu: cortex-m55 has no FPU 'fpv5-d16'"),
        ("stm32l496zg", r"^dsp = true", "dsp = false", "cpu.dsp: false, but cortex-m4 has it"),
        ("rp2040", r"^dsp = false", "dsp = true", "cpu.dsp: true, but cortex-m0plus has none"),
        ("stm32u575", r"^mve = false", "mve = true", "cpu.mve: true, but cortex-m33 has none"),
        ("rp2040", r"^clock_hz = .*", "clock_hz = 0", "cpu.clock_hz: 0 is not above 0"),
        ("rp2040", r"^size_kib = 264", "size_kib = 0", "ram.size_kib: 0 is not above 0"),
        ("rp2040", r"^size_kib = 2048", "size_kib = -1", "flash.size_kib: -1 is not above 0"),
        ("rp2040", r"^origin = 0x10000000", "origin = 0x10000001", "flash.origin: 0x10000001 is not a multiple"),
        ("rp2040", r"^origin = 0x20000000", "origin = -1024", "ram.origin: -0x400 is not a 32-bit address"),
        ("rp2040", r"^origin = 0x20000000", "origin = 0xffffc000", "ram.size_kib: 264 KiB at 0xffffc000 end beyond"),
        ("rp2040", r"^origin = 0x20000000", "origin = 0x101ffc00", "ram: overlaps flash"),
        ("rp2040", r"^origin = 0x20000000", "origin = 0x0ffffc00", "ram: overlaps flash"),
        ("stm32f469ni", r"^wait_states = 5", "wait_states = 16", "flash.wait_states: 16 is not in 0..15"),
        ("stm32f469ni", r"^wait_states = 5\n", "", "sources.wait_states: names a source for a number that is not"),
        ("stm32f469ni", r'^wait_states = ".*"\n', "", "sources.wait_states: says nothing"),
        ("rp2040", r'^ram = ".*"', 'ram = ""', "sources.ram: says nothing"),
        ("rp2040", r'^ram = ".*"', r'\g<0>\nmachine = "guess"', "sources.machine: names a source"),
        ("microbit", r'^machine = ".*"\n', "", "sources.machine: says nothing"),
        ("microbit", r'^qemu = ".*"', 'qemu = ""', "machine.qemu: is empty"),
        ("microbit", r'^kind = "nrf51"', 'kind = "16550"', "console.kind: unknown UART '16550'"),
        ("microbit", r"^base = .*", "base = 0x20000000", "console.base: 0x20000000 lies in ram"),
        ("microbit", r"^base = .*", "base = 0x00000400", "console.base: 0x00000400 lies in flash"),
        ("microbit", r'^name = ".*"', 'name = "uart 0"', "console.name: 'uart 0' is not a name"),
        ("microbit", r"^interrupts = .*", "interrupts = []", "console.interrupts: one or two numbers"),
        ("microbit", r"^interrupts = .*", "interrupts = [496]", "console.interrupts: one or two numbers"),
        ("mps3-an547", r"^vectors = .*", "vectors = 0x21000000", "cpu.vectors: 0x21000000 lies in ram"),
        ("mps3-an547", r"^vectors = .*", "vectors = 0x00000080", "cpu.vectors: 0x00000080 is not a multiple"),
        ("rp2040", r"^\[cpu\]", "[cpu", "platform.toml: "),
        ("rp2040", r"^\[cpu\]", "[processor]", "unknown field `processor`"),
        ("rp2040", r"^size_kib = 264", 'size_kib = "264"', "Expected `int`, got `str` - at `$.ram.size_kib`"),
        ("rp2040", r"^size_kib = 264", "size_kib = true", "Expected `int`, got `bool` - at `$.ram.size_kib`"),
        ("rp2040", r"^size_kib = 264", "size_kb = 264", "unknown field `size_kb` - at `$.ram`"),
    ],
)
def test_wrong_value(folder: Path, name: str, pattern: str, replacement: str, expected: str) -> None:
    edit(folder, name, pattern, replacement)
    assert expected in refusal(folder, name)


def test_stand_in_without_the_fpu(folder: Path) -> None:
    edit(folder, "mps2-an500", r'^fpu = ".*"', 'fpu = "fpv5-sp-d16"')
    platforms.load("stm32f746zg", folder)
    assert "has FPU fpv5-sp-d16, which does not run fpv5-d16 code" in refusal(folder, "stm32f767zi")


def test_file_that_is_not_utf8(folder: Path) -> None:
    (folder / "rp2040" / "platform.toml").write_bytes(b'title = "\xff"\n')
    refusal(folder, "rp2040")


def test_broken_stand_in_is_named(folder: Path) -> None:
    edit(folder, "mps2-an385", r"^clock_hz = .*", "clock_hz = -1")
    with pytest.raises(BadInputError, match=r"mps2-an385/platform\.toml: cpu\.clock_hz"):
        platforms.load("rp2040", folder)


# --- compiler flags --------------------------------------------------------------------------------------------------

BUILDS = sorted(
    {(platform.core, platform.fpu, hard) for platform in platforms.all() for hard in (False, True)}, key=str
)
GCC = shutil.which("arm-none-eabi-gcc")


@pytest.mark.parametrize(
    ("core", "fpu", "hard", "expected"),
    [
        ("cortex-m0", None, False, "-mcpu=cortex-m0 -mthumb -mfloat-abi=soft"),
        ("cortex-m0plus", None, False, "-mcpu=cortex-m0plus -mthumb -mfloat-abi=soft"),
        ("cortex-m3", None, False, "-mcpu=cortex-m3 -mthumb -mfloat-abi=soft"),
        ("cortex-m4", "fpv4-sp-d16", True, "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard"),
        ("cortex-m4", "fpv4-sp-d16", False, "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft"),
        ("cortex-m7", "fpv5-d16", True, "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard"),
        ("cortex-m7", "fpv5-sp-d16", True, "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard"),
        ("cortex-m33", "fpv5-sp-d16", True, "-mcpu=cortex-m33 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard"),
        ("cortex-m55", "auto", True, "-mcpu=cortex-m55 -mthumb -mfpu=auto -mfloat-abi=hard"),
        ("cortex-m55", "auto", False, "-mcpu=cortex-m55+nofp -mthumb -mfloat-abi=hard"),
    ],
)
def test_flags(core: str, fpu: str | None, hard: bool, expected: str) -> None:
    assert " ".join(cores.flags(core, fpu, hard)) == expected


@pytest.mark.parametrize(
    ("core", "fpu", "expected"),
    [
        ("cortex-m9", None, "unknown core 'cortex-m9'"),
        ("cortex-m3", "fpv4-sp-d16", "cortex-m3 has no FPU 'fpv4-sp-d16'"),
        ("cortex-m3", None, "cortex-m3 without an FPU cannot use hard float"),
        ("cortex-m4", None, "cortex-m4 without an FPU cannot use hard float"),
    ],
)
def test_flags_refuse(core: str, fpu: str | None, expected: str) -> None:
    with pytest.raises(BadInputError, match=expected):
        cores.flags(core, fpu, True)


@pytest.mark.skipif(GCC is None, reason="arm-none-eabi-gcc is not installed")
@pytest.mark.parametrize(("core", "fpu", "hard"), [build for build in BUILDS if build[1] or not build[2]])
def test_compiler_agrees_about_the_core(core: str, fpu: str | None, hard: bool, tmp_path: Path) -> None:
    """What the flags switch on, by the compiler's own macros; and the C++ library of that float ABI links."""
    assert GCC is not None
    flags = cores.flags(core, fpu, hard)
    macros = subprocess.run(
        [GCC, *flags, "-dM", "-E", "-x", "c", "/dev/null"], capture_output=True, text=True, check=True
    ).stdout
    facts = cores.get(core)
    assert ("__ARM_FEATURE_DSP 1" in macros) == facts.dsp
    assert ("__ARM_FEATURE_MVE" in macros) == facts.mve
    assert ("__thumb2__" in macros) == (facts.thumb == 2)
    assert ("__ARM_FP " in macros) == hard
    assert ("__SOFTFP__" in macros) != hard
    if facts.mve:
        assert f"__ARM_FEATURE_MVE {3 if hard else 1}\n" in macros
    program = tmp_path / "program.cc"
    program.write_text(
        "#include <cmath>\n#include <string>\nvolatile float x = 2;\n"
        "int main() { return static_cast<int>(std::sqrt(x)) + std::to_string(static_cast<int>(x)).size(); }\n"
    )
    linked = subprocess.run(
        [
            GCC,
            *flags,
            "--specs=nano.specs",
            "--specs=nosys.specs",
            program,
            "-lstdc++",
            "-lm",
            "-o",
            tmp_path / "a.elf",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linked.returncode == 0, linked.stderr


@pytest.mark.parametrize(
    ("pattern", "replacement", "expected"),
    [
        (r"^read_bytes = 16", "read_bytes = 12", "flash.read_bytes: 12 does not divide lines of 16 bytes"),
        (r"^ways = 64", "ways = 60", "flash.instructions: 64 lines cannot be in sets of 60"),
        (r"(instructions\]\n)line_bytes = 16", r"\1line_bytes = 24", "flash.instructions.line_bytes: 24 is not one of"),
        (r"^prefetch = true\n", "", "flash.prefetch: is missing"),
        (r"^flash_interface = .*\n", "", "sources.flash_interface: says nothing"),
    ],
)
def test_wrong_flash_interface(folder: Path, pattern: str, replacement: str, expected: str) -> None:
    edit(folder, "stm32f469ni", pattern, replacement)
    assert expected in refusal(folder, "stm32f469ni")


def test_flash_interfaces_are_those_of_the_manuals() -> None:
    # Bytes of the lines of instructions and data, bytes of an access: typed again from the manuals.
    known = {item.name: item.flash_interface for item in platforms.all() if item.flash_interface is not None}
    sizes = {
        name: (
            found.instructions.lines * found.instructions.line_bytes,
            None if found.data is None else found.data.lines * found.data.line_bytes,
            found.read_bytes,
        )
        for name, found in known.items()
    }
    l4, f4 = (1024, 256, 8), (1024, 128, 16)
    assert sizes == {
        "stm32l496zg": l4, "stm32l4r5zi": l4, "stm32f446re": f4, "stm32f469ni": f4, "stm32u575": (8192, None, 16),
        "stm32f746zg": (4096, 4096, 32), "stm32f767zi": (16384, 16384, 32),
    }  # fmt: skip
