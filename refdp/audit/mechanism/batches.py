"""Neighbouring batches: made at random where clipping goes wrong, changed step by step, cut down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

Shapes = tuple[tuple[int, ...], ...]
_TOP, _BOTTOM = 1e60, 1e-60


@dataclass(frozen=True, eq=False)
class Pair:
    """A batch as rows [B, d] over parameters of these shapes, and what becomes of one record.

    Attributes:
        other: the row that replaces record ``record``; None where it is removed.
    """

    shapes: Shapes
    rows: np.ndarray
    record: int
    other: np.ndarray | None

    @property
    def batch(self) -> list[np.ndarray]:
        """The batch as the subject gets it."""
        return split(self.shapes, self.rows)

    @property
    def neighbour_rows(self) -> np.ndarray:
        """The rows of the neighbouring batch."""
        if self.other is None:
            return np.delete(self.rows, self.record, axis=0)
        rows = self.rows.copy()
        rows[self.record] = self.other
        return rows

    @property
    def neighbour(self) -> list[np.ndarray]:
        """The neighbouring batch as the subject gets it."""
        return split(self.shapes, self.neighbour_rows)


def split(shapes: Shapes, rows: np.ndarray) -> list[np.ndarray]:
    """Rows [B, d] -> one array [B, *shape] per parameter."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(rows, ends, axis=1)
    return [part.reshape(len(rows), *shape) for part, shape in zip(parts, shapes, strict=True)]


def layers(shapes: Shapes) -> list[slice]:
    """Where each parameter lies in a row."""
    ends = [0, *np.cumsum([int(np.prod(shape)) for shape in shapes])]
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def random_shapes(rng: np.random.Generator) -> Shapes:
    """One parameter or many (up to 60)."""
    count = int(rng.choice([1, 2, 3, 5, 12, 60], p=[0.2, 0.2, 0.2, 0.2, 0.1, 0.1]))
    kinds: list[tuple[int, ...]] = [(1,), (3,), (8,), (2, 3), (2, 2, 2)]
    return tuple(kinds[int(i)] for i in rng.integers(len(kinds), size=count))


def random_norm(rng: np.random.Generator, clip: float) -> float:
    """Over 60 orders of magnitude, mostly near and above the clip norm; ties with it too."""
    kind = rng.random()
    if kind < 0.2:
        return float(10 ** rng.uniform(-30, 30))
    if kind < 0.35:
        return clip * (1 + float(rng.choice([0, 1e-15, -1e-15, 1e-7, -1e-7, 1e-3, -1e-3])))
    return clip * float(10 ** rng.uniform(-2, 7))


def random_row(rng: np.random.Generator, shapes: Shapes, clip: float) -> np.ndarray:
    """A record: a profile of norms over the layers, a direction in each, one norm over all."""
    count, kind = len(shapes), rng.integers(6)
    profile: np.ndarray
    if kind == 0:
        profile = np.ones(count)
    elif kind == 1:
        profile = np.full(count, 10 ** rng.uniform(-8, 0))
        profile[rng.integers(count)] = 1
    elif kind == 2:
        profile = (10 ** rng.uniform(-1, 0)) ** np.arange(count)
    elif kind == 3:
        profile = np.abs(rng.standard_cauchy(count)) + 1e-9
    elif kind == 4:
        profile = rng.choice([1.0, 1.0, 0.1, 0.0], size=count)
    else:
        profile = rng.uniform(size=count)
    sharp = rng.random() < 0.3
    parts = []
    for shape, norm in zip(shapes, profile, strict=True):
        size = int(np.prod(shape))
        direction = np.eye(size)[rng.integers(size)] if sharp else rng.standard_normal(size)
        parts.append(norm * direction / np.linalg.norm(direction))
    row = np.concatenate(parts)
    length = float(np.linalg.norm(row))
    return row * (random_norm(rng, clip) / length) if length > 0 else row


def random_pair(
    rng: np.random.Generator, relation: str, clip: float, size: int, fewest: int = 1, special: bool = False
) -> Pair:
    """1 to 32 records (often ``size``): unlike, alike, one huge among many tiny, or (``special``) with NaN."""
    shapes = random_shapes(rng)
    records = max(fewest, int(rng.choice([1, 1, 2, 3, size, size, 32])))
    rows = np.stack([random_row(rng, shapes, clip) for _ in range(records)])
    kind = rng.random()
    record = int(rng.integers(records))
    if kind < 0.25:
        rows[:] = rows[0]
    elif kind < 0.35:
        rows *= 1e-12
        rows[record] = random_row(rng, shapes, clip)
    elif kind < 0.4 and special:
        rows[record, rng.integers(rows.shape[1])] = rng.choice([np.nan, np.inf, -np.inf])
    return neighbour_of(rng, relation, clip, shapes, rows, record)


