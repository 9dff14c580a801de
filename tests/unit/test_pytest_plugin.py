"""The plugin for pytest, in sessions of its own: what it measures is made up, how tests end is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import budgets, pipeline
from harness.errors import BadInputError
from harness.report import emulated
from tests.unit.result_maker import result as made_up

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]

# Stands in for the pipeline in a session of its own, in each process of it: 1,000 instructions, an arena of 35,648 B.
CONFTEST = f"""
import msgspec, pytest, sys
sys.path.insert(0, {str(ROOT)!r})
from harness import pipeline
from harness.errors import BadInputError, EmulationError, MissingToolError
from harness.result import Verdict
from tests.unit.result_maker import result

CALLS = []

def run(path, platform, **axes):
    CALLS.append((path, platform, axes))
    if platform == "unknown":
        raise BadInputError("no platform 'unknown'", "harness platforms lists them")
    if platform == "bare":
        raise MissingToolError("qemu-system-arm is not installed", "apt-get install qemu-system-arm")
    if platform == "broken":
        raise EmulationError("the firmware stopped with a fault", detail="HardFault at 0x1234")
    made = result(platform=platform, run_id=path.stem + "-" + platform)
    if platform == "inexact":
        return msgspec.structs.replace(made, verdict=Verdict(passed=False, reasons=("layer 0 CONV_2D is not exact",)))
    return made

pipeline.run = run

@pytest.fixture
def calls():
    return CALLS
"""


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # In this process the stand-in would outlive the session.
    monkeypatch.setattr(pipeline, "run", pipeline.run)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")  # it takes a second to import, in every session
    pytester.makeconftest(CONFTEST)
    (pytester.path / "kws.tflite").write_bytes(b"network")
    return pytester


def test_a_budget_that_is_kept(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1000, flash=122_628, ram=37_268, arena=35_648, stack=680)
        def test_kws(emulate):
            assert emulate("kws.tflite", "stm32l496zg", kernels="cmsis-nn").counts.total == 1000
    """)
    ended = session.runpytest("--strict-markers", "-W", "error")
    ended.assert_outcomes(passed=1)
    ended.stdout.fnmatch_lines([
        "=* emulated networks *=",
        "run * instructions  flash ?B?  ram ?B?  arena ?B?  stack ?B?  verdict*",
        "kws.tflite on stm32l496zg (cmsis-nn, -O2) * 1,000 * 122,628 * 37,268 * 35,648 * 680  PASS*",
    ])  # fmt: skip


def test_a_budget_that_is_exceeded(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=999, arena=36_000, stack=512)
        def test_kws(emulate):
            emulate("kws.tflite", "stm32l496zg", kernels="cmsis-nn")
    """)
    ended = session.runpytest()
    ended.assert_outcomes(failed=1)
    label = "kws.tflite on stm32l496zg (cmsis-nn, -O2)"
    ended.stdout.fnmatch_lines([
        f"{label}: 1,000 instructions, budget 999 instructions (+1)",
        f"{label}: stack 680 B, budget 512 B (+168)",
        "=* emulated networks *=",
        f"{label} * FAIL*",
        f"FAIL  {label}: stack 680 B, budget 512 B (+168)",
        f"FAILED *::test_kws - Failed: {label}: 1,000 instructions*",
    ])  # fmt: skip
    ended.stdout.no_fnmatch_line("*arena 35,648*")


def test_the_nearer_budget_holds(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1, stack=680)
        class TestKws:
            @pytest.mark.budget(instructions=1000)
            def test_kws(self, emulate):
                emulate("kws.tflite", "stm32l496zg")

            def test_other(self, emulate):
                emulate("kws.tflite", "stm32l496zg")
    """)
    ended = session.runpytest("-v")
    ended.assert_outcomes(passed=1, failed=1)
    ended.stdout.fnmatch_lines(["*::test_kws PASSED*", "*::test_other FAILED*"])


def test_a_run_with_a_budget_must_be_right(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1000)
        def test_kws(emulate):
            emulate("kws.tflite", "inexact")

        def test_without_one(emulate):
            assert not emulate("kws.tflite", "inexact").verdict.passed
    """)
    ended = session.runpytest("-v")
    ended.assert_outcomes(passed=1, failed=1)
    ended.stdout.fnmatch_lines([
        "*::test_kws FAILED*",
        "*::test_without_one PASSED*",
        "kws.tflite on inexact (reference, -O2): layer 0 CONV_2D is not exact",
    ])  # fmt: skip


def test_a_budget_without_a_run(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1000)
        def test_kws():
            pass
    """)
    ended = session.runpytest()
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["the test has a budget, and emulated nothing: call emulate(model, platform) in it"])
    ended.stdout.no_fnmatch_line("*emulated networks*")


