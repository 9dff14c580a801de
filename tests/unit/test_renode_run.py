"""How the backend handles Renode's process: limits, early ends, pipes, and nothing left running or lying about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from harness import platforms
from harness.emulators import renode, renode_output, renode_script
from harness.errors import EmulationError
from harness.records import Job, Trace
from tests.conftest import needs_terminals

HERE = Path(__file__).parent
RECORDINGS = HERE.parent / "data" / "renode"
LONG = 60.0


def launcher(folder: Path, form: str = 'exec {python} {fake} "$@"') -> Path:
    """A program named renode that starts the stand-in."""
    program = folder / "bin" / "renode"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n" + form.format(python=sys.executable, fake=HERE / "fake_renode.py") + "\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job in a folder with a space; Renode is the stand-in."""
    monkeypatch.setenv("RENODE", str(launcher(tmp_path)))
    monkeypatch.setenv("FAKE_PIDS", str(tmp_path / "pids"))
    work = tmp_path / "a folder"
    work.mkdir()
    return Job(
        elf=work / "firmware.elf",
        machine=platforms.load("mps2-an386").machine,
        mark_address=0x101,
        end_address=0x201,
        uart_log=work / "uart.log",
        time_limit_s=LONG,
        work=work,
    )


def with_changes(job: Job, **changes: object) -> Job:
    fields = {name: getattr(job, name) for name in job.__struct_fields__}
    return Job(**(fields | changes))


def counts(trace: Trace) -> list[int]:
    return [segment.instructions for segment in trace.segments]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids(tmp_path: Path) -> list[int]:
    return [int(line) for line in (tmp_path / "pids").read_text().split()]


def nothing_is_left(tmp_path: Path, job: Job) -> None:
    assert pids(tmp_path)
    assert [pid for pid in pids(tmp_path) if running(pid)] == []
    assert [path.name for path in job.work.iterdir() if path.name.startswith("renode-")] == []


