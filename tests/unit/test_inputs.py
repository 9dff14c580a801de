"""Input tensors: the stated deterministic stream, and files of users, right and wrong."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import inputs, tensors
from harness.errors import BadInputError
from harness.records import Model, Tensor


def tensor(kind: str = "int8", shape: tuple[int, ...] = (1, 4), name: str = "x", quantised: bool = True) -> Tensor:
    width = {"int8": 1, "bool": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4}[kind]
    return Tensor(
        index=0,
        name=name,
        type=kind,
        shape=shape,
        bytes=width * int(np.prod(shape)),
        is_constant=False,
        is_variable=False,
        scales=(0.0235294122248888,) if quantised and kind == "int8" else (),
        zero_points=(-128,) if quantised and kind == "int8" else (),
        quantized_dimension=0,
    )


def model(*tensors: Tensor) -> Model:
    return Model(
        content=b"",
        path=Path("m.tflite"),
        sha256="0" * 64,
        size_bytes=1,
        description="",
        tensors=tensors,
        operators=(),
        inputs=tuple(range(len(tensors))),
        outputs=(),
    )


# The first bytes of SHAKE-128 of "tflm-harness input 0" and "... 1". Results that were stored say that they used them.
STREAM = bytes.fromhex("2aba7256485920a4791b8831195e9fca")
SECOND_STREAM = bytes.fromhex("53c1163d9c977d9ceab4929556380a44")


def test_the_deterministic_input_never_changes() -> None:
    found = inputs.deterministic(model(tensor(shape=(1, 16)), tensor(shape=(4, 2, 2))))
    assert found.data == (STREAM, SECOND_STREAM)
    assert found.origin == "deterministic: SHAKE-128 of 'tflm-harness input N'"
    size = (16).to_bytes(8, "little")
    assert found.sha256 == hashlib.sha256(size + STREAM + size + SECOND_STREAM).hexdigest()


def test_deterministic_floats_are_the_upper_24_bits_of_the_stream() -> None:
    words = [int.from_bytes(STREAM[at : at + 4], "little") for at in range(0, 16, 4)]
    found = np.frombuffer(inputs.deterministic(model(tensor("float32"))).data[0], dtype="<f4")
    assert found.tolist() == [(word >> 8) / 2**23 - 1 for word in words]


def test_deterministic_values_fill_their_ranges() -> None:
    def values(kind: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        raw = inputs.deterministic(model(tensor(kind, (1, 4096)))).data[0]
        return np.frombuffer(raw, dtype=tensors.dtype(kind))

    floats = values("float32").astype(np.float64)
    assert -1.0 <= floats.min() < -0.99
    assert 0.99 < floats.max() < 1.0
    assert set(values("int8").tolist()) == set(range(-128, 128))
    assert set(values("bool").tolist()) == {False, True}
    for kind in ("int16", "int32", "int64"):
        assert set(values(kind).tolist()) == set(range(128))


def test_what_identifies_an_input_tells_where_one_ends_and_the_next_begins() -> None:
    one, other = ((b"ab", b"c"), (b"a", b"bc"))
    assert inputs._inputs(list(one), "").sha256 != inputs._inputs(list(other), "").sha256


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "float32", "bool"])
def test_files_give_their_bytes_in_the_models_order(tmp_path: Path, kind: str) -> None:
    expected = np.arange(24).reshape(2, 3, 4).astype(tensors.dtype(kind))
    # Fortran order on disk is C order on the device.
    np.save(tmp_path / "b.npy", np.asfortranarray(expected))
    np.save(tmp_path / "a.npy", np.int8([[-128, 127]]))
    found = inputs.load(
        [tmp_path / "b.npy", tmp_path / "a.npy"], model(tensor(kind, (2, 3, 4)), tensor("int8", (1, 2)))
    )
    assert found.data == (expected.tobytes(), b"\x80\x7f")
    assert found.origin == "b.npy, a.npy"


def refused(paths: list[Path], wanted: Model) -> tuple[str, str]:
    with pytest.raises(BadInputError) as caught:
        inputs.load(paths, wanted)
    assert "\n" not in caught.value.message
    return caught.value.message, caught.value.hint or ""


@pytest.mark.parametrize(
    ("array", "wanted", "message", "hint"),
    [
        (
            np.zeros((4,), np.int8),
            tensor(),
            "shape (4,), the model's input is x int8 1x4",
            "the batch dimension is mis",
        ),
        (np.zeros((1, 5), np.int8), tensor(), "shape (1, 5), the model's input is x int8 1x4", ""),
        (np.zeros((4, 1), np.int8), tensor(name=""), "shape (4, 1), the model's input is tensor 0 int8 1x4", ""),
        (np.zeros((1,), np.int8), tensor(shape=()), "shape (1,), the model's input is x int8 scalar", ""),
        (np.zeros((1, 4), np.uint8), tensor(), "type uint8, the model's input is x int8 1x4", ""),
        (np.zeros((1, 4), ">f4"), tensor("float32"), "type >f4, the model's input is x float32 1x4", ""),
        (np.zeros((1, 4)), tensor("float32"), "type float64, the model's input is x float32 1x4", ""),
        (np.zeros((1, 4)), tensor(), "type float64, the mo", "quantise it: round(x / 0.0235294122) + -128, as int8"),
        (np.zeros((1, 4)), tensor(quantised=False), "type float64, the model's input is x int8 1x4", ""),
    ],
)
def test_arrays_that_do_not_fit(
    tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], wanted: Tensor, message: str, hint: str
) -> None:
    np.save(tmp_path / "x.npy", array)
    said, hinted = refused([tmp_path / "x.npy"], model(wanted))
    assert f"x.npy: {message}" in said
    assert hinted.startswith(hint)
    assert bool(hinted) == bool(hint)


@pytest.mark.parametrize(
    ("files", "tensors", "message"),
    [
        (0, 1, "0 input files for a model with 1 input"),
        (1, 2, "1 input file for a model with 2 inputs"),
        (2, 1, "2 input files for a model with 1 input"),
    ],
)
def test_a_wrong_number_of_files_is_refused_before_any_is_read(files: int, tensors: int, message: str) -> None:
    said, hint = refused([Path("nowhere.npy")] * files, model(*[tensor(name=f"in{at}") for at in range(tensors)]))
    assert said == message
    assert hint == "give --input once for each: " + ", ".join(f"in{at} int8 1x4" for at in range(tensors))


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "npy of objects", "npz of objects"])
def test_nothing_is_ever_unpickled(tmp_path: Path, kind: str) -> None:
    trap, file = Trap(tmp_path / "sprung"), tmp_path / "x.npy"
    objects = np.array([[trap] * 4], dtype=object)
    with file.open("wb") as opened:
        if kind == "pickle":
            pickle.dump(trap, opened)
        elif kind == "npy of objects":
            np.save(opened, objects, allow_pickle=True)
        else:
            np.savez(opened, objects)
    message, _ = refused([file], model(tensor()))
    assert re.search(r"x\.npy: (not a \.npy file \(.*pickle.*\)|an \.npz archive)", message)
    assert not trap.path.exists()
    # The trap is a real one.
    pickle.loads(pickle.dumps(trap))
    assert trap.path.exists()


def test_archives_folders_and_missing_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.zeros((1, 4), np.int8))
    assert "x.npz: an .npz archive, expected a .npy file" in refused([tmp_path / "x.npz"], model(tensor()))[0]
    assert refused([tmp_path], model(tensor()))[0].startswith(f"{tmp_path}: not a .npy file")
    assert refused([tmp_path / "y.npy"], model(tensor()))[0] == f"{tmp_path / 'y.npy'}: there is no such file"


def npy(header: str) -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + bytes(4)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0.5 0.25\n",
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1, 4), }")[:-1],
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1099511627776,), }"),
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': ("),
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1, 4), }" + " " * 20000),
        b"PK\x03\x04 the beginning of an archive",
    ],
    ids=["empty", "text", "short", "a terabyte", "open bracket", "long header", "broken archive"],
)
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    message, hint = refused([tmp_path / "x.npy"], model(tensor()))
    assert message.startswith(f"{tmp_path / 'x.npy'}: not a .npy file (")
    assert hint == "numpy.save writes them"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy's parser of the header
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_mutated_file_is_refused_or_has_the_right_size(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    opened = io.BytesIO()
    np.save(opened, np.zeros((1, 4), np.int8))
    content = bytearray(opened.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 70))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.mktemp("npy") / "x.npy"
    file.write_bytes(content)
    try:
        found = inputs.load([file], model(tensor()))
    except BadInputError:
        return
    assert len(found.data[0]) == 4
