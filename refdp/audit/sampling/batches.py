"""The recorded batches of a run, and when each record was drawn before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refdp.errors import RefDPError
from refdp.validate import whole

LARGEST = 2**62
"""Steps times records, of which a key is made."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Which records each step drew; a step may have drawn none.

    Attributes:
        indices: int64 [M], all batches one after the other.
        offsets: int64 [T + 1]; step t drew ``indices[offsets[t]:offsets[t + 1]]``.
        dataset_size: N; every index is in [0, N).

    Raises:
        RefDPError: no step, offsets that do not cut the indices, an index outside the data set.
    """

    indices: np.ndarray
    offsets: np.ndarray
    dataset_size: int

    def __post_init__(self) -> None:
        whole(1, dataset_size=self.dataset_size)
        object.__setattr__(self, "indices", _whole_numbers("indices", self.indices))
        object.__setattr__(self, "offsets", _whole_numbers("offsets", self.offsets))
        if len(self.offsets) < 2:
            raise RefDPError("batches: none was recorded; at least one step is needed")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.indices) or (self.sizes < 0).any():
            raise RefDPError(
                f"offsets: must rise from 0 to the {len(self.indices)} indices there are; the batch of step t is "
                "indices[offsets[t]:offsets[t + 1]]"
            )
        if self.steps * self.dataset_size > LARGEST:
            raise RefDPError(f"dataset_size = {self.dataset_size}: too large for {self.steps} steps")
        for outside in (self.indices < 0, self.indices >= self.dataset_size):
            if outside.any():
                index, step = self.indices[outside][0], self.step[outside][0]
                raise RefDPError(
                    f"step {step}: index {index} is not in 0 to {self.dataset_size - 1}; check --dataset-size"
                )

    @classmethod
    def of(cls, batches: Iterable[Sequence[int] | np.ndarray], dataset_size: int) -> Batches:
        """From one sequence of indices a step."""
        rows = [_whole_numbers(f"step {t}", row) for t, row in enumerate(batches)]
        offsets = np.cumsum([0, *map(len, rows)])
        return cls(np.concatenate(rows) if rows else np.zeros(0, np.int64), offsets, dataset_size)

    def take(self, steps: np.ndarray) -> Batches:
        """Only these steps, in this order."""
        rows = (self.indices[self.offsets[t] : self.offsets[t + 1]] for t in steps)
        return Batches.of(rows, self.dataset_size)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """b_t [T]."""
        return np.diff(self.offsets)

    @cached_property
    def step(self) -> np.ndarray:
        """Of each draw [M]."""
        return np.repeat(np.arange(self.steps), self.sizes)

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each record was drawn [N]."""
        return np.bincount(self.indices, minlength=self.dataset_size)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws by record, then step [M]; and whether the one before is of the same record."""
        order = np.argsort(self.indices, kind="stable")
        same = np.zeros(len(order), dtype=bool)
        same[1:] = np.diff(self.indices[order]) == 0
        return order, same

    @cached_property
    def gap(self) -> np.ndarray:
        """Steps since this record was drawn before [M]; steps + 1 where it never was; 0: twice in one batch."""
        order, same = self._sorted
        gap = np.full(len(order), self.steps + 1)
        back = np.diff(self.step[order], prepend=0)
        gap[order[same]] = back[same]
        return gap

    @cached_property
    def next_gap(self) -> np.ndarray:
        """Steps until this record is drawn again [M]; steps + 1 where it never is."""
        order, same = self._sorted
        gap = np.full(len(order), self.steps + 1)
        again = np.flatnonzero(same)
        gap[order[again - 1]] = self.gap[order[again]]
        return gap

    @cached_property
    def before(self) -> np.ndarray:
        """How often this record was drawn before [M]."""
        order, same = self._sorted
        position = np.arange(len(order))
        starts = np.maximum.accumulate(np.where(same, 0, position))
        before = np.empty(len(order), dtype=np.int64)
        before[order] = position - starts
        return before

    @cached_property
    def soonest(self) -> np.ndarray:
        """The least ``gap`` in each batch [T]; steps + 1 where no record was drawn before."""
        least = np.full(self.steps, self.steps + 1)
        np.minimum.at(least, self.step, self.gap)
        return least

    @cached_property
    def ascending(self) -> np.ndarray:
        """The indices, in ascending order within each batch [M]."""
        return np.sort(self.step * self.dataset_size + self.indices) - self.step * self.dataset_size

    @cached_property
    def repeated(self) -> int:
        """Draws of a record that its batch had already."""
        return int((self.gap == 0).sum())

    def per_step(self, chosen: np.ndarray) -> np.ndarray:
        """Of these draws [M] (booleans), how many in each step [T]."""
        return np.bincount(self.step[chosen], minlength=self.steps)


def _whole_numbers(name: str, values: Sequence[int] | np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise RefDPError(f"{name}: is {array.dtype} of shape {array.shape}; must be a list of whole numbers")
    if array.dtype == np.uint64 and int(array.max()) > 2**62:
        raise RefDPError(f"{name}: {int(array.max())} is too large")
    return array.astype(np.int64)