def test_the_failure_of_the_test_itself_comes_first(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1)
        def test_kws(emulate):
            emulate("kws.tflite", "stm32l496zg")
            assert not "its own"

        @pytest.mark.budget(instructions=1)
        def test_skipped(emulate):
            pytest.skip("no board today")

        @pytest.mark.xfail(strict=True)
        @pytest.mark.budget(instructions=1)
        def test_known(emulate):
            emulate("kws.tflite", "stm32l496zg")
    """)
    ended = session.runpytest()
    ended.assert_outcomes(failed=1, skipped=1, xfailed=1)
    ended.stdout.fnmatch_lines([
        "E * assert not 'its own'",
        "FAIL  kws.tflite on stm32l496zg (reference, -O2): 1,000 instructions, budget 1 *",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("budget(instuctions=1)", "unknown budget 'instuctions' (one of instructions, *arena*)"),
        ("budget(accuracy=1)", "unknown budget 'accuracy' *"),
        ("budget(1000)", "budget(1000): a limit without a name *"),
        ("budget()", "a budget without a limit *"),
        ("budget(arena='8 KiB')", "budget arena='8 KiB': no limit (give a number of B, 0 or more)"),
        ("budget(arena=True)", "budget arena=True: no limit *"),
        ("budget(arena=float('nan'))", "budget arena=nan: no limit *"),
        ("budget(arena=-1)", "budget arena=-1: no limit *"),
        (
            "parametrize('x', [1, pytest.param(2, marks=pytest.mark.budget(areena=1))])",
            "unknown budget 'areena' *",
        ),
    ],
)
def test_a_budget_that_is_none_is_an_error_of_collection(session: pytest.Pytester, mark: str, message: str) -> None:
    session.makepyfile(f"""
        import pytest

        @pytest.mark.{mark}
        def test_kws(emulate, request):
            raise AssertionError("it must not run")
    """)
    ended = session.runpytest()
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines([f"*::test_kws: {message}"])


def test_a_budget_that_is_added_late(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        def test_kws(emulate, request):
            emulate("kws.tflite", "stm32l496zg")
            request.node.add_marker(pytest.mark.budget(areena=1))
    """)
    ended = session.runpytest()
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["unknown budget 'areena' *"])


def test_errors_say_what_and_where(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest
        from harness.errors import BadInputError

        def test_unknown(emulate):
            emulate("kws.tflite", "unknown")

        def test_broken(emulate):
            emulate("kws.tflite", "broken")

        def test_bare(emulate):
            emulate("kws.tflite", "bare")

        def test_expected(emulate):
            with pytest.raises(BadInputError, match="no platform"):
                emulate("kws.tflite", "unknown")
    """)
    ended = session.runpytest()
    ended.assert_outcomes(failed=3, passed=1)
    ended.stdout.fnmatch_lines([
        ">       emulate(\"kws.tflite\", \"unknown\")",
        "E       harness.errors.BadInputError: no platform 'unknown'",
        "E       hint: harness platforms lists them",
        "E       harness.errors.EmulationError: the firmware stopped with a fault",
        "E       HardFault at 0x1234",
        "E       harness.errors.MissingToolError: qemu-system-arm is not installed",
        "E       hint: apt-get install qemu-system-arm",
        "kws.tflite on bare (reference, -O2) * - * - * not measured*",
        "not measured  kws.tflite on broken (reference, -O2): the firmware stopped with a fault",
    ])  # fmt: skip
    ended.stdout.no_fnmatch_line("*pytest_plugin.py:*")


def test_a_missing_tool_may_skip(session: pytest.Pytester) -> None:
    session.makeini("[pytest]\nharness_missing = skip")
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1)
        def test_bare(emulate):
            emulate("kws.tflite", "bare")

        def test_broken(emulate):
            emulate("kws.tflite", "broken")
    """)
    ended = session.runpytest("-ra")
    ended.assert_outcomes(skipped=1, failed=1)
    ended.stdout.fnmatch_lines(["SKIPPED * qemu-system-arm is not installed (apt-get install qemu-system-arm)"])


