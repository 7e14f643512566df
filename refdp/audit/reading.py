"""One reading of a claim: a ledger, both bounds on its epsilon by independent routes, and the noise it would need.

Routes: ``pld`` inverts the privacy loss's transform (both sides), ``rdp`` composes Renyi divergences (upper),
``gaussian`` is the exact curve where nothing is sampled (both sides), ``test`` is an attack an adversary could run
(lower), ``revealed`` the mixture over where a shuffled record falls (upper). They share no code beyond elementary
functions, so that a bug in one shows as a contradiction.

G1. lower <= true epsilon of the reading's ledger <= upper; None where no bound is known, with a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp.accounting import (
    AccountingError,
    Bounds,
    GaussianEvent,
    Ledger,
    QuantileEvent,
    Schedule,
    epsilon,
    epsilon_upper,
    shuffle_epsilon_lower,
    shuffle_epsilon_upper,
)
from refdp.accounting.composition import Composition
from refdp.accounting.grouping import distinct
from refdp.audit.epochs import Shuffled
from refdp.audit.needed import BINS, noise_needed, nominal

LOOSE = 1e-3
SLACK = 1e-6  # relative, by which two routes may miss each other before it counts as a contradiction


@dataclass(frozen=True)
class Reading:
    """What a claim says, read one way.

    Attributes:
        name: "as accounted", "as run", ...
        how: sampler, steps and relation in a few words.
        ledger: what it stands for.
        lower, upper: of epsilon at the claim's delta; None where not known.
        routes: {"pld": {"lower", "upper"}, "rdp": {"upper"}, "gaussian": ..., "test": {"lower"}}.
        noise_multiplier: the nominal one (of several the least, of a schedule its scale).
        needed: the nominal one at which the claimed epsilon would hold; None where out of reach.
        counts: whether the verdict looks at it; the needed noise and the attack on samples are worked out only then.
        refutes: whether its lower bound may refute the claim.
        shuffled: the epochs its lower bound rests on.
    """

    name: str
    how: str
    ledger: Ledger
    lower: float | None
    upper: float | None
    routes: dict[str, dict[str, Any]]
    noise_multiplier: float | None
    needed: float | None
    notes: tuple[str, ...] = field(default=())
    counts: bool = True
    refutes: bool = True
    shuffled: Shuffled | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of a ``refdp-audit/1`` document's ``readings``."""
        return {
            "name": self.name,
            "how": self.how,
            "neighboring": self.ledger.neighboring,
            "epsilon": {"lower": self.lower, "upper": self.upper},
            "routes": self.routes,
            "noise_multiplier": self.noise_multiplier,
            "noise_multiplier_needed": self.needed,
            "notes": list(self.notes),
        }


def read(
    name: str,
    ledger: Ledger,
    claimed: float,
    delta: float,
    *,
    shuffled: Shuffled | None = None,
    refutes: bool = True,
    unbounded: str | None = None,
    counts: bool = True,
    noise_multiplier: float | None = None,
) -> Reading:
    """The reading of a ledger.

    Args:
        claimed: the epsilon that the needed noise is solved for.
        shuffled: the epochs, where batches were shuffled and enough is known for a lower bound.
        refutes: whether its lower bound may refute the claim.
        noise_multiplier: what the ledger's noise is called; ``nominal(ledger)`` by default.
        unbounded: why no upper bound may be stated, where something was run that no ledger holds.
    """
    bounds = _bounds(ledger, delta, counts)
    routes: dict[str, dict[str, Any]] = {}
    if bounds.pld:
        routes["pld"] = dict(bounds.pld)
    if bounds.rdp:
        routes["rdp"] = dict(bounds.rdp)
    if bounds.gaussian:
        routes["gaussian"] = dict(bounds.gaussian)
    notes = list(bounds.notes)
    lower, upper = bounds.lower, bounds.upper
    if distinct(ledger) > BINS and (upper is None or lower is None or upper > lower * (1 + LOOSE)):
        grouped = epsilon_upper(ledger, delta, bins=BINS)  # rarely, but then much, tighter than all of them
        upper = grouped if upper is None else min(upper, grouped)
    by_place = None if shuffled is None else revealed(ledger, delta, shuffled)
    if by_place is not None:
        routes["revealed"] = {"upper": by_place}
        upper = by_place if upper is None else min(upper, by_place)
    test = _test(ledger, delta, shuffled) if counts or shuffled else None
    if test is not None:
        routes["test"] = {"lower": test}
        if lower is None or test > lower:
            lower = test
            notes = [note for note in notes if "no lower bound known" not in note]
    _agree(name, routes, upper, lower)
    noise = nominal(ledger) if noise_multiplier is None else noise_multiplier
    needed: float | None = None
    if unbounded is None and counts:
        needed, late = noise_needed(ledger, claimed, delta, noise)
        notes += [late] if late else []
    if unbounded is not None:
        lower, upper = None, None
        notes.append(unbounded)
    return Reading(
        name,
        describe(ledger),
        ledger,
        lower,
        upper,
        routes,
        noise,
        needed,
        tuple(dict.fromkeys(notes)),
        counts,
        refutes,
        shuffled,
    )


