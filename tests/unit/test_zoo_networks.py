"""The networks of the conversion tests: what they contain, and that the model reader takes or refuses them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness import model
from harness.errors import BadInputError
from harness.zoo import convert
from harness.zoo.evaluate import HostInterpreter
from tests.networks import NETWORKS, REFUSED

pytestmark = pytest.mark.skipif(convert.tensorflow_version() is None, reason="TensorFlow is not installed")

# What the packaged TFLM must be shown to compute exactly; a converter that stops emitting one of them shows here.
OPERATORS = {
    *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "PAD"),
    *("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "GREATER", "RELU", "RELU6", "PRELU", "LOGISTIC", "TANH", "SOFTMAX"),
    *("CONCATENATION", "SPLIT", "PACK", "UNPACK", "RESHAPE", "STRIDED_SLICE", "QUANTIZE", "DEQUANTIZE"),
    *("ABS", "CEIL", "COS", "FLOOR", "LOG", "NEG", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE"),
}


def load(name: str, folder: Path, build: Callable[[], bytes]) -> model.Model:
    path = folder / f"{name}.tflite"
    path.write_bytes(build())
    return model.load(path)


def test_every_operator_is_covered(tmp_path: Path) -> None:
    found = {builtin for name, build in NETWORKS.items() for builtin in load(name, tmp_path, build).builtins}
    assert found == OPERATORS


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_depend_on_the_input_and_are_not_saturated(name: str) -> None:
    interpreter = HostInterpreter(NETWORKS[name]())
    samples = convert.random_samples([entry["shape"] for entry in interpreter.inputs], 6, seed=1)
    runs = [
        interpreter.run([interpreter.quantise(values, index) for index, values in enumerate(sample)])
        for sample in samples
    ]
    for outputs in zip(*runs, strict=True):
        values = np.stack(outputs)
        assert len({value.tobytes() for value in values}) == len(values)
        if values.dtype == np.int8:
            assert len(np.unique(values)) >= 6
            assert np.mean((values == -128) | (values == 127)) < 0.25


@pytest.mark.parametrize(("name", "build", "fragment"), REFUSED, ids=[entry[0] for entry in REFUSED])
def test_what_cannot_be_exact_is_refused_with_the_reason(
    name: str, build: Callable[[], bytes], fragment: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError) as caught:
        load(name, tmp_path, build)
    assert fragment in caught.value.message
    assert "\n" not in caught.value.message
