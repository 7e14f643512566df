"""The ledger of what was really run, from what was accounted and what is known to differ.

Where batches were shuffled or in fixed order, each record took part once an epoch: the accounted steps are cut into
epochs, and an epoch is charged as ``samplers`` do: shuffle the least noise of each epoch, fixed order the position
whose squared ratios sum highest. Removing a record is ill-posed there, so that add-remove becomes zero-out;
batches of fixed size without replacement have replace-one only.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from refdp.accounting import (
    ADD_REMOVE,
    REPLACE_ONE,
    ZERO_OUT,
    GaussianEvent,
    Ledger,
    Release,
    Sampling,
    Schedule,
)
from refdp.accounting.events import release_from_json
from refdp.audit.claim import Claim
from refdp.errors import RefDPError

BY_EPOCH = ("shuffle", "fixed-order", "balls-and-bins")
_RELATION = {"shuffle": ZERO_OUT, "fixed-order": ZERO_OUT, "without-replacement": REPLACE_ONE}


def actual_ledger(claim: Claim) -> Ledger:
    """The ledger of what was really run.

    Raises:
        RefDPError, AccountingError: facts that cannot be put together, or for which no bound is known.
    """
    actual = claim.actual
    events = claim.ledger.events if actual.events is None else actual.events
    if actual.steps is not None:
        events = _with_steps(events, actual.steps)
    if actual.sampling is not None:
        events = (
            _by_epoch(events, actual.sampling)
            if actual.sampling.scheme in BY_EPOCH
            else tuple(_resampled(event, actual.sampling) for event in events)
        )
    if actual.adaptive_clipping is not None:
        events = tuple(_with_statistic(event, actual.adaptive_clipping) for event in events)
    return Ledger(_relation(claim, events), events, claim.ledger.group_size)


def _relation(claim: Claim, events: tuple[Release, ...]) -> str:
    if claim.actual.neighboring is not None:
        return claim.actual.neighboring
    relation = claim.ledger.neighboring
    schemes = {event.sampling.scheme for event in events if not event.is_no_op()}
    if relation == ADD_REMOVE or "without-replacement" in schemes:
        wanted = {_RELATION[scheme] for scheme in schemes if scheme in _RELATION}
        if len(wanted) > 1:
            raise RefDPError(
                f"actual_neighboring: {', '.join(sorted(schemes))} have no relation in common; give replace-one"
            )
        relation = wanted.pop() if wanted else relation
    return relation


def _with_steps(events: tuple[Release, ...], steps: int) -> tuple[Release, ...]:
    """One event of another number of steps; a schedule is stretched over them."""
    if len(events) != 1 or events[0].sampling.passes is not None:
        raise RefDPError(
            f"actual_steps = {steps}: needs one accounted event that counts steps; give actual_events instead"
        )
    (event,) = events
    if isinstance(event.noise, Schedule):
        noise = Schedule(
            event.noise.kind, steps, event.noise.scale, dict(event.noise.parameters), event.noise.normalise
        )
        return (dataclasses.replace(event, noise=noise, count=steps),)
    return (dataclasses.replace(event, count=steps),)


def _resampled(event: Release, sampling: Sampling) -> Release:
    if event.sampling.passes is not None:
        raise RefDPError(
            f"actual_sampling {sampling.scheme}: counts steps, but the accounted event counts epochs; give "
            "actual_events instead"
        )
    return dataclasses.replace(event, sampling=sampling)


def steps_of(events: tuple[Release, ...]) -> np.ndarray:
    """Noise multipliers of every step of gaussian events that count steps, in order, float64 [steps]."""
    parts = []
    for event in events:
        if type(event) is not GaussianEvent or event.sampling.passes is not None:
            raise RefDPError(
                "actual_sampling: epochs can be made of gaussian events that count steps only; give actual_events"
            )
        if isinstance(event.noise, Schedule):
            parts.append(event.noise.noise_multipliers()[: event.count])
        elif event.noise is not None:
            if event.count > 10**7:
                raise RefDPError(
                    f"event count = {event.count}: too many steps to cut into epochs; at most 10,000,000"
                )
            parts.append(np.full(event.count, event.noise))
    return np.concatenate(parts) if parts else np.empty(0)


def by_epoch(steps: np.ndarray, epochs: int) -> np.ndarray:
    """The multipliers as [epochs, batches of an epoch]; inf where the last epoch took no step."""
    width = -(-len(steps) // epochs)
    table = np.full(epochs * width, np.inf)
    table[: len(steps)] = steps
    return table.reshape(epochs, width)


def _by_epoch(events: tuple[Release, ...], sampling: Sampling) -> tuple[Release, ...]:
    epochs = sampling.epochs
    assert epochs is not None
    constant = {event.noise for event in events}
    if all(event.sampling.passes is not None for event in events):
        return tuple(dataclasses.replace(event, sampling=sampling) for event in events)
    if epochs > sum(event.count for event in events):
        raise RefDPError(
            f"actual_sampling: {epochs} epochs of {sum(e.count for e in events)} accounted steps: an epoch has a step"
        )
    if len(constant) == 1 and not isinstance(next(iter(constant)), Schedule):
        (noise,) = constant
        return (GaussianEvent(noise, sampling),) if epochs else ()
    table = by_epoch(steps_of(events), epochs)
    if sampling.scheme == "shuffle":
        return tuple(GaussianEvent(float(x), Sampling("shuffle", epochs=1)) for x in table.min(axis=1))
    if sampling.scheme == "fixed-order":
        with np.errstate(divide="ignore"):
            worst = table[:, int(np.argmax(np.sum(1.0 / table**2, axis=0)))]
        once = Sampling("fixed-order", epochs=1)
        return tuple(GaussianEvent(float(x), once) for x in worst[np.isfinite(worst)])
    raise RefDPError("actual_sampling balls-and-bins: no bound is known for a schedule; use a constant one")


def _with_statistic(event: Release, statistic: dict[str, Any]) -> Release:
    """The event with the statistic that adapts the clip norm, released with the gradient of the same step."""
    if type(event) is not GaussianEvent:
        raise RefDPError(
            f"adaptive_clipping: the accounted {event.mechanism} event holds its statistic already; leave it out"
        )
    document = event.to_json() | {"mechanism": "quantile"} | statistic
    return release_from_json(document)
