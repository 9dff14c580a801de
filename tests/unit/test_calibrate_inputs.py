"""What users give: templates, captures, features, and the mistakes in them; what is stored, and what may be carried."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import msgspec
import pytest

from harness import cli, platforms
from harness.calibrate import calibration, carry, inputs, match, measurements, public_tables
from harness.calibrate.match import OWN, SAME_TOOLS, STAND_IN
from harness.cost import estimate
from harness.cost.features import Row, read_csv, to_csv
from harness.errors import BadInputError

pytest.importorskip("scipy")

BOARD = "stm32l4r5zi"
COMPILER, LIBRARY = "gcc 12.2", "TFLM July 2020"
HEADER = ",".join(measurements.COLUMNS)


def features(model: str, number: int, **changes: object) -> list[Row]:
    """Two layers and the overhead of a network; its cycles at 3 a core cycle are what ``measured`` says."""
    made = [
        Row(
            model=f"{model}.tflite", model_sha256=f"{number:064d}", platform=BOARD, core="cortex-m4",
            clock_hz=120_000_000, kernels="reference", optimisation="-O2", fpu="fpv4-sp-d16", compiler=COMPILER,
            tflm=LIBRARY, cmsis_nn="CMSIS-NN 4.0.0", elf_sha256=f"elf-{number}", cost_model=estimate.MODEL,
            index=index, op=op, macs=10, instructions=800 * (number + 1), core_cycles=1000.0 * (number + 1),
            taken=10, unaligned=0, code_bytes=2000, fetched=0, jump_misses=0, onward_misses=0, flash_loads=0,
            load_misses=0,
        )
        for index, op in ((0, "CONV_2D"), (1, "SOFTMAX"), (None, "overhead"))
    ]  # fmt: skip
    return [msgspec.structs.replace(row, **changes) for row in made]


def line(name: str, **cells: object) -> str:
    """A row of the template."""
    known: dict[str, object] = {
        "network": name, "kernels": "reference", "optimisation": "-O2", "fpu": "yes", "compiler": COMPILER,
        "library": LIBRARY, "index": 0, "op": "CONV_2D", "cycles": 3000, "source": "bench",
    }  # fmt: skip
    known |= cells
    return ",".join(str(known.get(name, "")) for name in measurements.COLUMNS)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Measurements of four networks, which take 3 cycles a core cycle, and their features."""
    rows = [line(f"net{number}", cycles=3000 * (number + 1)) for number in range(4)]
    measured = tmp_path / "measured.csv"
    measured.write_text("\n".join([HEADER, *rows]) + "\n")
    known = tmp_path / "features.csv"
    known.write_text(to_csv(row for number in range(4) for row in features(f"net{number}", number)))
    return measured, known


def read(tmp_path: Path, *rows: str) -> tuple[measurements.Measurement, ...]:
    path = tmp_path / "m.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return measurements.read(path, platforms.load(BOARD))


def test_the_template_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["calibrate", "--template"])
    assert ended.value.code == 0
    path = tmp_path / "t.csv"
    path.write_text(capsys.readouterr().out)
    first, second = measurements.read(path, platforms.load(BOARD))
    assert (first.network, first.index, first.cycles) == ("kws", 0, 1234567)
    assert (second.index, second.cycles) == (None, pytest.approx(12.34e-3 * 120e6))


def test_a_file_of_a_spreadsheet_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{line('kws.tflite', cycles=' 7 ')}\r\n,,,,,,,,,,,,\r\n".encode())
    (row,) = measurements.read(path, platforms.load(BOARD))
    assert (row.network, row.cycles) == ("kws", 7)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"kernels": "cmsis"}, "line 2: kernels is 'cmsis', not one of reference, cmsis-nn"),
        ({"optimisation": "O2"}, "optimisation is 'O2'"),
        ({"fpu": "1"}, "fpu is '1', not one of yes, no"),
        ({"network": ""}, "network is empty"),
        ({"compiler": ""}, "what built the firmware is not said"),
        ({"index": "-1"}, "index is '-1'"),
        ({"cycles": "many"}, "'many' is no positive number"),
        ({"cycles": "nan"}, "'nan' is no positive number"),
        ({"cycles": "0"}, "'0' is no positive number"),
        ({"latency_ms": "1"}, "give cycles or latency_ms"),
        ({"cycles": ""}, "give cycles or latency_ms"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(tmp_path: Path, cells: dict[str, str], message: str) -> None:
    with pytest.raises(BadInputError) as refused:
        read(tmp_path, line("kws", **cells))
    assert message in refused.value.message


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    board = platforms.load(BOARD)
    with pytest.raises(BadInputError, match="No such file"):
        measurements.read(path, board)
    path.write_text("network,cycles\nkws,1\n")
    with pytest.raises(BadInputError, match="no column architecture, kernels"):
        measurements.read(path, board)
    path.write_text(HEADER + "\n")
    with pytest.raises(BadInputError, match="no rows"):
        measurements.read(path, board)


def test_a_layer_that_was_measured_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="index 0 has two rows"):
        read(tmp_path, line("kws"), line("kws", cycles=3001))


