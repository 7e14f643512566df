"""A chain of layers over one flat parameter vector, with explicit per-sample gradients.

All parameters live in one vector theta [D] and all gradients of a batch in one matrix [B, D], so that
clipping, noise and the optimizer deal with plain vectors. Layers write their gradients straight into views of
that matrix.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from refdp import validate
from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.models import framework, loss
from refdp.models.layers import Layer
from refdp.models.layers.held import Held, merged


class Parameter(NamedTuple):
    """Where a parameter stands in theta, and its shape in the layer."""

    where: slice
    shape: tuple[int, ...]


class Prepared(NamedTuple):
    """theta [D] with what follows from it alone, by layer: see ``Network.prepare``."""

    theta: Array
    params: list[dict[str, Any]]


class HeldGradients:
    """A chunk's gradients between norms and weighted sum."""

    def __init__(self, network: Network, held: Held) -> None:
        self._network, self._held = network, held

    def squares(self, xp: Any, by_tensor: bool = True) -> Array:
        """|d loss_b / d tensor|^2, float64 [B, P] in the order of ``Network.parameters``; or of all, [B, 1]."""
        squares = [self._held.squares[name] for name in self._network.parameters]
        return xp.stack(squares, axis=1) if by_tensor else functools.reduce(operator.add, squares)[:, None]

    @property
    def doubtful(self) -> Array | None:
        """[B]: see ``Held``."""
        return self._held.doubtful

    def weighted_sum(self, xp: Any, weights: Array, usable: Array | None, finish: bool = True) -> Array:
        """Σ_b weights[b] d loss_b / d theta, [D] in the type of the weights.

        Args:
            weights: [B, P], or [B, 1] for all tensors.
            usable: [B], where given: samples that are not add nothing, though they hold NaN or inf.
            finish: False leaves the sum in the layers' own coordinates: add up such sums of several chunks at the same
                weights, and ``finish`` the total.
        """
        network = self._network
        total = xp.empty(network.size, dtype=weights.dtype)
        columns = xp.ascontiguousarray(weights.T)
        by_name, out = {}, {}
        for i, (name, (where, shape)) in enumerate(network.parameters.items()):
            by_name[name] = columns[min(i, len(columns) - 1)]
            out[name] = total[where].reshape(shape)
        self._held.weigh(by_name, usable, out)
        return self.finish(total) if finish else total

    def finish(self, total: Array) -> Array:
        """Put a total of sums that were left unfinished right, in place."""
        if self._held.finish is not None:
            parameters = self._network.parameters.items()
            self._held.finish({name: total[where].reshape(shape) for name, (where, shape) in parameters})
        return total


