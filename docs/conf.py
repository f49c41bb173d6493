"""Sphinx: the Markdown pages of this folder, and the reference that docs/_ext/reference.py generates."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent / "scripts")]

from clustering import __version__

project = "Store clustering"
author = copyright = "The clustering-pipeline authors"  # noqa: A001 (Sphinx's own name for it)
release = version = __version__

extensions = ["myst_parser", "mathml", "reference"]
exclude_patterns = ["build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# Formulas are MathML: no script, and nothing from a network.
html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"Store clustering {release}"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
