"""Ghost, hybrid and explicit gradients are clipped alike: over random architectures, and not when broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradient_checks
import mode_checks
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strict_backend import strict_backend

from refdp.models import Network
from refdp.models.layers import Conv2d, Linear, WsConv2d, conv2d, ghost, linear, weight_standardisation

Patch = pytest.MonkeyPatch


@given(
    mode_checks.networks(), st.sampled_from((np.float64, np.float32)), st.integers(0, 99), st.integers(1, 5)
)
def test_three_modes_give_one_answer(network: Network, dtype: type, seed: int, batch: int) -> None:
    mode_checks.check_norms(network, dtype, seed, batch)
    mode_checks.check_sums(network, dtype, seed, batch)


@given(mode_checks.networks(), st.integers(0, 99))
def test_no_norm_is_understated(network: Network, seed: int) -> None:
    mode_checks.check_never_below(network, seed)


@given(mode_checks.networks(), st.integers(0, 99))
def test_an_unusable_record_is_dropped(network: Network, seed: int) -> None:
    mode_checks.check_poisoned(network, seed)


@pytest.mark.parametrize("mode", mode_checks.MODES)
@pytest.mark.parametrize("spec", gradient_checks.SPECS)
def test_every_model(spec: str, mode: str) -> None:
    network, theta, x, labels = gradient_checks.problem(spec, 3)
    losses, rows = gradient_checks.gradients(network, theta, x, labels)
    found, parts = network.held_gradients(np, theta, x, labels, mode)
    np.testing.assert_array_equal(found, losses)
    norms = np.sqrt(parts.squares(np).sum(axis=1))
    np.testing.assert_allclose(norms, np.linalg.norm(rows, axis=1), rtol=1e-9)
    weights = np.array([[0.5], [2.0], [0.0]])
    np.testing.assert_allclose(
        parts.weighted_sum(np, weights, None), weights[:, 0] @ rows, rtol=1e-9, atol=1e-12
    )


def test_on_a_backend_as_unforgiving_as_a_gpu() -> None:
    network, backend = mode_checks.mixed(), strict_backend()
    theta, x, labels = mode_checks.problem(network, 3, np.float32, 0)
    weights, usable = np.full((3, 1), 0.5, np.float32), np.array([True, True, False])
    for mode in mode_checks.MODES:
        _, here = network.held_gradients(np, theta, x, labels, mode)
        put = backend.asarray
        _, there = network.held_gradients(backend.xp, put(theta), put(x), put(labels), mode)
        np.testing.assert_allclose(backend.to_host(there.squares(backend.xp)), here.squares(np), rtol=1e-5)
        total = there.weighted_sum(backend.xp, put(weights), put(usable))
        np.testing.assert_allclose(
            backend.to_host(total), here.weighted_sum(np, weights, usable), rtol=1e-4, atol=1e-6
        )


def test_an_empty_chunk() -> None:
    network = mode_checks.mixed()
    theta, x, labels = mode_checks.problem(network, 0, np.float32, 0)
    for mode in mode_checks.MODES:
        losses, parts = network.held_gradients(np, theta, x, labels, mode)
        assert losses.shape == (0,)
        assert parts.squares(np).shape == (0, len(network.parameters))
        assert not parts.weighted_sum(np, np.empty((0, 1), np.float32), None).any()


def norm_of_a_sum(patch: Patch) -> None:
    """|dy| |x| summed instead of multiplied."""

    def squared_norms(self: Linear, xp: Any, params: Any, cache: Any, dy: Any) -> dict[str, Any]:
        bias = linear.squared_rows(xp, dy)
        return {"weight": bias + linear.squared_rows(xp, cache), "bias": bias}

    patch.setattr(Linear, "squared_norms", squared_norms)


def weight_of_the_bias_for_all(patch: Patch) -> None:
    """One tensor's scales for the whole layer."""
    whole = Linear.weighted_gradients

    def weighted(self: Linear, xp: Any, p: Any, c: Any, dy: Any, weights: Any, usable: Any, out: Any) -> None:
        whole(self, xp, p, c, dy, dict.fromkeys(weights, weights["bias"]), usable, out)

    patch.setattr(Linear, "weighted_gradients", weighted)


def weights_left_out(patch: Patch) -> None:
    """The sum of convolutions is not clipped."""
    whole = Conv2d.weighted_gradients

    def weighted(self: Conv2d, xp: Any, p: Any, c: Any, dy: Any, weights: Any, usable: Any, out: Any) -> None:
        whole(self, xp, p, c, dy, {name: xp.ones_like(w) for name, w in weights.items()}, usable, out)

    patch.setattr(Conv2d, "weighted_gradients", weighted)


def diagonal_of_the_gram(patch: Patch) -> None:
    """Norms of positions are added as if they were orthogonal."""

    def products(self: Conv2d, xp: Any, cache: Any, dy: Any, along: Any) -> Any:
        cut, rows = self._cut(xp, cache, dy)
        squares = ((cut**2).sum(axis=2)[:, :, None] * rows**2).sum(axis=1)
        return ghost.Products(squares, [squares for _ in along])

    patch.setattr(Conv2d, "ghost_products", products)


