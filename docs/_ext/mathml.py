"""Formulas as MathML, which browsers draw without a script or network, in the colour of the text."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def _write(translator: HTML5Translator, node: nodes.Element, block: bool) -> None:
    formula = " ".join(node.astext().split()).replace(r"\dots", r"\ldots")  # the one command it does not know
    mathml = tex2mathml(formula, as_block=block)
    translator.body.append(f'<div class="formula">{mathml}</div>\n' if block else mathml)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    inline, block = (lambda t, n, b=b: _write(t, n, b) for b in (False, True))
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
