"""Verifications as a page that needs no other file, as JSON, and as a line."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from string import Template

from ..errors import shown
from ..photo.encode import encode_png
from .thresholds import GROUPS
from .verify import Verification

_GROUP_TITLES = {
    "scene": "Does the scene show what was reconstructed?",
    "photo": "Does the reconstruction explain the photo?",
}

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Verification</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;
     color:#222;background:#fafafa}
h2{margin-top:2.5em;border-bottom:1px solid #ccc}
table{border-collapse:collapse;width:100%;background:#fff;margin:.5em 0 1.5em}
td,th{border:1px solid #ddd;padding:.35em .6em;text-align:left;vertical-align:top}
.good{color:#18703a;font-weight:600}.bad{color:#b3261e;font-weight:600}
small{color:#666}img{max-width:100%;background:#181818}
</style></head><body><h1>Verification</h1>
$overview
$sections
</body></html>
""")


def html_report(results: Sequence[Verification], failures: Sequence[tuple[str, str]] = ()) -> str:
    """A whole page with all pictures inside; ``failures`` are names and sentences."""
    rows = [
        f"<tr><td><a href='#{i}'>{_escaped(one.name)}</a></td>"
        + "".join(f"<td>{_word(one.passed(group))}</td>" for group in GROUPS)
        + "</tr>"
        for i, one in enumerate(results)
    ]
    rows += [
        f"<tr><td>{_escaped(name)}</td><td colspan='2' class='bad'>{_escaped(why)}</td></tr>"
        for name, why in failures
    ]
    overview = (
        "<table><tr><th>head</th><th>scene</th><th>photo</th></tr>" + "".join(rows) + "</table>"
    )
    sections = "".join(_section(i, one) for i, one in enumerate(results))
    return _PAGE.substitute(overview=overview, sections=sections)


def json_report(results: Sequence[Verification], failures: Sequence[tuple[str, str]] = ()) -> str:
    """One document with a list of heads."""
    heads = [one.document() for one in results]
    heads += [{"name": name, "error": why} for name, why in failures]
    return json.dumps({"heads": heads}, indent=1)


def line(result: Verification) -> str:
    """For a terminal: the verdicts and what failed."""
    verdicts = ", ".join(f"{group} {'ok' if result.passed(group) else 'OFF'}" for group in GROUPS)
    failed = [one for one in result.measures if not one.passed]
    if not failed:
        return f"{shown(result.name)}: {verdicts}"
    told = "; ".join(
        f"{one.threshold.title} {one.text()} ({one.threshold.text()})" for one in failed
    )
    return f"{shown(result.name)}: {verdicts} - {told}"


def table(result: Verification) -> str:
    """For a terminal: every measure of one head."""
    lines = [
        f"  {'ok ' if one.passed else 'OFF'} {one.threshold.title:<46}{one.text():>24}  "
        f"({one.threshold.text()})"
        for one in result.measures
    ]
    seconds = ", ".join(f"{step} {value:.1f} s" for step, value in result.seconds.items())
    return "\n".join([*lines, *(f"  {note}" for note in result.notes), f"  {seconds}"])


def _section(number: int, result: Verification) -> str:
    parts = [f"<h2 id='{number}'>{_escaped(result.name)}</h2>"]
    for group in GROUPS:
        rows = "".join(
            f"<tr><td>{_escaped(one.threshold.title)}<br>"
            f"<small>{_escaped(one.threshold.why)}</small></td>"
            f"<td>{_escaped(one.text())}</td><td>{_escaped(one.threshold.text())}</td>"
            f"<td>{_word(one.passed)}</td></tr>"
            for one in result.measures
            if one.threshold.group == group
        )
        parts.append(
            f"<h3>{_GROUP_TITLES[group]}</h3><table><tr><th>measure</th><th>found</th>"
            f"<th>limit</th><th></th></tr>{rows}</table>"
        )
    parts += [f"<p>{_escaped(note)}</p>" for note in result.notes]
    picture = base64.b64encode(encode_png(result.sheet, 6).tobytes()).decode()
    parts.append(
        f"<img alt='passes of {_escaped(result.name)} and their differences' "
        f"src='data:image/png;base64,{picture}'>"
    )
    used = {**result.versions, **{f"{k} s": f"{v:.1f}" for k, v in result.seconds.items()}}
    parts.append(
        "<p><small>"
        + _escaped(", ".join(f"{key} {value}" for key, value in used.items()))
        + "</small></p>"
    )
    return "".join(parts)


def _escaped(text: str) -> str:
    return html.escape(shown(text), quote=True)


def _word(passed: bool) -> str:
    return "<span class='good'>ok</span>" if passed else "<span class='bad'>off</span>"
