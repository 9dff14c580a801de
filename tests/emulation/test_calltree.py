"""Trees of calls and deepest stacks: hand-counted assembly, C beside its own debug information, real networks."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.callframe import FDE, CFARule
from elftools.elf.elffile import ELFFile

from harness import pipeline, platforms, run, store
from harness.calltree import measure, stacks, tree
from harness.calltree.frames import Code
from harness.calltree.measure import Followed
from harness.calltree.stacks import Stacks
from harness.elf import Elf
from harness.emulators import flows
from harness.errors import BadInputError
from harness.result import Result
from harness.selftest import data_folder
from tests.conftest import DIGITS
from tests.emulation import elf_maker

SEQUENCE = ("setup", "layer 0", "end")

# What each function holds where it calls the next one: reset 8, outer 20 + 12, big 8 + 1040, tail none, last 4 + 16.
ASSEMBLY = """
  func reset
  push {r4, lr}
  bl harness_mark
  bl outer
  bl harness_mark
  bl harness_end
  b .
  endfunc reset
  func harness_mark
  bx lr
  endfunc harness_mark
  func harness_end
  b .
  endfunc harness_end
  func outer
  push {r4, r5, r6, r7, lr}
  sub sp, #12
  bl big
  bl big
  add sp, #12
  pop {r4, r5, r6, r7, pc}
  endfunc outer
  func big
  push {r4, lr}
  ldr r4, =-1040
  add sp, r4
  bl tail
  ldr r4, =1040
  add sp, r4
  pop {r4, pc}
  .ltorg
  endfunc big
  func tail
  push {r4, lr}
  pop {r4, lr}
  b last
  endfunc tail
  func last
  str r4, [sp, #-4]!
  sub sp, #16
  add sp, #16
  ldr r4, [sp], #4
  bx lr
  endfunc last
"""


def followed(elf: Path, platform: str = "mps2-an386") -> Followed:
    machine = platforms.load(platform)
    return measure.follow(Elf(elf), machine, machine.core, "arm-none-eabi-c++filt", 60.0)


def code_of(found: Followed) -> Code:
    return Code(found.ran.flow, found.armv8, measure._words(found.elf))


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    return followed(elf_maker.build(tmp_path_factory.mktemp("assembly"), ASSEMBLY))


def test_the_tree_of_hand_counted_assembly(assembly: Followed) -> None:
    flow, name = assembly.ran.flow, assembly.elf.function_at
    numbers: dict[str, int] = {}
    layer = flow.segments[1]
    found = tree.nodes(flow, tree.Counts(flow, [layer]), 40, 0.0, lambda at: numbers.setdefault(name(at), len(numbers)))
    names = {number: text for text, number in numbers.items()}
    rows = {
        (names[item.function or 0], item.parent): (item.calls, item.inclusive, item.exclusive)
        for item in found
        if item.function is not None
    }
    # The mark's return, the call of outer and that of the next mark; twice big with 7, tail with 3 and last with 5.
    assert rows == {
        ("reset", None): (0, 39, 2),
        ("harness_mark", 0): (1, 1, 1),
        ("outer", 0): (1, 36, 6),
        ("big", 2): (2, 30, 14),
        ("tail", 3): (2, 16, 6),
        ("last", 4): (2, 10, 10),
    }
    assert [len(flow.segments), sum(item.exclusive for item in found)] == [3, 39]


def test_the_deepest_stack_of_hand_counted_assembly(assembly: Followed) -> None:
    flow = assembly.ran.flow
    known = Stacks(flow, code_of(assembly))
    path = stacks.path(known, flow, SEQUENCE, 1100, assembly.elf.function_at)
    assert path is not None
    held = [(frame.function, frame.bytes) for frame in path.frames]
    assert held == [("reset", 8), ("outer", 32), ("big", 1048), ("tail", 0), ("last", 20)]
    assert (path.bytes, path.measured, path.segment) == (1108, 1100, "layer 0")
    assert path.note == "8 bytes at its bottom were never written, which the high-water mark cannot see"


def test_what_cannot_be_known_is_said(tmp_path: Path) -> None:
    source = ASSEMBLY.replace("  sub sp, #16\n  add sp, #16\n", "  mov r3, sp\n  sub sp, sp, r0\n  mov sp, r3\n")
    found = followed(elf_maker.build(tmp_path, source))
    flow = found.ran.flow
    known = Stacks(flow, code_of(found))
    path = stacks.path(known, flow, SEQUENCE, 1100, found.elf.function_at)
    assert path is not None
    # Nothing counts of what is not known, so that what pushed two registers before seems the deepest.
    assert [(frame.function, frame.bytes) for frame in path.frames[2:]] == [("big", 1048), ("tail", 8)]
    why = "the size of its frame is known only while it runs (sub sp, sp, r0)"
    assert path.note == f"4 bytes of the high-water mark are not explained; a deeper path may lead through last: {why}"
    names = measure._Names(found.elf, flow, found.cxxfilt)
    assert measure._Trees(flow, names, known, SEQUENCE).of(0, "layer 0").stack is None
    assert measure._Trees(flow, names, known, SEQUENCE).of(None, "setup").stack == 8


def test_exceptions_leave_the_deepest_stack_open(tmp_path: Path) -> None:
    source = ASSEMBLY.replace("  bl big\n  bl big\n", "  svc #0\n  bl big\n") + "  func svc\n  bx lr\n  endfunc svc\n"
    flow = (found := followed(elf_maker.build(tmp_path, source))).ran.flow
    assert flow.notes.exceptions == 1
    assert stacks.path(Stacks(flow, code_of(found)), flow, SEQUENCE, 1100, found.elf.function_at) is None


# Frames of all kinds that a compiler makes: arrays, saved registers of the FPU, a switch by a table, a tail call, a
# recursion, a frame larger than an immediate.
PROGRAM = """
  volatile int sink;
  volatile float real = 1.5f;
  __attribute__((noinline)) int leaf(int n) { int t[5]; for (int i = 0; i < 5; ++i) t[i] = n + i; sink = t[n % 5]; return t[2]; }
  __attribute__((noinline)) int wide(int n) { int t[600]; for (int i = 0; i < 600; ++i) t[i] = sink + i; sink = t[n]; return leaf(t[n]); }
  __attribute__((noinline)) float reals(int n) {
    float a = real, b = a * 2, c = b + a, d = c * b;
    int k = leaf(n);
    return a * b + c * d + (float)k;
  }
  __attribute__((noinline)) int chosen(int n) {
    int t[3] = {n, n + 1, sink};
    switch (n) {
      case 0: return leaf(t[0]) + 1;
      case 1: return wide(t[1]) * 3;
      case 2: return (int)reals(t[2]) - 7;
      case 3: return leaf(5) ^ t[0];
      case 4: return leaf(t[1]) * 11;
      case 5: return wide(9) + 13;
      default: return t[2];
    }
  }
  __attribute__((noinline)) int again(int n) { int t[4] = {n, sink, n, n}; return n ? again(n - 1) + t[sink & 3] : chosen(1); }
  __attribute__((noinline)) void harness_mark(void) { __asm__ volatile(""); }
  __attribute__((noinline, noreturn)) void harness_end(void) { for (;;) __asm__ volatile(""); }
  void fault(void) { for (;;) {} }
  void start(void) {
    harness_mark();
    for (int i = 0; i < 7; ++i) sink += chosen(i);
    sink += again(3);
    harness_mark();
    harness_end();
  }
  __attribute__((naked)) void reset(void) {
  #ifdef __ARM_FP
    __asm__ volatile("ldr r0, =0xe000ed88; mov r1, #0xf00000; str r1, [r0]; dsb; isb");
  #endif
    __asm__ volatile("bl start");
  }
  extern char STACK[];
  __attribute__((section(".vectors"), used)) void *const vectors[16] = {STACK, reset, fault, fault};
"""  # noqa: E501


def compiled(folder: Path, platform: str, *flags: str) -> Path:
    machine = platforms.load(platform).machine
    text, elf = folder / "program.c", folder / "program.elf"
    text.write_text(PROGRAM)
    places = {"CODE": machine.vectors, "RAM": machine.ram.origin, "STACK": machine.ram.origin + 0x8000}
    options = ",".join(f"--defsym={name}={value:#x}" for name, value in places.items())
    script = data_folder("firmware") / "selftest" / "selftest.ld"
    command = ["arm-none-eabi-gcc", "-mthumb", "-g", "-ffreestanding", "-nostdlib", f"-Wl,{options}", "-T", script]
    subprocess.run([*command, *flags, text, "-lgcc", "-o", elf], check=True)
    return elf


def by_debug_information(elf: Path) -> dict[int, tuple[int, int]]:
    """Of each row of .debug_frame: where it begins, where its function ends, and the stack there, where SP tells it."""
    rows: dict[int, tuple[int, int]] = {}
    with elf.open("rb") as file:
        for entry in ELFFile(file).get_dwarf_info().CFI_entries():
            if not isinstance(entry, FDE):
                continue
            table = entry.get_decoded().table
            ends = [row["pc"] for row in table[1:]] + [entry["initial_location"] + entry["address_range"]]
            for row, end in zip(table, ends, strict=True):
                rule: Any = row["cfa"]
                if isinstance(rule, CFARule) and rule.reg == 13:
                    rows[row["pc"]] = end, rule.offset
    return rows


@pytest.mark.parametrize(
    ("platform", "flags"),
    [
        ("mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-O2")),
        ("mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os")),
        ("mps2-an385", ("-mcpu=cortex-m0", "-O2", "-mno-unaligned-access")),
        ("mps2-an386", ("-mcpu=cortex-m4", "-O0")),
    ],
)
def test_frames_are_those_of_the_debug_information(platform: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    found = followed(compiled(tmp_path, platform, *flags), platform)
    flow, code = found.ran.flow, code_of(found)
    rows = by_debug_information(found.elf.path)
    own = [number for number, node in enumerate(flow.nodes) if node.function in rows]
    compared = set()
    for node in own:
        name, depths = found.elf.function_at(flow.nodes[node].function), code.depths(node)
        assert not isinstance(depths, str), (name, depths)
        for number, depth in depths.items():
            address, _, mnemonic, operands = (code.piece(number).instructions or ())[-1]
            end, offset = rows[max(row for row in rows if row <= address)]
            if address < end and "sp" not in operands and not mnemonic.startswith(("push", "pop", "vpush", "vpop")):
                assert depth.at_end == offset, (name, hex(address), mnemonic, operands)
                compared.add(address)
    assert len(compared) >= (10 if "-O0" in flags else 20)  # without optimisation the frame pointer tells most places
    path = stacks.path(Stacks(flow, code), flow, SEQUENCE, 0, found.elf.function_at)
    assert path is not None
    names = [frame.function for frame in path.frames]
    assert names[:8] == ["reset", "start", "again", "again", "again", "again", "chosen", "wide"]
    assert all(frame.bytes is not None for frame in path.frames)
    assert (path.frames[7].bytes or 0) > 2400


@pytest.mark.parametrize(("platform", "kernels"), [("mps2-an386", "cmsis-nn"), ("rp2040", "cmsis-nn")])
def test_digits_closes_and_its_deepest_stack_is_the_high_water_mark(platform: str, kernels: str, results: Path) -> None:
    result = run(DIGITS, platform, kernels=kernels, calls=True)
    assert result.calls is not None
    assert [item.index for item in result.calls.layers] == list(range(len(result.layers)))
    for layer, calls in zip(result.layers, result.calls.layers, strict=True):
        assert calls.nodes[0].inclusive == layer.instructions == sum(node.exclusive for node in calls.nodes)
        assert_nested(result, calls.nodes)
        named = exclusive_of(result, calls.nodes)
        merged = sum(node.exclusive for node in calls.nodes if node.function is None)
        assert merged < 0.02 * layer.instructions
        for name, count in named.items():
            # The counter gives a block to the function where it begins: of these, one runs on into the other.
            if name not in ("__subdf3", "__aeabi_dadd"):
                assert 0 <= (layer.functions or {})[name] - count <= merged, name
    assert result.calls.overhead.nodes[0].inclusive == result.counts.overhead
    path = result.calls.deepest
    assert path is not None
    assert path.bytes == sum(frame.bytes or 0 for frame in path.frames)
    assert (path.measured, path.note) == (result.memory.stack, None)
    # Nothing of these frames stays unwritten, so the two are equal; other compilers may leave a few words.
    assert 0 <= path.bytes - path.measured <= 32
    assert path.frames[0].function == "reset_handler"
    depths = [item.stack for item in result.calls.layers]
    assert max(depth or 0 for depth in depths) == path.bytes
    assert path.segment == f"layer {depths.index(path.bytes)}"


def assert_nested(result: Result, nodes: Any) -> None:
    """A caller's instructions are its own and those of what it calls."""
    for number, node in enumerate(nodes):
        below = sum(item.inclusive for item in nodes if item.parent == number)
        assert node.inclusive == node.exclusive + below
        assert node.parent is None or node.parent < number


def exclusive_of(result: Result, nodes: Any) -> dict[str, int]:
    assert result.calls is not None
    found: dict[str, int] = {}
    for node in nodes:
        if node.function is not None:
            name = result.calls.functions[node.function]
            found[name] = found.get(name, 0) + node.exclusive
    return found


def test_a_run_with_calls_is_one_of_its_own_and_counts_the_same(results: Path) -> None:
    plain, with_calls = run(DIGITS, "mps2-an386"), run(DIGITS, "mps2-an386", calls=True)
    assert plain.calls is None
    assert plain.run_id != with_calls.run_id
    assert plain.counts == with_calls.counts
    assert plain.layers == with_calls.layers
    assert store.load(with_calls.run_id).calls == with_calls.calls is not None
    assert with_calls.identity.calls == with_calls.calls.counter


def test_renode_is_refused_before_anything_is_built(results: Path) -> None:
    with pytest.raises(BadInputError, match="calls cannot be followed on renode"):
        pipeline.run(DIGITS, "mps2-an386", emulator="renode", calls=True)


def test_segments_add_up_to_the_whole(assembly: Followed) -> None:
    flow = assembly.ran.flow
    counted = [int(segment.cells[:, 2] @ flow.instructions[segment.cells[:, 1]]) for segment in flow.segments]
    assert sum(counted) == flow.notes.executed
    assert counted == [2, 39, 2]
    assert [node.kind for node in flow.nodes].count(flows.THREAD) == 1