@pytest.mark.parametrize(
    ("setting", "option", "message"),
    [
        ("harness_missing = ignore", (), "*harness_missing = 'ignore': give fail or skip"),
        ("", ("--emulate-timeout", "0"), "*--emulate-timeout 0: give more than 0 seconds"),
    ],
)
def test_settings_are_checked(session: pytest.Pytester, setting: str, option: tuple[str, ...], message: str) -> None:
    session.makeini(f"[pytest]\n{setting}")
    ended = session.runpytest(*option)
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines([message])


def test_a_run_is_emulated_once(session: pytest.Pytester) -> None:
    """The same file by another name of its path is the same; other contents, options and platforms are not."""
    session.makepyfile("""
        from pathlib import Path

        def test_first(emulate, calls, pytestconfig):
            here = pytestconfig.rootpath
            first = emulate("kws.tflite", "stm32l496zg", kernels="cmsis-nn")
            assert emulate(here / "kws.tflite", "stm32l496zg", kernels="cmsis-nn", time_limit_s=3) is first
            assert len(calls) == 1
            path, platform, axes = calls[0]
            assert (path, platform) == (here / "kws.tflite", "stm32l496zg")
            assert axes == {"kernels": "cmsis-nn", "optimisation": "-O2", "fpu": None, "emulator": "qemu",
                            "cycles": False, "calibration": None, "carry": False, "input_paths": [],
                        "time_limit_s": 7.0}

        def test_second(emulate, calls, pytestconfig):
            emulate("kws.tflite", "stm32l496zg", kernels="cmsis-nn")
            assert len(calls) == 1
            emulate("kws.tflite", "stm32l496zg", optimisation="-Os")
            emulate("kws.tflite", "rp2040", kernels="cmsis-nn", fpu=False)
            assert len(calls) == 3
            (pytestconfig.rootpath / "kws.tflite").write_bytes(b"another")
            emulate("kws.tflite", "stm32l496zg", kernels="cmsis-nn", time_limit_s=3)
            assert len(calls) == 4 and calls[-1][2]["time_limit_s"] == 3
    """)
    ended = session.runpytest("--emulate-timeout", "7")
    ended.assert_outcomes(passed=2)
    ended.stdout.fnmatch_lines(["kws.tflite on rp2040 (cmsis-nn, -O2, no FPU) *"])


def test_stored_runs_stay_out_of_the_project(session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    session.makepyfile("""
        import os
        import pytest
        from harness import pipeline
        from harness.paths import results_folder

        def test_kws(emulate, monkeypatch, tmp_path_factory):
            seen, before = [], os.environ.get("HARNESS_RESULTS")
            stand_in = pipeline.run
            monkeypatch.setattr(pipeline, "run", lambda *a, **k: (seen.append(results_folder()), stand_in(*a, **k))[1])
            emulate("kws.tflite", "stm32l496zg")
            assert os.environ.get("HARNESS_RESULTS") == before
            print("stored in", seen[0].relative_to(tmp_path_factory.getbasetemp()) if before is None else seen[0])
    """)
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)
    session.runpytest("-s").stdout.fnmatch_lines(["*stored in harness-results0*"])
    monkeypatch.setenv("HARNESS_RESULTS", "/elsewhere")
    session.runpytest("-s").stdout.fnmatch_lines(["*stored in /elsewhere*"])


def test_workers_of_xdist_report_to_one_summary(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(instructions=1000)
        @pytest.mark.parametrize("platform", ["rp2040", "stm32l496zg", "stm32f767zi"])
        def test_kws(emulate, platform):
            emulate("kws.tflite", platform)

        @pytest.mark.budget(stack=1)
        def test_stack(emulate):
            emulate("kws.tflite", "rp2040")
    """)
    ended = session.runpytest_subprocess("-n", "2", "--junitxml", "junit.xml")
    ended.assert_outcomes(passed=3, failed=1)
    ended.stdout.fnmatch_lines([
        "=* emulated networks *=",
        "kws.tflite on rp2040 * FAIL*",
        "kws.tflite on stm32f767zi * PASS*",
        "kws.tflite on stm32l496zg * PASS*",
        "FAIL  kws.tflite on rp2040 (reference, -O2): stack 680 B, budget 1 B (+679)",
    ])  # fmt: skip
    assert sum("kws.tflite on rp2040" in line and "122,628" in line for line in ended.outlines) == 1
    import xml.etree.ElementTree

    found = xml.etree.ElementTree.parse(session.path / "junit.xml").iter("property")
    runs = [json.loads(item.attrib["value"]) for item in found if item.attrib["name"] == "emulated"]
    assert len(runs) == 4 and {run["values"]["instructions"] for run in runs} == {1000}


def test_a_budget_that_is_none_is_one_with_xdist_too(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import pytest

        @pytest.mark.budget(areena=1)
        def test_kws(emulate):
            pass
    """)
    ended = session.runpytest_subprocess("-n", "1")
    assert ended.ret != 0
    ended.stdout.fnmatch_lines(["*::test_kws: unknown budget 'areena' *"])


