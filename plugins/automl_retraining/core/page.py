"""Building blocks of a stand-alone HTML page in which everything from data is text, never markup.

``element`` escapes each child that is not already ``Html``, so a column named ``<img onerror=…>`` is shown as written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_VOID = frozenset({"meta", "br"})


class Html(str):
    """Markup that this project wrote; anything else is escaped."""

    __slots__ = ()


Child = object
"""``Html`` stays markup; None and "" vanish; the rest becomes text."""


def text(value: object) -> Html:
    """``value`` as escaped text; control characters, which HTML forbids, become a replacement mark."""
    return Html(html.escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value)), quote=True))


def join(children: Iterable[Child]) -> Html:
    """Children one after the other."""
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children if child is not None))


def element(name: str, /, *children: Child, **attributes: str | None) -> Html:
    """An element. Attributes: ``class_`` for class, underscores for hyphens; None leaves one out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def table(
    head: Sequence[Child], rows: Iterable[Sequence[Child]], numeric: Iterable[int] = (), marked: int = -1
) -> Html:
    """A table that scrolls sideways by itself. ``numeric``: columns set to the right; ``marked``: the row to stress."""
    right = frozenset(numeric)

    def cells(kind: str, line: Sequence[Child]) -> Html:
        return join(
            element(kind, cell, class_="n" if column in right else None, scope="col" if kind == "th" else None)
            for column, cell in enumerate(line)
        )

    body = join(
        element("tr", cells("td", line), class_="marked" if number == marked else None)
        for number, line in enumerate(rows)
    )
    whole = element("table", element("thead", element("tr", cells("th", head))), element("tbody", body))
    return element("div", whole, class_="scroll", tabindex="0")


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """A list of named facts; those that are None or empty are left out."""
    return element(
        "dl",
        join(
            element("div", element("dt", name), element("dd", value))
            for name, value in pairs
            if value not in (None, "")
        ),
    )


def section(title: str, *children: Child) -> Html:
    """A part of the page; nothing where there is nothing to show."""
    inside = join(children)
    return element("section", element("h2", title), inside) if inside else Html("")


def listed(lines: Iterable[Child]) -> Html | None:
    """A list of sentences; None where there are none."""
    items = [element("li", line) for line in lines]
    return element("ul", join(items), class_="plain") if items else None


def titled(title: str, inside: Html | None) -> Html | None:
    """Something under its heading; None where there is nothing."""
    return join([element("h3", title), inside]) if inside else None


def note(said: str | None, style: str = "note") -> Html | None:
    """A quiet paragraph; None where nothing is said."""
    return element("p", said, class_=style) if said else None


def document(title: str, *children: Child) -> str:
    """The whole page: no script, no request to anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(STYLE)),
    )
    return "<!doctype html>\n" + element("html", head, element("body", element("main", *children)), lang="en") + "\n"


# ---------------------------------------------------------------- how values read


def moment(time: datetime | None) -> str | None:
    """A time in UTC, to the second; one without a zone is taken as UTC."""
    if time is None:
        return None
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware.strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float | None) -> str | None:
    """``1 h 2 min``, ``3 min 4 s``, ``5.6 s``."""
    if seconds is None:
        return None
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int) -> str:
    """Bytes in a unit that people read."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count:,} bytes" if unit == "bytes" else f"{amount:.3g} {unit}"


STYLE = """
:root{--ink:#1c2430;--muted:#5d6878;--line:#dfe4ea;--page:#f4f6f8;--card:#fff;--challenger:#2563c9;--champion:#d9822b;
--good:#1b7f4d;--bad:#c0362c;--doubt:#9a6700;--soft:#eef2f7;--mark:#f0f5fd;
--font:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--muted:#9aa6b5;--line:#323b47;--page:#12161c;--card:#1a2028;
--challenger:#6ea8fe;--champion:#f0a860;--good:#58c08a;--bad:#ef7d74;--doubt:#e0b04c;--soft:#232b35;--mark:#1e2a3d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 var(--font)}
main{max-width:1080px;margin:0 auto;padding:28px 20px 56px}
section,header{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:22px 26px;margin:0 0 18px}
header{border-top:5px solid var(--tone)}
h1{font-size:23px;line-height:1.38;margin:12px 0 0;font-weight:620;max-width:52em;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 14px}
h3{font-size:14px;margin:22px 0 8px;color:var(--muted);font-weight:600}
p{margin:8px 0;max-width:70em}
.over{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:center;color:var(--muted)}
.over b{color:var(--ink)}
.badge{background:var(--tone);color:var(--card);font-weight:700;font-size:13px;letter-spacing:.05em;
text-transform:uppercase;border-radius:999px;padding:4px 13px}
.badge.thin{background:none;color:var(--doubt);border:1px solid var(--doubt)}
.good{--tone:var(--good)}.bad{--tone:var(--bad)}.doubt{--tone:var(--doubt)}.calm{--tone:#64748b}
.under{color:var(--muted);margin-top:10px}
ul.rules{list-style:none;margin:0;padding:0}
ul.rules li{display:grid;grid-template-columns:5.2em 1fr;gap:12px;padding:7px 0;border-top:1px solid var(--line);
overflow-wrap:anywhere}
ul.rules li:first-child{border-top:0}
.chip{font-size:12px;font-weight:650;color:var(--tone);border:1px solid var(--tone);border-radius:6px;text-align:center;
align-self:start;padding:1px 0}
.chip.info{color:var(--muted);border-color:var(--line)}
ul.plain{margin:0;padding-left:1.2em;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{color:var(--muted);font-weight:600;text-align:left;font-size:12.5px;white-space:nowrap}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:middle}
td{max-width:26em;overflow-wrap:break-word}
tbody tr:last-child td{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.marked td{background:var(--mark);font-weight:620}
tr.marked td:first-child{box-shadow:-8px 0 var(--mark)}
.range{color:var(--muted);font-weight:400;font-size:12.5px}
.key{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.45em}
svg{width:100%;height:auto;display:block}
svg+.scroll{margin-top:16px}
svg.bar{width:132px;height:18px;display:inline-block}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:2px 26px;margin:0}
dl div{padding:6px 0;border-top:1px solid var(--line);min-width:0}
dt{color:var(--muted);font-size:12.5px}
dd{margin:0;overflow-wrap:anywhere}
details{margin-top:12px}
summary{cursor:pointer;color:var(--muted)}
code{font:13px/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.note{color:var(--muted);font-size:13.5px}
@media print{body{background:none}section,header{break-inside:avoid}}
@media (max-width:640px){section,header{padding:16px}ul.rules li{grid-template-columns:4.4em 1fr}}
"""
