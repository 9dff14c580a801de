"""What every start of Renode needs: the program, the machine's description, files, and an environment of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

from harness import process
from harness.emulators import renode_find, renode_output, renode_script, uart_log
from harness.records import EmulatorInfo, Job

# Without --console the monitor listens on the network, and errors are said to nobody.
_OPTIONS = ("--disable-gui", "--plain", "--console", "--hide-log")


class Start:
    """One start for a job; its files lie in the job's work folder, old ones are removed."""

    def __init__(self, job: Job, found: renode_find.Renode, description: renode_script.Description) -> None:
        self.job = job
        self.description = description
        self.info = EmulatorInfo(
            name="renode",
            version=found.version,
            machine=job.machine.name,
            counter=None,
            description_sha256=description.sha256,
        )
        self.log = job.work.resolve() / "renode.log"
        self._script = job.work.resolve() / "run.resc"
        # A path as an argument of its own may not hold a space. "quit" ends Renode after a script that failed, too.
        include = f"include {renode_script.quoted(self._script)}"
        self.command = (*found.command, *_OPTIONS, "-e", include, "-e", "quit")
        for file in (self.log, job.uart_log):  # Renode renames what is in its way
            file.unlink(missing_ok=True)

    def write_script(self, text: str) -> None:
        """Write what Renode runs."""
        self._script.write_text(text, encoding="utf-8")

    @contextlib.contextmanager
    def home(self) -> Iterator[dict[str, str]]:
        """A folder of the run's own for what Renode leaves where it is ended from outside: variables to set."""
        work = self.job.work.resolve()
        with tempfile.TemporaryDirectory(dir=work, prefix="renode-", ignore_cleanup_errors=True) as folder:
            yield {**renode_find.ENVIRONMENT, "TMPDIR": folder, "XDG_CONFIG_HOME": folder}

    def output(self, finished: process.Finished, stopped_by: str | None) -> renode_output.Output:
        """What a run that ended left behind."""
        return renode_output.Output(
            returncode=finished.returncode,
            stdout=finished.stdout,
            stderr=finished.stderr,
            log=renode_output.read_log(self.log),
            uart=uart_log.read(self.job.uart_log),
            stopped_by=stopped_by,
            machine=self.job.machine.name,
            ram=self.job.machine.ram.origin,
            instructions=renode_script.instructions(self.job),
            seconds=self.job.time_limit_s,
        )


def prepare(job: Job) -> Start:
    """Find Renode and the machine's description, and remove old files.

    Raises:
        MissingToolError: there is no Renode.
        EmulationError: Renode does not say its version, there is no description of the machine, or the work folder's
            path holds a character that Renode cannot take.
    """
    return Start(job, renode_find.find(), renode_script.description(job.machine.name))
