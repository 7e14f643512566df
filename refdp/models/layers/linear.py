"""Fully connected layer: y = x Wᵀ + b."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refdp import validate
from refdp.backend import Array, on_host, outer_products
from refdp.errors import RefDPError
from refdp.models.layers.base import Layer, uniform_fan_in
from refdp.models.layers.held import keep
from refdp.norms import rounded_down, squared_rows


@dataclass(frozen=True)
class Linear(Layer):
    """y[b, o] = Σ_i W[o, i] x[b, i] + bias[o].

    Shapes: x [B, in_features], y [B, out_features], W [out_features, in_features] (as in PyTorch).
    """

    in_features: int
    out_features: int
    ghost: ClassVar[bool] = True

    def __post_init__(self) -> None:
        validate.whole(1, in_features=self.in_features, out_features=self.out_features)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        return uniform_fan_in(self.parameter_shapes(), self.in_features, generator)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if input_shape != (self.in_features,):
            raise RefDPError(
                f"input_shape = {input_shape}: linear takes vectors of {self.in_features} features; "
                "flatten first, or set in_features to match"
            )
        return (self.out_features,)

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Array]:
        y = x @ params["weight"].T
        y += params["bias"]
        return y, x

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Array, dy: Array) -> Array:
        return dy @ params["weight"]

    def per_sample_gradients(self, xp: Any, cache: Array, dy: Array, out: dict[str, Array]) -> None:
        """dW_b = dy_b ⊗ x_b and dbias_b = dy_b."""
        x = cache
        outer_products(xp, dy, x, out["weight"])
        out["bias"][...] = dy

    def squared_norms(self, xp: Any, params: dict[str, Array], cache: Array, dy: Array) -> dict[str, Array]:
        """|dy_b ⊗ x_b|² = |dy_b|² |x_b|² (Goodfellow 2015, arXiv 1510.01799)."""
        bias = squared_rows(xp, dy)
        return {"weight": bias * squared_rows(xp, cache), "bias": bias}

    def weighted_gradients(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Array,
        dy: Array,
        weights: dict[str, Array],
        usable: Array | None,
        out: dict[str, Array],
    ) -> None:
        """Σ_b w_b dy_b ⊗ x_b as one product of (w_b 2^k dy_b) and (2^-k x_b), 2^k about |x_b|.

        w_b dy_b alone may be so small that it is rounded up by a lot, and a large x_b makes it matter again; up to
        |x_b| = 1e6 it cannot, for no bound is below 1e-30, and the factors are taken as they are.
        """
        x, dy = keep(xp, cache, usable), keep(xp, dy, usable)
        xp.matmul(weights["bias"], dy, out=out["bias"])
        if on_host(xp) and x.size and max(x.max(), -x.min()) * self.in_features**0.5 <= 1e6:
            xp.matmul((dy * weights["weight"][:, None]).T, x, out=out["weight"])
            return
        power = xp.clip(xp.frexp(xp.sqrt(squared_rows(xp, x)))[1], -120, 120)
        exact = xp.ldexp(weights["weight"].astype(xp.float64), power)
        largest = (
            float(xp.finfo(dy.dtype).max) / 4
        )  # reached only where dy is so small that its record adds nothing
        factors = rounded_down(xp, xp.minimum(exact, largest), dy.dtype)
        shrunk = x * xp.ldexp(xp.ones(x.shape[0], dtype=x.dtype), -power)[:, None]
        xp.matmul((dy * factors[:, None]).T, shrunk, out=out["weight"])
