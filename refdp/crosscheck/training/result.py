"""What a stage's judgement is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

AGREES, DIFFERS, MISSING = "agrees", "differs", "not recorded"


@dataclass(frozen=True)
class Difference:
    """Of one parameter (or of norms), what was recorded beside what it should be.

    Attributes:
        name: of the parameter.
        absolute: the largest entry of the difference.
        relative: |difference| / |expected| (Euclidean, over the whole array); where the expected array is below a
            thousandth of all arrays together, a thousandth of those is what it is measured by.
        cosine: between the two; None where one of them is zero or not finite.
    """

    name: str
    absolute: float
    relative: float
    cosine: float | None


@dataclass(frozen=True)
class Cause:
    """A known cause that gives the recorded numbers.

    Attributes:
        id: such as ``noise-on-the-mean``.
        text: what was done, what it should be, and the evidence in figures.
        safe: whether the guarantee still holds as accounted: more noise, or smaller contributions. None: it depends.
        error: how far the recorded numbers are from this cause's, relative.
    """

    id: str
    text: str
    safe: bool | None
    error: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One stage of one step, judged.

    Attributes:
        name: batch, gradients, norms, clipped sum, noise or update.
        status: AGREES, DIFFERS or MISSING.
        against: what the recorded numbers were held against, in words; or why they could not be.
        differences: by parameter.
        causes: where it differs, best first; or remarks on what is within tolerance.
        figures: anything else measured, by name.
    """

    name: str
    status: str
    against: str
    differences: tuple[Difference, ...] = ()
    causes: tuple[Cause, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def relative(self) -> float:
        """The largest relative difference; 0 where there are none."""
        return max((d.relative for d in self.differences), default=0.0)

    @property
    def absolute(self) -> float:
        """The largest absolute difference; 0 where there are none."""
        return max((d.absolute for d in self.differences), default=0.0)


def differences(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> tuple[Difference, ...]:
    """Of every parameter of ``expected``. Entries that are both not finite, and alike, do not differ."""
    with np.errstate(all="ignore"):
        whole = float(np.sqrt(sum(_square(values) for values in expected.values())))
        return tuple(_difference(name, found[name], values, whole) for name, values in expected.items())


def _difference(name: str, found: np.ndarray, expected: np.ndarray, whole: float) -> Difference:
    a, b = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, a - b)
    gap = np.where(np.isnan(gap), np.inf, gap)
    length, base = float(np.sqrt(np.square(gap).sum())), max(np.sqrt(_square(b)), 1e-3 * whole)
    relative = 0.0 if length == 0 else length / base if base > 0 else np.inf
    both = float(np.sqrt(np.square(a).sum()) * np.sqrt(np.square(b).sum()))
    cosine = float((a * b).sum() / both) if 0 < both < np.inf else None
    return Difference(name, float(np.abs(gap).max(initial=0.0)), float(relative), cosine)


def _square(values: np.ndarray) -> float:
    """The sum of squares of what is finite."""
    return float(np.square(np.where(np.isfinite(values), values, 0.0)).sum())
