"""The main job: real firmware on a real emulator, sums that close, outputs that are checked."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness import assemble, elf, flatbuffer, image, pipeline, process, run, sources, toolchain
from harness.errors import BadInputError, EmulationError
from harness.isa import CLASSES
from harness.model_schema import MODEL
from harness.paths import cache_folder
from harness.result import Result
from tests.conftest import DIGITS, ROOT, SHARED_MODELS

# A platform of each core; M0 code that does not fit a micro:bit runs on the M3 machine.
CORES = ("microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
KERNELS = ("reference", "cmsis-nn")

# Instructions that GCC 12.2 and these sources gave in an independent build of the same network (to within the marks'
# few instructions an operator and the code around the kernels): a check that nothing else is measured.
KWS_EXPECTED = {
    ("microbit", "reference"): 129_214_658,
    ("mps2-an385", "reference"): 85_620_242,
    ("mps2-an386", "reference"): 87_319_995,
    ("mps2-an500", "reference"): 63_672_663,
    ("mps2-an505", "reference"): 85_620_334,
    ("mps3-an547", "reference"): 88_535_082,
    ("microbit", "cmsis-nn"): 29_048_182,
    ("mps2-an385", "cmsis-nn"): 10_487_690,
    ("mps2-an386", "cmsis-nn"): 7_749_435,
    ("mps2-an500", "cmsis-nn"): 7_679_519,
    ("mps2-an505", "cmsis-nn"): 7_730_305,
    ("mps3-an547", "cmsis-nn"): 2_132_662,
}


def assert_closes(result: Result) -> None:
    """Everything that must add up does, computed here from the parts."""
    assert result.counts.layers == sum(layer.instructions for layer in result.layers)
    assert result.counts.total == result.counts.layers + result.counts.overhead
    assert result.counts.total == sum(function.instructions for function in result.functions)
    assert result.counts.total == sum(result.counts.classes.values())
    for layer in result.layers:
        assert set(layer.classes) == set(CLASSES)
        assert layer.instructions == sum(layer.classes.values()) == sum(layer.functions.values())
    by_name = dict(zip(result.marks.sequence, result.marks.segments, strict=True))
    assert by_name["setup"] == result.counts.setup
    for layer in result.layers:
        assert by_name[f"layer {layer.index}"] == layer.instructions
    between = [
        count for name, count in zip(result.marks.sequence, result.marks.segments, strict=True) if name == "between"
    ]
    assert sum(between) == result.counts.overhead


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("platform", CORES)
def test_digits_is_exact_and_closes_on_every_core(platform: str, kernels: str, results: Path) -> None:
    result = run(DIGITS, platform, kernels=kernels)
    assert_closes(result)
    assert result.check.output_exact and result.check.layers_exact and result.check.tflite_micro_exact
    assert result.verdict.passed, result.verdict.reasons
    assert result.machine.name == platform
    assert result.tflm == "TFLM July 2020"
    if platform == "mps3-an547" and kernels == "cmsis-nn":
        assert result.counts.classes["mve"] > 0
    if platform in ("microbit", "mps2-an385"):
        assert result.counts.classes["dsp"] == 0


@pytest.mark.skipif(
    not SHARED_MODELS.is_dir(), reason="the public models are not beside the checkout (../shared/models)"
)
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("platform", CORES)
@pytest.mark.parametrize("name", sorted(path.name for path in SHARED_MODELS.glob("*.tflite")) or ["absent"])
def test_public_models_are_exact(name: str, platform: str, kernels: str, results: Path) -> None:
    result = run(SHARED_MODELS / name, platform, kernels=kernels)
    assert_closes(result)
    assert result.check.first_difference is None
    assert result.check.output_exact and result.check.layers_exact and result.check.tflite_micro_exact
    if result.machine.name != platform:
        assert result.machine.notes == ("code built for cortex-m0 ran on the cortex-m3 model",)
        assert not result.verdict.passed  # it stood in because the micro:bit is too small
    if name == "kws_ref_model.tflite" and "12.2.1" in result.identity.compiler:
        assert result.counts.total == pytest.approx(KWS_EXPECTED[platform, kernels], rel=0.005)


def test_twenty_repeats_are_identical(results: Path) -> None:
    stored = set()
    for _ in range(20):
        result = run(DIGITS, "stm32l496zg", kernels="cmsis-nn")
        stored.add((results / "runs" / result.run_id / "result.json").read_bytes())
    assert len(stored) == 1


def test_axes_change_what_they_should(results: Path) -> None:
    base = run(DIGITS, "stm32l496zg")
    small = run(DIGITS, "stm32l496zg", optimisation="-Os")
    fast = run(DIGITS, "stm32l496zg", optimisation="-O3")
    ofast = run(DIGITS, "stm32l496zg", optimisation="-Ofast")
    soft = run(DIGITS, "stm32l496zg", fpu=False)
    assert len({item.run_id for item in (base, small, fast, ofast, soft)}) == 5
    assert small.memory.flash < base.memory.flash < fast.memory.flash
    assert len({item.counts.total for item in (base, small, fast)}) == 3
    assert base.counts.classes["fp"] > 0 and soft.counts.classes["fp"] == 0
    assert soft.fpu is None and base.fpu == "fpv4-sp-d16"
    for item in (base, small, fast, ofast, soft):
        assert item.check.output_exact and item.check.layers_exact


def test_a_real_input_is_used(tmp_path: Path, results: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1, 8, 8, 1), np.int8))
    zeros = run(DIGITS, "stm32l496zg", input_paths=[path])
    default = run(DIGITS, "stm32l496zg")
    assert zeros.check.output_exact
    assert zeros.check.input == "x.npy"
    assert zeros.layers[0].output_crc32 != default.layers[0].output_crc32
    assert zeros.run_id != default.run_id
    assert zeros.memory == default.memory  # the test input is not part of the program


def test_the_arena_is_the_smallest_that_works(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(DIGITS, "stm32l496zg", kernels="cmsis-nn")
    real = pipeline.fit

    def one_step_less(*arguments: object) -> object:
        machine, arena = real(*arguments)  # type: ignore[arg-type]
        return machine, pipeline.Arena(needed=arena.needed - 16, used=arena.used)

    monkeypatch.setattr(pipeline, "fit", one_step_less)
    with pytest.raises(EmulationError, match="AllocateTensors failed"):
        run(DIGITS, "stm32l496zg", kernels="cmsis-nn")
    assert result.memory.arena % 16 == 0


def test_a_flipped_weight_names_the_first_layer_that_differs(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is built with a model whose depthwise weights have one bit flipped; the host has the real one."""
    content = bytearray(DIGITS.read_bytes())
    content[_weights_offset(bytes(content), layer=1)] ^= 0x40
    real_link = image.link

    def corrupt(spec: image.Spec, *others: object) -> elf.Elf:
        digest = hashlib.sha256(content).hexdigest()
        model = msgspec.structs.replace(spec.model, content=bytes(content), sha256=digest)
        return real_link(msgspec.structs.replace(spec, model=model), *others)  # type: ignore[arg-type]

    monkeypatch.setattr(image, "link", corrupt)
    result = run(DIGITS, "stm32l496zg")
    assert not result.verdict.passed
    assert not result.check.layers_exact
    difference = result.check.first_difference
    assert difference is not None
    assert (difference.index, difference.op) == (1, "DEPTHWISE_CONV_2D")
    assert 0 < difference.differing <= difference.elements == 8 * 8 * 8
    assert difference.largest >= 1
    assert "layer 1 (DEPTHWISE_CONV_2D) differs from the host build" in result.verdict.reasons[0]
    assert [layer.output_exact for layer in result.layers[:2]] == [True, False]
    assert (results / "runs" / result.run_id / "manifest.json").is_file()  # stored, as a failed run


