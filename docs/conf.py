"""Sphinx: the documentation from docs/ as a site without anything from elsewhere. ``make docs`` builds it."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "tflm-harness"
author = "the tflm-harness authors"
copyright = author
version = release = installed("tflm-harness")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated", "sample_report"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext", "_generated", "sample/README.md"]
nitpicky = True
# Types in signatures are names for the reader: no page of their own stands behind most of them.
nitpick_ignore_regex = [("py:(class|obj|exc|data)", r".*")]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # pages that are made elsewhere may begin at another level

smartquotes = False  # "--option" is no dash
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "tflm-harness"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_generated"]  # the sample report, which the build makes
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "github-dark"
