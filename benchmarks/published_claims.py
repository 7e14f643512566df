"""Tables and pictures of docs/published-claims.md, from the claims that ship: python benchmarks/published_claims.py

Rewrites the parts of the page between ``<!-- table GROUP -->`` and ``<!-- end -->``, and docs/pictures/GROUP.svg.
"""

from __future__ import annotations

import re
from pathlib import Path

from refdp.audit import Audit, audit
from refdp.audit.causes.base import figure, interval
from refdp.audit.examples import example_claim, example_names
from refdp.audit.picture import draw
from refdp.audit.text import needed

DOCS = Path(__file__).resolve().parents[1] / "docs"
GROUPS = ("s0-mnist", "s0-cifar10", "s1", "s4")
LOUD = ("too-little-noise", "neighboring-relation")


def members(group: str) -> list[str]:
    """The claims of a group, in order of their noise multiplier where that is in the name."""
    names = [name for name in example_names() if name.startswith(group + "-")]
    return sorted(names, key=lambda n: (float(n.rpartition("-")[2]) if group == "s1" else 0.0, n))


def table(audits: list[Audit]) -> str:
    """One row a reading."""
    lines = [
        "| claim | reading | claimed | true epsilon | multiplier | needed | verdict | why |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in audits:
        why = ", ".join(f"`{c.id}`" for c in found.causes if c.id not in LOUD)
        for place, reading in enumerate(found.readings):
            first = place == 0
            cells = [
                found.claim.title if first else "",
                f"{reading.name}: {reading.how}",
                f"{float(figure(found.claim.epsilon)):.4g}" if first else "",
                interval(reading),
                f"{reading.noise_multiplier:.6g}" if first and reading.noise_multiplier else "",
                needed(reading),
                f"**{found.verdict}**" if first else "",
                why if first else "",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Audit every claim that ships and rewrite the page."""
    page = DOCS / "published-claims.md"
    text = page.read_text(encoding="utf-8")
    for group in GROUPS:
        audits = [audit(example_claim(name)) for name in members(group)]
        body = f"<!-- table {group} -->\n{table(audits)}\n<!-- end -->"
        text, count = re.subn(
            rf"<!-- table {group} -->.*?<!-- end -->", lambda _, new=body: new, text, flags=re.DOTALL
        )
        assert count == 1, group
        (DOCS / "pictures" / f"{group}.svg").write_bytes(draw(audits, "svg"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
