"""A residual block (He et al. 2016, arXiv 1512.03385): two chains of layers on one input, added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.models.layers import chain
from refdp.models.layers.base import Layer
from refdp.models.layers.chain import Named
from refdp.models.layers.flatten import Flatten
from refdp.models.layers.held import Held, merged


@dataclass(frozen=True)
class Residual(Layer):
    """y = main(x) + shortcut(x); an empty shortcut is the identity, y = main(x) + x.

    dx is the sum of what the two chains send back. Parameters are named through: layer ``conv1`` of a block
    called ``layer1.0`` has ``layer1.0.conv1.weight``.
    """

    main: tuple[Named, ...]
    shortcut: tuple[Named, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "main", tuple(self.main))
        object.__setattr__(self, "shortcut", tuple(self.shortcut))
        if not self.main:
            raise RefDPError("main = (): residual needs at least one layer beside the shortcut; give it one")
        names = [name for name, _ in self._layers]
        for name, layer in self._layers:
            if names.count(name) > 1:
                raise RefDPError(f"main, shortcut: {name!r} names two layers; each needs a name of its own")
            if any(other.startswith(f"{name}.") for other in names):
                raise RefDPError(
                    f"main, shortcut: another layer's name begins with {name!r} and a dot, as the names of this one's "
                    "parameters do; rename one"
                )
            if isinstance(layer, Flatten):
                raise RefDPError(f"{name!r}: residual cannot flatten within; put flatten after the block")

    @property
    def _layers(self) -> tuple[Named, ...]:
        return self.main + self.shortcut

    @property
    def spared(self) -> int:
        return sum(layer.spared for _, layer in self._layers)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{key}": shape
            for name, layer in self._layers
            for key, shape in layer.parameter_shapes().items()
        }

    def framework_axes(self) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{key}": axes
            for name, layer in self._layers
            for key, axes in layer.framework_axes().items()
        }

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {
            f"{name}.{key}": values
            for name, layer in self._layers
            for key, values in layer.initialise(generator).items()
        }

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        main = chain.output_shape(self.main, input_shape)
        shortcut = chain.output_shape(self.shortcut, input_shape)
        if main != shortcut:
            raise RefDPError(
                f"shortcut: gives {shortcut} where main gives {main}, and residual adds them; "
                "use a 1x1 convolution of the same stride and channels as shortcut"
            )
        return main

    def prepared(self, xp: Any, params: dict[str, Array]) -> dict[str, Any]:
        return chain.prepared(xp, self._layers, params)

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Any]:
        y, main = chain.forward(xp, self.main, params, x)
        other, shortcut = chain.forward(xp, self.shortcut, params, x)
        return y + other, (params, main, shortcut)

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> Array:
        _, main, shortcut = cache
        return chain.input_gradient(xp, self.main, params, main, dy) + chain.input_gradient(
            xp, self.shortcut, params, shortcut, dy
        )

    def per_sample_gradients(self, xp: Any, cache: Any, dy: Array, out: dict[str, Array]) -> None:
        self.backward(xp, cache[0], cache, dy, out, wants_input=False)

    def backward(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        out: dict[str, Array],
        wants_input: bool,
    ) -> Array | None:
        """The two chains, each once."""
        _, main, shortcut = cache
        dx = chain.backward(xp, self.main, params, main, dy, out, wants_input)
        other = chain.backward(xp, self.shortcut, params, shortcut, dy, out, wants_input)
        return None if dx is None or other is None or not wants_input else dx + other

    def held(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        wants_input: bool,
        rows: dict[str, Array] | None,
    ) -> tuple[Array | None, Held]:
        """The two chains, each once."""
        _, main, shortcut = cache
        dx, parts = chain.held(xp, self.main, params, main, dy, wants_input, rows)
        other, others = chain.held(xp, self.shortcut, params, shortcut, dy, wants_input, rows)
        both = None if dx is None or other is None or not wants_input else dx + other
        return both, merged(parts + others)
