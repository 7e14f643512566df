"""Accounted steps cut into the epochs of a data loader, and what shuffling them is worth at least.

The loader's batches an epoch come from the claim's ``run``; where that is not given, from the accounted steps, which
must then be a whole number of epochs unless the noise never changes (when only the number of epochs matters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.accounting import GaussianEvent, QuantileEvent, Release, Schedule
from refdp.accounting.epochwise import least_of_each_epoch, worst_position
from refdp.audit.claim import Claim, Run
from refdp.errors import RefDPError


class NotBounded(RefDPError):
    """What was run is said well enough, and no bound is known for it: a reading without one, not bad input."""


MOST_STEPS = 10**7
MOST_EPOCHS = 4096  # looked at for a lower bound; fewer epochs are post-processing of all


@dataclass(frozen=True)
class Shuffled:
    """Shuffled epochs, for their lower bound (accounting's ``shuffle_epsilon_lower``).

    Attributes:
        greatest: the greatest noise multiplier of each epoch (of the least noisy ones, where there are thousands).
        batches: of an epoch, at most.
        takes_part: chance that a record is in any batch of an epoch, at least.
        table: every multiplier [epochs, batches] where they change within an epoch, for the upper bound; else None.
        chances: that a record is in each batch, [batches].
    """

    greatest: np.ndarray
    batches: int
    takes_part: float = 1.0
    table: np.ndarray | None = None
    chances: np.ndarray | None = None

    def scaled(self, factor: float) -> Shuffled:
        """With every multiplier times a factor."""
        table = None if self.table is None else self.table * factor
        return Shuffled(self.greatest * factor, self.batches, self.takes_part, table, self.chances)


@dataclass(frozen=True)
class Cut:
    """Steps by epoch.

    Attributes:
        table: noise multipliers [epochs, batches], inf where the last epoch took no step; empty if ``constant``.
        constant: the one multiplier of all steps, else None.
        epochs, batches: of each epoch, at most.
        takes_part: chance that a record is in any batch of a shuffled epoch, at least.
    """

    table: np.ndarray
    constant: float | None
    epochs: int
    batches: int
    takes_part: float

    def least(self) -> np.ndarray:
        """Of each epoch: what a shuffled record may have met."""
        return least_of_each_epoch(self.table)

    def greatest(self) -> np.ndarray:
        """Of each epoch: more noise than a shuffled record can have met."""
        if self.constant is not None:
            return np.full(min(self.epochs, MOST_EPOCHS), self.constant)
        found = np.sort(np.where(np.isfinite(self.table), self.table, -np.inf).max(axis=1))
        return found[:MOST_EPOCHS]

    def chances(self, run: Run | None) -> np.ndarray | None:
        """That a record is in each batch of an epoch, by the batches' sizes; None: all alike."""
        if run is None:
            return None
        sizes = np.full(self.table.shape[1], run.batch_size, dtype=np.float64)
        sizes[-1] = min(run.batch_size, run.dataset_size - run.batch_size * (len(sizes) - 1))
        found: np.ndarray = sizes / run.dataset_size
        return found

    def worst_position(self) -> np.ndarray:
        """Of the position in an epoch whose 1 / multiplier^2 sum highest, epoch by epoch."""
        return worst_position(self.table)


def cut(claim: Claim, events: tuple[Release, ...], epochs: int) -> Cut:
    """The steps of events that differ in noise only, as ``epochs`` epochs.

    Raises:
        RefDPError: fewer steps than epochs, or steps of changing noise whose epochs cannot be told.
    """
    steps = sum(event.count for event in events)
    if epochs > steps:
        raise RefDPError(
            f"actual_sampling: {epochs} epochs of {steps} accounted steps; an epoch has at least one step"
        )
    noise = {event.noise for event in events}
    ways = _batches(claim.run)
    taken = 1.0 if claim.run is None else _takes_part(claim.run)
    if len(noise) == 1 and not isinstance(next(iter(noise)), Schedule):
        (constant,) = noise
        assert isinstance(constant, float)
        return Cut(np.empty((0, 0)), constant, epochs, max([-(-steps // epochs), *ways]), taken)
    if steps > MOST_STEPS:
        raise NotBounded(f"event count = {steps:,}: too many steps of changing noise; at most {MOST_STEPS:,}")
    fitting = [way for way in ways if (epochs - 1) * way < steps <= epochs * way]
    if ways and not fitting:
        raise NotBounded(
            f"actual_sampling: {steps:,} accounted steps are not {epochs} epochs of {' or '.join(map(str, ways))} "
            "batches; give actual_events"
        )
    if not ways:
        if steps % epochs:
            raise NotBounded(
                f"actual_sampling: {steps:,} steps of changing noise are not {epochs} equal epochs; give 'run' with "
                "epochs, dataset_size and batch_size"
            )
        fitting = [steps // epochs]
    exact = [way for way in fitting if way * epochs == steps]
    width = (exact or fitting)[0]
    if len(fitting) > 1 and not exact:
        raise NotBounded("run.drop_last: is needed to cut the accounted steps into epochs; say true or false")
    table = np.full(epochs * width, np.inf)
    table[:steps] = np.concatenate([_multipliers(event) for event in events])
    return Cut(table.reshape(epochs, width), None, epochs, max(width, *ways) if ways else width, taken)


def _multipliers(event: Release) -> np.ndarray:
    if isinstance(event.noise, Schedule):
        return event.noise.noise_multipliers()[: event.count]
    return np.full(event.count, event.noise)


def _batches(run: Run | None) -> tuple[int, ...]:
    """Batches that an epoch of the loader may have."""
    if run is None:
        return ()
    full, rest = divmod(run.dataset_size, run.batch_size)
    if not rest:
        return (full,)
    return {True: (full,), False: (full + 1,), None: (full, full + 1)}[run.drop_last]


def _takes_part(run: Run) -> float:
    """Least chance that a record is in a batch of an epoch: below 1 where a shorter last batch may be dropped."""
    full, rest = divmod(run.dataset_size, run.batch_size)
    return full * run.batch_size / run.dataset_size if rest and run.drop_last is not False else 1.0


def shuffled(claim: Claim, events: tuple[Release, ...]) -> Shuffled | None:
    """The shuffled epochs of a ledger's own shuffle event; None where too little is known for a lower bound.

    Several events may stand for a schedule within the epochs, of which they state the least noise: no lower bound.
    """
    released = [event for event in events if not event.is_no_op()]
    if len(released) != 1 or released[0].sampling.scheme != "shuffle" or claim.run is None:
        return None
    (event,) = released
    if type(event) not in (GaussianEvent, QuantileEvent) or not isinstance(event.noise, float):
        return None
    epochs = min(event.count * (event.sampling.epochs or 0), MOST_EPOCHS)
    return Shuffled(np.full(epochs, event.noise), max(_batches(claim.run)), _takes_part(claim.run))
