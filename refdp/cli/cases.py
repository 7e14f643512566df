"""``epsilon --cases``: a ledger a line in, an answer a line out, whatever the other lines are."""

from __future__ import annotations

from typing import Any

import click

from refdp.accounting import AccountingError, Ledger
from refdp.accounting import delta as delta_of
from refdp.accounting import epsilon as epsilon_of
from refdp.accounting.ledger import parse
from refdp.cli.inputs import read_text
from refdp.files import dumps
from refdp.report import bounds_to_json


def answer_cases(path: str) -> int:
    """Answer every line in its place; exit code 2 if one was bad."""
    failed = False
    for line in read_text(path).split("\n"):
        if line.strip():
            answer = _answer(line)
            failed = failed or "error" in answer
            click.echo(dumps(answer))
    return 2 if failed else 0


def _answer(line: str) -> dict[str, Any]:
    try:
        document = parse(line)
        if not isinstance(document, dict) or ("delta" in document) == ("epsilon" in document):
            raise AccountingError("a case is a ledger with either 'delta' or 'epsilon'")
        asked = {key: document.pop(key) for key in ("delta", "epsilon") if key in document}
        ledger = Ledger.from_json(document)
        if "delta" in asked:
            return bounds_to_json(epsilon_of(ledger, asked["delta"]))
        return bounds_to_json(delta_of(ledger, asked["epsilon"]))
    except (AccountingError, RecursionError) as error:
        return {"error": " ".join(str(error).split())}
    except MemoryError:
        return {"error": "out of memory: choose a shorter schedule"}
