"""The scenarios on real firmware: all pass, and each defect fails the test that is there for it, in its own words."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from robot.api import ExecutionResult

import robot
from harness import bad_frames, baseline, cli, elf, faults, flatbuffer, image, library, realtime, repeats, run, wire
from harness.errors import HarnessError
from harness.frames import Frame
from harness.gate import run as gate
from harness.model_schema import MODEL
from harness.paths import data_folder
from tests.conftest import DIGITS, ROOT

PLATFORM = "stm32l496zg"
SUITES = ROOT / "robot" / "suites"


class Ran(NamedTuple):
    """What Robot said of each test, and where its log is."""

    statuses: dict[str, str]
    messages: dict[str, str]
    folder: Path

    @property
    def failed(self) -> set[str]:
        return {name for name, status in self.statuses.items() if status == "FAIL"}


@pytest.fixture
def scenario(tmp_path: Path, results: Path) -> Any:
    """Run a suite in this process, so that a test may break what the harness does."""

    def call(suite: str | Path, **variables: object) -> Ran:
        path = suite if isinstance(suite, Path) else SUITES / f"{suite}.robot"
        folder, said = tmp_path / "robot", io.StringIO()
        code = robot.run(
            str(path),
            outputdir=str(folder),
            variable=[f"{name}:{value}" for name, value in variables.items()],
            pythonpath=str(ROOT / "robot"),
            console="none",
            stdout=said,
            stderr=said,
        )
        assert code < 250, said.getvalue()
        tests = list(ExecutionResult(str(folder / "output.xml")).suite.all_tests)
        return Ran(
            statuses={test.name: test.status for test in tests},
            messages={test.name: test.message for test in tests},
            folder=folder,
        )

    return call


def test_all_of_them_pass(tmp_path: Path, results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["scenarios", "--jobs", "2", "--output", str(tmp_path / "out")])
    out, err = capfd.readouterr()
    assert ended.value.code == 0, out + err
    names = re.findall(r"^(?:PASS|SKIP)  (\w+) ", out, re.MULTILINE)
    assert sorted(names[:-1] if names[-1].isdigit() else names) == sorted(path.stem for path in SUITES.glob("*.robot"))
    for name in ("log.html", "report.html", "output.xml", "xunit.xml"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


# --- what must fail ---


def weights_offset(content: bytes) -> int:
    """Where the weights of the first depthwise convolution lie in the file."""
    decoded = flatbuffer.decode(content, MODEL)
    graph = decoded["subgraphs"][0]
    tensor = graph["tensors"][graph["operators"][1]["inputs"][1]]
    return int(decoded["buffers"][tensor["buffer"]]["data"].offset)


def other_weights(monkeypatch: pytest.MonkeyPatch, kernels: str | None = None) -> None:
    """The device is built with a network of which one weight is another; the host has the real one."""
    content = bytearray(DIGITS.read_bytes())
    content[weights_offset(bytes(content))] ^= 0x40
    real = image.link

    def link(spec: image.Spec, *rest: Any) -> elf.Elf:
        if kernels in (None, spec.kernels):
            model = msgspec.structs.replace(spec.model, content=bytes(content), sha256="0" * 64)
            spec = msgspec.structs.replace(spec, model=model)
        return real(spec, *rest)

    monkeypatch.setattr(image, "link", link)


def damaged_flash(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of the network in the device's flash is flipped after the build."""
    content, real = DIGITS.read_bytes(), image.link

    def link(*arguments: Any) -> elf.Elf:
        made = real(*arguments)
        firmware = bytearray(made.path.read_bytes())
        at = firmware.find(content)
        assert at > 0
        firmware[at + weights_offset(content)] ^= 0x40
        copy = made.path.with_name(f"damaged-{made.path.name}")
        copy.write_bytes(firmware)
        return elf.Elf(copy)

    monkeypatch.setattr(image, "link", link)


