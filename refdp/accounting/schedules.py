"""Noise schedules: the noise multiplier of step t is scale * r_t, with p = (t + 0.5) / steps.

Only the shape r is named here; the scale is what calibration solves for. ``normalise=harmonic`` rescales r
so that mean(1 / r^2) = 1. That keeps epsilon unchanged for the unsampled Gaussian only: under Poisson
sampling the RDP of a step is convex in 1/noise_multiplier^2, so by Jensen's inequality a varying schedule
costs MORE than the constant one of the same harmonic mean. Hence every accountant here composes the steps
themselves and none takes an effective multiplier.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.errors import AccountingError

Shape = Callable[..., np.ndarray]
_SHAPES: dict[str, Shape] = {}


def shape(name: str) -> Callable[[Shape], Shape]:
    """Register a function (p: array in (0, 1), **parameters) -> r: array > 0 under this name."""

    def add(function: Shape) -> Shape:
        _SHAPES[name] = function
        return function

    return add


@shape("constant")
def constant(p: np.ndarray) -> np.ndarray:
    """r = 1."""
    return np.ones_like(p)


@shape("cosine")
def cosine(p: np.ndarray, *, amplitude: float) -> np.ndarray:
    """r = 1 + amplitude * cos(pi p): more noise early, less late (amplitude in (-1, 1))."""
    if not -1 < amplitude < 1:
        raise AccountingError(f"cosine schedule: amplitude = {amplitude!r}: must be > -1 and < 1")
    return 1.0 + amplitude * np.cos(math.pi * p)


@shape("linear")
def linear(p: np.ndarray, *, start: float, end: float) -> np.ndarray:
    """r = start + (end - start) p, both > 0."""
    _positive("linear", start=start, end=end)
    return start + (end - start) * p


@shape("exponential")
def exponential(p: np.ndarray, *, start: float, end: float) -> np.ndarray:
    """r = start (end / start)^p, both > 0."""
    _positive("exponential", start=start, end=end)
    return np.exp((1 - p) * math.log(start) + p * math.log(end))


@shape("step")
def step(p: np.ndarray, *, factor: float, every: float, steps_per_epoch: float) -> np.ndarray:
    """r = factor^(number of whole spans of ``every`` epochs before the step); factor > 0."""
    return _stairs("step", len(p), factor, every, steps_per_epoch)


@shape("noise-decay")
def noise_decay(p: np.ndarray, *, factor: float, every: float, steps_per_epoch: float) -> np.ndarray:
    """The same stairs, downwards: factor in (0, 1]. (A clip norm that decays with it costs no privacy.)"""
    if not 0 < factor <= 1:
        raise AccountingError(f"noise-decay schedule: factor = {factor!r}: must be > 0 and <= 1")
    return _stairs("noise-decay", len(p), factor, every, steps_per_epoch)


def _stairs(kind: str, steps: int, factor: float, every: float, steps_per_epoch: float) -> np.ndarray:
    _positive(kind, factor=factor, every=every, steps_per_epoch=steps_per_epoch)
    for name, value in (("every", every), ("steps_per_epoch", steps_per_epoch)):
        if value != math.floor(value):
            raise AccountingError(f"{kind} schedule: {name} = {value!r}: must be a whole number")
    with np.errstate(over="ignore", under="ignore"):
        return np.power(factor, np.arange(steps) // (every * steps_per_epoch))


def _positive(kind: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise AccountingError(f"{kind} schedule: {name} = {value!r}: must be finite and > 0")


def shape_names() -> tuple[str, ...]:
    """The registered schedules."""
    return tuple(sorted(_SHAPES))


@dataclass(frozen=True)
class Schedule:
    """A pre-declared sequence of noise multipliers, one a step; data never changes it.

    Attributes:
        kind: a registered shape.
        steps: its length (whole, >= 0).
        scale: the noise multiplier where r_t = 1 (>= 0; 0 is no noise).
        parameters: the shape's parameters.
        normalise: None or "harmonic".
    """

    kind: str
    steps: int
    scale: float = 1.0
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    normalise: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in _SHAPES:
            raise AccountingError(f"unknown schedule {self.kind!r}: choose one of {', '.join(shape_names())}")
        object.__setattr__(self, "steps", _checks.whole("schedule steps", self.steps, maximum=10**6))
        object.__setattr__(self, "scale", _checks.non_negative("schedule scale", self.scale))
        if not isinstance(self.parameters, Mapping):
            raise AccountingError(f"schedule parameters = {self.parameters!r}: must be names and numbers")
        if self.normalise not in (None, "harmonic"):
            raise AccountingError(f"schedule normalise = {self.normalise!r}: must be harmonic, or left out")
        known = list(inspect.signature(_SHAPES[self.kind]).parameters)[1:]
        numbers: dict[str, float] = {}
        for name, value in self.parameters.items():
            if name not in known:
                takes = ", ".join(known) if known else "none"
                raise AccountingError(f"{self.kind} schedule: unknown parameter {name!r} (it takes {takes})")
            numbers[name] = _checks.number(f"{self.kind} schedule {name}", value, "must be a number")
        object.__setattr__(self, "parameters", MappingProxyType(numbers))
        for name in known:
            if name not in self.parameters:
                raise AccountingError(f"{self.kind} schedule: parameter {name!r} is required")
        self.ratios(1)  # refuses parameters out of range

    def __reduce__(self) -> tuple[Any, ...]:
        return Schedule, (self.kind, self.steps, self.scale, dict(self.parameters), self.normalise)

    def ratios(self, steps: int | None = None) -> np.ndarray:
        """r_t for t = 0 .. steps - 1 (the schedule's own length by default), float64 [steps]."""
        count = self.steps if steps is None else steps
        p = (np.arange(count) + 0.5) / max(count, 1)
        r = _SHAPES[self.kind](p, **self.parameters)
        if not np.all(np.isfinite(r)):
            raise AccountingError(
                f"{self.kind} schedule: parameters {dict(self.parameters)} give no finite noise"
            )
        if self.normalise == "harmonic" and count:
            r = r * math.sqrt(float(np.mean(1.0 / r**2)))
        return r

    def noise_multipliers(self) -> np.ndarray:
        """scale * r_t, float64 [steps]."""
        return self.scale * self.ratios()

    def noise(self) -> float | Schedule:
        """The one noise multiplier where it never changes, else this schedule: what an event takes."""
        return self.scale if self.kind == "constant" else self

    def to_json(self) -> dict[str, Any]:
        """The ``schedule`` object of a ledger."""
        document: dict[str, Any] = {"kind": self.kind, **self.parameters}
        document |= {"scale": self.scale, "steps": self.steps}
        if self.normalise:
            document["normalise"] = self.normalise
        return document

    @classmethod
    def from_json(cls, document: Any) -> Schedule:
        """Read a ledger's ``schedule`` object; whatever it does not know is refused by name."""
        if not isinstance(document, dict) or "kind" not in document or "steps" not in document:
            raise AccountingError(f"schedule = {document!r}: must be an object with 'kind' and 'steps'")
        rest = {k: v for k, v in document.items() if k not in ("kind", "steps", "scale", "normalise")}
        scale = document.get("scale", 1.0)
        return cls(document["kind"], document["steps"], scale, rest, document.get("normalise"))
