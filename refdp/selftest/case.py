"""One check: a figure, and the limit that it must keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Check:
    """What came of a case.

    Attributes:
        group, name: which case.
        measure: what the figure is.
        figure: NaN where none came out.
        limit: the figure must be at most this (``at_least``: at least).
        error: one line, where it could not be computed.
    """

    group: str
    name: str
    measure: str
    figure: float
    limit: float
    at_least: bool = False
    error: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the limit is kept; NaN keeps none."""
        kept = self.figure >= self.limit if self.at_least else self.figure <= self.limit
        return kept and self.error is None

    def to_json(self) -> dict[str, Any]:
        """An entry of ``refdp-selftest/1``."""
        return {
            "group": self.group,
            "name": self.name,
            "measure": self.measure,
            "figure": None if self.figure != self.figure else self.figure,
            "rule": "at least" if self.at_least else "at most",
            "limit": self.limit,
            "holds": self.holds,
            "error": self.error,
        }

    def line(self) -> str:
        """The same for people."""
        figure = self.error or (f"{self.figure:.3g}" if self.holds else f"{self.figure!r}")
        rule = f"{'at least' if self.at_least else 'at most'} {self.limit:.3g}"
        mark = "ok  " if self.holds else "FAIL"
        return f"{mark} {self.group + ': ' + self.name:60} {self.measure} {figure} ({rule})"


@dataclass(frozen=True)
class Case:
    """A check to be made: ``compute`` gives its figure."""

    group: str
    name: str
    measure: str
    limit: float
    compute: Callable[[], float]
    at_least: bool = False

    def run(self) -> Check:
        """Make it. Whatever is raised makes it fail: on a broken machine anything may be."""
        figure, error = float("nan"), None
        try:
            with np.errstate(all="ignore"):
                figure = float(self.compute())
        except Exception as reason:
            error = " ".join(f"{type(reason).__name__}: {reason}".split())[:200]
        return Check(self.group, self.name, self.measure, figure, self.limit, self.at_least, error)


def largest(errors: list[float]) -> float:
    """The largest; NaN where any is NaN, which ``max`` may pass over."""
    return float(np.max(errors))


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference over the largest value wanted; NaN where anything is NaN."""
    if found.shape != wanted.shape:
        raise ValueError(f"shape {found.shape}: {wanted.shape} is right")
    if not wanted.size:
        return 0.0
    scale = float(np.abs(wanted).max())
    return float(np.abs(found.astype(np.float64) - wanted).max()) / (scale or 1.0)


DIFFERENCE_STEPS = (1e-5, 1e-6, 1e-7)


def difference_error(found: np.ndarray, along: Callable[[float], np.ndarray], scale: float = 0.0) -> float:
    """Largest error of slopes [B] against central differences of ``along`` (h -> values [B]) at 0, over the scale
    (the largest slope, or ``scale`` if that is larger).

    Of the step sizes the one nearest to each slope counts: within a larger one there may be a kink.
    """
    slopes = np.stack([(along(h) - along(-h)) / (2 * h) for h in DIFFERENCE_STEPS])
    scale = max(scale, float(np.abs(slopes[-1]).max()))
    return float(np.abs(found - slopes).min(axis=0).max()) / (scale or 1.0)
