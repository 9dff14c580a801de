"""Starting programs: limits, early ends, output, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import process

LONG = 60


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids(file: Path, count: int) -> list[int]:
    """Numbers that a test's programs wrote into a file, one a line, once there are so many."""
    until(lambda: file.exists() and len(file.read_text().splitlines()) >= count)
    return [int(line) for line in file.read_text().splitlines()]


def shell(script: str, *arguments: object) -> list[str | Path]:
    return ["sh", "-c", script, "sh", *map(str, arguments)]


def test_a_program_that_ends() -> None:
    finished = process.run(shell("echo out; echo err >&2; exit 3"))
    assert (finished.returncode, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
    assert not finished.timed_out
    assert not finished.stopped
    assert 0 < finished.seconds < LONG


def test_a_signal_is_a_negative_code() -> None:
    assert process.run(shell("kill -SEGV $$")).returncode == -signal.SIGSEGV


def test_arguments_are_passed_as_they_are(tmp_path: Path) -> None:
    finished = process.run(shell('printf "%s|" "$@"', "a b", "*", "$HOME", "", tmp_path))
    assert finished.stdout == f"a b|*|$HOME||{tmp_path}|"


def test_a_program_does_not_read_what_the_user_types(tmp_path: Path) -> None:
    (tmp_path / "typed").write_text("typed")
    kept = os.dup(0)
    with (tmp_path / "typed").open() as typed:
        os.dup2(typed.fileno(), 0)
        try:
            finished = process.run(["cat"], time_limit_s=LONG / 4)
        finally:
            os.dup2(kept, 0)
            os.close(kept)
    assert (finished.returncode, finished.stdout) == (0, "")


def test_folder_and_environment_are_added_to_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "kept")
    script = shell('pwd; echo "$KEPT $ADDED"')
    assert process.run(script, cwd=tmp_path, environment={"ADDED": "added"}).stdout == f"{tmp_path}\nkept added\n"


def test_a_missing_program_is_an_error_of_its_own() -> None:
    with pytest.raises(FileNotFoundError):
        process.run(["/nonexistent/program"])


def test_output_that_is_no_text_is_replaced_and_much_of_it_does_not_block() -> None:
    program = "import sys; o = sys.stdout.buffer; e = sys.stderr.buffer;" \
        "[(o.write(b'\\xff' * 999 + b'\\r\\n'), e.write(b'x' * 1000)) for _ in range(1000)]"  # fmt: skip
    finished = process.run([sys.executable, "-c", program])
    assert finished.stdout == ("\ufffd" * 999 + "\r\n") * 1000
    assert finished.stderr == "x" * 1_000_000


def test_lines_are_told_while_the_program_runs(tmp_path: Path) -> None:
    gate, lines = tmp_path / "gate", []

    def on_line(line: str) -> None:
        lines.append(line)
        gate.touch()

    # The program goes on only after its first line was told.
    finished = process.run(
        shell('echo first; until [ -e "$1" ]; do sleep 0.01; done; printf "second\\nlast"', gate),
        on_line=on_line,
        time_limit_s=LONG / 4,
    )
    assert not finished.timed_out
    assert lines == ["first", "second", "last"]
    assert finished.stdout == "first\nsecond\nlast"


def test_the_time_limit_ends_a_program_and_keeps_what_it_printed() -> None:
    started = time.monotonic()
    finished = process.run(shell(f"echo before; exec sleep {LONG}"), time_limit_s=0.2)
    assert finished.timed_out
    assert not finished.stopped
    assert finished.returncode == -signal.SIGTERM
    assert finished.stdout == "before\n"
    assert 0.2 <= finished.seconds <= time.monotonic() - started < 5


def test_a_long_limit_is_no_error() -> None:
    assert process.run(["true"], time_limit_s=1e9).returncode == 0
    assert process.run(["true"], time_limit_s=float("inf")).returncode == 0