def revealed(ledger: Ledger, delta: float, shuffled: Shuffled) -> float | None:
    """The upper bound of shuffled epochs of changing noise: of one record's gradients, and of nothing more."""
    alone = ledger.group_size == 1 and all(type(event) is GaussianEvent for event in ledger.events)
    if shuffled.table is None or not alone:
        return None
    return shuffle_epsilon_upper(shuffled.table, delta, ledger.neighboring, chances=shuffled.chances)


def _bounds(ledger: Ledger, delta: float, every: bool) -> Bounds:
    """By every route; or, where one will do, by the tight one if it has both ends."""
    if not every and all(event.sampling.scheme == "poisson" for event in ledger.events):
        found = epsilon(ledger, delta, "pld")
        if found.upper is not None and found.lower is not None:
            return found
    return epsilon(ledger, delta)


def _test(ledger: Ledger, delta: float, shuffled: Shuffled | None) -> float | None:
    """A lower bound from an attack, where one is known."""
    schemes = {event.sampling.scheme for event in ledger.events if not event.is_no_op()}
    if schemes == {"shuffle"}:
        return None if shuffled is None else _shuffle_test(ledger, delta, shuffled)
    whole = Composition.of(ledger)
    if not whole.sampled or whole.unattained:
        return None
    try:
        return whole.test_lower(delta)
    except AccountingError:
        return None


def _shuffle_test(ledger: Ledger, delta: float, shuffled: Shuffled) -> float:
    """The attack on the gradients; with an un-noised count, on that: a record changes its batch's count for certain.

    A noisy centred count (sensitivity 1/2) joins the gradient: all others' counts, too, can point the other way. A
    count of another sensitivity is left out of sight, which is post-processing.
    """
    greatest = shuffled.greatest
    counts = [event for event in ledger.events if isinstance(event, QuantileEvent) and not event.is_no_op()]
    if any(event.count_noise == 0 for event in counts):
        greatest = np.zeros(1)
    elif len(counts) == 1 and len(ledger.events) == 1 and counts[0].sensitivity == 0.5:
        with np.errstate(divide="ignore"):
            joined = 1.0 / np.hypot(1.0 / greatest, 0.5 / counts[0].count_noise)
        greatest = joined * (1 + 1e-14)
    return shuffle_epsilon_lower(
        greatest, shuffled.batches, delta, ledger.neighboring, takes_part=shuffled.takes_part
    )


def _agree(name: str, routes: dict[str, dict[str, Any]], upper: float | None, lower: float | None) -> None:
    """Every lower end must be below every upper end; anything else is a bug of ours, and is said so."""
    lowers = {key: part["lower"] for key, part in routes.items() if part.get("lower") is not None}
    uppers = {key: part["upper"] for key, part in routes.items() if part.get("upper") is not None}
    for low_key, low in lowers.items():
        for high_key, high in uppers.items():
            if low > high * (1 + SLACK) + 1e-12:
                raise AccountingError(
                    f"{name}: lower bound {low!r} by {low_key} exceeds upper bound {high!r} by {high_key}: an error "
                    "of refdp; please report this claim"
                )
    if upper is not None and lower is not None and lower > upper * (1 + SLACK) + 1e-12:
        raise AccountingError(f"{name}: bounds {lower!r} and {upper!r} cross; please report this claim")


def describe(ledger: Ledger) -> str:
    """Sampler, steps and relation in a few words."""
    parts = list(dict.fromkeys(_schemes(ledger)))
    text = "; ".join(parts[:3]) + ("; ..." if len(parts) > 3 else "")
    group = f", groups of {ledger.group_size}" if ledger.group_size > 1 else ""
    return f"{text}, {ledger.neighboring}{group}"


def _schemes(ledger: Ledger) -> Iterator[str]:
    totals: dict[tuple[str, str, str], int] = {}
    for event in ledger.events:
        if event.is_no_op():
            continue
        sampling = event.sampling
        kind = event.noise.kind if isinstance(event.noise, Schedule) else ""
        where = {"poisson": f" at rate {sampling.rate:.6g}" if sampling.rate is not None else ""}.get(
            sampling.scheme, ""
        )
        if sampling.scheme == "without-replacement":
            where = f" of {sampling.batch_size:,} of {sampling.dataset_size:,}"
        name = sampling.scheme + where
        unit = "steps" if sampling.passes is None else "epochs"
        key = (event.mechanism, name, f"{unit}{f', {kind} schedule' if kind else ''}")
        totals[key] = totals.get(key, 0) + event.count * (sampling.passes or 1)
    for (mechanism, name, unit), count in totals.items():
        first, _, rest = unit.partition(",")
        with_statistic = "" if mechanism == "gaussian" else f" with {mechanism}"
        yield f"{name}, {count:,} {first}{f',{rest}' if rest else ''}{with_statistic}"
