"""``crosscheck accountant --cases``: a ledger with its delta a line."""

from __future__ import annotations

from refdp.accounting import AccountingError, Ledger
from refdp.accounting.ledger import parse
from refdp.crosscheck.check import Case, Refused
from refdp.errors import RefDPError


def read_cases(text: str) -> list[Case | Refused]:
    """A case a line that is not blank; a bad one is Refused in its place.

    Raises:
        RefDPError: no case at all.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise RefDPError("--cases: holds no line; give a ledger with 'delta' a line")
    return [_read(number, line) for number, line in lines]


def _read(number: int, line: str) -> Case | Refused:
    name = f"line {number}"
    try:
        document = parse(line)
        if not isinstance(document, dict) or "delta" not in document:
            raise AccountingError("a case is a ledger with 'delta'")
        given = document.pop("id", name)
        if not isinstance(given, str) or not given.strip():
            raise AccountingError(f"id = {given!r}: must be a text that is not empty")
        name = given
        delta = document.pop("delta")
        if isinstance(delta, bool) or not isinstance(delta, int | float) or not 0 < delta < 1:
            raise AccountingError(f"delta = {delta!r}: must be > 0 and < 1")
        return Case(name, Ledger.from_json(document), float(delta))
    except (AccountingError, RecursionError) as error:
        return Refused(name, " ".join(str(error).split()))
