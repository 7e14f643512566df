"""An audit as one HTML page that needs nothing else: table, causes, picture."""

from __future__ import annotations

from html import escape

from refdp.audit.causes.base import figure, interval
from refdp.audit.picture import draw
from refdp.audit.text import table
from refdp.audit.verdict import Audit

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
.badge { display: inline-block; padding: .2rem .7rem; border-radius: .3rem; color: #fff; font-weight: 600 }
.refuted { background: #b2182b } .holds { background: #1b7837 } .undecided { background: #b35806 }
code { background: #f3f3f3; padding: 0 .25rem } figure { margin: 1rem 0 } svg { max-width: 100%; height: auto }
"""


def as_html(found: Audit, version: str) -> str:
    """The page. All text from the claim is escaped."""
    claim = found.claim
    title = escape(claim.title or "Privacy audit")
    picture = draw([found], "svg").decode("utf-8")
    picture = picture[picture.index("<svg") :]
    head, *rows = table(found)
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    causes = "".join(f"<li><code>{escape(c.id)}</code> {escape(c.text)}</li>" for c in found.causes)
    counts = "".join(f"<li>{escape(r.name)}: epsilon {escape(interval(r))}</li>" for r in found.steps)
    notes = [f"{reading.name}: {note}" for reading in found.readings for note in reading.notes]
    remarks = "".join(f"<li>{escape(note)}</li>" for note in [*notes, *claim.notes])
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1>",
        f'<p><span class="badge {found.verdict}">{escape(found.summary)}</span></p>',
        f"<p>Claimed: epsilon {escape(figure(claim.epsilon))} at delta {escape(figure(claim.delta))}. A claim is "
        "refuted where a reading's lower bound exceeds it, and holds where every reading's upper bound is at most "
        "it.</p>",
        f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>",
        f"<figure>{picture}</figure>",
    ]
    if causes:
        parts.append(f"<h2>Why</h2><ul>{causes}</ul>")
    if counts:
        parts.append(f"<h2>Steps, as tools count them</h2><ul>{counts}</ul>")
    if remarks:
        parts.append(f"<h2>Notes</h2><ul>{remarks}</ul>")
    parts.append(
        f"<p><small>refdp {escape(version)}, <code>refdp audit claim</code></small></p></body></html>"
    )
    return "\n".join(parts) + "\n"
