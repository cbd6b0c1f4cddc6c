"""Functions that write HTML. Every text of a user goes through `h`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, final

_MOST, _LONGEST = 40_000, 1_000  # characters of a text, and of a line of it, that a page shows

_WORDS = (
    "and as assert bool break case char class const constexpr continue def double else extern f32 f64 false final float "
    "for from i1 i64 if import in inline int int32_t int64_t is lambda namespace None not or pass return self static "
    "struct template true True False try uint32_t uint64_t unsigned using void volatile while with"
)
_TOKENS = {
    sign: re.compile(rf'({comment})|("(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')|\b({"|".join(_WORDS.split())})\b', re.S)
    for sign, comment in (("//", r"//[^\n]*|/\*.*?\*/"), ("#", r"#[^\n]*"))
}
_CLASSES = {1: "c", 2: "s", 3: "k"}


@final
class Code(NamedTuple):
    """A text as a page shows it. `hidden` is the number of characters that were left out."""

    shown: str
    hidden: int


def printable(text: str) -> str:
    """Return `text` with every unprintable character, such as an escape or a change of direction, made visible.

    >>> printable("a\\x1bb")
    'a\N{REPLACEMENT CHARACTER}b'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def h(text: object) -> str:
    """Return `text` as the text of an element or an attribute.

    >>> h('<a href="b">&')
    '&lt;a href=&quot;b&quot;&gt;&amp;'
    """
    return html.escape(printable(str(text)))


def data(value: Any) -> str:
    """Return `value` as JSON that cannot end the HTML element around it.

    >>> data("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str, caption: str) -> str:
    """Return a table of cells that are HTML already; the first cell of a row is its heading."""
    names = "".join(f'<th scope="col">{h(name)}</th>' for name in head)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for first, *cells in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{h(caption)}"><table class="{kind}">\n'
        f"<thead><tr>{names}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, which are HTML already."""
    return (
        '<dl class="facts">' + "".join(f"<div><dt>{h(name)}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"
    )


def tabs(ident: str, label: str, panels: Sequence[tuple[str, str]], chosen: int = 0) -> str:
    """Return panels, of HTML, one of which is shown at a time; without a script all are."""
    buttons = "".join(
        f'<button type="button" role="tab" id="{ident}-t{k}" aria-controls="{ident}-p{k}" '
        f'aria-selected="{"true" if k == chosen else "false"}">{h(name)}</button>'
        for k, (name, _) in enumerate(panels)
    )
    bodies = "\n".join(
        f'<div class="panel" role="tabpanel" id="{ident}-p{k}" aria-labelledby="{ident}-t{k}" data-name="{h(name)}">'
        f"{body}</div>"
        for k, (name, body) in enumerate(panels)
    )
    return f'<div class="tabs"><div role="tablist" aria-label="{h(label)}">{buttons}</div>\n{bodies}</div>'


def code(text: str, about: str, sign: str = "//", full: str = "") -> str:
    """Return a text as a block with a button that copies it. A long text is cut, and `full` says how to get all of it."""
    cut = shorten(text.rstrip("\n"))
    if cut.hidden:
        note = f"{about}. {cut.hidden:,} of its {len(text):,} characters are left out here{full}."
        button = ""
    else:
        note, button = f"{about}.", '<button type="button" class="copy">Copy</button>'
    return (
        f'<div class="note">{button}<p>{h(note)}</p></div><pre tabindex="0"><code>{coloured(cut.shown, sign)}</code></pre>'
    )


def shorten(text: str) -> Code:
    """Return as much of `text` as a page shows: both ends of each long line, and both ends of a long text."""
    lines = [line if len(line) <= _LONGEST else _middle(line, _LONGEST, " ... ") for line in text.split("\n")]
    shown = "\n".join(lines)
    if len(shown) > _MOST:
        shown = _middle(shown, _MOST, "\n\n...\n\n")
    return Code(shown, max(len(text) - len(shown), int(shown != text)))


def _middle(text: str, most: int, mark: str) -> str:
    head, tail = text[: most * 2 // 3], text[-most // 3 :]
    if "\n" in mark:
        head, tail = head.rpartition("\n")[0], tail.partition("\n")[2]
    return head + mark + tail


def coloured(text: str, sign: str) -> str:
    """Return program text as HTML, with comments (which begin with `sign`), strings and keywords marked.

    >>> coloured("return 1  # one", "#")
    '<span class="k">return</span> 1  <span class="c"># one</span>'
    """
    parts, at = [], 0
    for token in _TOKENS[sign].finditer(text):
        kind = _CLASSES[token.lastindex or 1]
        parts += [h(text[at : token.start()]), f'<span class="{kind}">{h(token[0])}</span>']
        at = token.end()
    return "".join([*parts, h(text[at:])])
