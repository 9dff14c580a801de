"""The site builds without a warning, needs nothing from elsewhere, and its links lead somewhere."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from harness.paths import checkout

ROOT = checkout()
if ROOT is None:
    pytest.skip("the documentation belongs to a source checkout", allow_module_level=True)
pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install 'tflm-harness[docs]'")

# Attributes that a browser follows by itself, without a click.
LOADED = {"src", "srcset", "poster", "data", "background"}
PAGES = ("index", "tutorial", "sample", "reference/cli", "reference/errors", "reference/platforms", "explanation/macs")


class Links(HTMLParser):
    """What a page loads, links to, and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.places.add(value)
            elif name in LOADED or (name == "href" and tag == "link" and not self._is_no_resource(attrs)):
                self.loaded.append(value or "")
            elif name == "href" and tag == "a":
                self.linked.append(value or "")

    @staticmethod
    def _is_no_resource(attrs: list[tuple[str, str | None]]) -> bool:
        return bool({"index", "search", "next", "prev", "canonical"} & set((dict(attrs).get("rel") or "").split()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it: warnings are errors."""
    assert ROOT is not None
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", folder / "doctrees", ROOT / "docs", folder / "html"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert built.returncode == 0, built.stderr
    assert not built.stderr.strip()
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {path: Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_there(site: Path, name: str) -> None:
    assert (site / f"{name}.html").is_file()


def remote(addresses: list[str]) -> Iterator[str]:
    for address in addresses:
        for part in address.split(","):
            if urlsplit(part.strip()).netloc:
                yield part


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Links]) -> None:
    for path, links in pages.items():
        assert not list(remote(links.loaded)), path
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(?:@import[^;]*|url\(\s*['\"]?)(?:https?:)?//", text), style
    for script in site.rglob("*.js"):
        text = script.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"(?:fetch|import|importScripts)\(\s*['\"`](?:https?:)?//", text), script


def test_links_lead_somewhere(site: Path, pages: dict[Path, Links]) -> None:
    missing = []
    for path, links in pages.items():
        for address in {*links.linked, *links.loaded}:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            target = target / "index.html" if target in folders(site) else target
            if not (target in pages or target.is_file()):
                missing.append(f"{path.relative_to(site)}: {address}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                missing.append(f"{path.relative_to(site)}: {address}: no such place")
    assert not missing, "\n".join(missing)


@functools.cache
def folders(site: Path) -> frozenset[Path]:
    return frozenset({site, *(path for path in site.rglob("*") if path.is_dir())})


def test_the_front_page_leads_to_every_page(site: Path, pages: dict[Path, Links]) -> None:
    linked = {urlsplit(address).path for address in pages[site / "index.html"].linked}
    for path in pages:
        name = str(path.relative_to(site))
        if (
            name not in ("index.html", "search.html", "genindex.html", "py-modindex.html")
            and path.parent.name != "sample"
        ):
            assert name in linked, name


def test_the_sample_report_is_a_report(site: Path) -> None:
    for name in ("run", "comparison"):
        text = (site / "sample" / f"{name}.html").read_text(encoding="utf-8")
        assert "digits.tflite" in text
        assert text.lstrip().lower().startswith("<!doctype html>")
