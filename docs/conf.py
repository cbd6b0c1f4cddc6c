"""Sphinx: `sphinx-build -W -n docs docs/_build/html`, or `make docs`. Nothing is fetched, here or by the pages."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import tracelr  # noqa: E402

project = "tracelr"
author = copyright = "The tracelr developers"
version = release = tracelr.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "mathml", "pages", "schedules", "migration"]
exclude_patterns = ["_build", "_ext", "_static"]

html_theme = "furo"
html_title = f"tracelr {release}"
html_static_path = ["_static"]
html_css_files = ["tracelr.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False

nitpicky = True
# In signatures: the types of other projects, whose pages are not fetched, and aliases that say more in words (each
# schedule has a table of its parameters).
nitpick_ignore_regex = [
    ("py:.*", r"(torch|collections|typing|types|pathlib|abc|dataclasses|nn|fx|optional|os)\b.*"),
    (
        "py:.*",
        r"(Any|Axes|Callable|Tensor|Optimizer|LRScheduler|ExportedProgram|Path|Mapping|Sequence|Iterator|IO|T|Real|Number|Phase|Warmup|Origin|Easing|EasingName|tracelr\.fused\.fuse\.FusedStep|(tracelr\.errors\.)?_\w+)",
    ),
    ("py:.*", r"(tracelr\.)?(lowering|arithmetic|interop|drawing|optim\.groups)\..*"),
    ("py:.*", r"(tracelr\.)?(schedules|lr_scheduler)\.(?!\w+$).*"),
]
smartquotes = False  # what stands in quotes is a value
default_role = "literal"  # docstrings are written with single backticks, as Markdown is
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
maximum_signature_line_length = 100

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
