"""Is a claimed epsilon true? Every reading of the claim, the verdict, and why.

refuted     some reading's lower bound exceeds the claim, also with inputs that may have been rounded at the ends of
            their rounding that favour it
holds       every reading's upper bound is at most the claim
undecided   else

G1. "refuted" only where some reading's true epsilon exceeds the claim.
G2. "holds" only where every reading's true epsilon is at most the claim, with inputs as written; where they are
    declared rounded, for all that they may stand for.
G3. A refutation names at least one cause.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from refdp.accounting import Ledger, UnsupportedEventError, epsilon_upper
from refdp.accounting.counting import loader_batches, step_counts
from refdp.accounting.grouping import distinct, grouped
from refdp.audit.actual import actually
from refdp.audit.causes import Case, Cause, find_causes
from refdp.audit.causes.base import figure, interval
from refdp.audit.causes.divisor import UNBOUNDED, is_private
from refdp.audit.claim import Claim
from refdp.audit.epochs import NotBounded, shuffled
from refdp.audit.needed import nominal, scaled
from refdp.audit.reading import Reading, read, revealed

REFUTED, HOLDS, UNDECIDED = "refuted", "holds", "undecided"
SCHEMA = "refdp-audit/1"
Rounded = tuple[tuple[str, float | None, float | None], ...]
_BINS = 128  # multipliers that the ends of a rounding are computed on, grouped outwards


@dataclass(frozen=True)
class Audit:
    """The answer to "is this claim true?".

    Attributes:
        verdict: "refuted", "holds" or "undecided".
        readings: "as accounted" first; those that the verdict rests on.
        steps: what other tools' step counts would give; the verdict does not rest on them.
        causes: why claimed and true epsilon differ.
    """

    claim: Claim
    verdict: str
    readings: tuple[Reading, ...]
    steps: tuple[Reading, ...]
    causes: tuple[Cause, ...]

    @property
    def summary(self) -> str:
        """One line, for a badge: claimed, verdict, the figure that decided."""
        claim = self.claim
        low = max((r.lower for r in self.readings if r.lower is not None), default=None)
        worst = max(self.readings, key=lambda r: -1.0 if r.lower is None else r.lower)
        text = {
            REFUTED: f"REFUTED, epsilon is {interval(worst)} {worst.name}",
            HOLDS: f"holds, epsilon is {interval(worst)}",
            UNDECIDED: f"undecided, epsilon is {interval(worst)}" if low is not None else "undecided",
        }[self.verdict]
        return f"epsilon {figure(claim.epsilon)} at delta {figure(claim.delta)}: {text}"

    def to_json(self) -> dict[str, Any]:
        """The ``refdp-audit/1`` document."""
        claim = self.claim
        return {
            "schema": SCHEMA,
            "title": claim.title,
            "verdict": self.verdict,
            "claimed": {"epsilon": float(claim.epsilon), "delta": claim.delta},
            "readings": [reading.to_json() for reading in self.readings],
            "step_counts": [
                {
                    "steps": r.ledger.events[0].count,
                    "how": r.name,
                    "epsilon": {"lower": r.lower, "upper": r.upper},
                }
                for r in self.steps
            ],
            "causes": [{"id": cause.id, "text": cause.text} for cause in self.causes],
            "summary": self.summary,
            "notes": list(claim.notes),
        }


def audit(claim: Claim) -> Audit:
    """Read the claim every way there is and decide.

    Raises:
        RefDPError, AccountingError: what was really run cannot be put into a ledger that a bound is known for.
    """
    readings = tuple(_readings(claim))
    by_steps = tuple(_by_steps(claim))
    verdict = decide(claim, readings)
    rounded: Rounded = ()
    if claim.rounding.any() and verdict != UNDECIDED:
        rounded = tuple(_if_rounded(claim, readings))
        verdict = _with_rounding(claim, verdict, readings, rounded)
    case = Case(claim, readings, verdict, rounded, by_steps)
    return Audit(claim, verdict, readings, by_steps, find_causes(case))


def decide(claim: Claim, readings: tuple[Reading, ...]) -> str:
    """The verdict with all inputs as written."""
    if any(r.refutes and r.lower is not None and r.lower > claim.epsilon for r in readings):
        return REFUTED
    if all(r.upper is not None and r.upper <= claim.epsilon for r in readings):
        return HOLDS
    return UNDECIDED


def _with_rounding(claim: Claim, verdict: str, readings: tuple[Reading, ...], rounded: Rounded) -> str:
    """A refutation must survive all that the inputs may stand for; of declared ones, "holds" too."""
    half = claim.rounding.epsilon
    ends = [(r, low, high) for r, (_, low, high) in zip(readings, rounded, strict=True)]
    if verdict == REFUTED and not any(
        r.refutes and low is not None and low > claim.epsilon + half for r, low, _ in ends
    ):
        verdict = UNDECIDED
    if verdict == HOLDS and claim.rounding.declared:
        within = all(high is not None and high <= claim.epsilon - half for _, _, high in ends)
        verdict = HOLDS if within else UNDECIDED
    return verdict


def _readings(claim: Claim) -> Iterator[Reading]:
    yield read(
        "as accounted",
        claim.ledger,
        claim.epsilon,
        claim.delta,
        shuffled=shuffled(claim, claim.ledger.events),
    )
    if claim.actual.is_known():
        try:
            ran = actually(claim)
        except (NotBounded, UnsupportedEventError) as error:
            yield Reading(
                "as run", "unknown", claim.ledger, None, None, {}, None, None, (f"no bound: {error}",)
            )
            return
        unbounded = UNBOUNDED if is_private(ran.ledger, claim.actual.divisor) else None
        if unbounded is None and ran.ledger == claim.ledger:
            return
        yield read(
            "as run",
            ran.ledger,
            claim.epsilon,
            claim.delta,
            shuffled=ran.shuffled,
            refutes=not ran.stricter,
            unbounded=unbounded,
            noise_multiplier=nominal(claim.ledger if claim.actual.events is None else ran.ledger),
        )


def _by_steps(claim: Claim) -> Iterator[Reading]:
    """What the ways of counting steps give, where they differ: of one Poisson event of constant noise."""
    events = [event for event in claim.ledger.events if not event.is_no_op()]
    if claim.run is None or len(events) != 1 or events[0].sampling.scheme != "poisson":
        return
    (event,) = events
    if distinct(claim.ledger) > 1:
        return
    run, accounted = claim.run, event.sampling.rate
    assert accounted is not None
    rates = (
        run.batch_size / run.dataset_size,
        1 / loader_batches(run.batch_size, run.dataset_size, run.drop_last),
    )
    known = any(abs(accounted - rate) <= 1e-9 * rate for rate in rates)  # else a rate of the run's own
    ways: dict[tuple[int, float], list[str]] = {}
    for count in step_counts(run.epochs, run.batch_size, run.dataset_size, run.drop_last):
        rate = accounted if count.is_loop or not known else count.sample_rate
        ways.setdefault((count.steps, rate), []).append(f"{count.rule}: {count.tools}")
    if set(ways) == {(event.count, event.sampling.rate)}:
        return
    for (steps, rate), how in ways.items():
        if steps < 1:
            continue
        sampling = dataclasses.replace(event.sampling, rate=rate)
        ledger = dataclasses.replace(
            claim.ledger, events=(dataclasses.replace(event, count=steps, sampling=sampling),)
        )
        at = "" if rate == event.sampling.rate else f" at rate {rate:.6g}"
        name = f"{steps:,} steps{at} ({'; '.join(how)})"
        yield read(name, ledger, claim.epsilon, claim.delta, counts=False)


def _if_rounded(
    claim: Claim, readings: tuple[Reading, ...]
) -> Iterator[tuple[str, float | None, float | None]]:
    """Bounds of each reading at the ends of what its inputs may have been rounded from."""
    noise, rate = claim.rounding.noise_multiplier, claim.rounding.sample_rate
    for reading in readings:
        lower, upper = reading.lower, reading.upper
        if noise or rate:
            lower = None if lower is None else _lower_end(claim, reading, 1 + noise, 1 - rate)
            upper = None if upper is None else _upper_end(claim, reading, 1 - noise, 1 + rate)
        yield reading.name, lower, upper


def _lower_end(claim: Claim, reading: Reading, noise: float, rate: float) -> float | None:
    less = grouped(_resampled(scaled(reading.ledger, noise), rate), _BINS, "up")
    epochs = None if reading.shuffled is None else reading.shuffled.scaled(noise)
    return read("rounded", less, 0.0, claim.delta, shuffled=epochs, counts=False).lower


def _upper_end(claim: Claim, reading: Reading, noise: float, rate: float) -> float:
    less = _resampled(scaled(reading.ledger, noise), rate)
    found = epsilon_upper(less, claim.delta, bins=_BINS)
    epochs = None if reading.shuffled is None else reading.shuffled.scaled(noise)
    by_place = None if epochs is None else revealed(less, claim.delta, epochs)
    return found if by_place is None else min(found, by_place)


def _resampled(ledger: Ledger, factor: float) -> Ledger:
    if factor == 1:
        return ledger
    events = []
    for event in ledger.events:
        sampling = event.sampling
        if sampling.rate is not None:
            sampling = dataclasses.replace(sampling, rate=min(1.0, sampling.rate * factor))
        events.append(dataclasses.replace(event, sampling=sampling))
    return dataclasses.replace(ledger, events=tuple(events))
