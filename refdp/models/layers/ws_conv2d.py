"""Convolution with standardised weights; a sample's gradients and norm are those of the raw weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp import validate
from refdp.backend import Array, on_host
from refdp.errors import RefDPError
from refdp.models.layers import weight_standardisation as ws
from refdp.models.layers.base import Layer
from refdp.models.layers.conv2d import Conv2d
from refdp.models.layers.held import Held


@dataclass(frozen=True)
class WsConv2d(Layer):
    """y = conv2d(x, V), V each filter of W standardised; equations in weight_standardisation.py.

    ``unbiased`` is ResNet's (no gain); ``scaled`` is De et al.'s, with a parameter ``gain`` [out], 1 at first.
    The bias, if there is one, is added as it is. Shapes, stride and padding as in conv2d.
    """

    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = False
    standardisation: str = "unbiased"
    plain: Conv2d = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = Conv2d(self.in_channels, self.out_channels, self.kernel, self.stride, self.padding, self.bias)
        object.__setattr__(self, "plain", plain)
        validate.one_of(ws.VARIANTS, standardisation=self.standardisation)
        if plain.fan_in == 1:
            raise RefDPError(
                "kernel = 1, in_channels = 1: ws_conv2d standardises filters of two weights or more "
                "(the unbiased std of one is 0/0, NaN in PyTorch); use conv2d there"
            )

    @property
    def has_gain(self) -> bool:
        return self.standardisation == "scaled"

    @property
    def spared(self) -> int:
        """Gradients that are mapped back as a sum only."""
        return self.out_channels * self.plain.fan_in if self._projects else 0

    @property
    def _projects(self) -> bool:
        """Whether ``ws.Projection`` is this layer's map: that of ``unbiased``, of filters alone."""
        return not (self.has_gain or self.plain.bias)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return self.plain.parameter_shapes() | ({"gain": (self.out_channels,)} if self.has_gain else {})

    def framework_axes(self) -> dict[str, tuple[int, ...]]:
        return self.plain.framework_axes()

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        drawn = self.plain.initialise(generator)
        return drawn | ({"gain": np.ones(self.out_channels)} if self.has_gain else {})

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.plain.output_shape(input_shape)

    def prepared(self, xp: Any, params: dict[str, Array]) -> dict[str, Any]:
        weight = params["weight"].reshape(self.out_channels, self.plain.fan_in)
        used = ws.scaled(xp, weight, params["gain"]) if self.has_gain else ws.unbiased(xp, weight)
        pays = self._projects and on_host(xp)  # ``doubtful`` must be looked at
        return params | {"used": used, "projection": ws.Projection(xp, used) if pays else None}

    def forward(self, xp: Any, params: dict[str, Any], x: Array) -> tuple[Array, Any]:
        ready = params if "used" in params else self.prepared(xp, params)
        used: ws.Standardised = ready["used"]
        y, cache = self.plain.forward(xp, params | self._as_used(params, used), x)
        return y, (cache, used)

    def per_sample_gradients(self, xp: Any, cache: Any, dy: Array, out: dict[str, Array]) -> None:
        cache, used = cache
        self.plain.per_sample_gradients(xp, cache, dy, out)
        self._pull_back(xp, used, out)

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> Array:
        cache, used = cache
        return self.plain.input_gradient(xp, self._as_used(params, used), cache, dy)

    def backward(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        out: dict[str, Array],
        wants_input: bool,
    ) -> Array | None:
        cache, used = cache
        dx = self.plain.backward(xp, self._as_used(params, used), cache, dy, out, wants_input)
        self._pull_back(xp, used, out)
        return dx

    def held(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        wants_input: bool,
        rows: dict[str, Array] | None,
    ) -> tuple[Array | None, Held]:
        """Rows stay gradients of the filters as used, times ``scale``; only their sum is mapped (``ws.Projection``)."""
        projection: ws.Projection | None = params.get("projection")
        if rows is None or projection is None:
            return super().held(xp, params, cache, dy, wants_input, rows)
        cache, used = cache
        centred = {"weight": used.centred.reshape(params["weight"].shape)}
        dx, raw = self.plain.held(
            xp, centred, cache, dy * used.scale, wants_input, rows
        )  # V scale is u scale²
        order = self.plain.held_order(cache, wants_input, centred["weight"])
        values = rows["weight"].reshape(dy.shape[0], *order.shape)

        def finish(sums: dict[str, Array]) -> None:
            if raw.finish is not None:
                raw.finish(sums)
            projection.apply(sums["weight"].reshape(self.out_channels, self.plain.fan_in))

        lengths = raw.squares["weight"]
        squares = projection.squared_norms(xp, values, order, lengths)
        doubtful = squares * ws.MOST_TAKEN**2 < lengths
        return dx, Held({"weight": squares}, raw.weigh, finish, doubtful)

    def squared_norms(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> dict[str, Array]:
        """From norms and inner products of dV_b; see ``ws.squared_norms``."""
        cache, used = cache
        double = ws.Standardised(*(values.astype(xp.float64) for values in used))
        products = self.plain.ghost_products(
            xp, cache, dy, [xp.ones_like(double.centred), double.centred, double.slope]
        )
        squares = {"weight": ws.squared_norms(double, products.squares, *products.inner).sum(axis=1)}
        if self.has_gain:
            squares["gain"] = ((products.inner[1] * double.reciprocal) ** 2).sum(axis=1)
        if self.plain.bias:
            squares["bias"] = self.plain.bias_norms(xp, dy)
        return squares

    def weighted_gradients(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        weights: dict[str, Array],
        usable: Array | None,
        out: dict[str, Array],
    ) -> None:
        """The weighted sum of dV_b, mapped back once, in float64."""
        cache, used = cache
        double = ws.Standardised(*(values.astype(xp.float64) for values in used))
        total = self.plain.ghost_sum(xp, cache, dy, weights["weight"], usable)[None]
        ws.pull_back(xp, double, total)
        out["weight"][...] = total.reshape(out["weight"].shape)
        if self.has_gain:  # its gradient comes from dV as well, but may have a weight of its own
            total = self.plain.ghost_sum(xp, cache, dy, weights["gain"], usable)[None]
            out["gain"][...] = ws.pull_back(xp, double, total)[0] * double.reciprocal
        if self.plain.bias:
            self.plain.weigh_bias(xp, dy, weights["bias"], usable, out["bias"])

    @staticmethod
    def _as_used(params: dict[str, Array], used: ws.Standardised) -> dict[str, Array]:
        return {"weight": used.weight.reshape(params["weight"].shape)}

    def _pull_back(self, xp: Any, used: ws.Standardised, out: dict[str, Array]) -> None:
        """dV_b, which conv2d left in ``out``, becomes dW_b."""
        batch = out["weight"].shape[0]
        gradients = out["weight"].reshape(batch, self.out_channels, self.plain.fan_in)
        along = ws.pull_back(xp, used, gradients)
        if self.has_gain:
            xp.multiply(along, used.reciprocal, out=out["gain"])
