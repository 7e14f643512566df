"""Group normalisation (Wu and He 2018, arXiv 1803.08494): every sample by its own mean and variance.

With G groups of channels and n = H · W · C / G values in a group of one sample:

    x̂ = (x - mean) r,  r = 1 / sqrt(variance + 1e-5)      mean and (biased) variance over the n values
    y = weight[c] x̂ + bias[c]
    dweight_b = Σ_p dy x̂      dbias_b = Σ_p dy            over the positions p of sample b
    dx = r (g - mean(g) - x̂ mean(g x̂)),  g = weight[c] dy

No sample sees another, unlike in batch normalisation. Since g is dy times a number of each channel, both means
follow from dbias_b and dweight_b. Rows [W · C] are long inner loops, so numbers of each channel are tiled to
that length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp import validate
from refdp.backend import Array, fused, on_host
from refdp.errors import RefDPError
from refdp.models.layers import windows
from refdp.models.layers.base import Layer

EPS = 1e-5


@dataclass(frozen=True)
class GroupNorm(Layer):
    """y as above. Shapes: x, y [B, H, W, channels]; weight, bias [channels]."""

    groups: int
    channels: int

    def __post_init__(self) -> None:
        validate.whole(1, groups=self.groups, channels=self.channels)
        if self.channels % self.groups:
            raise RefDPError(
                f"groups = {self.groups}: must divide the {self.channels} channels; choose a divisor"
            )

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.channels,), "bias": (self.channels,)}

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {"weight": np.ones(self.channels), "bias": np.zeros(self.channels)}

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        windows.check_image("group_norm", input_shape, 1)
        height, width, channels = input_shape
        if channels != self.channels:
            raise RefDPError(
                f"input_shape = {input_shape}: group_norm takes {self.channels} channels (the last axis); "
                "images are channels-last, or set channels to match"
            )
        if height * width * channels == self.groups:
            raise RefDPError(
                f"input_shape = {input_shape}: group_norm with {self.groups} groups would normalise single "
                "values, to 0 whatever they are; use fewer groups or larger images"
            )
        return input_shape

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Any]:
        batch, height, width, channels = x.shape
        rows = x.reshape(batch, height, width * channels)
        number = height * width * channels // self.groups
        centred = rows - self._tiled(xp, self._over_group(xp, _sum(xp, rows, channels)) / number, width)
        variance = self._over_group(xp, _inner(xp, centred, centred, channels)) / number
        reciprocal = 1 / xp.sqrt(variance + EPS)
        scale, offset = reciprocal * params["weight"], params["bias"][None]
        y = _normalised(xp, centred, self._tiled(xp, scale, width), self._tiled(xp, offset, width))
        return y.reshape(x.shape), (centred, reciprocal)

    def per_sample_gradients(self, xp: Any, cache: Any, dy: Array, out: dict[str, Array]) -> None:
        centred, reciprocal = cache
        rows = dy.reshape(centred.shape)
        xp.multiply(_inner(xp, rows, centred, self.channels), reciprocal, out=out["weight"])
        out["bias"][...] = _sum(xp, rows, self.channels)

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> Array:
        shape = (dy.shape[0], self.channels)
        own = {name: xp.empty(shape, dtype=dy.dtype) for name in ("weight", "bias")}
        self.per_sample_gradients(xp, cache, dy, own)
        return self._input_gradient(xp, params, cache, dy, own)

    def backward(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        out: dict[str, Array],
        wants_input: bool,
    ) -> Array | None:
        self.per_sample_gradients(xp, cache, dy, out)
        return self._input_gradient(xp, params, cache, dy, out) if wants_input else None

    def _input_gradient(
        self, xp: Any, params: dict[str, Array], cache: Any, dy: Array, own: dict[str, Array]
    ) -> Array:
        """dx from dweight_b and dbias_b."""
        centred, reciprocal = cache
        _, height, width, channels = dy.shape
        number, weight = height * width * channels // self.groups, params["weight"]
        mean = self._over_group(xp, own["bias"] * weight) / number
        along = self._over_group(xp, own["weight"] * weight) / number
        factors = reciprocal * weight, along * reciprocal * reciprocal, mean * reciprocal
        tiled = (self._tiled(xp, values, width) for values in factors)
        dx = _group_norm_backward(xp, dy.reshape(centred.shape), centred, *tiled)
        return dx.reshape(dy.shape)

    def _over_group(self, xp: Any, values: Array) -> Array:
        """[B, C] -> [B, C]: for each channel the sum over its group."""
        batch, each = values.shape[0], self.channels // self.groups
        totals = values.reshape(batch, self.groups, each).sum(axis=2)
        return xp.repeat(totals, each, axis=1)

    @staticmethod
    def _tiled(xp: Any, values: Array, width: int) -> Array:
        """[B, C] -> [B, 1, W * C], to go with rows."""
        return xp.tile(values, (1, width))[:, None, :]


@fused
def _normalised(xp: Any, centred: Array, scale: Array, offset: Array) -> Array:
    y = centred * scale
    y += offset
    return y


@fused
def _group_norm_backward(
    xp: Any, dy: Array, centred: Array, scale: Array, slope: Array, offset: Array
) -> Array:
    dx = dy * scale
    dx -= centred * slope
    dx -= offset
    return dx


@fused
def _products(xp: Any, a: Array, b: Array) -> Array:
    return xp.sum(a * b, axis=1)


def _sum(xp: Any, rows: Array, channels: int) -> Array:
    """Σ over positions of rows [B, H, W * C] -> [B, C], as a product with ones."""
    batch, height, length = rows.shape
    positions = height * (length // channels)
    ones = xp.ones((1, positions), dtype=rows.dtype)
    return xp.matmul(ones, rows.reshape(batch, positions, channels))[:, 0, :]


def _inner(xp: Any, a: Array, b: Array, channels: int) -> Array:
    """Σ over positions of a b -> [B, C]: down the rows first, one long loop each.

    cupy's einsum would transpose both into copies, and multiply them as a batch of B W C products of two vectors.
    """
    sums = xp.einsum("bhr,bhr->br", a, b) if on_host(xp) else _products(xp, a, b)
    return sums.reshape(a.shape[0], a.shape[2] // channels, channels).sum(axis=1)
