"""Convolution with standardised weights; a sample's gradients and norm are those of the raw weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp import validate
from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.models.layers import weight_standardisation as ws
from refdp.models.layers.base import Layer
from refdp.models.layers.conv2d import Conv2d


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

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return self.plain.parameter_shapes() | ({"gain": (self.out_channels,)} if self.has_gain else {})

    def framework_axes(self) -> dict[str, tuple[int, ...]]:
        return self.plain.framework_axes()

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        drawn = self.plain.initialise(generator)
        return drawn | ({"gain": np.ones(self.out_channels)} if self.has_gain else {})

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.plain.output_shape(input_shape)

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Any]:
        raw = params["weight"]
        weight = raw.reshape(self.out_channels, self.plain.fan_in)
        used = ws.scaled(xp, weight, params["gain"]) if self.has_gain else ws.unbiased(xp, weight)
        y, cache = self.plain.forward(xp, params | {"weight": used.weight.reshape(raw.shape)}, x)
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
