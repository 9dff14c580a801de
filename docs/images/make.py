"""Makes the pictures of README from the sample report, in both themes: ``.venv/bin/python docs/images/make.py``.

Needs Chromium (/usr/bin/chromium, or $CHROMIUM) and the extra "test" (Playwright drives it).
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "_ext"))
import sample_report  # noqa: E402

WIDTH, HEIGHT = 1200, 900
MARGIN = 16
COLOURS = 256
MOST_BYTES = 200_000


def take(report: Path, theme: str) -> bytes:
    """The report's verdict with what stands above the bars, and below it the layers, as PNG with a palette."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=theme)  # type: ignore[arg-type]
        page.goto(report.as_uri())
        page.evaluate("document.querySelectorAll('nav').forEach((bar) => (bar.style.position = 'static'))")
        bars = page.locator("#verdict figure").first.bounding_box()
        layers = page.locator("#layers").bounding_box()
        rows = page.locator("#layers table").first.bounding_box()
        assert bars and layers and rows
        shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        browser.close()
    upper = shot.crop((0, 0, WIDTH, int(bars["y"]) - MARGIN // 2))
    lower = shot.crop((0, int(layers["y"]), WIDTH, int(rows["y"] + rows["height"]) + 2))
    image = Image.new("RGB", (WIDTH, upper.height + MARGIN + lower.height + MARGIN), shot.getpixel((1, HEIGHT)))
    image.paste(upper, (0, 0))
    image.paste(lower, (0, upper.height + MARGIN))
    packed = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report, _ = sample_report.make(Path(folder))
        for theme in ("light", "dark"):
            made = take(report, theme)
            if len(made) > MOST_BYTES:
                sys.exit(f"{theme}: {len(made):,} bytes are too many")
            (HERE / f"report-{theme}.png").write_bytes(made)


if __name__ == "__main__":
    main()
