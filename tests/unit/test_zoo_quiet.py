"""What native libraries print must not reach the user, and must be at hand when something fails."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from harness.zoo.quiet import quiet, text_of


def test_everything_goes_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet() as log:
        os.write(1, b"from C, stdout\n")
        os.write(2, b"from C, stderr\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        print("from Python")
        print("from Python, stderr", file=sys.stderr)
        warnings.warn("from a warning", stacklevel=1)
        text = text_of(log)
    assert text.splitlines() == [
        "from C, stdout",
        "from C, stderr",
        "from a child",
        "from Python",
        "from Python, stderr",
    ]
    assert capfd.readouterr() == ("", "")


def test_output_is_back_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), quiet():
        raise ValueError("inside")
    os.write(1, b"out\n")
    os.write(2, b"err\n")
    print("printed", flush=True)
    assert capfd.readouterr() == ("out\nprinted\n", "err\n")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_open() -> None:
    with quiet():
        pass
    before = open_descriptors()
    for _ in range(5):
        with quiet():
            os.write(1, b"x")
    assert open_descriptors() == before
