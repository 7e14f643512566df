"""Layers one after the other, each under a name; its parameters are called ``name.key``."""

from __future__ import annotations

from typing import Any

from refdp.backend import Array
from refdp.models.layers.base import Layer
from refdp.models.layers.held import Held

Named = tuple[str, Layer]


def own(layer: Named, arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays of one layer, under the layer's own names."""
    start = f"{layer[0]}."
    return {name[len(start) :]: values for name, values in arrays.items() if name.startswith(start)}


def prepared(xp: Any, layers: tuple[Named, ...], params: dict[str, Array]) -> dict[str, Any]:
    return {
        f"{named[0]}.{key}": values
        for named in layers
        for key, values in named[1].prepared(xp, own(named, params)).items()
    }


def output_shape(layers: tuple[Named, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    for _, layer in layers:
        shape = layer.output_shape(shape)
    return shape


def forward(
    xp: Any, layers: tuple[Named, ...], params: dict[str, Array], x: Array
) -> tuple[Array, list[Any]]:
    caches = []
    for named in layers:
        x, cache = named[1].forward(xp, own(named, params), x)
        caches.append(cache)
    return x, caches


def input_gradient(
    xp: Any, layers: tuple[Named, ...], params: dict[str, Array], caches: list[Any], dy: Array
) -> Array:
    for named, cache in zip(reversed(layers), reversed(caches), strict=True):
        dy = named[1].input_gradient(xp, own(named, params), cache, dy)
    return dy


def backward(
    xp: Any,
    layers: tuple[Named, ...],
    params: dict[str, Array],
    caches: list[Any],
    dy: Array,
    out: dict[str, Array],
    wants_input: bool,
) -> Array | None:
    """Per-sample gradients of all layers into out; dx where it is wanted, else None."""
    gradient: Array | None = dy
    for index in range(len(layers) - 1, -1, -1):
        named, wanted = layers[index], wants_input or index > 0
        gradient = named[1].backward(xp, own(named, params), caches[index], gradient, own(named, out), wanted)
    return gradient


def held(
    xp: Any,
    layers: tuple[Named, ...],
    params: dict[str, Array],
    caches: list[Any],
    dy: Array,
    wants_input: bool,
    rows: dict[str, Array] | None,
) -> tuple[Array | None, list[tuple[str, Held]]]:
    """dx where it is wanted, else None; and what each layer holds, the last layer's first."""
    gradient: Array | None = dy
    parts = []
    for index in range(len(layers) - 1, -1, -1):
        named, wanted = layers[index], wants_input or index > 0
        room = None if rows is None else own(named, rows)
        gradient, part = named[1].held(xp, own(named, params), caches[index], gradient, wanted, room)
        parts.append((named[0], part))
    return gradient, parts
