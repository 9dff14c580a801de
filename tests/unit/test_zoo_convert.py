"""Conversion from Keras: the settings, what is refused, and that the same network gives the same bytes, silently."""

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from harness.errors import BadInputError, MissingToolError
from harness.zoo import convert
from harness.zoo.evaluate import HostInterpreter

needs_tensorflow = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

SMALL = """
from harness.zoo import convert
keras = convert.begin(7)
image = keras.Input((6, 6, 2), batch_size=1)
layers = keras.layers
value = layers.Flatten()(layers.Conv2D(3, 3, activation="relu")(image))
model = keras.Model(image, layers.Dense(4)(value))
data = convert.convert(model, convert.random_samples([(1, 6, 6, 2)], 8, 7))
"""


def small(keras: Any) -> Any:
    image = keras.Input((6, 6, 2), batch_size=1)
    return keras.Model(image, keras.layers.Dense(4)(keras.layers.Flatten()(keras.layers.Conv2D(3, 3)(image))))


def test_importing_the_zoo_does_not_import_tensorflow() -> None:
    code = "import harness.zoo.digits, sys; raise SystemExit(bool({'tensorflow', 'keras', 'sklearn'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_tensorflow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "_DISTRIBUTIONS", ("no-such-distribution",))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    for call in (convert.settings, lambda: convert.begin(0)):
        with pytest.raises(MissingToolError, match="TensorFlow is not installed") as caught:
            call()
        assert caught.value.hint == "pip install 'tflm-harness[zoo]'"


@pytest.mark.parametrize(
    ("dtype", "io", "message"),
    [
        ("int16", None, "dtype is 'int16'"),
        ("int8", "uint8", "io is 'uint8'"),
        ("float32", "int8", "a float32 network cannot have int8 inputs"),
    ],
)
def test_types_that_cannot_run_are_refused(dtype: Any, io: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        convert.settings(dtype, io)


@needs_tensorflow
def test_settings_are_stated() -> None:
    stated = convert.settings("int8", "float32")
    assert stated["tensorflow"] == convert.tensorflow_version()
    assert (stated["dtype"], stated["io"], stated["resource_variables"]) == ("int8", "float32", False)
    assert convert.settings("float32")["optimizations"] == []


@needs_tensorflow
def test_the_same_network_gives_the_same_bytes_in_every_process_and_nothing_is_printed() -> None:
    report = "import hashlib; print(hashlib.sha256(data).hexdigest())"
    twice = [
        subprocess.run(
            [sys.executable, "-c", f"{SMALL}\n{SMALL}\n{report}"], capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    once = subprocess.run([sys.executable, "-c", f"{SMALL}\n{report}"], capture_output=True, text=True, check=True)
    assert {result.stdout for result in [*twice, once]} == {once.stdout}
    assert len(once.stdout.strip()) == len(hashlib.sha256().hexdigest())
    assert {result.stderr for result in [*twice, once]} == {""}


@needs_tensorflow
@pytest.mark.parametrize(
    ("dtype", "io", "expected"),
    [("int8", None, np.int8), ("int8", "float32", np.float32), ("float32", None, np.float32)],
)
def test_inputs_and_outputs_have_the_type_asked_for(dtype: Any, io: Any, expected: Any) -> None:
    model = small(convert.begin(1))
    samples = convert.random_samples([(1, 6, 6, 2)], 4, 1)
    interpreter = HostInterpreter(convert.convert(model, samples, dtype=dtype, io=io))
    (output,) = interpreter.run([np.zeros((1, 6, 6, 2), expected)])
    assert output.dtype == expected


@needs_tensorflow
def test_samples_reach_the_inputs_they_are_meant_for() -> None:
    """The converter may order inputs otherwise than the model; ranges must not be swapped."""
    keras = convert.begin(1)
    wide, narrow = keras.Input((5,), batch_size=1, name="wide"), keras.Input((5,), batch_size=1, name="narrow")
    model = keras.Model([wide, narrow], keras.layers.Dense(3)(keras.layers.Subtract()([wide, narrow])))
    samples = [[8.0 * first, second] for first, second in convert.random_samples([(1, 5), (1, 5)], 200, 1)]
    details = HostInterpreter(convert.convert(model, samples)).inputs
    scales = sorted(float(entry["quantization_parameters"]["scales"][0]) for entry in details)
    # Uniform [-8, 8) and [-1, 1) over 255 steps of int8.
    assert scales == [pytest.approx(2 / 255, rel=0.05), pytest.approx(16 / 255, rel=0.05)]


@needs_tensorflow
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (None, "no representative samples"),
        ([], "no representative samples"),
        ([np.zeros((6, 6, 2), np.float32)], r"sample 0 has shapes \[\(6, 6, 2\)\]"),
        ([[np.zeros((1, 6, 6, 2), np.float32)] * 2], "sample 0 has shapes"),
    ],
)
def test_unusable_samples_are_refused(samples: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        convert.convert(small(convert.begin(1)), samples)


@needs_tensorflow
def test_an_open_batch_is_refused() -> None:
    keras = convert.begin(1)
    image = keras.Input((6, 6, 2))
    model = keras.Model(image, keras.layers.Conv2D(3, 3)(image))
    with pytest.raises(BadInputError, match=r"has shape \(None, 6, 6, 2\)") as caught:
        convert.convert(model, [np.zeros((1, 6, 6, 2), np.float32)])
    assert "batch_size=1" in str(caught.value.hint)


@needs_tensorflow
@pytest.mark.parametrize("bidirectional", [False, True])
def test_int8_loops_are_refused_before_they_crash_the_converter(bidirectional: bool) -> None:
    keras = convert.begin(1)
    rows = keras.Input((3, 4), batch_size=1)
    layer = keras.layers.LSTM(5)
    model = keras.Model(rows, (keras.layers.Bidirectional(layer) if bidirectional else layer)(rows))
    with pytest.raises(BadInputError, match="recurrent layer that runs as a loop"):
        convert.convert(model, convert.random_samples([(1, 3, 4)], 2, 1))


@needs_tensorflow
def test_what_has_no_builtin_is_one_clear_line() -> None:
    keras = convert.begin(1)
    vector = keras.Input((4,), batch_size=1)
    model = keras.Model(vector, keras.ops.erf(vector), name="errors")
    with pytest.raises(BadInputError, match="TensorFlow cannot convert 'errors' to float32") as caught:
        convert.convert(model, None, dtype="float32")
    assert "\n" not in caught.value.message
    assert "Erf" in str(caught.value.detail)