def test_stop_when_ends_a_program(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    finished = process.run(shell(f'touch "$1"; exec sleep {LONG}', seen), stop_when=seen.exists, time_limit_s=LONG / 4)
    assert finished.stopped
    assert not finished.timed_out
    assert finished.returncode == -signal.SIGTERM


def test_a_program_that_ends_by_itself_was_not_stopped() -> None:
    finished = process.run(shell("sleep 0.1; exit 4"), stop_when=lambda: False)
    assert (finished.returncode, finished.stopped, finished.timed_out) == (4, False, False)


def test_the_limit_holds_while_waiting_for_a_stop() -> None:
    assert process.run(["sleep", str(LONG)], stop_when=lambda: False, time_limit_s=0.2).timed_out


@pytest.mark.parametrize("ignore", ["", "trap '' TERM; "], ids=["willing", "ignoring SIGTERM"])
def test_the_whole_tree_is_ended(tmp_path: Path, ignore: str) -> None:
    # The child waits for its own child, which waits for another one; all write their numbers.
    script = f"""{ignore}echo $$ >> "$1"
        sh -c '{ignore}echo $$ >> "$1"; sleep {LONG} & echo $! >> "$1"; wait; wait' sh "$1" & wait; wait"""
    numbers = tmp_path / "pids"
    finished = process.run(shell(script, numbers), stop_when=lambda: len(pids(numbers, 3)) == 3)
    assert finished.stopped
    assert finished.returncode == (-signal.SIGKILL if ignore else -signal.SIGTERM)
    for pid in pids(numbers, 3):
        until(lambda pid=pid: not running(pid), 2.0)  # type: ignore[misc]


def test_a_child_that_outlives_its_willing_parent_is_killed(tmp_path: Path) -> None:
    script = f"""sh -c 'trap "" TERM; echo $$ >> "$1"; sleep {LONG}' sh "$1" & wait"""
    numbers = tmp_path / "pids"
    started = time.monotonic()
    process.run(shell(script, numbers), stop_when=lambda: bool(pids(numbers, 1)))
    (stubborn,) = pids(numbers, 1)
    until(lambda: not running(stubborn), 2.0)
    assert time.monotonic() - started < 5


def test_a_child_that_left_the_session_does_not_keep_the_run(tmp_path: Path) -> None:
    numbers = tmp_path / "pids"
    finished = process.run(shell(f'setsid sleep {LONG} >/dev/null 2>&1 & echo $! > "$1"; echo done', numbers))
    assert (finished.returncode, finished.stdout) == (0, "done\n")
    assert finished.seconds < 5
    for pid in pids(numbers, 1):
        os.kill(pid, signal.SIGKILL)


class Interrupted(BaseException):
    """Not an Exception, as KeyboardInterrupt is none."""


def test_whatever_interrupts_the_wait_ends_the_program(tmp_path: Path) -> None:
    numbers = tmp_path / "pids"

    def interrupt() -> bool:
        pids(numbers, 1)
        raise Interrupted

    with pytest.raises(Interrupted):
        process.run(shell(f'echo $$ > "$1"; exec sleep {LONG}', numbers), stop_when=interrupt)
    assert not running(*pids(numbers, 1))


WAITING = f"""
import signal, sys
from harness import process
signal.signal(signal.SIGINT, signal.default_int_handler)
process.run(["sh", "-c", 'echo $$ > "$1"; exec sleep {LONG}', "sh", sys.argv[1]])
"""


def test_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    numbers = tmp_path / "pids"
    waiting = subprocess.Popen(
        [sys.executable, "-c", WAITING, numbers],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        cwd=Path(process.__file__).parent.parent,
    )
    (child,) = pids(numbers, 1)
    waiting.send_signal(signal.SIGINT)
    _, error = waiting.communicate(timeout=10)
    assert error.strip().endswith("KeyboardInterrupt")
    assert not running(child)


RUNNING = """
import sys
from harness import process
with process.Running(['sh', '-c', *sys.argv[1:]]) as program:
    print("started", flush=True)
    program.wait(60)
"""


@pytest.mark.parametrize("ignore", ["", "trap '' TERM HUP INT; "], ids=["willing", "ignoring signals"])
def test_programs_do_not_outlive_a_harness_that_is_killed(tmp_path: Path, ignore: str) -> None:
    numbers = tmp_path / "pids"
    tree = f"""{ignore}echo $$ >> "$1"; sleep {LONG} & echo $! >> "$1"; while :; do wait; done"""
    waiting = subprocess.Popen(
        [sys.executable, "-c", RUNNING, tree, "sh", str(numbers)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        cwd=Path(process.__file__).parent.parent,
        stdout=subprocess.PIPE,
    )
    with waiting:
        assert waiting.stdout is not None and waiting.stdout.readline() == b"started\n"
        children = pids(numbers, 2)
        waiting.kill()
    for child in children:
        until(lambda child=child: not running(child), 5.0)  # type: ignore[misc]


def test_a_program_that_ended_leaves_no_guard_behind() -> None:
    with process.Running(["true"]) as program:
        guard = program._guard._process.pid
        assert program.wait(LONG / 4) == 0
        assert running(guard)
    assert not Path(f"/proc/{guard}").exists()
