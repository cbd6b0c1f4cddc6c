"""The section of a page that shows one schedule."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, final

from tracelr.drawing.svg import svg
from tracelr.errors import Unquoted, show
from tracelr.lowering import dump
from tracelr.lowering.graph import trace
from tracelr.lowering.passes import run
from tracelr.lowering.printing.formats import svg as drawing
from tracelr.lowering.printing.listing import listing_of
from tracelr.report.checks import Check, checks
from tracelr.report.exactness import NEAR, caveats, exactness
from tracelr.report.html import code, facts, h, table, tabs
from tracelr.report.samples import Samples, number, samples
from tracelr.report.source import config, python
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe import phases
from tracelr.schedules.describe.sampling import curve, horizon

_ROWS, _SENT = 24, 500  # phases in the table, and the most that the cursor gets
_SENTENCES = 6  # phases that are said in words
_MEASURED = 4096  # steps at most, for the figures of exactness
_HASHES = frozenset({"inductor", "triton", "pt2", "onnx"})  # targets whose text has comments that begin with #


@final
class Order(NamedTuple):
    """What a page is asked to show: see `tracelr.report.page`."""

    targets: Sequence[str] | None
    verify: bool | Collection[str]
    steps: int | None
    source: str
    key: str = "lr"
    held: Sequence[int] = ()
    tell: Callable[[str], object] | None = None


@final
class Section(NamedTuple):
    """A schedule on a page: its HTML, the data that the scripts read, and its samples."""

    html: str
    data: dict[str, Any]
    samples: Samples


def section(schedule: Schedule, ident: str, heading: str, order: Order, most: int) -> Section:
    """Return the section with the id `ident`. `heading` is HTML. The curve holds at most `most` steps."""
    found = phases.phases(schedule, order.key)
    last = horizon(schedule) if order.steps is None else order.steps
    held = samples(schedule, last, sorted({phase.first for phase in found} | {*order.held}), most)
    graph = run(trace(schedule))
    made = checks(schedule, graph, order.targets, order.verify, order.tell)
    shown = [("Curve", _curve(schedule, held, last)), ("Phases", _phases(found))]
    folded = [
        ("Verification", _verdict(made)[0], _verification(made, bool(order.verify))),
        ("Configuration", "as YAML and as Python", _configuration(ident, schedule, order.source)),
        ("Code", f"for {len(made)} target{'s' * (len(made) != 1)}", _code(ident, made, dump(graph, "text"), order.source)),
        ("Graph", f"{len(graph.nodes)} nodes", _graph(drawing.draw(listing_of(graph), ""), len(graph.nodes))),
        ("Exactness", "how near the last rounding comes to a tie", _exactness(schedule, held)),
    ]
    body = "\n".join(_part(ident, name, f"<h3>{name}</h3>\n{html}") for name, html in shown)
    body += "\n" + "\n".join(
        _part(ident, name, f"<details><summary><h3>{name}</h3><span>{h(about)}</span></summary>\n{html}\n</details>")
        for name, about, html in folded
    )
    links = "".join(f'<a href="#{ident}-{name.lower()}">{name}</a>' for name, *_ in (*shown, *folded))
    sent = [[p.first, p.until, p.name] for p in found] if len(found) <= _SENT else []
    html = (
        f'<article id="{ident}">{heading}\n{_words(found)}\n{_summary(schedule, found, held)}\n'
        f'<nav class="parts" aria-label="Parts of this schedule">{links}</nav>\n{body}\n</article>'
    )
    return Section(html, held.packed() | {"phases": sent}, held)


def _part(ident: str, name: str, html: str) -> str:
    return f'<section id="{ident}-{name.lower()}" class="{name.lower()}">{html}\n</section>'


def _words(found: Sequence[phases.Phase]) -> str:
    """Return the phases as sentences: all of a few, or the first ones of many."""
    said = [f"<li><span>Steps {h(phase.steps)}</span> {h(phase.words)}</li>" for phase in found[:_SENTENCES]]
    if len(found) > _SENTENCES:
        said.append(f"<li><span>and {len(found) - _SENTENCES:,} more</span></li>")
    return f'<ol class="words">{"".join(said)}</ol>'


def _summary(schedule: Schedule, found: Sequence[phases.Phase], held: Samples) -> str:
    at, largest = held.largest()
    length = "no end" if schedule.length is None else f"{schedule.length:,} steps"
    return facts(
        [
            ("Length", length),
            ("Phases", f"{len(found):,}"),
            ("At step 0", number(float(held.values[0]))),
            (f"Largest, at {at:,}", number(largest)),
            (f"At step {held.last:,}", number(float(held.values[-1]))),
            ("Fingerprint", f"<code>{schedule.fingerprint()}</code>"),
        ]
    )


def _curve(schedule: Schedule, held: Samples, last: int) -> str:
    if held.all:
        about = f"All {held.last + 1:,} steps from 0 to {held.last:,} are held in this page."
    else:
        about = (
            f"This page holds {len(held.steps):,} of the {held.last + 1:,} steps from 0 to {held.last:,}; the cursor goes "
            "from one to the next. Between them the line is drawn straight."
        )
    if held.missing:
        about += f" Of the steps where the formula changes, {held.missing:,} are not among them."
    about += " Each value is the float32 that the schedule gave, in the fewest digits that identify it."
    picture = svg([curve(schedule, last=last, columns=200)], alone=False) if last > 0 else ""
    return f'<div class="curve-box"><noscript>{picture}</noscript></div>\n<p class="about">{h(about)}</p>'


def _phases(found: Sequence[phases.Phase]) -> str:
    few = [*found] if len(found) <= _ROWS else [*found[: _ROWS // 2], *found[-_ROWS // 2 :]]
    rows = []
    for phase in few:
        name, which, start, stop, how = map(h, phases.row(phase))
        until = "" if phase.until is None else str(phase.until)
        rows.append([f'<button type="button" class="zoom" data-first="{phase.first}" data-until="{until}">{name}</button>',
                     which, start, stop, how])  # fmt: skip
    if len(found) > len(few):
        rows.insert(_ROWS // 2, ["&hellip;", f"{len(found) - len(few):,} more", "", "", ""])
    return table(["phase", "steps", "from", "to", "how"], rows, "phases-table", "Phases")


def _graph(picture: str, count: int) -> str:
    about = (
        f"{count} nodes, after all passes; every target is made from them. Point at a node for its op, type and source "
        "line. With the keyboard: arrows move, + and - zoom, 0 shows all, Enter goes to the nodes and Escape back."
    )
    return f'<div class="graph-box">{picture}</div>\n<p class="about">{h(about)}</p>'


def _code(ident: str, made: Sequence[Check], text: str, source: str) -> str:
    panels = []
    for check in made:
        if check.text:
            full = f"; tracelr lower {argument(source)} --target {check.target} prints all of it"
            sign = "#" if check.target in _HASHES else "//"
            panels.append((check.target, code(check.text, f"{len(check.text):,} characters for {check.target}", sign, full)))
        else:
            panels.append((check.target, f'<p class="note">{h(_short(check.reason))}</p>'))
    panels.append(
        ("graph", code(text, "the graph, one op a line", "#", f"; tracelr dump {argument(source)} prints all of it"))
    )
    chosen = next((k for k, (name, _) in enumerate(panels) if name == "c"), 0)
    return tabs(f"{ident}-code", "Code of each target", panels, chosen)


def _verdict(made: Sequence[Check]) -> tuple[str, str]:
    ran = [check.result for check in made if check.result is not None]
    wrong = [result.target for result in ran if result.differing]
    if not ran:
        return "Nothing was run: the code was only written.", "open"
    if wrong:
        return f"Not the bits of eager: {', '.join(wrong)}.", "bad"
    where = "the one target" if len(ran) == 1 else f"each of the {len(ran)}"
    return f"Same bits as eager on {where} that ran here.", "good"


def _verification(made: Sequence[Check], verify: bool) -> str:
    verdict, kind = _verdict(made)
    rows = [_checked(check) for check in made]
    head = ["target", "ran here", "steps compared", "differing", "largest, in ulp", "first difference"]
    about = (
        "Run and compared with eager bit for bit, at every step where the formula changes, powers of two up to 2^53, "
        "negative steps and random steps. The code of the other targets was only written."
    )
    return f'<p class="verdict {kind}">{h(verdict)}</p>\n{table(head, rows, "checks", "Verification")}\n' + (
        f'<p class="about">{h(about)}</p>' if verify else ""
    )


def _checked(check: Check) -> list[str]:
    result = check.result
    if result is None:
        state = "only written" if check.text else "not written"
        return [h(check.target), f'{state}<span class="why">{h(_short(check.reason))}</span>', "", "", "", ""]
    first = ""
    if result.first is not None:
        step, eager, other = result.first
        first = f"step {step:,}: eager {number(eager)}, {h(result.target)} {number(other)}"
    ran = "all" if not result.ran else h(result.ran)
    mark = ' class="bad"' if result.differing else ""
    return [
        h(check.target), ran, f"{result.steps:,}", f"<span{mark}>{result.differing:,}</span>", f"{result.max_ulp:,}", first
    ]  # fmt: skip


def argument(text: str) -> str:
    """Return a text as one argument of a command for a shell. What does not print is written as `$'...'` of bash has it.

    >>> print(argument("a b.yaml"), argument("-x; rm"))
    'a b.yaml' './-x; rm'
    """
    text = f"./{text}" if text.startswith("-") and text != "-" else text
    if text.isprintable():
        return shlex.quote(text)
    plain = "".join(f"\\{c}" if c in "\\'" else c if c.isprintable() else _bytes(c) for c in text)
    return f"$'{plain}'"


def _bytes(letter: str) -> str:
    raw = letter.encode(errors="surrogateescape" if "\udc80" <= letter <= "\udcff" else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def _short(text: str) -> str:
    return show(Unquoted(text), 400)


def _exactness(schedule: Schedule, held: Samples) -> str:
    found = exactness(schedule, held.steps[:: -(-len(held.steps) // _MEASURED)])
    far = f", by up to {found.ulp:.3g} units" if found.differing else ""
    rows = [
        ["steps measured", f"{found.steps:,}", "of those that the curve above holds"],
        [
            "within 2<sup>-27</sup> of a tie",
            f"{found.near:,}",
            "where float64, exact to about two of its units, may end on either side when it is rounded to float32"
            if found.near
            else "the last rounding never depends on the last digits of float64",
        ],
        [
            "nearest to a tie",
            f"{found.nearest:.3g}",
            f"in units of float32, at step {found.step:,}; the limit is {NEAR:.2g}",
        ],
        [
            "in float32 throughout",
            f"{found.differing:,}",
            f"values would differ{far}, under <code>tracelr.precision(&quot;float32&quot;)</code>",
        ],
    ]
    about = (
        "Measured on this schedule, in its own arithmetic, and not against a formula in many digits: "
        "the tests of tracelr do that for each of its classes."
    )
    said = "".join(f'<p class="caveat">{h(sentence)}</p>' for sentence in caveats(schedule))
    return f'{table(["figure", "value", "meaning"], rows, "exact", "Exactness")}\n{said}<p class="about">{h(about)}</p>'


def _configuration(ident: str, schedule: Schedule, source: str) -> str:
    panels = [
        (
            "YAML",
            code(
                config(schedule),
                "For tracelr.load and the command line",
                "#",
                f"; tracelr convert {argument(source)} --to native prints all of it",
            ),
        ),
        ("Python", code(python(schedule), "The same, as code", "#")),
    ]
    return tabs(f"{ident}-configuration", "Configuration", panels)