def _weights_offset(content: bytes, layer: int) -> int:
    """Where the first weight of an operator lies in the file."""
    decoded = flatbuffer.decode(content, MODEL)
    graph = decoded["subgraphs"][0]
    tensor = graph["tensors"][graph["operators"][layer]["inputs"][1]]
    return int(decoded["buffers"][tensor["buffer"]]["data"].offset)


def test_the_stored_run_is_complete(results: Path) -> None:
    result = run(DIGITS, "stm32l496zg", kernels="cmsis-nn", command=("harness", "run"))
    folder = results / "runs" / result.run_id
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {"firmware.elf", "functions.csv", "layers.csv", "result.json", "uart.log"}
    for name, sha256 in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    assert not [path for path in (results / "runs").iterdir() if path.name.startswith((".new", ".old"))]
    assert Path(result.artifacts.elf).read_bytes() and Path(result.artifacts.uart_log).is_absolute()
    assert result.identity.elf_sha256 == manifest["files"]["firmware.elf"]
    with (folder / "layers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["instructions"]) for row in rows] == [layer.instructions for layer in result.layers]
    symbols = elf.Elf(Path(result.artifacts.elf)).symbols
    assert symbols[result.marks.symbol] == result.marks.address


def test_the_firmware_does_not_depend_on_where_it_was_built(private_cache: Path, results: Path) -> None:
    """No path of this machine is in it; and linked anew it has the same bytes."""
    result = run(DIGITS, "stm32l496zg", kernels="cmsis-nn")
    firmware = Path(result.artifacts.elf).read_bytes()
    found = sources.locate()
    for folder in (found.tflm, found.cmsis_nn, Path.home() / ".cargo", ROOT, cache_folder()):
        assert str(folder).encode() not in firmware
    for cached in (private_cache / "images").glob("*.elf"):
        cached.unlink()
    assert run(DIGITS, "stm32l496zg", kernels="cmsis-nn").identity.elf_sha256 == result.identity.elf_sha256


def test_memory_is_what_the_toolchain_says(results: Path) -> None:
    """Against the sizes that GNU size reports for the same ELF."""
    result = run(DIGITS, "stm32l496zg", kernels="cmsis-nn")
    printed = process.run([toolchain.arm().tool("size"), "-A", result.artifacts.elf]).stdout
    sizes = {
        parts[0]: int(parts[1])
        for parts in map(str.split, printed.splitlines())
        if len(parts) == 3 and parts[1].isdigit()
    }
    memory = result.memory
    assert memory.flash == sum(
        sizes.get(name, 0) for name in (".vectors", ".text", ".ARM.extab", ".ARM.exidx", ".model", ".data")
    )
    assert memory.ram == sum(sizes[name] for name in (".data", ".bss", ".arena"))
    assert memory.arena == sizes[".arena"]
    assert memory.model == sizes[".model"] >= DIGITS.stat().st_size
    assert 0 < memory.stack < sizes[".stack"]


@pytest.mark.skipif(
    not SHARED_MODELS.is_dir(), reason="the public models are not beside the checkout (../shared/models)"
)
def test_a_board_that_is_too_small_is_a_verdict(results: Path) -> None:
    result = run(SHARED_MODELS / "ad01_fp32.tflite", "stm32f446re")
    assert not result.verdict.passed
    assert result.verdict.reasons == (
        f"does not fit stm32f446re: needs {assemble.kib(result.memory.flash)} of 512 KiB flash",
    )


def test_wrong_input_files_are_refused_before_anything_is_built(tmp_path: Path, results: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(BadInputError, match="type float32") as caught:
        run(DIGITS, "stm32l496zg", input_paths=[path])
    assert caught.value.hint is not None and "quantise" in caught.value.hint
    assert not results.exists()


def test_cleans_up_after_itself(results: Path) -> None:
    run(DIGITS, "stm32l496zg")
    leftovers = [path for path in (results / "runs").iterdir() if path.name not in (".lock",)]
    assert len(leftovers) == 1
    shutil.rmtree(results)


def test_a_model_that_is_overwritten_meanwhile_does_not_matter(tmp_path: Path, results: Path) -> None:
    """What was checked is what runs, not what lies in the file later."""
    expected = run(DIGITS, "stm32l496zg").counts.total
    path = tmp_path / "digits.tflite"
    path.write_bytes(DIGITS.read_bytes())

    def overwrite(_what: str, _done: int | None, _total: int | None) -> None:
        path.write_bytes(b"nothing that could run")

    result = run(path, "stm32l496zg", progress=overwrite)
    assert path.read_bytes() == b"nothing that could run"
    assert result.counts.total == expected
    assert result.check.output_exact and result.check.tflite_micro_exact


def test_a_damaged_image_in_the_cache_is_linked_anew(private_cache: Path, results: Path) -> None:
    result = run(DIGITS, "stm32l496zg")
    images = list((private_cache / "images").glob("*.elf"))
    assert len(images) == 2  # the one that sizes the arena, and the one that was profiled
    for path in images:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert run(DIGITS, "stm32l496zg").identity.elf_sha256 == result.identity.elf_sha256


def test_modules_of_the_current_folder_are_not_taken(
    tmp_path: Path, private_cache: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second opinion runs in a process of its own, which imports NumPy and with it half of the standard library."""
    (tmp_path / "random.py").write_text("raise ImportError('not this one')")
    np.save(tmp_path / "x.npy", np.full((1, 8, 8, 1), 3, np.int8))
    monkeypatch.chdir(tmp_path)
    result = run(DIGITS, "stm32l496zg", input_paths=[Path("x.npy")])
    assert result.check.tflite_micro_exact is True, result.check.tflite_micro_reason


def test_a_difference_of_infinities_has_no_size() -> None:
    difference = assemble._difference(0, "ADD", "y", "float32", b"\0\0\x80\x7f" * 2, b"\0\0\x80\xff" * 2, "host build")
    assert (difference.differing, difference.largest) == (2, None)
