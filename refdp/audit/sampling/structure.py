"""Exact structure of recorded batches: epochs, repeated order. Nothing here is estimated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from refdp.audit.sampling.batches import Batches


@dataclass(frozen=True)
class Epochs:
    """Windows of ``length`` steps, the first whole one from step ``start``, in none of which a record stands twice.

    Attributes:
        whole: number of windows that lie within the run.
        partition: each whole window holds every record.
        left_out: most records that a whole window lacks: what a loader that drops its last batch leaves.
        equal: all batches of a window but its last are of one size, and the last is no larger.
        same_batches: every batch is the one ``length`` steps before, as a set (False where nothing can be compared).
        same_groups: every batch is one of those of the window before, at any place of it.
    """

    length: int
    start: int
    whole: int
    partition: bool
    left_out: int
    equal: bool
    same_batches: bool
    same_groups: bool


def epochs(batches: Batches) -> Epochs | None:
    """The epochs that these batches keep to; None where they keep to none, or none is whole.

    A window must hold all records but at most what one batch holds. Of several lengths and starts that fit, the one
    with the fewest records left out, then batches of one size, then the earliest start.
    """
    if batches.repeated or len(batches.indices) == 0:
        return None
    total = np.concatenate([[0], np.cumsum(batches.sizes)])
    largest = int(batches.sizes.max())
    fits = []
    for length in _lengths(batches):
        for start in _starts(batches, length):
            edges = np.arange(start, batches.steps + 1, length)
            held = np.diff(total[edges])
            if len(held) and held.min() > batches.dataset_size - max(largest, 1):
                uneven = not _equal(batches.sizes, length, int(start))
                fits.append((int(batches.dataset_size - held.min()), uneven, int(start), length, len(held)))
    if not fits:
        return None
    left_out, uneven, start, length, whole = min(fits)
    return Epochs(
        length,
        start,
        whole,
        left_out == 0,
        left_out,
        not uneven,
        batches.steps > length and repeats_after(batches, length),
        _same_groups(batches, length, start),
    )


def may_be_shuffled(batches: Batches) -> bool:
    """Whether shuffled epochs of batches of one size can give these batches, from whatever place in an epoch on."""
    largest = max(1, int(batches.sizes.max()))
    for length in {-(-batches.dataset_size // largest), max(1, batches.dataset_size // largest)}:
        for start in _starts(batches, length):
            held = np.diff(
                np.concatenate([[0], np.cumsum(batches.sizes)])[start : batches.steps + 1 : length]
            )
            whole = len(held) == 0 or held.min() > batches.dataset_size - largest
            if whole and _equal(batches.sizes, length, int(start)):
                return True
    return False


def _lengths(batches: Batches) -> range:
    """Lengths of windows that could hold all records but those of one batch."""
    mean = len(batches.indices) / batches.steps
    low = int((batches.dataset_size - batches.sizes.max()) / mean * 0.9)
    return range(max(1, low), min(batches.steps, int(batches.dataset_size / mean * 1.1) + 2) + 1)


def _starts(batches: Batches, length: int) -> np.ndarray:
    """Starts below ``length`` such that no window from there on (nor the cut one before it) holds a record twice.

    A draw at step t of a record drawn g <= length - 1 steps before needs a window's edge among t - g + 1 .. t.
    """
    step = np.flatnonzero(batches.soonest < length)
    back = batches.soonest[step]  # an edge behind the soonest return is behind all others
    first = (step - back + 1) % length
    covered = np.zeros(2 * length + 1, dtype=np.int64)
    np.add.at(covered, first, 1)
    np.add.at(covered, first + back, -1)
    by_place = np.cumsum(covered)[: 2 * length].reshape(2, length).sum(axis=0)
    return np.flatnonzero(by_place == len(step))


def _equal(sizes: np.ndarray, length: int, start: int) -> bool:
    place = (np.arange(len(sizes)) - start) % length
    full = sizes[place != length - 1] if length > 1 else sizes
    if len(full) == 0:
        return True
    return bool((full == full[0]).all() and (sizes <= full[0]).all())


def repeats_after(batches: Batches, period: int) -> bool:
    """Whether every batch is the one ``period`` steps before, as a set."""
    sizes = batches.sizes
    if not np.array_equal(sizes[period:], sizes[:-period]):
        return False
    again, cut = batches.ascending, batches.offsets[period]
    if not np.array_equal(again[cut : cut + sizes[period]], again[: sizes[0]]):
        return False  # most are told by the first
    return bool(np.array_equal(again[cut:], again[: len(again) - cut]))


def period(batches: Batches, longest: int) -> int | None:
    """The smallest P up to ``longest`` such that every batch is the one P steps before, as a set; None where there is
    none. The longest border of the sequence of batches, by its failure function (Knuth, Morris, Pratt 1977)."""
    known: dict[bytes, int] = {}
    rows, cuts = batches.ascending, batches.offsets.tolist()
    batch = [known.setdefault(rows[low:high].tobytes(), len(known)) for low, high in pairwise(cuts)]
    border = [0] * len(batch)
    for step in range(1, len(batch)):
        length = border[step - 1]
        while length and batch[step] != batch[length]:
            length = border[length - 1]
        border[step] = length + (batch[step] == batch[length])
    found = len(batch) - border[-1]
    return found if found <= longest else None


def may_be_a_cycle(batches: Batches) -> bool:
    """Whether a fixed list of distinct records, read again and again, may give these batches, wherever they are cut.

    Two draws of a record that follow each other then stand L draws apart, L the same for all; each batch's own order
    is not known, so steps s and t allow L from offsets[t] - offsets[s + 1] + 1 to offsets[t + 1] - offsets[s] - 1.
    """
    step, gap, offsets = batches.step, batches.gap, batches.offsets
    again = (gap > 0) & (gap <= batches.steps)
    late, soon = step[again], (step - gap)[again]
    last = step[batches.next_gap > batches.steps]  # of records that never came again
    low = max(
        int((offsets[late] - offsets[soon + 1] + 1).max(initial=1)),
        int((len(step) - offsets[last + 1] + 1).max(initial=1)),
        int((batches.counts > 0).sum()),
    )
    high = int((offsets[late + 1] - offsets[soon] - 1).min(initial=batches.dataset_size))
    return low <= high


def _same_groups(batches: Batches, length: int, start: int) -> bool:
    """Whether the windows cut the records into the same groups; False with one whole window."""
    last = start + (batches.steps - start) // length * length
    if last - start < 2 * length:
        return False
    rows = batches.ascending
    cut = [rows[batches.offsets[t] : batches.offsets[t + 1]].tobytes() for t in range(start, last)]
    windows = [sorted(cut[k : k + length]) for k in range(0, len(cut), length)]
    return all(window == windows[0] for window in windows[1:])
