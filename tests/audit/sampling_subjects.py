"""Samplers to be told apart: refdp's own, and others that are not Poisson sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from refdp.audit.sampling import Batches
from refdp.rng import Streams
from refdp.samplers import samplers

Draws = Iterator[np.ndarray]


def recorded(name: str, records: int, size: int, steps: int, seed: int) -> Batches:
    """A run of one of refdp's samplers."""
    sampler = samplers.get(name)(records, size)
    streams = Streams.from_seed(seed)
    return Batches.of([sampler.batch(t, streams).indices for t in range(steps)], records)


def played(make: Callable[..., Draws], records: int, size: int, steps: int, seed: int) -> Batches:
    """A run of one of those below."""
    rng = np.random.default_rng(seed)
    return Batches.of(list(islice(make(records, size, rng), steps)), records)


def poisson(records: int, size: float, rng: np.random.Generator) -> Draws:
    while True:
        yield np.flatnonzero(rng.random(records) < size / records)


def balls_and_bins(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Each record once an epoch, in a bin of its own choice."""
    bins = -(-records // size)
    while True:
        chosen = rng.integers(0, bins, records)
        yield from (np.flatnonzero(chosen == k) for k in range(bins))


def minimum_separation(records: int, size: int, rng: np.random.Generator, apart: int = 10) -> Draws:
    """A record that took part sits out ``apart - 1`` steps; then it joins by a coin of its own."""
    rate = size / records
    rate = rate / (1 - rate * (apart - 1))
    free = rng.integers(0, apart, records)
    while True:
        drawn = np.flatnonzero((free <= 0) & (rng.random(records) < rate))
        free -= 1
        free[drawn] = apart - 1
        yield drawn


def cyclic_poisson(records: int, size: int, rng: np.random.Generator, groups: int = 8) -> Draws:
    """The records in groups that take turns; those of a group by coins of their own."""
    group = rng.integers(0, groups, records)
    step = 0
    while True:
        yield np.flatnonzero((group == step % groups) & (rng.random(records) < groups * size / records))
        step += 1


def dropped_last(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Shuffled epochs whose last, shorter batch is dropped."""
    while True:
        order = rng.permutation(records)
        yield from (order[k : k + size] for k in range(0, records - size + 1, size))


def shuffled_once(records: int, size: int, rng: np.random.Generator) -> Draws:
    """One order for all epochs."""
    order = rng.permutation(records)
    while True:
        yield from (order[k : k + size] for k in range(0, records, size))


def shuffled_groups(records: int, size: int, rng: np.random.Generator) -> Draws:
    """The same batches every epoch, in a new order."""
    order = rng.permutation(records)
    cut = [order[k : k + size] for k in range(0, records, size)]
    while True:
        yield from (cut[k] for k in rng.permutation(len(cut)))


def endless_order(records: int, size: int, rng: np.random.Generator) -> Draws:
    """One order again and again, batches running on over its end."""
    order, at = rng.permutation(records), 0
    while True:
        yield order[(at + np.arange(size)) % records]
        at += size


def with_replacement(records: int, size: int, rng: np.random.Generator) -> Draws:
    while True:
        yield rng.integers(0, records, size)


def capped(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Poisson batches cut to at most one standard deviation above their mean."""
    most = int(size + np.sqrt(size))
    for batch in poisson(records, size, rng):
        yield rng.permutation(batch)[:most]


def never_empty(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Poisson batches; empty ones are skipped. ``size`` 1 here, whatever is asked for."""
    yield from (batch for batch in poisson(records, 1, rng) if len(batch))


def of_a_subset(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Poisson batches of the first 70 % of the records."""
    yield from poisson(int(0.7 * records), size, rng)


def weighted(records: int, size: int, rng: np.random.Generator) -> Draws:
    """A tenth of the records join three times as often."""
    weight = np.where(np.arange(records) % 10 == 0, 3.0, 1.0)
    rate = size * weight / weight.sum()
    while True:
        yield np.flatnonzero(rng.random(records) < rate)


def consecutive(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Batches of consecutive records that start anywhere."""
    while True:
        yield (rng.integers(0, records) + np.arange(size)) % records


def overdispersed(records: int, size: int, rng: np.random.Generator) -> Draws:
    """The rate itself is drawn for each step."""
    while True:
        yield np.flatnonzero(rng.random(records) < rng.uniform(0.5, 1.5) * size / records)


def reused(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Poisson batches that keep a tenth of the batch before."""
    before = np.zeros(0, dtype=np.int64)
    for batch in poisson(records, 0.9 * size, rng):
        kept = before[rng.random(len(before)) < 0.1]
        before = np.union1d(batch, kept)
        yield before