def test_how_near_the_features_are_is_said(tmp_path: Path) -> None:
    known = features("kws", 0)
    rows = read(
        tmp_path,
        line("kws"),
        line("kws", index=1, op="SOFTMAX", compiler="gcc 8"),
        line("kws", index="", op="", elf_sha256="elf-0", compiler="", library=""),
        line("other"),
    )
    found, missing = match.pairs(rows, known)
    assert [pair.features_from for pair in found] == [SAME_TOOLS, STAND_IN, OWN]
    assert [row.network for row in missing] == ["other"]
    assert found[2].measurement.build.compiler == COMPILER
    assert found[2].sample.columns["core cycles"] == 3000  # both layers and the overhead


def test_features_of_other_flags_or_firmware_are_not_taken(tmp_path: Path) -> None:
    rows = read(tmp_path, line("kws", elf_sha256="elf-9"), line("kws", optimisation="-O3"))
    assert match.pairs(rows, features("kws", 0))[0] == []
    twice = [*features("kws", 0), *features("kws", 0, elf_sha256="elf-1")]
    with pytest.raises(BadInputError, match="features of 2 firmwares fit"):
        match.pairs(read(tmp_path, line("kws")), twice)
    with pytest.raises(BadInputError, match="measured as ADD, and is CONV_2D"):
        match.pairs(read(tmp_path, line("kws", op="ADD")), features("kws", 0))
    with pytest.raises(BadInputError, match="no layer 7"):
        match.pairs(read(tmp_path, line("kws", index=7)), features("kws", 0))


