"""One reading of a claim: a ledger, both bounds on its epsilon by independent routes, and the noise it would need.

Routes: ``pld`` inverts the privacy loss's transform (both sides), ``rdp`` composes Renyi divergences (upper),
``gaussian`` is the exact curve where nothing is sampled (both sides), ``test`` is an attack an adversary could run
(lower). They share no code beyond elementary functions, so that a bug in one shows as a contradiction.

G1. lower <= true epsilon of the reading's ledger <= upper; None where no bound is known, with a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    QuantileEvent,
    Schedule,
    epsilon,
    shuffle_epsilon_lower,
)
from refdp.accounting.composition import Composition
from refdp.audit.needed import noise_needed, nominal

_ALONG = (GaussianEvent, QuantileEvent)  # all others' contributions can point the other way in one direction
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
    batches: int | None = None,
    takes_part: float = 1.0,
    unbounded: str | None = None,
    counts: bool = True,
    noise_multiplier: float | None = None,
) -> Reading:
    """The reading of a ledger.

    Args:
        claimed: the epsilon that the needed noise is solved for.
        batches: of a shuffled epoch, for its lower bound; None where not known.
        takes_part: chance that a record is in any batch of a shuffled epoch.
        noise_multiplier: what the ledger's noise is called; ``nominal(ledger)`` by default.
        unbounded: why no upper bound may be stated, where something was run that no ledger holds.
    """
    bounds = epsilon(ledger, delta)
    routes: dict[str, dict[str, Any]] = {}
    if bounds.pld:
        routes["pld"] = dict(bounds.pld)
    if bounds.rdp:
        routes["rdp"] = dict(bounds.rdp)
    if bounds.gaussian:
        routes["gaussian"] = dict(bounds.gaussian)
    notes = list(bounds.notes)
    lower, upper = bounds.lower, bounds.upper
    test = _test(ledger, delta, batches, takes_part) if counts or batches else None
    if test is not None:
        routes["test"] = {"lower": test}
        if lower is None or test > lower:
            lower = test
            notes = [note for note in notes if "no lower bound known" not in note]
    _agree(name, routes, upper, lower)
    noise = nominal(ledger) if noise_multiplier is None else noise_multiplier
    needed = noise_needed(ledger, claimed, delta, noise) if unbounded is None and counts else None
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
    )


def _test(ledger: Ledger, delta: float, batches: int | None, takes_part: float) -> float | None:
    """A lower bound from an attack, where one is known."""
    released = [event for event in ledger.events if not event.is_no_op()]
    if {event.sampling.scheme for event in released} == {"shuffle"}:
        charges = ledger.charges()
        if batches is None or not all(type(event) in _ALONG for event in released):
            return None
        epochs = [np.repeat(c.multipliers, c.counts.astype(np.int64)) for c in charges]
        noise = np.concatenate(epochs) * (1 + 1e-14)  # a release of two sums is rounded down
        return shuffle_epsilon_lower(noise, batches, delta, ledger.neighboring, takes_part=takes_part)
    whole = Composition.of(ledger)
    if not whole.sampled or whole.unattained:
        return None
    try:
        return whole.test_lower(delta)
    except AccountingError:
        return None


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