def gram_in_single_precision(patch: Patch) -> None:
    """Norms by float32 products: what positions cancel to is lost."""

    def products(self: Conv2d, xp: Any, cache: Any, dy: Any, along: Any) -> Any:
        cut, rows = self._cut(xp, cache, dy)
        squares = xp.abs((rows * ((cut @ cut.transpose(0, 2, 1)) @ rows)).sum(axis=1))
        return ghost.Products(squares.astype(xp.float64), [])

    patch.setattr(Conv2d, "ghost_products", products)


def norm_of_the_standardised(patch: Patch) -> None:
    """|dV| is taken for |dW|."""
    patch.setattr(weight_standardisation, "squared_norms", lambda used, squares, *_: squares)


def sum_not_mapped_back(patch: Patch) -> None:
    """The weighted sum of dV is taken for dW's."""
    whole = WsConv2d.weighted_gradients

    def weighted(self: WsConv2d, xp: Any, p: Any, cache: Any, dy: Any, w: Any, usable: Any, out: Any) -> None:
        whole(self, xp, p, cache, dy, w, usable, out)
        self.plain.weighted_gradients(xp, p, cache[0], dy, w, usable, out)

    patch.setattr(WsConv2d, "weighted_gradients", weighted)


def gain_weighted_as_filters(patch: Patch) -> None:
    """The gain's gradient is summed with the filters' weights."""
    whole = WsConv2d.weighted_gradients

    def weighted(self: WsConv2d, xp: Any, p: Any, cache: Any, dy: Any, w: Any, usable: Any, out: Any) -> None:
        whole(self, xp, p, cache, dy, w | {"gain": w["weight"]} if self.has_gain else w, usable, out)

    patch.setattr(WsConv2d, "weighted_gradients", weighted)


def unusable_by_weight_alone(patch: Patch) -> None:
    """0 times NaN is taken for 0."""
    for module in (linear, conv2d):
        patch.setattr(module, "keep", lambda xp, values, usable: values)


def norm_before_the_projection(patch: Patch) -> None:
    """|a| is taken for |dW|: safe, but not the gradient's."""
    patch.setattr(weight_standardisation.Projection, "squared_norms", lambda self, xp, rows, order, n: n)


def projection_left_out(patch: Patch) -> None:
    """The sum of a is taken for dW's."""
    patch.setattr(weight_standardisation.Projection, "apply", lambda self, sums: None)


def projection_of_nothing_but_the_mean(patch: Patch) -> None:
    """Norms forget that the part along u goes too, sums do not; and the other way about is worse."""
    make = weight_standardisation.Projection.__init__

    def init(self: Any, xp: Any, used: Any) -> None:
        make(self, xp, used)
        self.kappa = 0 * self.kappa

    patch.setattr(weight_standardisation.Projection, "__init__", init)


def no_room_for_rounding(patch: Patch) -> None:
    """Norms by the formula alone, with what cancels in float32 left to chance."""

    def squared(self: Any, xp: Any, rows: Any, order: Any, lengths: Any) -> Any:
        number = self.centred.shape[1]
        sums, along = (
            v.sum(axis=(1, 3), dtype=xp.float64) for v in weight_standardisation._inner(xp, rows, order)
        )
        mean = sums / number
        off = along * self.kappa
        removed = number * mean * mean + off * (2.0 * (along - mean * self.total) - off * self.square)
        return xp.abs(lengths - removed.sum(axis=1))

    patch.setattr(weight_standardisation.Projection, "squared_norms", squared)


FAULTS = [
    (norm_before_the_projection, mode_checks.check_mixed_norms),
    (projection_left_out, mode_checks.check_mixed_sums),
    (projection_of_nothing_but_the_mean, mode_checks.check_mixed_sums),
    (no_room_for_rounding, mode_checks.check_projected),
    (norm_of_a_sum, mode_checks.check_mixed_norms),
    (weight_of_the_bias_for_all, mode_checks.check_mixed_sums),
    (weights_left_out, mode_checks.check_mixed_sums),
    (diagonal_of_the_gram, mode_checks.check_mixed_norms),
    (gram_in_single_precision, mode_checks.check_cancelling),
    (norm_of_the_standardised, mode_checks.check_mixed_norms),
    (sum_not_mapped_back, mode_checks.check_mixed_sums),
    (gain_weighted_as_filters, mode_checks.check_mixed_sums),
    (unusable_by_weight_alone, mode_checks.check_mixed_poisoned),
]


@pytest.mark.parametrize("check", mode_checks.ALL)
def test_without_a_fault_every_check_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_a_fault_is_caught_by_the_named_check(
    fault: Callable[[Patch], None], check: Callable[[], None], monkeypatch: Patch
) -> None:
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises(AssertionError), np.errstate(all="ignore"):
            check()


def test_every_check_can_fail() -> None:
    assert {check for _, check in FAULTS} == set(mode_checks.ALL)
