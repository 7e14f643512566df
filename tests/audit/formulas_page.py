"""The tables of docs/formulas.md; ``python tests/audit/formulas_page.py`` writes them into the page."""

from __future__ import annotations

import re
from pathlib import Path

from refdp.audit.formulas import CAUSES, FORMULAS, KINDS, Formula, Setting
from refdp.audit.formulas._recognise import true_epsilon

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formulas.md"
SETTINGS = (Setting(0.2385, 256 / 60000, 1170, 1e-5), Setting(1.1, 0.004, 10000, 1e-5))


def cell(epsilon: float) -> str:
    return f"{epsilon:.4g}" if epsilon < 1e4 else f"{epsilon:.2g}"


def truths() -> list[str]:
    found = [true_epsilon(setting) for setting in SETTINGS]
    return [f"{truth[1]:.6g}" for truth in found if truth]


def row(entry: Formula) -> str:
    numbers = " | ".join(cell(entry.epsilon(setting)) for setting in SETTINGS)
    return f"| `{entry.name}` | {entry.symbols} | {entry.source} | {entry.worth} | {numbers} |"


def tables() -> dict[str, str]:
    """Marker to the lines that stand under it."""
    first, second = truths()
    head = f"| name | formula | source | worth | A ({first}) | B ({second}) |\n|---|---|---|---|---|---|\n"
    found = {
        kind: head + "\n".join(row(f) for f in sorted(FORMULAS.values(), key=_order) if f.kind == kind)
        for kind in KINDS
    }
    lines = [f"| `{cause}` | {text} | {_users(cause)} |" for cause, text in CAUSES.items()]
    found["causes"] = "| cause | meaning | formulas |\n|---|---|---|\n" + "\n".join(lines)
    return found


def _order(entry: Formula) -> tuple[str, int, str]:
    return entry.cause, entry.rank, entry.name


def _users(cause: str) -> str:
    return ", ".join(f"`{name}`" for name, entry in FORMULAS.items() if entry.cause == cause)


def filled(page: str) -> str:
    """The page with its tables as they should be: each stands between two comments."""
    for marker, table in tables().items():
        pattern = re.compile(rf"(<!-- {marker} -->\n).*?(\n<!-- /{marker} -->)", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{PAGE.name}: no place for the table {marker!r}")
        page = pattern.sub(lambda found, table=table: found[1] + table + found[2], page)
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