def test_a_model_that_is_damaged_in_flash_fails_smoke(
    scenario: Any, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged_flash(monkeypatch)
    ran = scenario("smoke", PLATFORM=PLATFORM)
    assert ran.messages["Cortex-M4F"] == "the firmware failed: the model in flash is damaged: its CRC is another"
    assert ran.failed == {"Cortex-M4F"}


def test_a_model_with_another_weight_fails_smoke(
    scenario: Any, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_weights(monkeypatch)
    ran = scenario("smoke", PLATFORM=PLATFORM)
    assert ran.failed == {"Cortex-M4F"}
    message = ran.messages["Cortex-M4F"]
    assert re.fullmatch(
        r"digits\.tflite on stm32l496zg \(cmsis-nn, -O2\), layer 1 \(DEPTHWISE_CONV_2D\): \d+ elements of 512 differ "
        r"from the host build, by \d+ at most, limit at most 0 elements",
        message,
    ), message
    assert "has a cortex-m4, this is for a cortex-m0" in ran.messages["Cortex-M0"]
    assert set(ran.statuses.values()) == {"FAIL", "SKIP"}


def test_a_failure_has_the_table_and_the_logs(
    scenario: Any, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_weights(monkeypatch)
    ran = scenario("smoke", PLATFORM=PLATFORM)
    output = (ran.folder / "output.xml").read_text()
    assert "DEPTHWISE_CONV_2D differs" in output
    (link,) = re.findall(r"href=\"(attachments/[^\"]*uart\.log)\"", output.replace("&quot;", '"'))
    assert "@begin" in (ran.folder / link).read_text()


def test_a_model_with_another_weight_fails_accuracy(
    scenario: Any, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_weights(monkeypatch)
    ran = scenario("accuracy", ACCURACY="0.999")
    assert ran.failed == {"Every Image Is Equal On Device And Host", "Device Is Accurate"}
    assert re.match(
        r"\d+ images of 40 differ between stm32l496zg and the host, limit at most 0 images; the first is image \d+: ",
        ran.messages["Every Image Is Equal On Device And Host"],
    )
    assert re.fullmatch(
        r"accuracy on the device: 0\.\d+ of all images, limit at least 0\.999 of all images",
        ran.messages["Device Is Accurate"],
    )


def test_kernels_that_differ_fail_kernels_agree(
    scenario: Any, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_weights(monkeypatch, kernels="cmsis-nn")
    ran = scenario("kernels_agree", PLATFORM=PLATFORM)
    assert ran.failed == {"Cortex-M4F"}
    assert "the outputs of layer 1 (DEPTHWISE_CONV_2D) have CRC-32 " in ran.messages["Cortex-M4F"]


def test_a_worsened_baseline_fails_what_got_worse(scenario: Any, tmp_path: Path) -> None:
    result = run(DIGITS, PLATFORM, kernels="cmsis-nn")
    folder = tmp_path / "baselines"
    path = baseline.save(result, folder)
    assert scenario("regression", BASELINES=folder, ALLOWED_PERCENT=0).statuses == dict.fromkeys(
        ("Instructions", "Instructions Of Each Layer", "Flash", "Arena", "Stack"), "PASS"
    )
    before, layer = result.memory.arena, result.layers[2]
    text = path.read_text().replace(f'"arena": {before}', f'"arena": {before - 160}')
    path.write_text(text.replace(f'"instructions": {layer.instructions}', f'"instructions": {layer.instructions // 2}'))
    ran = scenario("regression", BASELINES=folder, ALLOWED_PERCENT=2)
    assert ran.failed == {"Arena", "Instructions Of Each Layer"}
    limit = before - 160 + (before - 160) * 2 // 100
    assert ran.messages["Arena"] == (
        f"arena: {before:,} B, limit at most {limit:,} B (baseline {before - 160:,} and 2 %)"
    )
    assert ran.messages["Instructions Of Each Layer"].startswith(
        f"instructions of layer 2 ({layer.op}): {layer.instructions:,} instructions, limit at most "
    )


def test_a_slowed_kernel_fails_regression_and_budgets(
    scenario: Any, tmp_path: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The glue of the convolution wastes some time in each call."""
    folder = tmp_path / "baselines"
    baseline.save(run(DIGITS, PLATFORM, kernels="cmsis-nn"), folder)
    firmware = tmp_path / "firmware"
    shutil.copytree(data_folder("firmware"), firmware, ignore=shutil.ignore_patterns("build"))
    glue = firmware / "kernels" / "cmsis_nn" / "convolution.cc"
    head = "TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {"
    assert head in glue.read_text()
    waste = "static volatile int wasted;\n  for (wasted = 0; wasted < 5000; wasted = wasted + 1) {\n  }"
    glue.write_text(glue.read_text().replace(head, f"{head}\n  {waste}"))
    real = library.for_core

    def for_core(*arguments: Any) -> library.Library:
        with monkeypatch.context() as patch:  # not for the host's build, which would be built anew too
            patch.setattr(library, "data_folder", lambda name: firmware)
            return real(*arguments)

    monkeypatch.setattr(library, "for_core", for_core)
    ran = scenario("regression", BASELINES=folder)
    # what the loop does to code size and stack is the compiler's matter
    assert ran.failed - {"Flash", "Stack"} == {"Instructions", "Instructions Of Each Layer"}
    assert re.fullmatch(
        r"instructions of one inference: [\d,]+ instructions, limit at most [\d,]+ instructions "
        r"\(baseline [\d,]+ and 1 %\)",
        ran.messages["Instructions"],
    )
    worse = re.findall(r"instructions of layer \d+ \((\w+)\)", ran.messages["Instructions Of Each Layer"])
    assert worse and set(worse) <= {"CONV_2D", "DEPTHWISE_CONV_2D"}
    ran = scenario("budgets")
    assert ran.failed == {"digits cmsis-nn instructions"}
    policy = tmp_path / "policy.toml"
    policy.write_text('name = "made"\n[[rules]]\nmetric = "layers"\nunit = "instructions"\nallowed_percent = 2\n')
    verdict = gate.judge(policy, folder, [run(DIGITS, PLATFORM, kernels="cmsis-nn").run_id])
    assert verdict.exit_code == 1
    assert re.match(
        rf"digits\.tflite on {PLATFORM} \(cmsis-nn, -O2\): layer \d (DEPTHWISE_)?CONV_2D \+[\d,]+ instructions .* "
        r"in harness::cmsis_nn::Eval<.*, load \+",
        verdict.headline,
    ), verdict.headline
    assert re.fullmatch(
        r"instructions of digits\.tflite on stm32l496zg \(cmsis-nn, -O2\): [\d,]+ instructions, "
        r"limit at most 260,000 instructions",
        ran.messages["digits cmsis-nn instructions"],
    )


@pytest.mark.parametrize("metric", ["instructions", "flash", "arena", "stack"])
def test_each_budget_fails_where_it_is_exceeded(scenario: Any, tmp_path: Path, metric: str) -> None:
    rows = list(csv.reader((ROOT / "robot" / "budgets" / f"{PLATFORM}.csv").read_text().splitlines()[2:]))
    table = tmp_path / "budgets.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(
            [*row[:3], "100", row[4]] if row[1:3] == ["cmsis-nn", metric] else row for row in rows
        )
    ran = scenario("budgets", BUDGETS=table)
    assert ran.failed == {f"digits cmsis-nn {metric}"}
    unit = "instructions" if metric == "instructions" else "B"
    assert re.search(rf": [\d,]+ {unit}, limit at most 100 {unit}$", ran.messages[f"digits cmsis-nn {metric}"])
    assert ran.statuses["digits cmsis-nn latency"] == "SKIP"


def test_runs_that_differ_fail_determinism(scenario: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = repeats._files, []

    def files(folder: Path) -> dict[str, str]:
        calls.append(folder)
        return real(folder) | ({"uart.log": "another"} if len(calls) == 4 else {})

    monkeypatch.setattr(repeats, "_files", files)
    ran = scenario("determinism", TIMES=2)
    assert ran.messages["Warm And Cold Runs Are Equal"] == ("uart.log of warm run 2 differs from that of cold run 1")


def test_a_rate_that_is_too_high_fails_real_time(scenario: Any) -> None:
    """The network takes about 230,000 instructions, and the board executes 80 million a second: 348 inputs."""
    ran = scenario("real_time", RATE=400)
    assert ran.failed == {"Deadlines Are Met"}
    assert re.fullmatch(
        r"400 inputs a second on mps2-an386: \d+ of 20 missed and \d+ dropped; worst latency: [\d,]+ instructions, "
        r"limit at most 200,000 instructions",
        ran.messages["Deadlines Are Met"],
    )
    assert "active" in (ran.folder / "output.xml").read_text()


def test_a_prediction_that_is_wrong_fails_real_time(scenario: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = realtime.ramp

    def ramp(*arguments: Any, **options: Any) -> realtime.Ramp:
        made = real(*arguments, **options)
        return msgspec.structs.replace(made, predicted_rate_hz=made.highest_rate_hz * 1.1)

    monkeypatch.setattr(realtime, "ramp", ramp)
    ran = scenario("real_time")
    assert ran.failed == {"Highest Rate Is What The Instructions Allow"}
    assert re.fullmatch(
        r"highest rate 34\d\.?\d* inputs a second, predicted 38\d\.?\d*: deviation 9\.\d+ %, limit at most 2 %",
        ran.messages["Highest Rate Is What The Instructions Allow"],
    )


def test_a_core_that_is_awake_too_long_fails_duty_cycle(scenario: Any) -> None:
    ran = scenario("duty_cycle", RATE=100, MOST_IN_HANDLER=10)
    assert ran.failed == {"Core Is Awake For A Small Share Of The Time", "Interrupt Is Short"}
    assert re.fullmatch(
        r"awake: 0\.2\d+ of the time, limit at most 0\.1 of the time",
        ran.messages["Core Is Awake For A Small Share Of The Time"],
    )
    assert re.fullmatch(
        r"interrupt handlers for an input: \d+ instructions, limit at most 10 instructions",
        ran.messages["Interrupt Is Short"],
    )
    assert ran.messages["Energy"] == "the harness estimates no energy"


@pytest.mark.parametrize("name", ["corrupted_model", "small_arena", "stack_overflow", "hang"])
def test_a_fault_that_goes_unnoticed_fails_faults(scenario: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def unnoticed(*_arguments: Any, **_options: Any) -> str:
        raise HarnessError("the firmware ran through, although it had to fail")

    monkeypatch.setattr(faults, name, unnoticed)
    ran = scenario("faults")
    assert ran.failed == {
        {
            "corrupted_model": "Model Damaged In Flash",
            "small_arena": "Arena One Step Too Small",
            "stack_overflow": "Stack Overflow",
            "hang": "Hang Under A Watchdog",
        }[name]
    }
    assert set(ran.messages.values()) == {"", "the firmware ran through, although it had to fail"}


def test_a_frame_that_is_not_refused_fails_faults(scenario: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hello = Frame(type=wire.FRAME_HELLO, sequence=77, payload=b"").encode()
    monkeypatch.setitem(bad_frames.KINDS, "too short", lambda: hello)
    ran = scenario("faults")
    assert ran.failed == {"Frame That Is Too Short"}
    assert ran.messages["Frame That Is Too Short"] == (
        "the firmware answered a bad frame (too short) by INFO 77, expected an ERROR"
    )


# --- what is skipped, and what is wrong with a table ---


def test_a_baseline_of_another_compiler_is_skipped(scenario: Any, tmp_path: Path) -> None:
    result = run(DIGITS, PLATFORM, kernels="cmsis-nn")
    path = baseline.save(result, tmp_path / "baselines")
    path.write_text(path.read_text().replace(result.identity.compiler, "arm-none-eabi-gcc 1.0"))
    ran = scenario("regression", BASELINES=path.parent)
    assert set(ran.statuses.values()) == {"SKIP"}
    assert "another compiler than the baseline's: arm-none-eabi-gcc" in ran.messages["Flash"]


def test_no_baseline_is_skipped(scenario: Any, tmp_path: Path) -> None:
    ran = scenario("regression", BASELINES=tmp_path)
    assert set(ran.statuses.values()) == {"SKIP"}
    assert "no baseline digits-stm32l496zg-cmsis-nn-O2.json" in ran.messages["Stack"]


def test_without_renode_emulators_agree_is_skipped(
    scenario: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENODE", str(tmp_path / "none"))
    monkeypatch.delenv("HARNESS_REQUIRE_RENODE", raising=False)
    ran = scenario("emulators_agree")
    assert set(ran.statuses.values()) == {"SKIP"}
    assert all("Renode not found" in message for message in ran.messages.values())
    monkeypatch.setenv("HARNESS_REQUIRE_RENODE", "1")
    assert scenario("emulators_agree").failed == set(ran.statuses)


@pytest.mark.renode
def test_emulators_agree_where_there_is_a_renode(renode: object, scenario: Any) -> None:
    assert set(scenario("emulators_agree").statuses.values()) == {"PASS"}


def test_a_platform_without_a_table_is_skipped(scenario: Any) -> None:
    ran = scenario("budgets", PLATFORM="mps2-an500")
    assert ran.statuses == {"Budgets": "SKIP"}
    assert "mps2-an500.csv" in ran.messages["Budgets"]


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("network,metric,limit\n", "the first line is not network,kernels,metric,limit,unit"),
        ("network,kernels,metric,limit,unit\n", "it has no rows"),
        ("network,kernels,metric,limit,unit\ndigits.tflite,cmsis-nn,flash\n", "row 1 has 3 values, expected 5"),
        ("network,kernels,metric,limit,unit\ndigits.tflite,cmsis-nn,flash,1,KiB\n", "flash is measured in B"),
        ("network,kernels,metric,limit,unit\ndigits.tflite,cmsis-nn,heat,1,K\n", "unknown metric 'heat'"),
        ("network,kernels,metric,limit,unit\nnone.tflite,cmsis-nn,flash,1,B\n", "none.tflite"),
        ("network,kernels,metric,limit,unit\ndigits.tflite,cmsis-nn,flash,few,B\n", "few"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(scenario: Any, tmp_path: Path, content: str, fragment: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(content)
    ran = scenario("budgets", BUDGETS=table)
    assert len(ran.failed) == len(ran.statuses) == 1
    assert fragment in next(iter(ran.messages.values()))


# --- a user's own ---


def test_the_suite_of_the_documentation(scenario: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "how-to" / "scenarios.md"
    (text,) = re.findall(r"```robotframework\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(text.splitlines()) <= 10
    suite = tmp_path / "mine.robot"
    suite.write_text(text)
    monkeypatch.chdir(ROOT)
    assert set(scenario(suite).statuses.values()) == {"PASS"}
    assert "    8192    B" in text
    suite.write_text(text.replace("    8192    B", "    1024    B"))
    ran = scenario(suite)
    assert re.fullmatch(r"arena: [\d,]+ B, limit at most 1,024 B", next(iter(ran.messages.values())))
