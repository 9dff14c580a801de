"""Loading a .tflite file: the shared models, what the record holds, and each refusal that is not an operator's."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from model_writer import M, Op, T, constant, integers, q

from harness import model
from harness.errors import BadInputError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no folder {SHARED} with the shared models")


def chain() -> M:
    """Two fully connected layers of a 1x4 input, with a RESHAPE that has a constant shape."""
    weights = {"scales": [0.1], "zero_points": [0]}
    return M(
        [
            q((1, 4), name="in"),
            constant((3, 4), name="w0", **weights),
            q((1, 3), name="mid"),
            integers(1, 3),
            q((1, 3), name="flat"),
            constant((2, 3), name="w1", **weights),
            q((1, 2), name="out"),
        ],
        [
            Op("FULLY_CONNECTED", [0, 1, -1], [2], {}, version=4),
            Op("RESHAPE", [2, 3], [4]),
            Op("FULLY_CONNECTED", [4, 5], [6], {"fused_activation_function": "RELU"}, version=6),
        ],
    )


def refusal(made: M | bytes, folder: Path) -> BadInputError:
    path = folder / "m.tflite"
    path.write_bytes(made if isinstance(made, bytes) else made.bytes())
    with pytest.raises(BadInputError) as caught:
        model.load(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    return caught.value


# --- the shared models -----------------------------------------------------------------------------------------------


@needs_shared
@pytest.mark.parametrize(
    ("name", "operators", "macs"),
    [
        ("kws_ref_model", 13, 2_656_768),
        ("ad01_int8", 10, 264_192),
        ("ad01_fp32", 10, 264_192),
        ("hello_world_int8", 3, 288),
        ("hello_world_float", 3, 288),
        ("micro_speech_quantized", 4, 336_000),
        ("simple_add_model", 1, 0),
    ],
)
def test_shared_model(name: str, operators: int, macs: int) -> None:
    path = SHARED / f"{name}.tflite"
    loaded = model.load(path)
    assert (len(loaded.operators), loaded.macs) == (operators, macs)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.size_bytes == path.stat().st_size


@needs_shared
def test_macs_of_each_layer_of_kws() -> None:
    loaded = model.load(SHARED / "kws_ref_model.tflite")
    pairs = [72_000, 512_000] * 4
    assert [operator.macs for operator in loaded.operators] == [320_000, *pairs, 0, 0, 768, 0]
    assert loaded.operators[0].options["padding"] == "SAME"
    first = loaded.tensors[loaded.inputs[0]]
    assert (first.shape, first.type, first.bytes, first.zero_points) == ((1, 49, 10, 1), "int8", 490, (83,))
    weights = loaded.tensors[loaded.operators[0].inputs[1]]
    assert weights.is_constant
    assert len(weights.scales) == 64


def best_of(count: int, action: Callable[[], object]) -> float:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


@needs_shared
@pytest.mark.parametrize(("name", "limit_s"), [("kws_ref_model", 0.015), ("ad01_fp32", 0.030)])
def test_loading_is_fast(name: str, limit_s: float) -> None:
    assert best_of(5, lambda: model.load(SHARED / f"{name}.tflite")) < limit_s


def test_import_is_light() -> None:
    code = (
        "import sys, harness.model; print(sorted({'numpy', 'tensorflow', 'flatbuffers', 'tflite'} & set(sys.modules)))"
    )
    root = Path(model.__file__).resolve().parents[1]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"


# --- LeNet, whose multiply-accumulates per layer are published -------------------------------------------------------


def lenet() -> M:
    """int8 inside, float32 in and out: 11 operators."""

    def weights(*shape: int) -> T:
        return constant(shape, scales=[0.1], zero_points=[0])

    conv = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}
    pool = {"padding": "VALID", "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2}
    relu = {"fused_activation_function": "RELU"}
    made = M([T((1, 32, 32, 1), "float32")], [], inputs=(0,))

    def add(name: str, output: T, options: dict[str, Any] | None = None, filters: T | None = None) -> None:
        last = len(made.tensors) - 1
        inputs = [last]
        if filters is not None:
            made.tensors.append(filters)
            inputs = [last, last + 1]
        made.tensors.append(output)
        made.operators.append(Op(name, inputs, [len(made.tensors) - 1], options))

    add("QUANTIZE", q((1, 32, 32, 1)))
    add("CONV_2D", q((1, 30, 30, 6)), conv, weights(6, 3, 3, 1))
    add("AVERAGE_POOL_2D", q((1, 15, 15, 6)), pool)
    add("CONV_2D", q((1, 13, 13, 16)), conv, weights(16, 3, 3, 6))
    add("AVERAGE_POOL_2D", q((1, 6, 6, 16)), pool)
    add("RESHAPE", q((1, 576)))
    add("FULLY_CONNECTED", q((1, 120)), relu, weights(120, 576))
    add("FULLY_CONNECTED", q((1, 84)), relu, weights(84, 120))
    add("FULLY_CONNECTED", q((1, 10)), {}, weights(10, 84))
    add("SOFTMAX", q((1, 10), 1 / 256, -128), {"beta": 1.0})
    add("DEQUANTIZE", T((1, 10), "float32"))
    return made


def test_macs_of_lenet(tmp_path: Path) -> None:
    loaded = model.load(lenet().save(tmp_path))
    assert [operator.macs for operator in loaded.operators if operator.macs] == [48_600, 146_016, 69_120, 10_080, 840]
    assert len(loaded.operators) == 11


# --- the record ------------------------------------------------------------------------------------------------------


def test_record(tmp_path: Path) -> None:
    path = chain().save(tmp_path)
    loaded = model.load(path)
    assert loaded.path == path
    assert loaded.description == "made by a test"
    assert (loaded.inputs, loaded.outputs) == ((0,), (6,))
    assert [operator.inputs for operator in loaded.operators] == [(0, 1, -1), (2, 3), (4, 5)]
    assert loaded.operators[2].options["fused_activation_function"] == "RELU"
    assert loaded.builtins == ("FULLY_CONNECTED", "RESHAPE")
    assert [tensor.is_constant for tensor in loaded.tensors] == [False, True, False, True, False, True, False]
    assert (loaded.tensors[3].type, loaded.tensors[3].bytes, loaded.tensors[3].scales) == ("int32", 8, ())
    assert json.loads(msgspec.json.encode(loaded, enc_hook=str))["operators"][1]["op"] == "RESHAPE"


def test_names_are_safe_to_print(tmp_path: Path) -> None:
    made = chain()
    made.tensors[0].name = "a\x1b[31m\nb"
    made.description = "x\ty"
    loaded = model.load(made.save(tmp_path))
    assert loaded.tensors[0].name == "a\ufffd[31m\ufffdb"
    assert loaded.description == "x\ufffdy"


def test_old_converters_leave_the_new_builtin_code_out(tmp_path: Path) -> None:
    made = chain()
    for operator in made.operators:
        operator.new_code = 0
    assert model.load(made.save(tmp_path)).operators[0].op == "FULLY_CONNECTED"


# --- the file --------------------------------------------------------------------------------------------------------


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read: No such file") as caught:
        model.load(tmp_path / "none.tflite")
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"a folder, not a \.tflite file"):
        model.load(tmp_path)


def test_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInputError, match="not a regular file"):
        model.load(tmp_path / "pipe")


def test_impossible_path() -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        model.load(Path("a\0b"))


def test_huge_file(tmp_path: Path) -> None:
    with (tmp_path / "huge.tflite").open("wb") as file:
        file.truncate(65 * 1024**2)
    with pytest.raises(BadInputError, match="65 MiB, models of at most 64 MiB are read"):
        model.load(tmp_path / "huge.tflite")


def test_empty_file(tmp_path: Path) -> None:
    assert "the file is empty" in refusal(b"", tmp_path).message


@pytest.mark.parametrize("content", [b"\x7fELF" + bytes(60), b"short", b"PK\x03\x04TFL2" + bytes(99)])
def test_another_format(content: bytes, tmp_path: Path) -> None:
    assert "not a .tflite file: bytes 4 to 7 are" in refusal(content, tmp_path).message


def test_truncated_file(tmp_path: Path) -> None:
    data = lenet().bytes()
    error = refusal(data[: len(data) // 2], tmp_path)
    assert "truncated flatbuffer: Model" in error.message
    assert error.hint == "the file is damaged: copy or convert it again"


# --- structure, tensors and graph ------------------------------------------------------------------------------------

Edit = Callable[[M], object]


def edit(**changes: Any) -> Edit:
    """Fields of the model."""
    return lambda made: [setattr(made, key, value) for key, value in changes.items()]


def tensor(index: int, **changes: Any) -> Edit:
    """Fields of one tensor."""
    return lambda made: [setattr(made.tensors[index], key, value) for key, value in changes.items()]


def op(index: int, **changes: Any) -> Edit:
    """Fields of one operator."""
    return lambda made: [setattr(made.operators[index], key, value) for key, value in changes.items()]


REFUSED: list[tuple[str, Edit]] = [
    ("schema version 4, this TFLM reads version 3", edit(version=4)),
    ("2 subgraphs, this TFLM runs exactly one", edit(subgraphs=2)),
    ("0 subgraphs", edit(subgraphs=0)),
    ("Model.subgraphs is missing", edit(leave_out=("subgraphs",))),
    ("Model.buffers is missing", edit(leave_out=("buffers",))),
    ("Model.operator_codes is missing", edit(leave_out=("operator_codes",))),
    ("SubGraph.tensors is missing", edit(leave_out=("tensors",))),
    ("SubGraph.operators is missing", edit(leave_out=("operators",))),
    ("SubGraph.inputs is missing", edit(inputs=None)),
    ("the model has no inputs", edit(inputs=())),
    ("the model has no outputs", edit(outputs=())),
    ("the model has no operators", edit(operators=[])),
    ("metadata x: buffer 99 of 4", edit(metadata=[("x", 99)])),
    ("Metadata.name is missing", edit(metadata=[(None, 0)])),
    ("holds an offline memory plan", edit(metadata=[("OfflineMemoryAllocation", 0)])),
    ("operator 1: operator code 7 of 3", op(1, opcode_index=7)),
    ("operator 1: custom operator Wild is not supported", op(1, name="CUSTOM", custom_code="Wild")),
    ("operator 1: custom operator without a name", op(1, name="CUSTOM")),
    ("its builtin code is 22 and 9 at once", op(1, new_code=9)),
    ("its builtin code is 0 and 9 at once", op(0, old_code=0)),
    ("operator 1 (builtin 999) is not supported", op(1, old_code=127, new_code=999)),
    ("operator 1 (CONV_3D) is not supported", op(1, name="CONV_3D")),
    ("operator 1 (RESHAPE): options of a custom or newer operator", op(1, custom_options=b"x")),
    ("operator 1 (RESHAPE): options of a custom or newer operator", op(1, options_2=1)),
    ("tensor 0 (in): element type 99 is unknown", tensor(0, number=99)),
    ("tensor 0 (in): element type -1 is unknown", tensor(0, number=-1)),
    ("tensor 0 (in): uint8 tensors are not supported", tensor(0, type="uint8")),
    ("tensor 0 (in): string tensors are not supported", tensor(0, type="string")),
    ("tensor 1 (w0): int4 tensors are not supported", tensor(1, type="int4", data=bytes(6))),
    ("tensor 1 (w0): float16 tensors are not supported", tensor(1, type="float16", data=bytes(24))),
    ("tensor 1 (w0): sparse tensors are not supported", tensor(1, sparse=True)),
    ("tensor 1 (w0): its data lie outside", tensor(1, external=1)),
    ("its data lie outside of the flatbuffer", edit(buffer_offset=4096)),
    ("tensor 0 (in): shape -1x4 is not fixed", tensor(0, shape=(-1, 4))),
    ("takes 2147483648 bytes, more than 32 bits can count", tensor(0, shape=(32768, 65536))),
    ("tensor 1 (w0): buffer 77 of 4", tensor(1, buffer=77)),
    ("tensor 1 (w0): 11 bytes of data for int8 of shape 3x4 (12 bytes)", tensor(1, data=bytes(11))),
    ("bytes other than 0 and 1 as bool", tensor(1, type="bool", data=bytes([2] * 12))),
    ("tensor 0 (in): 2 scales, but 1 zero points", tensor(0, scales=[1.0, 2.0])),
    ("tensor 0 (in): 1 scales, but 0 zero points", tensor(0, zero_points=None)),
    ("tensor 0 (in): a scale of 0", tensor(0, scales=[0.0])),
    ("tensor 0 (in): a scale of -1", tensor(0, scales=[-1.0])),
    ("tensor 0 (in): a scale of nan", tensor(0, scales=[float("nan")])),
    ("tensor 0 (in): a scale of inf", tensor(0, scales=[float("inf")])),
    ("tensor 0 (in): zero points of int8 beyond -128 to 127", tensor(0, zero_points=[128])),
    ("tensor 3 (t): zero points of int32 beyond", tensor(3, scales=[1.0], zero_points=[2**31])),
    ("scales along dimension 2 of shape 3x4", tensor(1, scales=[1.0] * 3, zero_points=[0] * 3, dimension=2)),
    ("3 scales along dimension 1 of shape 3x4", tensor(1, scales=[1.0] * 3, zero_points=[0] * 3, dimension=1)),
    ("tensor 0 (in): custom or blockwise quantisation", tensor(0, details=1)),
    ("the model's inputs name tensor 7 of 7", edit(inputs=(7,))),
    ("the model's outputs name tensor -2 of 7", edit(outputs=(-2,))),
    ("tensor 0 (in) is an input of the model twice", edit(inputs=(0, 0))),
    ("tensor 1 (w0) is an input of the model, but constant", edit(inputs=(0, 1))),
    ("tensor 0 (in) is an input of the model, but variable", tensor(0, variable=True)),
    ("tensor 0 (in) is an output of the model, but no operator writes it", edit(outputs=(0, 6))),
    ("operator 0 (FULLY_CONNECTED): input tensor 7 of 7", op(0, inputs=[7, 1, -1])),
    ("operator 0 (FULLY_CONNECTED): input tensor -2 of 7", op(0, inputs=[0, 1, -2])),
    ("operator 0 (FULLY_CONNECTED): output tensor -1 of 7", op(0, outputs=[-1])),
    ("operator 0 (FULLY_CONNECTED): reads tensor 4 (flat) before anything has written it", op(0, inputs=[4, 1, -1])),
    ("operator 1 (RESHAPE): writes tensor 2 (mid), which operator 0 (FULLY_CONNECTED) has", op(1, outputs=[2])),
    ("operator 1 (RESHAPE): writes tensor 0 (in), which the model's input has", op(1, outputs=[0])),
    ("operator 1 (RESHAPE): writes tensor 1 (w0), which is constant", op(1, outputs=[1])),
    ("operator 0 (FULLY_CONNECTED): tensor 0 (in) is empty", tensor(0, shape=(0, 4))),
    ("operator 2 (FULLY_CONNECTED): tensor 6 (out) is empty", tensor(6, shape=(1, 0))),
    ("tensor 2 (mid) comes from operator 0 (FULLY_CONNECTED) and nobody reads it", op(1, inputs=[0, 3])),
    ("tensor 7 (spare) comes from nowhere", lambda made: made.tensors.append(q((1,), name="spare"))),
    ("tensor 1 (w0) is constant and variable at once", tensor(1, variable=True)),
]


def edited(change: Edit) -> M:
    made = copy.deepcopy(chain())
    made.outputs = (6,)
    change(made)
    return made


def test_unedited_model_is_accepted(tmp_path: Path) -> None:
    assert model.load(edited(lambda made: None).save(tmp_path)).macs == 18


@pytest.mark.parametrize(("message", "change"), REFUSED, ids=[message[:50] for message, _ in REFUSED])
def test_refused(message: str, change: Edit, tmp_path: Path) -> None:
    assert message in refusal(edited(change), tmp_path).message


def test_first_operators_of_each_missing_builtin_are_listed(tmp_path: Path) -> None:
    names = ["GELU", "SHAPE", "GELU", "TILE", "ELU", "GATHER", "CAST"]
    made = M([q((1,)) for _ in range(8)], [Op(name, [i], [i + 1]) for i, name in enumerate(names)])
    error = refusal(made, tmp_path)
    listed = (
        "operators 0 (GELU), 1 (SHAPE), 3 (TILE), 4 (ELU), 5 (GATHER) and 1 more are not supported by TFLM July 2020"
    )
    assert listed in error.message


def test_dynamic_batch_says_what_to_do(tmp_path: Path) -> None:
    made = M([q((1, 4)), T((2,), "int32")], [Op("SHAPE", [0], [1])])
    hint = refusal(made, tmp_path).hint
    assert hint is not None
    assert "batch_size=1" in hint


def test_buffers_that_overlap_are_refused(tmp_path: Path) -> None:
    """All eight weights are sent to the same 400 bytes by a length that reaches over its neighbours."""
    shape = (20, 20)
    weights = [constant(shape, value=index + 1, scales=[1.0], zero_points=[0]) for index in range(8)]
    made = M(
        [q((1, 20)), *weights, *[q((1, 20)) for _ in range(8)]],
        [Op("FULLY_CONNECTED", [0 if i == 0 else 8 + i, 1 + i], [9 + i], {}) for i in range(8)],
    )
    data = bytearray(made.bytes())
    for value in range(1, 9):
        at = data.index(bytes([value]) * 400) - 4
        data[at : at + 4] = (min(3000, len(data) - at - 4)).to_bytes(4, "little")
    assert "its buffers overlap" in refusal(bytes(data), tmp_path).message


def test_misaligned_data_are_refused(tmp_path: Path) -> None:
    """A bias at an odd address faults on a Cortex-M0."""
    made = chain()
    made.tensors[3].data = [0x11111111, 0x22222222]
    data = made.bytes()
    at = data.index(b"\x11\x11\x11\x11\x22\x22\x22\x22") - 4
    for place in range(0, len(data) - 4, 4):
        if place + int.from_bytes(data[place : place + 4], "little") == at:
            shifted = data[:place] + (at - place + 1).to_bytes(4, "little") + data[place + 4 :]
            assert "is not aligned to 4 bytes" in refusal(shifted, tmp_path).message
            return
    pytest.fail("no offset leads to the data")
