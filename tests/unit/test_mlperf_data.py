"""harness.mlperf_data: which network is which, its inputs and its results."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest

from harness import mlperf_data
from harness.errors import BadInputError
from harness.records import Model
from tests.unit.mlperf_device import AD, AD_FLOAT, IC, KWS, VWW, model, tensor

OTHERS = {
    "flat kws": model([tensor((1, 490))], [tensor((1, 12))]),
    "float kws": model([tensor((1, 49, 10, 1), "float32")], [tensor((1, 12), "float32")]),
    "two inputs": model([tensor((1, 32, 32, 3)), tensor((1, 32, 32, 3))], [tensor((1, 10))]),
    "mixed types": model([tensor((1, 640), "float32")], [tensor((1, 640))]),
    "digits": model([tensor((1, 8, 8, 1))], [tensor((1, 10))]),
}


@pytest.mark.parametrize(
    ("network", "expected"), [(KWS, "kws01"), (VWW, "vww01"), (IC, "ic01"), (AD, "ad01"), (AD_FLOAT, "ad01")]
)
def test_the_four_networks_are_recognised(network: Model, expected: str) -> None:
    assert mlperf_data.identify(network) == expected


@pytest.mark.parametrize("network", OTHERS.values(), ids=OTHERS)
def test_other_networks_are_other(network: Model) -> None:
    assert mlperf_data.identify(network) == "other"


def test_kws_takes_its_bytes_as_they_are_and_cuts_decimals_off() -> None:
    data = mlperf_data.data(KWS, "kws01")
    assert data.size_bytes == 490
    raw = bytes(range(256)) + bytes(234)
    assert data.inputs(raw) == (raw,)
    # 127, -128, -127, 0: 255/256, 0, 1/256, 128/256
    outputs = struct.pack("12b", 127, -128, -127, 0, *[-128] * 8)
    assert data.results(raw, (outputs,)).startswith("0.996,0.000,0.003,0.500,0.000,")


def test_pixels_are_unsigned_and_results_are_rounded() -> None:
    data = mlperf_data.data(IC, "ic01")
    assert data.size_bytes == 3072
    (values,) = data.inputs(bytes((0, 1, 127, 128, 255)) + bytes(3067))
    assert struct.unpack("5b", values[:5]) == (-128, -127, -1, 0, 127)
    assert data.results(b"", (struct.pack("10b", -127, *[-128] * 9),)).startswith("0.004,0.000,")
    assert mlperf_data.data(VWW, "vww01").size_bytes == 27648


def test_ad_quantises_and_compares_as_a_loop_in_single_precision_does() -> None:
    data = mlperf_data.data(AD, "ad01")
    assert data.size_bytes == 2560
    given = np.random.default_rng(1).normal(-40, 30, 640).astype(np.float32)
    outputs = np.random.default_rng(2).integers(-128, 128, 640).astype(np.int8)
    (taken,) = data.inputs(given.tobytes())
    total = np.float32(0)
    for index in range(640):
        scaled = given[index] / np.float32(0.391)
        away = int(abs(float(scaled)) + 0.5) * (1 if scaled >= 0 else -1)
        assert struct.unpack_from("b", taken, index)[0] == min(max(away + 89, -128), 127)
        difference = np.float32(int(outputs[index]) - 96) * np.float32(0.3645) - given[index]
        total += difference * difference
    assert data.results(given.tobytes(), (outputs.tobytes(),)) == f"{total / np.float32(640):.3f}"


def test_ad_rounds_halves_away_from_zero_and_saturates() -> None:
    network = model([tensor((1, 640), scale=1.0)], [tensor((1, 640), scale=1.0)])
    values = (0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, 1e30, -1e30, float("inf"), float("-inf"), float("nan"))
    data = mlperf_data.data(network, "ad01")
    raw = struct.pack("<640f", *values, *[0.0] * (640 - len(values)))
    (taken,) = data.inputs(raw)
    assert struct.unpack_from("11b", taken) == (1, -1, 2, 3, -3, 0, 127, -128, 127, -128, 0)
    assert data.results(raw, (bytes(640),)) == "nan"


def test_ad_in_floats_passes_them_on() -> None:
    data = mlperf_data.data(AD_FLOAT, "ad01")
    raw = struct.pack("<640f", *[1.0] * 640)
    assert data.inputs(raw) == (raw,)
    assert data.results(raw, (struct.pack("<640f", *[3.0] * 640),)) == "4.000"


def test_another_network_takes_all_inputs_in_turn_and_gives_all_outputs() -> None:
    network = model(
        [tensor((2,), "float32"), tensor((3,))],
        [tensor((2,), "int16", scale=0.5), tensor((1,), "int32"), tensor((), "float32")],
    )
    data = mlperf_data.data(network, "other")
    assert data.size_bytes == 11
    assert data.inputs(b"abcdefghijk") == (b"abcdefgh", b"ijk")
    outputs = (struct.pack("<2h", -3, 1000), struct.pack("<i", 7), struct.pack("<f", 0.0005))
    assert data.results(b"", outputs) == "-1.500,500.000,7.000,0.001"


def test_results_that_are_no_numbers_are_printed_as_such() -> None:
    network = model([tensor((1,), "float32")], [tensor((3,), "float32")])
    raw = struct.pack("<3f", float("nan"), float("inf"), 3e38)
    for model_id in ("kws01", "other"):
        assert mlperf_data.data(network, model_id).results(b"", (raw,)).startswith("nan,inf,3")


@pytest.mark.parametrize(
    ("network", "model_id", "message"),
    [
        (KWS, "no spaces", "a model id of 'no spaces'"),
        (KWS, "", "a model id of ''"),
        (KWS, "x" * 33, "a model id of"),
        (KWS, "a]", "a model id of"),
        (AD_FLOAT, "ic01", "ic01 has an input of int8, the network of float32"),
        (KWS, "ad01", "the network has 12 outputs for 490 inputs"),
        (OTHERS["two inputs"], "vww01", "vww01 has one input and one output, the network 2 and 1"),
        (model([tensor((4,))], [tensor((4,))]), "ad01", "the network's input has 0 scales"),
        (model([tensor((4,), "int16", scale=1.0)], [tensor((4,))]), "ad01", "has an input of int8 or float32"),
    ],
)
def test_an_id_that_does_not_fit_is_refused(network: Model, model_id: str, message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)) as raised:
        mlperf_data.data(network, model_id)
    assert raised.value.hint