def test_it_can_be_left_out(session: pytest.Pytester) -> None:
    session.makepyfile("""
        def test_kws(emulate):
            pass
    """)
    ended = session.runpytest("-p", "no:tflm_harness")
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines(["*fixture 'emulate' not found*"])
    ended = session.runpytest("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert ended.ret == 0


def test_projects_that_do_not_use_it_do_not_notice(tmp_path: Path) -> None:
    """A session in which nothing is emulated imports nothing of the harness but the plugin and the kinds of errors."""
    (tmp_path / "test_other.py").write_text("def test_other():\n    pass\n")
    script = """if True:
        import sys, pytest
        assert pytest.main(["-q", "-p", "no:cacheprovider"]) == 0
        print(sorted(name for name in sys.modules if name.split(".")[0] in ("harness", "numpy", "rich", "msgspec")))
    """
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "['harness', 'harness.errors', 'harness.pytest_plugin']"


def test_a_missing_value_is_over_its_budget() -> None:
    """A run that was not asked for an estimate holds no latency: a budget of it is no pass."""
    (excess,) = budgets.excesses(made_up(), budgets.check({"latency": 10}))
    assert excess.text == "latency: the run has no value of it, budget 10 ms"
    assert budgets.excesses(made_up(), budgets.check({"instructions": 1000})) == ()


def test_names_are_text() -> None:
    """A network's name comes from whoever has it made."""
    run = emulated.failed("[red]\x1b[2J.tflite on x", "[bold]no\nsuch")
    shown = emulated.summary([run], 80, False)
    assert "[red]\ufffd[2J.tflite on x" in shown and "[bold]no\ufffdsuch" in shown and "\x1b" not in shown
    assert emulated.decode(emulated.encode(run)) == run


def test_limits_are_numbers() -> None:
    with pytest.raises(BadInputError, match="no limit"):
        budgets.check({"flash": None})


# --- with a project file ---------------------------------------------------------------------------------------------


def test_what_a_test_does_not_say_is_the_project_files(
    session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_PROJECT")
    session.mkdir("nets")
    (session.path / "kws.tflite").rename(session.path / "nets" / "kws.tflite")
    (session.path / "harness.toml").write_text(
        'platform = "rp2040"\nopt = "-Os"\ntimeout = 9\n[run]\nemulator = "both"\ncycles = true\n'
        '[models]\nkws = "nets/kws.tflite"\n'
    )
    session.makepyfile("""
        import pytest
        from pathlib import Path
        from harness.errors import BadInputError

        def test_kws(emulate, calls):
            emulate("kws")
            emulate("kws", "stm32l496zg", optimisation="-O3", time_limit_s=3, cycles=False)
            (path, platform, first), (_, other, second) = calls
            assert (path, platform, other) == (Path("nets/kws.tflite").absolute(), "rp2040", "stm32l496zg")
            assert (first["optimisation"], first["emulator"], first["time_limit_s"]) == ("-Os", "qemu", 9)
            assert (first["kernels"], first["cycles"], second["cycles"]) == ("reference", True, False)
            assert (second["optimisation"], second["time_limit_s"]) == ("-O3", 3)
            with pytest.raises(BadInputError, match="names no such model"):
                emulate("kwz")
    """)
    session.runpytest().assert_outcomes(passed=1)
    (session.path / "harness.toml").write_text("platfrom = 3\n")
    ended = session.runpytest()
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(
        ["*harness.toml: the table contains unknown key `platfrom`*", "*did you mean platform?*"]
    )


def test_a_project_file_above_is_not_the_tests_where_none_is_wanted(session: pytest.Pytester) -> None:
    (session.path / "harness.toml").write_text('platform = "rp2040"\n')  # $HARNESS_PROJECT is /dev/null in these tests
    session.makepyfile("""
        import pytest
        from harness.errors import BadInputError

        def test_kws(emulate):
            with pytest.raises(BadInputError, match="no platform is given"):
                emulate("kws.tflite")
    """)
    session.runpytest().assert_outcomes(passed=1)
