"""Noise allocations, renormalised thresholds and dynamic clipping broken on purpose: each fault must be caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_adaptive_dynamic import check_dynamic
from test_adaptive_runs import check_renormalise
from test_allocations import check_allocation, check_delivered_allocation

from refdp.clippers import clippers
from refdp.clippers.adaptive import THRESHOLDS, AdaptiveClipper

Patch = pytest.MonkeyPatch
_advanced = AdaptiveClipper.advanced


def renormalised_to_the_sum(patch: Patch) -> None:
    """Thresholds are scaled to sum_l C_l = C in place of their squares."""

    def advanced(self: Any, context: Any, released: Any, divisor: float) -> Any:
        moved = _advanced(self, context, released, divisor)[THRESHOLDS]
        return {THRESHOLDS: moved * (self.clip_norm / moved.sum()) if self.renormalise else moved}

    patch.setattr(clippers.get("per-layer-quantile"), "advanced", advanced)


def _noise_scales(patch: Patch, scales: Callable[[str, Any, Any], Any]) -> None:
    for name in ("per_layer", "per_layer_quantile"):
        patch.setattr(f"refdp.clippers.{name}.noise_scales", scales)


def one_layers_noise_for_all(patch: Patch) -> None:
    """Each tensor has noise for its own C_l, as if it were released alone."""
    _noise_scales(patch, lambda allocation, bounds, sizes: np.asarray(bounds))


def allocation_without_the_sum(patch: Patch) -> None:
    """std_l = b_l, scaled to the largest: the sum over the tensors is forgotten."""

    def scales(allocation: str, bounds: Any, sizes: Any) -> Any:
        weights = {"global": np.ones(len(sizes)), "equal": bounds, "dimension": bounds / np.sqrt(sizes)}
        return np.asarray(bounds.max() * weights[allocation] / weights[allocation].max())

    _noise_scales(patch, scales)


def allocation_of_the_mean(patch: Patch) -> None:
    """All tensors get the allocation's average noise: too little for some, too much for others."""
    from refdp.clippers.shares import noise_scales

    def scales(allocation: str, bounds: Any, sizes: Any) -> Any:
        return np.full(len(sizes), noise_scales(allocation, bounds, sizes).mean())

    _noise_scales(patch, scales)


def noise_of_the_first_clip_norm(patch: Patch) -> None:
    """Dynamic: C_t clips, the noise is for C_0."""
    patch.setattr(clippers.get("dynamic"), "bound", lambda self, context: self.clip_norm)


def dynamic_schedule_dropped(patch: Patch) -> None:
    """Dynamic: the budget does not grow, the noise multiplier stays where it was."""
    patch.setattr(clippers.get("dynamic"), "noise_schedule", lambda self, schedule: schedule)


def dynamic_a_step_late(patch: Patch) -> None:
    """Dynamic: C_t of the step before."""

    def threshold(self: Any, context: Any) -> float:
        return float(self.clip_norm * self.rho_c ** (-max(context.step - 1, 0) / context.steps))

    patch.setattr(clippers.get("dynamic"), "threshold", threshold)


Check = Callable[[str], None]
LAYERED = "per-layer-quantile"
FAULTS: list[tuple[Callable[[Patch], None], Check, str, str]] = [
    (renormalised_to_the_sum, check_renormalise, LAYERED, "after a step"),
    (one_layers_noise_for_all, check_allocation, LAYERED, "allocated"),
    (one_layers_noise_for_all, check_delivered_allocation, "per-layer", "is off by"),
    (allocation_without_the_sum, check_allocation, "per-layer", "allocated"),
    (allocation_without_the_sum, check_delivered_allocation, LAYERED, "is off by"),
    (allocation_of_the_mean, check_allocation, "per-layer", "allocated"),
    (noise_of_the_first_clip_norm, check_dynamic, "dynamic", "noise of step"),
    (dynamic_schedule_dropped, check_dynamic, "dynamic", "another noise multiplier"),
    (dynamic_a_step_late, check_dynamic, "dynamic", "not clipped to C_t"),
]


@pytest.mark.parametrize(
    ("fault", "check", "name", "says"),
    FAULTS,
    ids=[f"{f.__name__}-{c.__name__}-{n}" for f, c, n, _ in FAULTS],
)
def test_the_fault_is_caught(
    fault: Callable[[Patch], None], check: Check, name: str, says: str, monkeypatch: Patch
) -> None:
    check(name)  # sound as it stands
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        check(name)