def test_a_calibration_is_made_stored_and_used(
    tmp_path: Path, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    measured, known = files
    stored = tmp_path / "board.json"
    arguments = ["calibrate", str(measured), "-p", BOARD, "--features", str(known), "-o", str(stored)]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "fitted to 4 rows of 4 networks" in said
    assert f"calibrated on {BOARD}, {COMPILER}, {LIBRARY}; features of a {SAME_TOOLS}" in said
    content = calibration.read(stored)
    (family,) = content.families
    assert family.coefficients == {"estimate": 3.0}
    assert family.without_network is not None and family.without_network.worst < 1e-5
    assert stored.with_suffix(".svg").read_text().startswith("<?xml")

    with pytest.raises(SystemExit):
        cli.main(["estimate", str(known), "-c", str(stored), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert [item["cycles"] for item in shown] == [9000 * (number + 1) for number in range(4)]
    assert shown[0]["carried"] == [] and shown[0]["low"] is not None


def test_a_board_slower_by_a_fifth_is_found_out(files: tuple[Path, Path]) -> None:
    measured, known = files

    def coefficient() -> float:
        given = inputs.gather([str(measured)], BOARD, feature_files=[known])
        (family,) = calibration.calibrate(given.pairs, given.data_sha256)
        return family.coefficients["estimate"]

    before = inputs.gather([str(measured)], BOARD, feature_files=[known])
    rows = [line(f"net{number}", cycles=3600 * (number + 1)) for number in range(4)]
    measured.write_text("\n".join([HEADER, *rows]) + "\n")
    assert coefficient() == pytest.approx(3.6)
    rows[2] = line("net2", cycles=1.2 * 3600 * 3)
    measured.write_text("\n".join([HEADER, *rows]) + "\n")
    after = inputs.gather([str(measured)], BOARD, feature_files=[known])
    (family,) = calibration.calibrate(after.pairs, after.data_sha256)
    residuals = {residual.network: residual.error for residual in family.residuals}
    assert family.coefficients["estimate"] > 3.6
    assert (residuals["net2"] or 0) < -0.1 and (residuals["net1"] or 0) > 0.01
    assert after.data_sha256 != before.data_sha256


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compiler": "gcc 8"}, f"compiler: {COMPILER}, not gcc 8"),
        ({"tflm": "TFLM 2026"}, f"library: {LIBRARY}, not TFLM 2026"),
        ({"optimisation": "-Os"}, "flags: -O2, not -Os"),
        ({"fpu": ""}, "FPU: with, not without"),
        ({"kernels": "cmsis-nn"}, "kernels: reference, not cmsis-nn"),
    ],
)
def test_a_calibration_is_not_carried_unless_forced(
    files: tuple[Path, Path], changes: dict[str, object], said: str
) -> None:
    measured, known = files
    given = inputs.gather([str(measured)], BOARD, feature_files=[known])
    made = calibration.calibrate(given.pairs, given.data_sha256)
    content = calibration.Calibration(schema=calibration.SCHEMA, platform=BOARD, families=made)
    run = features("kws", 0, **changes)
    with pytest.raises(BadInputError) as refused:
        carry.estimate(run, content, forced=False)
    assert said in refused.value.message
    forced = carry.estimate(run, content, forced=True)
    assert said in forced.carried
    assert forced.tier.endswith("carried to another build")
    assert (forced.low, forced.high) == (None, None)
    assert carry.estimate(features("kws", 0), content, forced=True).carried == ()


def test_a_calibration_is_of_one_board_and_one_model(files: tuple[Path, Path]) -> None:
    measured, known = files
    given = inputs.gather([str(measured)], BOARD, feature_files=[known])
    made = calibration.calibrate(given.pairs, given.data_sha256)
    content = calibration.Calibration(schema=calibration.SCHEMA, platform=BOARD, families=made)
    with pytest.raises(BadInputError, match="the run is for stm32l496zg"):
        carry.estimate(features("kws", 0, platform="stm32l496zg"), content, forced=True)
    with pytest.raises(BadInputError, match="the features of first-principles/0"):
        carry.estimate(features("kws", 0, cost_model="first-principles/0"), content, forced=True)
    known.write_text(to_csv(features("net0", 0, cost_model="first-principles/0")))
    with pytest.raises(BadInputError, match="features of the cost model first-principles/0"):
        inputs.gather([str(measured)], BOARD, feature_files=[known])


def test_other_families_of_the_file_stay(tmp_path: Path, files: tuple[Path, Path]) -> None:
    measured, known = files
    given = inputs.gather([str(measured)], BOARD, feature_files=[known])
    (made,) = calibration.calibrate(given.pairs, given.data_sha256)
    path = tmp_path / "c.json"
    calibration.write(path, calibration.merged(path, BOARD, [made]))
    other = msgspec.structs.replace(made, build=msgspec.structs.replace(made.build, compiler="gcc 8"))
    assert len(calibration.merged(path, BOARD, [other]).families) == 2
    assert calibration.merged(path, BOARD, [made]) == calibration.read(path)
    with pytest.raises(BadInputError, match=f"is of {BOARD}, not of stm32l496zg"):
        calibration.merged(path, "stm32l496zg", [made])
    path.write_text("{}")
    with pytest.raises(BadInputError, match="no calibration"):
        calibration.read(path)


def _captured(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["index,op,cycles,clock_hz,full_clock,overhead_cycles", *rows]) + "\n")
    return path


def test_a_capture_is_calibrated_to(tmp_path: Path, files: tuple[Path, Path]) -> None:
    _, known = files
    path = _captured(tmp_path / "net1.csv", "0,CONV_2D,6040,120000000,1,40", "1,,4040,120000000,1,40")
    given = inputs.gather([str(path)], BOARD, feature_files=[known], compiler="gcc 8", library=LIBRARY)
    assert [(pair.sample.network, pair.sample.cycles) for pair in given.pairs] == [("net1", 6000), ("net1", 4000)]
    assert {pair.features_from for pair in given.pairs} == {STAND_IN}


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("net9", ("0,CONV_2D,5,120000000,1,0",), "does not name its network"),
        ("net1", ("0,CONV_2D,5,120000000,1,0",), "1 layers, and net1.tflite has 2"),
        ("net1", ("0,ADD,5,120000000,1,0", "1,,5,120000000,1,0"), "layer 0 ADD is not in"),
        ("net1", ("0,,5,4000000,0,0", "1,,5,4000000,0,0"), "measured at 4 MHz"),
        ("net1", ("0,,5,120000000,1,9", "1,,5,120000000,1,0"), "-4 cycles without the marks"),
        ("net1", ("0,,x,120000000,1,9", "1,,5,120000000,1,0"), "line 2"),
    ],
)
def test_a_capture_that_does_not_fit_is_refused(
    tmp_path: Path, files: tuple[Path, Path], name: str, rows: tuple[str, ...], message: str
) -> None:
    path = _captured(tmp_path / f"{name}.csv", *rows)
    with pytest.raises(BadInputError) as refused:
        inputs.gather([str(path)], BOARD, feature_files=[files[1]], compiler=COMPILER, library=LIBRARY)
    assert message in refused.value.message