def probes(rng: np.random.Generator, relation: str, fewest: int) -> list[Pair]:
    """Records that are not finite, or hardly: NaN, infinities, norms whose squares overflow or vanish."""
    shapes: Shapes = ((2,), (3,))
    found = []
    for odd in (np.nan, np.inf, -np.inf, 1e30, 1e-30):
        rows = np.ones((fewest, 5)) * 0.1
        rows[0, 0] = odd
        found.append(neighbour_of(rng, relation, 1.0, shapes, rows, 0))
    return found


def neighbour_of(
    rng: np.random.Generator, relation: str, clip: float, shapes: Shapes, rows: np.ndarray, record: int
) -> Pair:
    """What the relation allows to become of the record."""
    other: np.ndarray | None = None
    if relation == "zero-out":
        other = np.zeros(rows.shape[1])
    elif relation == "replace-one":
        mirrored = -rows[record]
        other = mirrored if rng.random() < 0.5 else random_row(rng, shapes, clip)
    return Pair(shapes, rows, record, other)


def mutate(rng: np.random.Generator, pair: Pair, relation: str) -> Pair:
    """One small change of the batch."""
    rows, record = pair.rows.copy(), pair.record
    factor = float(10 ** rng.normal(0, rng.choice([0.05, 0.5, 2])))
    kind = rng.integers(7)
    if kind == 0:
        rows *= factor
    elif kind == 1:
        rows[record] *= factor
    elif kind == 2:
        rows[record, layers(pair.shapes)[rng.integers(len(pair.shapes))]] *= factor
    elif kind == 3:
        rows[rng.integers(len(rows))] *= factor
    elif kind == 4:
        rows[:] = rows[rng.integers(len(rows))]
    elif kind == 5 and len(rows) < 64:
        rows = np.concatenate([rows, rows[rng.integers(len(rows))][None]])
    elif kind == 6 and len(rows) > 1:
        gone = int(rng.integers(len(rows)))
        if gone != record:
            rows = np.delete(rows, gone, axis=0)
            record -= gone < record
    size = np.abs(rows)
    rows = np.where((size > _TOP) & np.isfinite(rows), np.sign(rows) * _TOP, rows)
    rows = np.where(size < _BOTTOM, 0.0, rows)
    other = pair.other
    if relation == "replace-one" and other is not None and rng.random() < 0.3:
        other = -rows[record] if rng.random() < 0.5 else other * factor
    return Pair(pair.shapes, rows, record, other)


def smaller(pair: Pair) -> list[Pair]:
    """Simpler pairs to try: fewer records, fewer layers, shorter rows, rounder numbers."""
    found: list[Pair] = []
    count = len(pair.rows)
    if count > 1:
        keep = [pair.record]
        found.append(Pair(pair.shapes, pair.rows[keep], 0, pair.other))
        half = sorted({pair.record, *range(count // 2)})
        if len(half) < count:
            found.append(Pair(pair.shapes, pair.rows[half], half.index(pair.record), pair.other))
        for gone in range(min(count, 16)):
            if gone != pair.record:
                rows = np.delete(pair.rows, gone, axis=0)
                found.append(Pair(pair.shapes, rows, pair.record - (gone < pair.record), pair.other))
    if len(pair.shapes) > 1:
        spans = layers(pair.shapes)
        for start, stop in (
            (0, len(spans) // 2),
            (len(spans) // 2, len(spans)),
            *((i, i + 1) for i in range(len(spans))),
        ):
            found.append(_layers_only(pair, [i for i in range(len(spans)) if start <= i < stop]))
            if len(spans) <= 12:
                found.append(_layers_only(pair, [i for i in range(len(spans)) if not start <= i < stop]))
    flat = tuple((1,) for _ in pair.shapes)
    if pair.shapes != flat:
        found.append(
            Pair(
                flat,
                _lengths(pair, pair.rows),
                pair.record,
                None if pair.other is None else _lengths(pair, pair.other[None])[0],
            )
        )
    rounded = replace(pair, rows=_rounded(pair.rows))
    if not np.array_equal(rounded.rows, pair.rows, equal_nan=True):
        found.append(rounded)
    return [one for one in found if len(one.shapes)]


def _layers_only(pair: Pair, kept: list[int]) -> Pair:
    spans = layers(pair.shapes)
    columns = np.concatenate([np.arange(spans[i].start, spans[i].stop) for i in kept] or [np.empty(0, int)])
    other = None if pair.other is None else pair.other[columns]
    return Pair(tuple(pair.shapes[i] for i in kept), pair.rows[:, columns], pair.record, other)


def _lengths(pair: Pair, rows: np.ndarray) -> np.ndarray:
    return np.stack([np.linalg.norm(rows[:, span], axis=1) for span in layers(pair.shapes)], axis=1)


def _rounded(rows: np.ndarray) -> np.ndarray:
    return np.array([float(f"{x:.2e}") for x in rows.ravel()]).reshape(rows.shape)