def test_a_recorded_run(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", str(RECORDINGS / "end_mark.json"))
    trace = renode.run(job)
    assert counts(trace) == [38, 3, 4]
    assert (trace.ended_by, trace.uart) == ("end mark", "hello\n")
    assert trace.log is not None and "Machine started" in trace.log
    assert trace.block_addresses.size == trace.block_instructions.size == 0
    assert all(segment.executions.size == 0 for segment in trace.segments)
    assert trace.block_addresses.dtype == trace.segments[0].executions.dtype == "int64"
    info = trace.emulator
    assert (info.name, info.machine, info.counter) == ("renode", "mps2-an386", None)
    assert info.version == "1.16.1 (d66b0c2a-202611242210)"
    assert info.description_sha256 == renode_script.description("mps2-an386").sha256
    nothing_is_left(tmp_path, job)


def test_old_files_are_replaced(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "split")
    job.uart_log.write_text("from another run")
    (job.work / "renode.log").write_text("[ERROR] cpu: CPU abort [PC=0x0]: of another run")
    trace = renode.run(job)
    assert (trace.uart, trace.log) == ("", "")


def test_output_between_the_lines(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "split")
    assert counts(renode.run(job)) == [5, 20, 9]


def test_time_limit(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "hang")
    with pytest.raises(EmulationError, match=r"the firmware did not end within 2 s on mps2-an386") as caught:
        renode.run(with_changes(job, time_limit_s=2.0))
    assert caught.value.hint == "the last line on its UART: hello"
    nothing_is_left(tmp_path, job)


def test_a_renode_that_does_not_mind_sigterm(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "stubborn")
    with pytest.raises(EmulationError, match="did not end within 2 s"):
        renode.run(with_changes(job, time_limit_s=2.0))
    nothing_is_left(tmp_path, job)


def test_a_launcher_that_waits_for_its_child(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher(tmp_path, '{python} {fake} "$@"\nexit $?')
    monkeypatch.setenv("FAKE_RENODE", "hang")
    with pytest.raises(EmulationError, match="did not end within 2 s"):
        renode.run(with_changes(job, time_limit_s=2.0))
    nothing_is_left(tmp_path, job)


def test_more_output_than_a_pipe_holds(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "chatty")
    assert counts(renode.run(job)) == [5, 4]


def test_a_renode_that_lingers_after_the_end_mark(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "lingering")
    started = time.monotonic()
    assert counts(renode.run(job)) == [5, 4]
    assert time.monotonic() - started < LONG / 2
    nothing_is_left(tmp_path, job)


def test_a_flooded_log(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renode_output, "_MOST_LOG_BYTES", 300_000)
    monkeypatch.setenv("FAKE_RENODE", "flooding")
    with pytest.raises(EmulationError, match="the firmware floods Renode's log on mps2-an386") as caught:
        renode.run(job)
    assert "non existing peripheral at 0x60000000" in (caught.value.hint or "")
    nothing_is_left(tmp_path, job)


def test_stop_text(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "halting")
    trace = renode.run(with_changes(job, stop_texts=(b"HALTED",)))
    assert (counts(trace), trace.ended_by, trace.uart) == ([5, 20], "stop text", "HALTED\n")
    nothing_is_left(tmp_path, job)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("FAKE_RENODE", "hang")
    launcher(tmp_path, '{python} {fake} "$@"\nexit $?')
    program = textwrap.dedent(f"""
        import signal, sys
        sys.path.insert(0, {str(HERE)!r})
        from pathlib import Path
        from harness import platforms
        from harness.emulators import renode
        from harness.records import Job
        def interrupt(number, frame):
            raise KeyboardInterrupt
        signal.signal(signal.SIGTERM, interrupt)
        work = Path({str(job.work)!r})
        renode.run(Job(elf=work / "x.elf", machine=platforms.load("mps2-an386").machine, mark_address=1,
                       end_address=3, uart_log=work / "uart.log", time_limit_s=60.0, work=work))
    """)
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + LONG
        written = tmp_path / "pids"
        while not (written.exists() and written.stat().st_size):  # it is there before its content is
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.02)
        os.kill(child.pid, number)
        assert child.wait(LONG) != 0
    finally:
        child.kill()
    nothing_is_left(tmp_path, job)


# --- a firmware that talks -------------------------------------------------------------------------------------------


def read_until(session: renode.RenodeSession, text: bytes) -> bytes:
    received = b""
    deadline = time.monotonic() + LONG
    while text not in received:
        assert time.monotonic() < deadline, received
        received += session.read(1.0)
    return received


@needs_terminals
def test_a_session_reads_writes_and_counts(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "echo")
    with renode.open(job) as session:
        assert session.info.description_sha256 == renode_script.description("mps2-an386").sha256
        assert read_until(session, b"ready\n") == b"ready\n"
        assert [segment.instructions for segment in session.segments(1, LONG)] == [100]
        every = bytes(byte for byte in range(256) if byte not in b"hqxz")
        session.write(every)
        assert read_until(session, every[-1:]) == every
        assert [segment.instructions for segment in session.segments(len(every), LONG)] == [10] * len(every)
        assert session.read(0.1) == b""
    nothing_is_left(tmp_path, job)
    assert not (job.work / "console").is_symlink()


@needs_terminals
def test_a_session_waits_for_segments_and_says_how_many_came(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "echo")
    with renode.open(job) as session:
        read_until(session, b"ready\n")
        with pytest.raises(EmulationError, match=r"1 of 2 segments were counted within 0.3 s on mps2-an386"):
            session.segments(2, 0.3)
        session.write(b"a")
        assert [segment.instructions for segment in session.segments(2, LONG)] == [100, 10]


@needs_terminals
def test_the_firmware_ends(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "echo")
    with renode.open(job) as session:
        session.write(b"aq")
        assert read_until(session, b"q") == b"ready\naq"
        with pytest.raises(EmulationError, match="the firmware ended on mps2-an386"):
            read_until(session, b"more")
        assert len(session.segments(3, LONG)) == 3  # what was counted before


@needs_terminals
@pytest.mark.parametrize(
    ("byte", "message"),
    [
        (b"x", "the core stopped on mps2-an386 at PC 0x60000000"),
        (b"h", "a mark could not be counted on mps2-an386: Python runtime error: planted"),
        (b"z", r"Renode ended on mps2-an386 .*signal 6"),
    ],
)
def test_renode_ends_in_a_session(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch, byte: bytes, message: str
) -> None:
    monkeypatch.setenv("FAKE_RENODE", "echo")
    with renode.open(job) as session:
        read_until(session, b"ready\n")
        session.write(byte)
        with pytest.raises(EmulationError, match=message):
            while True:
                read_until(session, byte)
        with pytest.raises(EmulationError, match=message):
            session.write(b"more")
        with pytest.raises(EmulationError, match=message):
            session.segments(9, LONG)
    nothing_is_left(tmp_path, job)


def test_a_session_that_does_not_start(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", "hang")
    with pytest.raises(EmulationError, match="Renode did not start within 2 s on mps2-an386"):
        renode.open(with_changes(job, time_limit_s=2.0))
    nothing_is_left(tmp_path, job)


def test_a_session_whose_script_is_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE", str(RECORDINGS / "no_elf.json"))
    with pytest.raises(EmulationError, match="Renode refuses a command of its script: Parameters did not match"):
        renode.open(job)