def test_a_capture_needs_its_features_and_what_built_it(tmp_path: Path, files: tuple[Path, Path]) -> None:
    path = _captured(tmp_path / "net1.csv", "0,,5,120000000,1,0", "1,,5,120000000,1,0")
    with pytest.raises(BadInputError, match="a capture has cycles alone"):
        inputs.gather([str(path)], BOARD)
    with pytest.raises(BadInputError, match="does not say what built the firmware") as refused:
        inputs.gather([str(path)], BOARD, feature_files=[files[1]])
    assert COMPILER in (refused.value.hint or "")


def test_what_is_missing_is_said(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(BadInputError, match=r"none of 4 measured rows has features: net0\.tflite"):
        inputs.gather([str(files[0])], BOARD)
    with pytest.raises(BadInputError, match=r"no net0\.tflite"):
        inputs.gather([str(files[0])], BOARD, models=tmp_path)
    with pytest.raises(BadInputError, match="no public measurements of microbit"):
        inputs.gather(["public"], "microbit")


def test_public_tables_are_read_as_they_are() -> None:
    rows = public_tables.load()
    lenet = {
        (row.build.platform, row.build.kernels): row
        for row in rows
        if row.network == "lenet int8" and row.index is None and row.build.optimisation == "-Os" and row.build.fpu
    }
    assert len(lenet) == 6
    assert lenet["stm32l496zg", "reference"].cycles == pytest.approx(192.8984 * 80e3, rel=1e-6)
    assert len({(row.network, row.build, row.index) for row in rows}) == len(rows) == 3105 + 120 + 48 + 2
    wrapped = [row for row in rows if row.unfit == public_tables.WRAPPED]
    assert len(wrapped) == 28
    assert all(not row.unfit for row in rows if row.source == public_tables.MLPERF)
    assert all(row.cycles > 0 for row in rows if not row.unfit)


def test_a_network_that_ran_instead_of_another_is_told_by_its_times() -> None:
    times: dict[tuple[str, str], dict[str, dict[int | None, float]]] = {}
    repeated = set()
    for row in public_tables.load("stm32l496zg"):
        if row.network.startswith("heim-"):
            family = times.setdefault((row.architecture, row.build.kernels), {})
            family.setdefault(row.network, {})[row.index] = row.cycles / 80
            if row.unfit == public_tables.REPEATED:
                repeated.add((row.network, row.build.kernels))
    found = set()
    for (_, kernels), networks in times.items():
        for one, other in itertools.combinations(networks, 2):
            if all(abs(networks[one][index] - networks[other][index]) < 1 for index in networks[one]):
                found.add(frozenset((one, other)) | {kernels})
    assert found == {
        frozenset(("heim-conv-stack:filters=4,kernel=4 int8", "heim-conv-stack:filters=4,kernel=5 int8", "cmsis-nn")),
        frozenset(("heim-dense:units=464 int8", "heim-dense:units=465 int8", "reference")),
    }
    assert repeated == {
        ("heim-conv-stack:filters=4,kernel=5 int8", "cmsis-nn"),
        ("heim-dense:units=465 int8", "reference"),
    }


def test_a_layer_of_no_measurable_length_has_no_relative_error() -> None:
    given = inputs.gather(["public"], "stm32f767zi")
    zero = [pair for pair in given.pairs if pair.measurement.unfit == public_tables.TOO_SHORT]
    assert {pair.sample.op for pair in zero} == {"DEQUANTIZE", "SOFTMAX"}
    families = calibration.calibrate(given.pairs, given.data_sha256)
    errors = [item.error for family in families for item in family.residuals if item.measured == 0]
    assert errors == [None] * len(zero)


def test_public_features_are_of_public_rows() -> None:
    rows = [row for path in (public_tables.FEATURES, public_tables.UNSEEN_FEATURES) for row in read_csv(path)]
    assert {row.cost_model for row in rows} == {estimate.MODEL}
    models = {f"{row.model}.tflite" for row in public_tables.load()}
    assert {row.model for row in rows} <= models
