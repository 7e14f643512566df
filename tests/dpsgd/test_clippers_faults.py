"""Clipping rules broken on purpose: each fault must be caught by the check named for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import clipper_checks as checks
import numpy as np
import pytest
from test_clippers_formulas import check_formula

from refdp.clippers import clippers

Patch = pytest.MonkeyPatch


def midpoint_water_filling(patch: Patch) -> None:
    """Fourteen bisections on [0, the largest norm], and the middle of the last bracket as tau."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        low, high = np.zeros((len(norms), 1)), norms.max(axis=1, keepdims=True)
        for _ in range(14):
            tau = (low + high) / 2
            fits = (np.minimum(norms, tau) ** 2).sum(axis=1, keepdims=True) <= self.target(context) ** 2
            low, high = np.where(fits, tau, low), np.where(fits, high, tau)
        clipped = np.minimum(1.0, (low + high) / 2 / np.maximum(norms, 1e-300))
        whole = np.sqrt((norms**2).sum(axis=1, keepdims=True)) <= self.clip_norm
        return np.where(whole, 1.0, clipped)

    patch.setattr(clippers.get("water-filling"), "scales", scales)


def low_end_water_filling(patch: Patch) -> None:
    """The lower end instead: never beyond C, but 0 for records far beyond it."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        low, high = np.zeros((len(norms), 1)), norms.max(axis=1, keepdims=True)
        for _ in range(14):
            tau = (low + high) / 2
            fits = (np.minimum(norms, tau) ** 2).sum(axis=1, keepdims=True) <= self.target(context) ** 2
            low, high = np.where(fits, tau, low), np.where(fits, high, tau)
        whole = np.sqrt((norms**2).sum(axis=1, keepdims=True)) <= self.clip_norm
        return np.where(whole, 1.0, np.minimum(1.0, low / np.maximum(norms, 1e-300)))

    patch.setattr(clippers.get("water-filling"), "scales", scales)


def c_for_every_layer(patch: Patch) -> None:
    """Each tensor clipped to C: K is sqrt(L) C."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        return self.target(context) / xp.maximum(norms, self.target(context))

    patch.setattr(clippers.get("per-layer"), "scales", scales)


def psasc_with_the_noise_of_c(patch: Patch) -> None:
    """K is C / s; the noise is for C."""
    patch.setattr(clippers.get("psasc"), "bound", lambda self, context: self.clip_norm)


def mix_beyond_one(patch: Patch) -> None:
    """The weight m of the mix is 1.2: radial-mix goes beyond both of its parts."""
    patch.setattr(clippers.get("radial-mix"), "mix", lambda self, context: 1.2)


def auto_v_with_a_guard_added(patch: Patch) -> None:
    """AUTO-V divides by n + 1e-12: another rule for small norms."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        return self.target(context) / (norms + 1e-12)

    patch.setattr(clippers.get("auto-v"), "scales", scales)


def auto_v_down_to_any_norm(patch: Patch) -> None:
    """The norm is divided by however few digits it has."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        return xp.where(norms > 0.0, self.target(context) / xp.maximum(norms, 1e-300), 0.0)

    patch.setattr(clippers.get("auto-v"), "scales", scales)


def threshold_of_the_same_batch(patch: Patch) -> None:
    """The clip norm is adapted to the batch it clips."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        adapted = self.target(context) * np.exp(-0.2 * ((norms <= self.clip_norm).mean() - 0.5))
        return adapted / xp.maximum(norms, adapted)

    patch.setattr(clippers.get("flat"), "scales", scales)


def scales_divided_by_the_rows(patch: Patch) -> None:
    """Scales are divided by the rows of a micro-batch, so that its size matters."""
    original = clippers.get("auto-s").scales
    patch.setattr(
        clippers.get("auto-s"), "scales", lambda self, xp, n, c: original(self, xp, n, c) / max(len(n), 1)
    )


def boundary_counted_at_the_wrong_side(patch: Patch) -> None:
    """Keep up to twice the threshold."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        return xp.where(norms <= 2 * self.ratio * self.clip_norm, 1.0 / self.ratio, 0.0)

    patch.setattr(clippers.get("global"), "scales", scales)


def bound_twice_too_large(patch: Patch) -> None:
    """K = 2 C where C is enough: twice the noise needed."""
    patch.setattr(clippers.get("psac"), "bound", lambda self, context: 2 * self.clip_norm)


def noise_of_the_first_clip_norm(patch: Patch) -> None:
    """K stays at C while a dynamic C_t grows."""
    patch.setattr(clippers.get("dynamic"), "bound", lambda self, context: self.clip_norm)


def a_norm_for_the_whole_gradient(patch: Patch) -> None:
    """Tensors are scaled by the rule of their largest, not each by its own norm: more is cut off than needed."""

    def scales(self: Any, xp: Any, norms: Any, context: Any) -> Any:
        target = self.target(context) / np.sqrt(norms.shape[1])
        return np.repeat(
            target / np.maximum(norms.max(axis=1, keepdims=True), target), norms.shape[1], axis=1
        )

    patch.setattr(clippers.get("per-layer"), "scales", scales)


FAULTS: list[tuple[Callable[[Patch], None], Callable[[str], None], str, str]] = [
    (midpoint_water_filling, checks.check_bound, "water-filling", "a record contributes"),
    (midpoint_water_filling, check_formula, "water-filling", "not the paper's formula"),
    (low_end_water_filling, check_formula, "water-filling", "not the paper's formula"),
    (c_for_every_layer, checks.check_bound, "per-layer", "a record contributes"),
    (c_for_every_layer, checks.check_neighbouring_sums, "per-layer", "moved the sum"),
    (psasc_with_the_noise_of_c, checks.check_bound, "psasc", "a record contributes"),
    (psasc_with_the_noise_of_c, checks.check_neighbouring_sums, "psasc", "moved the sum"),
    (mix_beyond_one, checks.check_bound, "radial-mix", "a record contributes"),
    (auto_v_with_a_guard_added, check_formula, "auto-v", "not the paper's formula"),
    (auto_v_down_to_any_norm, checks.check_underflow, "auto-v", "a record contributes"),
    (threshold_of_the_same_batch, checks.check_row_independence, "flat", "rows are not independent"),
    (scales_divided_by_the_rows, checks.check_batch_split, "auto-s", "Not equal"),
    (boundary_counted_at_the_wrong_side, checks.check_bound, "global", "a record contributes"),
    (bound_twice_too_large, checks.check_tight, "psac", "contributes at most"),
    (noise_of_the_first_clip_norm, checks.check_bound, "dynamic:rho_c=0.1", "a record contributes"),
    (noise_of_the_first_clip_norm, checks.check_neighbouring_sums, "dynamic:rho_c=0.1", "moved the sum"),
    (a_norm_for_the_whole_gradient, check_formula, "per-layer", "not the paper's formula"),
]


@pytest.mark.parametrize(
    ("fault", "check", "name", "says"), FAULTS, ids=[f"{f.__name__}-{c.__name__}" for f, c, _, _ in FAULTS]
)
def test_the_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[str], None], name: str, says: str, monkeypatch: Patch
) -> None:
    check(name)  # sound as it stands
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        check(name)