class Network:
    """A classifier: layers applied one after the other, then softmax cross-entropy.

    Attributes:
        layers: (name, layer) in order of application.
        input_shape: shape of one sample, channels-last.
        num_classes: K, the number of logits.
        parameters: name such as ``conv1.weight`` -> Parameter, in the order of theta.
        size: D, the number of parameters.
    """

    def __init__(
        self, layers: Sequence[tuple[str, Layer]], input_shape: tuple[int, ...], num_classes: int
    ) -> None:
        validate.whole(2, num_classes=num_classes)
        self.layers = tuple(layers)
        self.input_shape = tuple(input_shape)
        self.num_classes = num_classes
        self.parameters: dict[str, Parameter] = {}
        self._places: dict[str, dict[str, Parameter]] = {}  # the same by layer
        self.size = 0
        shape = self.input_shape
        for layer_name, layer in self.layers:
            shape = layer.output_shape(shape)
            places = self._places.setdefault(layer_name, {})
            for key, parameter_shape in layer.parameter_shapes().items():
                name = f"{layer_name}.{key}"
                if name in self.parameters:
                    raise RefDPError(f"layers: {layer_name!r} names two layers; each needs a name of its own")
                end = self.size + math.prod(parameter_shape)
                self.parameters[name] = places[key] = Parameter(slice(self.size, end), parameter_shape)
                self.size = end
        if shape != (num_classes,):
            raise RefDPError(
                f"num_classes = {num_classes}: the layers give {shape} per sample; "
                f"let the last layer give ({num_classes},)"
            )
        if not self.parameters:
            raise RefDPError("layers: none has parameters, so there is nothing to train; add a linear layer")
        # The gradient with respect to x is needed after, and not before, the first layer that has parameters.
        self._first = next(i for i, (_, layer) in enumerate(self.layers) if layer.parameter_shapes())

    @property
    def hybrid_pays(self) -> bool:
        """Whether gradients that ``hybrid`` need not make, or map, are a tenth of all: measured, docs/benchmarks.md."""
        spared = sum(layer.spared for _, layer in self.layers)
        return spared >= self.size / 10

    def initialise(self, generator: np.random.Generator, dtype: Any = np.float32) -> np.ndarray:
        """Draw theta [D] on the host from PyTorch's default distributions, layer by layer."""
        drawn = [values for _, layer in self.layers for values in layer.initialise(generator).values()]
        return np.concatenate([values.ravel() for values in drawn]).astype(dtype)

    def prepare(self, xp: Any, theta: Array | Prepared) -> Prepared:
        """What the methods below take in the place of theta, to save time where they are called with the same weights
        again. It is a view: of no use once theta is changed."""
        if isinstance(theta, Prepared):
            return theta
        if theta.shape != (self.size,):
            raise RefDPError(f"theta.shape = {theta.shape}: this network has ({self.size},) parameters")
        views = [layer.prepared(xp, self._parameter_views(name, theta)) for name, layer in self.layers]
        return Prepared(theta, views)

    def logits(self, xp: Any, theta: Array | Prepared, x: Array) -> Array:
        """x [B, *input_shape] -> logits [B, K]."""
        return self._forward(xp, self.prepare(xp, theta), x, keep=False)[0]

    def per_sample_gradients(
        self, xp: Any, theta: Array | Prepared, x: Array, labels: Array, out: Array
    ) -> Array:
        """Write row b of out = d loss_b / d theta for every sample b; return the losses.

        Shapes: theta [D], x [B, *input_shape], labels [B] int64, out [B, D] (every entry is overwritten)
        -> losses [B]. All in the dtype of theta. Samples do not touch each other: row b depends on sample b
        alone, whatever the others hold (a BLAS may round it otherwise in a batch of another size).
        """
        batch = x.shape[0]
        if out.shape != (batch, self.size):
            raise RefDPError(
                f"out.shape = {out.shape}: must be ({batch}, {self.size}), one row of gradients a sample"
            )
        prepared = self.prepare(xp, theta)
        logits, caches = self._forward(xp, prepared, x)
        losses, dy = loss.cross_entropy(xp, logits, labels)
        for index in range(len(self.layers) - 1, self._first - 1, -1):
            name, layer = self.layers[index]
            rows = self._gradient_views(name, out)
            dy = layer.backward(xp, prepared.params[index], caches.pop(), dy, rows, index > self._first)
        return losses

    def held_gradients(
        self, xp: Any, theta: Array | Prepared, x: Array, labels: Array, mode: str, out: Array | None = None
    ) -> tuple[Array, HeldGradients]:
        """The same gradients, of which only norms are kept, and what their weighted sum takes.

        Shapes as above, -> losses [B], and norms by tensor.

        Args:
            mode: ``ghost``, where no layer makes gradients, or ``hybrid``, where each takes the way cheaper for it.
            out: [B, D], where there is room already for what ``hybrid`` makes; in use until the weighted sum is taken.
        """
        prepared = self.prepare(xp, theta)
        logits, caches = self._forward(xp, prepared, x)
        losses, dy = loss.cross_entropy(xp, logits, labels)
        parts = []
        if mode == "hybrid" and out is None:
            out = xp.empty((x.shape[0], self.size), dtype=losses.dtype)
        for index in range(len(self.layers) - 1, self._first - 1, -1):
            name, layer = self.layers[index]
            rows = None if mode == "ghost" or layer.ghost else self._gradient_views(name, out)
            dy, part = layer.held(xp, prepared.params[index], caches.pop(), dy, index > self._first, rows)
            parts.append((name, part))
        return losses, HeldGradients(self, merged(parts))

    def to_framework(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """Host theta [D] -> parameters by name in PyTorch's layouts: [out, in], [out, in, kh, kw], [out]."""
        return framework.unpack(self, theta)

    def from_framework(self, arrays: Mapping[str, Any]) -> np.ndarray:
        """Parameters by name in PyTorch's layouts -> host theta [D]; refuses other names or shapes."""
        return framework.pack(self, arrays)

    def _forward(self, xp: Any, prepared: Prepared, x: Array, keep: bool = True) -> tuple[Array, list[Any]]:
        """Logits, and what each layer keeps for its backward pass (let go at once where there is none)."""
        if x.shape[1:] != self.input_shape:
            raise RefDPError(
                f"x.shape = {x.shape}: must be (batch, {', '.join(map(str, self.input_shape))}); "
                "images are channels-last"
            )
        caches = []
        x = x.astype(prepared.theta.dtype, copy=False)
        for params, (_, layer) in zip(prepared.params, self.layers, strict=True):
            x, cache = layer.forward(xp, params, x)
            if keep:
                caches.append(cache)
            del cache
        return x, caches

    def _parameter_views(self, layer_name: str, theta: Array) -> dict[str, Array]:
        """The parameters of one layer as views of theta [D]."""
        return {key: theta[where].reshape(shape) for key, (where, shape) in self._places[layer_name].items()}

    def _gradient_views(self, layer_name: str, out: Array) -> dict[str, Array]:
        """The same for gradients: views of out [B, D], each of shape [B, *shape]."""
        places = self._places[layer_name].items()
        return {key: out[:, where].reshape(out.shape[0], *shape) for key, (where, shape) in places}
