"""Keeps the chatter of native libraries off the user's terminal, and hands it over where it explains an error."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import IO


@contextlib.contextmanager
def quiet() -> Iterator[IO[bytes]]:
    """Send all that this process writes to stdout and stderr, C++ libraries included, to a file that it yields.

    TensorFlow's converter, Keras' exporter and TFLM's allocator print there; no log level silences all of it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(log.fileno()), "w", buffering=1, errors="replace") as text:
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            with warnings.catch_warnings(), contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                warnings.simplefilter("ignore")
                yield log
        finally:
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])


def text_of(log: IO[bytes]) -> str:
    """What a log of :func:`quiet` holds so far."""
    log.seek(0)
    return log.read().decode(errors="replace").strip()
