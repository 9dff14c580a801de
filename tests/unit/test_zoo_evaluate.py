"""The host interpreter on the shipped network: exact types in, all outputs out, clear refusals."""

import numpy as np
import pytest

from harness.errors import BadInputError
from harness.zoo.digits import TFLITE
from harness.zoo.evaluate import HostInterpreter, accuracy


@pytest.fixture
def digits() -> HostInterpreter:
    return HostInterpreter(TFLITE.read_bytes())


def test_inputs_are_described(digits: HostInterpreter) -> None:
    (details,) = digits.inputs
    assert tuple(details["shape"]) == (1, 8, 8, 1)
    assert details["dtype"] is np.int8


def test_one_output_of_the_networks_type(digits: HostInterpreter) -> None:
    (output,) = digits.run([np.zeros((1, 8, 8, 1), np.int8)])
    assert output.shape == (1, 10)
    assert output.dtype == np.int8
    # A softmax has scale 1/256 and zero point -128, so the ten probabilities sum to one within rounding.
    assert abs(int((output.astype(int) + 128).sum()) - 256) <= 5


def test_an_output_is_not_overwritten_by_the_next_inference(digits: HostInterpreter) -> None:
    (first,) = digits.run([np.full((1, 8, 8, 1), -128, np.int8)])
    kept = first.copy()
    (second,) = digits.run([np.arange(-128, 128, 4, dtype=np.int8).reshape(1, 8, 8, 1)])
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_values_are_quantised_and_clipped(digits: HostInterpreter) -> None:
    parameters = digits.inputs[0]["quantization_parameters"]
    scale, zero_point = float(parameters["scales"][0]), int(parameters["zero_points"][0])
    values = np.array([0.0, 0.5, 1.0, -9.0, 9.0], np.float32)
    expected = [zero_point, round(0.5 / scale) + zero_point, round(1.0 / scale) + zero_point, -128, 127]
    assert digits.quantise(values).tolist() == expected
    assert digits.quantise(values).dtype == np.int8


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "0 inputs given, the network has 1"),
        ([np.zeros((1, 8, 8, 1), np.int8)] * 2, "2 inputs given, the network has 1"),
        ([np.zeros((1, 8, 9, 1), np.int8)], "expected 8 for dimension 2"),
        ([np.zeros((1, 8, 8, 1), np.float32)], "expected type INT8"),
    ],
)
def test_wrong_inputs_are_refused(digits: HostInterpreter, inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        digits.run(inputs)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"this is not a flatbuffer at all"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadInputError, match=r"not a \.tflite file"):
        HostInterpreter(data)


def test_accuracy_counts_correct_images() -> None:
    images = np.zeros((3, 8, 8, 1), np.float32)
    interpreter = HostInterpreter(TFLITE.read_bytes())
    answer = int(np.argmax(interpreter.run([interpreter.quantise(images[:1])])[0]))
    found = accuracy(TFLITE.read_bytes(), images, np.array([answer, (answer + 1) % 10, answer]))
    assert (found.correct, found.images, found.fraction) == (2, 3, pytest.approx(2 / 3))
