"""The sample reports of the site: made by the project's own renderer from the stored results in docs/sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.page import named, write

DOCS = Path(__file__).resolve().parents[1]
SAMPLE = DOCS / "sample"
# Below html_extra_path, so that Sphinx takes it into the site.
MADE = DOCS / "_generated" / "sample"


def make(folder: Path = MADE) -> tuple[Path, ...]:
    """Write the report of the run, and of the two runs side by side; returns the files."""
    cmsis_nn, reference = (str(SAMPLE / f"{name}.json") for name in ("cmsis-nn", "reference"))
    folder.mkdir(parents=True, exist_ok=True)
    _, run = named.page(cmsis_nn)
    _, both = named.page(cmsis_nn, reference)
    return write.write(run, folder / "run.html"), write.write(both, folder / "comparison.html")


def setup(app: Any) -> dict[str, bool]:
    # before Sphinx looks whether the folders that its settings name are there
    app.connect("config-inited", lambda _app, _config: make(), priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
