"""One ledger through refdp and every accountant: rows of a table, each judged and explained."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from refdp.accounting import AccountingError, Ledger
from refdp.crosscheck.cells import Cells, compare
from refdp.crosscheck.discovery import Accountant
from refdp.crosscheck.finding import Finding, Reason
from refdp.crosscheck.process import Outcome, ask
from refdp.crosscheck.reasons import explain
from refdp.crosscheck.request import Request, requests
from refdp.crosscheck.truth import Truth
from refdp.crosscheck.verdict import Verdict, figures, judge


@dataclass(frozen=True)
class Case:
    """A question: a ledger at a delta.

    Attributes:
        name: how the report calls it.
        poisson: the Poisson run that the ledger is commonly taken for, where it does not tell that itself.
    """

    name: str
    ledger: Ledger
    delta: float
    poisson: Ledger | None = None


@dataclass(frozen=True)
class Limits:
    """What a peer may use: seconds for importing and answering, bytes of address space."""

    timeout: float = 60.0
    memory: int = 8 * 2**30


@dataclass(frozen=True)
class Row:
    """One accountant's line; ``verdict`` None where it gave no figure (``outcome.status`` says why)."""

    accountant: Accountant
    outcome: Outcome
    figures: Mapping[str, float | None] = field(default_factory=dict)
    verdict: Verdict | None = None
    reasons: tuple[Reason, ...] = ()
    cells: Cells | None = None
    read_as: str | None = None


@dataclass(frozen=True)
class Report:
    """A case answered: the truth, and a row an accountant."""

    case: Case
    truth: Truth
    rows: tuple[Row, ...]

    @property
    def wrong(self) -> int:
        """How many rows state what is refuted."""
        return sum(row.verdict is not None and row.verdict.wrong for row in self.rows)


@dataclass(frozen=True)
class Refused:
    """A case that refdp does not account for, and why."""

    name: str
    error: str


Say = Callable[[str], None]


def crosscheck(
    cases: Sequence[Case],
    accountants: Sequence[Accountant],
    *,
    peers: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    jobs: int = 1,
    say: Say = lambda text: None,
) -> list[Report | Refused]:
    """Put every case to refdp and to every accountant.

    Args:
        peers: interpreter by package name; the current one for the others.
        jobs: peers asked at a time (1: their times do not disturb each other).
        say: told a line as each answer comes.

    A case that refdp refuses is Refused in its place.
    """
    limits, peers = limits or Limits(), peers or {}
    missing: dict[str, Outcome] = {}
    stop = threading.Event()
    reports: list[Report | Refused] = []
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        try:
            for case in cases:
                try:
                    truth = Truth(case.ledger, case.delta)
                except AccountingError as error:
                    reports.append(Refused(case.name, " ".join(str(error).split())))
                    continue
                own, poisson = requests(case.ledger, case.poisson)
                futures: list[tuple[Accountant, Request | None, Future[Outcome]]] = []
                for each in accountants:
                    request = _request(each, own, poisson)
                    python = peers.get(each.package, sys.executable)
                    task = pool.submit(_ask, each, request, case, python, limits, missing, stop)
                    futures.append((each, request, task))
                rows = []
                for each, request, task in futures:
                    rows.append(judged(each, request, task.result(), truth))
                    say(f"{case.name}: {each.name} {_short(rows[-1])}")
                reports.append(Report(case, truth, tuple(rows)))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return reports


def _request(accountant: Accountant, own: Request, poisson: Request | None) -> Request | None:
    if own.ledger.group_size > 1:
        return None
    if all(event.sampling.scheme in accountant.schemes for event in own.ledger.events):
        return own
    return poisson


def _ask(
    accountant: Accountant,
    request: Request | None,
    case: Case,
    python: str,
    limits: Limits,
    missing: dict[str, Outcome],
    stop: threading.Event,
) -> Outcome:
    if accountant.package in missing:
        return missing[accountant.package]
    if request is None:
        what = "group privacy" if case.ledger.group_size > 1 else "such events"
        return Outcome("unsupported", f"it has nothing for {what}", None, {}, 0.0, 0)
    content = request.to_json(case.delta)
    if not content["events"]:
        return Outcome("unsupported", "nothing was released", None, {}, 0.0, 0)
    outcome = ask(accountant, content, python, timeout=limits.timeout, memory=limits.memory, stop=stop)
    if outcome.status == "not installed":
        missing[accountant.package] = outcome
    return outcome


def judged(accountant: Accountant, request: Request | None, outcome: Outcome, truth: Truth) -> Row:
    """The row of an outcome."""
    if outcome.status != "ok" or request is None:
        return Row(accountant, outcome)
    try:
        given = figures(accountant.side, outcome.answer)
        orders, rows = outcome.answer.get("orders", []), outcome.answer.get("cells", [])
        cells = compare(orders, rows) if orders and rows else None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        cause = str(error) if type(error) is ValueError else f"an answer refdp cannot read ({error!r})"
        return Row(accountant, replace(outcome, status="not a number", cause=cause, answer={}))
    seen = truth if request.read_as is None else Truth(request.ledger, truth.delta)
    verdict = judge(given, truth.lower, truth.upper)
    finding = Finding(
        truth, seen, verdict, outcome.answer, accountant.method, accountant.conversion, request.read_as, cells
    )
    reasons = explain(finding)
    if cells is not None and cells.below:
        text = f"{len(cells.below)} of {cells.checked} RDP cells below the truth: {cells.below[0].text()}"
        reasons = (*reasons, Reason("rdp-cells", text, False))
    return Row(accountant, outcome, given, verdict, reasons, cells, request.read_as)


def _short(row: Row) -> str:
    if row.verdict is None:
        return f"{row.outcome.status}: {row.outcome.cause}"
    value = row.verdict.value
    return f"{value:.6g} {row.verdict.word} ({row.outcome.seconds:.2f} s)"
