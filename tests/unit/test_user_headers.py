"""What the headers of a user's TFLM define: read by the preprocessor, told by what is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness import sources, toolchain
from harness.errors import BadInputError
from harness.user_library import headers
from harness.user_library.headers import Headers
from tests.conftest import ROOT

TODAY = ROOT / "tests" / "data" / "tflm_today"


def read(*folders: Path) -> Headers:
    return headers.read(headers.folders([str(folder) for folder in folders]), toolchain.arm().tool("g++"), ())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The headers, to be changed."""
    return Path(shutil.copytree(TODAY, tmp_path / "tflm"))


def test_todays_interface_is_told_by_its_headers() -> None:
    found = read(TODAY)
    assert (found.api, found.flatbuffers) == (headers.TODAY, "25.9.23")
    assert found.adds == {"CONV_2D": "AddConv2D", "LEAKY_RELU": "AddLeakyRelu", "SOFTMAX": "AddSoftmax"}


def test_without_a_profiler_interface_it_is_of_the_years_between(copy: Path) -> None:
    (copy / "tensorflow/lite/micro/micro_profiler_interface.h").unlink()
    interpreter = copy / "tensorflow/lite/micro/micro_interpreter.h"
    text = interpreter.read_text().replace('#include "tensorflow/lite/micro/micro_profiler_interface.h"\n', "")
    interpreter.write_text(text)
    assert read(copy).api == headers.TRANSITION


def test_the_packaged_tflm_is_of_july_2020() -> None:
    root = sources.locate().tflm
    downloads = root / "tensorflow/lite/micro/tools/make/downloads"
    found = read(root, downloads / "flatbuffers/include", downloads / "gemmlowp", downloads / "ruy")
    assert (found.api, found.flatbuffers, found.adds) == (headers.JULY_2020, "1.12.0", {})


def test_a_missing_header_names_the_folders_and_what_to_add(copy: Path) -> None:
    shutil.rmtree(copy / "flatbuffers")
    with pytest.raises(BadInputError, match=r"flatbuffers/flatbuffers.h, which .*schema_generated.h includes") as error:
        read(copy)
    assert str(copy) in error.value.message
    assert "the folder include/ of flatbuffers" in (error.value.hint or "")


def test_a_folder_that_holds_no_tflm_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=f"tensorflow/lite/c/common.h is in none of .* {tmp_path}") as error:
        read(tmp_path)
    assert "the root of TFLM's sources" in (error.value.hint or "")


def test_another_flatbuffers_than_the_schema_asks_for_is_named(copy: Path) -> None:
    base = copy / "flatbuffers/base.h"
    base.write_text(base.read_text().replace("MINOR 9", "MINOR 2").replace("REVISION 23", "REVISION 10"))
    with pytest.raises(BadInputError, match=r"is of flatbuffers 25\.9\.23, but .* holds flatbuffers 25\.2\.10"):
        read(copy)


def test_the_identity_is_that_of_the_headers_wherever_they_lie(copy: Path) -> None:
    assert read(copy).sha256 == read(TODAY).sha256
    header = copy / "tensorflow/lite/micro/micro_common.h"
    header.write_text(header.read_text() + "// another\n")
    assert read(copy).sha256 != read(TODAY).sha256


def test_of_a_checkout_git_says_which(copy: Path) -> None:
    assert read(copy).source is None

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=copy, check=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first", "--date", "2024-05-06T00:00:00")
    git("tag", "v1.2")
    found = read(copy).source or ""
    assert found.startswith("git v1.2, 2")
    assert read(copy).sha256 == read(TODAY).sha256
