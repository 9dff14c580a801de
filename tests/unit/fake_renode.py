"""A stand-in for Renode, for what a recording cannot show: processes, pipes and terminals.

It reads where to write log, UART and terminal from the script that it is given, as Renode would. $FAKE_RENODE says what
it does: the path of a recording to play, or the name of a function below.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sys
import time
import tty
from pathlib import Path

VERSION = "Renode v1.16.1.40752\n  build: d66b0c2a-202611242210\n  build type: Release\n  runtime: .NET 8.0.4\n"


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def play(recording: Path, log: Path, uart: Path) -> int:
    """Leave behind what the recorded run left behind."""
    output = json.loads(recording.read_text())
    log.write_text(output["log"])
    uart.write_text(output["uart"])
    sys.stderr.write(output["stderr"])
    sys.stderr.flush()
    sys.stdout.buffer.write(output["stdout"].encode())
    sys.stdout.flush()
    return int(output["returncode"])


def hang(log: Path, uart: Path) -> None:
    """Run for ever, with the MARK line that shows that it does."""
    uart.write_text("hello\n")
    say("MARK 5;\n")
    time.sleep(3600)


def stubborn(log: Path, uart: Path) -> None:
    """Run for ever, and do not mind SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(log, uart)


def chatty(log: Path, uart: Path) -> None:
    """Print much more than a pipe holds."""
    for _ in range(200):
        say("x" * 20_000 + "\n")
    say("MARK 5;\nEND 9;\nSCRIPT-END\n")


def lingering(log: Path, uart: Path) -> None:
    """Reach the end mark, but do not end."""
    say("MARK 5;\nEND 9;\n")
    time.sleep(3600)


def flooding(log: Path, uart: Path) -> None:
    """Fill the log for ever."""
    with log.open("w") as file:
        while True:
            file.write("09:00:00.0 [WARNING] sysbus: WriteDoubleWord to non existing peripheral at 0x60000000.\n" * 100)
            file.flush()
            time.sleep(0.01)


def halting(log: Path, uart: Path) -> None:
    """Print a stop text, and run on."""
    say("MARK 5;\nMARK 25;\n")
    uart.write_text("HALTED\n")
    time.sleep(3600)


def split(log: Path, uart: Path) -> None:
    """Let other output come between the lines, as Renode does."""
    say("\r09:00:00.0 [INFO] MARK 5;\r\nMARK 25;09:00:00.0 [INFO] END 34;\r")
    say("\nSCRIPT-END\r\r\n(firmware) quit\n")


def echo(log: Path, uart: Path, link: Path) -> None:
    """Print "ready", then answer each byte with itself and a mark.

    q ends the firmware; x stops the core, h lets a hook fail, z ends Renode.
    """
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    link.symlink_to(os.ttyname(theirs))
    os.write(ours, b"ready\n")
    say("MARK 100;\n")
    count = 100
    while True:
        for byte in os.read(ours, 4096):
            count += 10
            if byte == ord("x"):
                log.write_text("09:00:00.0 [ERROR] cpu: CPU abort [PC=0x60000000]: Trying to execute code outside.\n")
            if byte == ord("h"):
                log.write_text("09:00:00.0 [ERROR] cpu: Python runtime error: planted\n")
            if byte == ord("z"):
                os.abort()
            os.write(ours, bytes([byte]))
            say(f"MARK {count};\n")
            if byte == ord("q"):
                say(f"END {count + 1};\n")


def main() -> int:
    if "--version" in sys.argv:
        say(os.environ.get("FAKE_VERSION", VERSION))
        return 0
    if pids := os.environ.get("FAKE_PIDS"):
        with Path(pids).open("a") as file:
            file.write(f"{os.getpid()}\n")
    include = next(argument for argument in sys.argv if argument.startswith("include "))
    script = Path(include.removeprefix("include ").strip('"')).read_text()
    log, uart = (Path(re.search(pattern, script)[1]) for pattern in (r'logFile "(.*?)"', r'CreateFileBackend "(.*?)"'))
    (Path(os.environ["TMPDIR"]) / "renode-1").mkdir()  # Renode leaves such a folder where it is ended from outside
    what = os.environ["FAKE_RENODE"]
    if what.endswith(".json"):
        return play(Path(what), log, uart)
    if what == "echo":
        echo(log, uart, Path(re.search(r'CreateUartPtyTerminal "term" "(.*?)"', script)[1]))
    else:
        globals()[what](log, uart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
