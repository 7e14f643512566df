"""Every registered noise schedule by its published formula, with parameters to try: a new one needs a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from refdp.accounting import Schedule

Formula = Callable[..., np.ndarray]
_some, _stairs = st.floats(0.3, 3.0), {"every": st.integers(1, 4), "steps_per_epoch": st.integers(1, 9)}


def _stair(p: np.ndarray, factor: float, every: float, steps_per_epoch: float) -> np.ndarray:
    return np.array([factor ** int(t / (every * steps_per_epoch)) for t in range(len(p))])


ROWS: dict[str, tuple[dict[str, float], dict[str, Any], Formula]] = {
    "constant": ({}, {}, lambda p: np.ones(len(p))),
    "cosine": (
        {"amplitude": 0.5},
        {"amplitude": st.floats(-0.8, 0.8)},
        lambda p, amplitude: 1 + amplitude * np.cos(np.pi * p),
    ),
    "linear": (
        {"start": 2.0, "end": 0.5},
        {"start": _some, "end": _some},
        lambda p, start, end: start * (1 - p) + end * p,
    ),
    "exponential": (
        {"start": 1.0, "end": 0.3},
        {"start": _some, "end": _some},
        lambda p, start, end: start * (end / start) ** p,
    ),
    "step": (
        {"factor": 1.4, "every": 2, "steps_per_epoch": 5},
        {"factor": st.floats(0.7, 1.4), **_stairs},
        _stair,
    ),
    "noise-decay": (
        {"factor": 0.8, "every": 1, "steps_per_epoch": 5},
        {"factor": st.floats(0.7, 1.0), **_stairs},
        _stair,
    ),
}
"""Of each shape: example parameters, strategies for others, and r_t from p = (t + 1/2) / steps."""


def row(shape: str) -> tuple[dict[str, float], dict[str, Any], Formula]:
    """A registered schedule without a row has no tests, and is refused."""
    assert shape in ROWS, f"schedule {shape!r} is registered: give it a row in schedule_formulas.ROWS"
    return ROWS[shape]


def example(shape: str, steps: int, scale: float) -> Schedule:
    """The example of a shape."""
    return Schedule(shape, steps, scale, row(shape)[0])


def ratios(shape: str, steps: int, parameters: Mapping[str, float], harmonic: bool = False) -> np.ndarray:
    """r_t by the formula; with ``harmonic`` the mean of 1 / r^2 is 1."""
    r = row(shape)[2]((np.arange(steps) + 0.5) / steps, **parameters)
    return r * np.sqrt(np.mean(r**-2.0)) if harmonic else r


@st.composite
def parameters_of(draw: st.DrawFn, shape: str) -> dict[str, float]:
    """Random parameters of a shape."""
    return {name: float(draw(strategy)) for name, strategy in row(shape)[1].items()}
