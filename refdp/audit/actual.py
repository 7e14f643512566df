"""The ledger of what was really run, from what was accounted and what is known to differ.

Where batches were shuffled or in fixed order, each record took part once an epoch: the accounted steps are cut into
epochs (epochs.py), and charged as ``samplers`` do: shuffle the least noise of each epoch, fixed order the position
whose squared ratios sum highest. Removing a record is ill-posed there, so that add-remove becomes zero-out;
batches of fixed size without replacement have replace-one only.

G1. Every release that was accounted is in the ledger of what was run, or the claim is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from refdp.accounting import (
    ADD_REMOVE,
    REPLACE_ONE,
    GaussianEvent,
    HistogramEvent,
    Ledger,
    QuantileEvent,
    Release,
    Sampling,
    Schedule,
)
from refdp.accounting.events import release_from_json
from refdp.accounting.neighboring import ILL_POSED
from refdp.audit.claim import Claim
from refdp.audit.epochs import NotBounded, Shuffled, cut, shuffled
from refdp.errors import RefDPError

_SAMPLED = (GaussianEvent, QuantileEvent, HistogramEvent)  # releases of which another sampler makes sense


@dataclass(frozen=True)
class Ran:
    """What was really run.

    Attributes:
        shuffled: the shuffled epochs, where all of it is that and enough is known for a lower bound.
        stricter: whether its relation asks more than the accounted one, without anybody having said so: it may then
            prove a claim, and not refute it.
    """

    ledger: Ledger
    shuffled: Shuffled | None = None
    stricter: bool = False


def actually(claim: Claim) -> Ran:
    """What was really run, as a ledger.

    Raises:
        RefDPError, AccountingError: facts that cannot be put together.
        NotBounded, UnsupportedEventError: no bound is known for them.
    """
    actual = claim.actual
    given = claim.ledger.events if actual.events is None else actual.events
    events = tuple(event for event in given if not event.is_no_op())
    if actual.steps is not None:
        events = _with_steps(events, actual.steps)
    epochs: Shuffled | None = None
    if actual.sampling is not None:
        if actual.sampling.passes is not None:
            events, epochs = _by_epoch(claim, events, actual.sampling)
        else:
            events = tuple(_resampled(event, actual.sampling) for event in events)
    if actual.adaptive_clipping is not None:
        events = tuple(_with_statistic(event, actual.adaptive_clipping) for event in events)
    if not events or all(event.is_no_op() for event in events):
        raise RefDPError("what was really run: releases nothing; say what was run, or leave it out")
    if epochs is None and actual.sampling is None:
        epochs = shuffled(claim, events)
    relation = _relation(claim, events)
    stricter = (
        actual.neighboring is None and relation == REPLACE_ONE and claim.ledger.neighboring != REPLACE_ONE
    )
    return Ran(Ledger(relation, events, claim.ledger.group_size), epochs, stricter)


def _relation(claim: Claim, events: tuple[Release, ...]) -> str:
    if claim.actual.neighboring is not None:
        return claim.actual.neighboring
    relation = claim.ledger.neighboring
    schemes = {event.sampling.scheme for event in events}
    if relation == ADD_REMOVE or "without-replacement" in schemes:
        wanted = {ILL_POSED[scheme] for scheme in schemes if scheme in ILL_POSED}
        if len(wanted) > 1:
            raise RefDPError(
                f"actual_neighboring: {', '.join(sorted(schemes))} have no relation in common; give replace-one"
            )
        relation = wanted.pop() if wanted else relation
    return relation


def _with_steps(events: tuple[Release, ...], steps: int) -> tuple[Release, ...]:
    """One event of another number of steps: of a schedule its first ones."""
    if len(events) != 1 or events[0].sampling.passes is not None:
        raise RefDPError(
            f"actual_steps = {steps}: needs one accounted event that counts steps; give actual_events instead"
        )
    (event,) = events
    if isinstance(event.noise, Schedule) and steps > event.noise.steps:
        raise RefDPError(
            f"actual_steps = {steps}: the schedule has {event.noise.steps} steps and says nothing of more; give "
            "actual_events instead"
        )
    return (dataclasses.replace(event, count=steps),)


def _resampled(event: Release, sampling: Sampling) -> Release:
    _check_sampled(event, sampling)
    if event.sampling.passes is not None:
        raise RefDPError(
            f"actual_sampling {sampling.scheme}: counts steps, but an accounted event counts epochs; give "
            "actual_events instead"
        )
    return dataclasses.replace(event, sampling=sampling)


def _check_sampled(event: Release, sampling: Sampling) -> None:
    if type(event) not in _SAMPLED or event.noise is None:
        kind = event.mechanism if event.noise is not None else f"{event.mechanism} without a gradient"
        raise NotBounded(
            f"actual_sampling {sampling.scheme}: an accounted event is {kind}, which cannot be put under "
            "another sampler; give actual_events instead"
        )


def _by_epoch(
    claim: Claim, events: tuple[Release, ...], sampling: Sampling
) -> tuple[tuple[Release, ...], Shuffled | None]:
    """The events under a scheme that counts epochs, and the shuffled epochs for a lower bound."""
    epochs = sampling.epochs or 0
    if epochs < 1 or not events:
        raise RefDPError(f"actual_sampling {sampling.scheme}: epochs = {epochs}: must be a whole number >= 1")
    for event in events:
        _check_sampled(event, sampling)
    if any(event.sampling.passes is not None for event in events):
        (event, *others) = events
        if others or event.count * (event.sampling.passes or 0) != epochs:
            raise RefDPError(
                f"actual_sampling {sampling.scheme}: the accounted events count epochs of their own, not one event of "
                f"{epochs}; give actual_events instead"
            )
        moved = (dataclasses.replace(event, sampling=sampling, count=1),)
        return moved, shuffled(claim, moved)
    kinds = {dataclasses.replace(event, noise=1.0, count=1) for event in events}
    if len(kinds) > 1:
        raise NotBounded(
            f"actual_sampling {sampling.scheme}: the accounted events differ in more than noise; give actual_events"
        )
    (kind,) = kinds
    steps = cut(claim, events, epochs)
    if steps.constant is not None:
        made: tuple[Release, ...] = (dataclasses.replace(kind, noise=steps.constant, sampling=sampling),)
    else:
        if sampling.scheme == "balls-and-bins":
            raise NotBounded("actual_sampling balls-and-bins: no bound is known for a schedule")
        once = Sampling(sampling.scheme, epochs=1)
        least = steps.least() if sampling.scheme == "shuffle" else steps.worst_position()
        made = tuple(dataclasses.replace(kind, noise=float(x), sampling=once) for x in least)
    if sampling.scheme != "shuffle":
        return made, None
    if steps.constant is not None or kind.mechanism != "gaussian":
        return made, Shuffled(steps.greatest(), steps.batches, steps.takes_part)
    chances = steps.chances(claim.run)
    return made, Shuffled(steps.greatest(), steps.batches, steps.takes_part, steps.table, chances)


def _with_statistic(event: Release, statistic: dict[str, Any]) -> Release:
    """The event with the statistic that adapts the clip norm, released with the gradient of the same step."""
    if type(event) is not GaussianEvent:
        raise RefDPError(
            f"adaptive_clipping: the accounted {event.mechanism} event holds its statistic already; leave it out"
        )
    document = event.to_json() | {"mechanism": "quantile"} | statistic
    return release_from_json(document)
