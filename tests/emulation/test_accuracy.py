"""Accuracy on the emulated device: both sides image by image, and what differs is told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import accuracy, cli, serving
from harness.client import Client
from harness.zoo.digits import split
from harness.zoo.evaluate import accuracy as evaluated
from tests.conftest import DIGITS

COUNT = 30


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """Noise with the classes that the network sees in it by tflite-micro, every third of them wrong."""
    from harness.zoo.evaluate import HostInterpreter

    interpreter = HostInterpreter(DIGITS.read_bytes())
    images = np.random.default_rng(4).uniform(0, 1, (COUNT, 8, 8, 1)).astype(np.float32)
    labels = np.array([int(np.argmax(interpreter.run([interpreter.quantise(image[None])])[0])) for image in images])
    labels[::3] = (labels[::3] + 1) % 10
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", labels)
    return tmp_path / "x.npy", tmp_path / "y.npy"


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
def test_device_and_host_are_equal_image_by_image(data: tuple[Path, Path], kernels: str) -> None:
    steps: list[tuple[str, int | None, int | None]] = []
    found = accuracy.measure(DIGITS, *data, "stm32l496zg", kernels=kernels, progress=lambda *step: steps.append(step))
    assert found.equal
    assert (found.images, found.device_correct, found.host_correct) == (COUNT, 20, 20)
    assert found.device_accuracy == found.host_accuracy == round(20 / 30, 6)
    assert (found.platform, found.machine) == ("stm32l496zg", "mps2-an386")
    assert 0 < found.instructions_min <= found.instructions_median <= found.instructions_max
    assert found.instructions_max < 1.01 * found.instructions_min
    assert found.images_per_second == pytest.approx(COUNT / found.seconds, rel=0.01)
    assert [step[1:] for step in steps if step[0] == "running images"] == [(index, COUNT) for index in range(COUNT + 1)]


@pytest.fixture
def damaged_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose outputs of the images 3 and 5 are others: the first also of another class."""
    real = serving.host

    @contextlib.contextmanager
    def host(*arguments: Any, **options: Any) -> Iterator[Client]:
        with real(*arguments, **options) as client:
            read, images = client.read, iter(range(COUNT))

            def damaged(crc: int) -> tuple[bytes, ...]:
                (output,) = read(crc)
                values = np.frombuffer(output, np.int8).copy()
                image = next(images)
                if image == 3:
                    values[:] = values[::-1]
                elif image == 5:
                    values[np.argmin(values)] += 1
                return (values.tobytes(),)

            client.read = damaged  # type: ignore[method-assign]
            yield client

    monkeypatch.setattr(serving, "host", host)


def call(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["accuracy", str(DIGITS), *map(str, arguments)])
    captured = capfd.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_images_that_differ_are_told(
    data: tuple[Path, Path], damaged_host: None, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--data", ",".join(map(str, data)), "--platform", "mps2-an386", "--limit", "10")
    code, out, _ = call(capfd, *options, "--json")
    assert code == 1
    found = json.loads(out)
    assert found["schema"] == "tflm-harness/accuracy/1"
    assert found["images"] == 10
    assert [image["index"] for image in found["different"]] == [3, 5]
    assert found["different"][0]["host_class"] == 9 - found["different"][0]["device_class"]
    assert found["different"][1]["host_class"] == found["different"][1]["device_class"]
    assert found["different"][1]["elements_different"] == 1
    assert found["device_correct"] == 6  # 4 of 10 labels are wrong

    code, out, _ = call(capfd, *options)
    assert code == 1
    assert "2 of 10 images differ between device and host" in out
    assert "image 5 (label " in out
    assert "1 output elements differ" in out


def test_the_command_passes_where_all_are_equal(data: tuple[Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capfd, "--data", ",".join(map(str, data)), "-p", "microbit", "--limit", "5")
    assert code == 0
    assert "device accuracy  60.00 % (3 of 5)" in out
    assert "device and host computed the same bytes for all 5 images" in out
    assert "images a second through the emulator, by this machine's clock" in out


def test_images_on_another_scale_are_warned_of(data: tuple[Path, Path], capfd: pytest.CaptureFixture[str]) -> None:
    np.save(data[0], 255 * np.load(data[0]))
    code, out, _ = call(capfd, "--data", ",".join(map(str, data)), "-p", "mps2-an386", "--limit", "2")
    assert code == 0
    assert "% of the images' values are outside of what the network's input can hold, and were clipped" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "x.npy"], "--data 'x.npy' does not name two files"),
        (["--data", "x.npy,"], "--data 'x.npy,' does not name two files"),
        (["--data", "a,b,c"], "--data 'a,b,c' does not name two files"),
        (["--data", "nowhere.npy,nowhere.npy"], "nowhere.npy: there is no such file"),
    ],
)
def test_mistakes(capfd: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    code, out, err = call(capfd, *arguments, "-p", "mps2-an386")
    assert code == 2
    assert f"error: {message}" in err
    assert out == ""


def test_digits_test_set_on_the_device(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the images come with scikit-learn, which is not installed")
    from harness.zoo import digits

    digits.main(["--test-set", f"{tmp_path / 'x.npy'},{tmp_path / 'y.npy'}"])
    found = accuracy.measure(
        DIGITS, tmp_path / "x.npy", tmp_path / "y.npy", "mps2-an386", kernels="cmsis-nn", limit=300
    )
    assert found.equal
    data = split()
    expected = evaluated(DIGITS.read_bytes(), data.test_images[:300], data.test_labels[:300])
    assert found.device_correct == expected.correct
