"""Convolution with standardised weights; a sample's gradients and norm are those of the raw weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp import validate
from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.models.layers import weight_standardisation as standardisation
from refdp.models.layers.conv2d import Conv2d


@dataclass(frozen=True)
class WsConv2d(Conv2d):
    """y = conv2d(x, V), V each filter of W standardised; equations in weight_standardisation.py.

    ``unbiased`` is ResNet's (no gain); ``scaled`` is De et al.'s, with a parameter ``gain`` [out], 1 at first.
    The bias, if there is one, is added as it is.
    """

    bias: bool = False
    standardisation: str = "unbiased"

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.one_of(standardisation.VARIANTS, standardisation=self.standardisation)
        if self.fan_in == 1:
            raise RefDPError(
                "kernel = 1, in_channels = 1: ws_conv2d standardises filters of two weights or more "
                "(the unbiased std of one is 0/0, NaN in PyTorch); use conv2d there"
            )

    @property
    def has_gain(self) -> bool:
        return self.standardisation == "scaled"

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return super().parameter_shapes() | ({"gain": (self.out_channels,)} if self.has_gain else {})

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        drawn = super().initialise(generator)
        return drawn | ({"gain": np.ones(self.out_channels)} if self.has_gain else {})

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Any]:
        weight = params["weight"].reshape(self.out_channels, self.fan_in)
        if self.has_gain:
            used = standardisation.scaled(xp, weight, params["gain"])
        else:
            used = standardisation.unbiased(xp, weight)
        y, cache = super().forward(xp, params | {"weight": used.weight}, x)
        return y, (cache, used)

    def per_sample_gradients(self, xp: Any, cache: Any, dy: Array, out: dict[str, Array]) -> None:
        """dV_b as in conv2d, then dW_b by the map of weight_standardisation.py."""
        cache, used = cache
        super().per_sample_gradients(xp, cache, dy, out)
        gradients = out["weight"].reshape(dy.shape[0], self.out_channels, self.fan_in)
        along = standardisation.pull_back(xp, used, gradients)
        if self.has_gain:
            xp.multiply(along, used.reciprocal, out=out["gain"])

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> Array:
        cache, used = cache
        return super().input_gradient(xp, {"weight": used.weight}, cache, dy)
