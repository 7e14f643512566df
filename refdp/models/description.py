"""Networks as JSON documents and back: how a model is told to refdp where its code cannot be run.

    {"input_shape": [28, 28, 1], "num_classes": 10, "layers": [
        {"name": "conv1", "kind": "conv2d", "in_channels": 1, "out_channels": 16, "kernel": 8, "stride": 2},
        {"name": "layer1.0", "kind": "residual", "main": [{"name": "conv1", ...}, ...], "shortcut": []}, ...]}

A kind is a class of ``refdp.models.layers`` (WsConv2d: ``ws_conv2d``) and its parameters are the class's fields: what
has a default there may be left out. Shapes are channels-last. crosscheck/training/peers/describe_torch.py writes such
documents of PyTorch modules.

G1. ``build(describe(n))`` has n's parameters, names and order, and its outputs and gradients to the bit.
G2. Every document that is not of this form is refused with a RefDPError that names the place.
"""

from __future__ import annotations

import dataclasses
import re
import reprlib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from refdp.errors import RefDPError
from refdp.models import layers
from refdp.models.layers import Layer
from refdp.models.layers.chain import Named
from refdp.models.network import Network

MOST_NESTED = 8
"""Residual blocks inside each other."""
KINDS: dict[str, type] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): getattr(layers, name)
    for name in layers.__all__
    if isinstance(getattr(layers, name), type) and getattr(layers, name) is not Layer
}
"""Kind -> class: every layer there is, and what is refused as a layer (batch_norm), with its reason."""
_NAMES = {cls: kind for kind, cls in KINDS.items()}
_CHAIN = tuple[Named, ...]
_KEYS = ("input_shape", "num_classes", "layers")
_LARGEST = 2**31 - 1


def describe(network: Network) -> dict[str, Any]:
    """The document that ``build`` makes this network of: plain lists, texts, whole numbers and truth values.

    Raises:
        RefDPError: a layer of a class that is not one of ``KINDS``, a name that a document cannot hold, or blocks
            nested deeper than MOST_NESTED.
    """
    return {
        "input_shape": [int(size) for size in network.input_shape],
        "num_classes": int(network.num_classes),
        "layers": _described(network.layers, "layers", 0),
    }


def build(document: Mapping[str, Any]) -> Network:
    """The network that this document describes.

    Raises:
        RefDPError: anything missing, unknown, of another type or out of range, repeated names, layers that do not
            fit each other; the text names the layer.
    """
    document = _mapping(document, "description")
    _known(document, _KEYS, _KEYS, "description")
    shape = tuple(_whole(size, "input_shape") for size in _list(document["input_shape"], "input_shape"))
    if not shape or min(shape) < 1:
        raise RefDPError(f"input_shape = {list(shape)}: must be sizes >= 1, such as [28, 28, 1] or [10]")
    classes = _whole(document["num_classes"], "num_classes")
    chain = _built(document["layers"], "layers", 0)
    now = shape
    for index, (name, layer) in enumerate(chain):
        try:
            now = layer.output_shape(now)
        except RefDPError as error:
            raise RefDPError(f"layers[{index}] {name!r}: {error}") from None
    return Network(chain, shape, classes)


def _described(chain: Sequence[Named], where: str, depth: int) -> list[dict[str, Any]]:
    _check_depth(depth, where)
    found = []
    for index, (name, layer) in enumerate(chain):
        place = f"{where}[{index}]"
        kind = _NAMES.get(type(layer))
        if kind is None:
            raise RefDPError(
                f"{place} {name!r}: is a {type(layer).__name__}, which no kind stands for; use {', '.join(KINDS)}"
            )
        one: dict[str, Any] = {"name": _name(name, place), "kind": kind}
        for field, hint in _fields(type(layer)):
            value = getattr(layer, field.name)
            one[field.name] = (
                _described(value, f"{place}.{field.name}", depth + 1) if hint == _CHAIN else hint(value)
            )
        found.append(one)
    _check_unique([one["name"] for one in found], where)
    return found


def _built(documents: Any, where: str, depth: int) -> tuple[Named, ...]:
    _check_depth(depth, where)
    chain = tuple(
        _layer(one, f"{where}[{index}]", depth) for index, one in enumerate(_list(documents, where))
    )
    _check_unique([name for name, _ in chain], where)
    return chain


def _layer(document: Any, where: str, depth: int) -> Named:
    given = dict(_mapping(document, where))
    if missing := [key for key in ("name", "kind") if key not in given]:
        raise RefDPError(f"{where}: {', '.join(missing)} missing; every layer has a name and a kind")
    name, kind = _name(given.pop("name"), where), given.pop("kind")
    where = f"{where} {name!r}"
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise RefDPError(f"{where}: kind = {_shown(kind)}: must be one of {', '.join(KINDS)}")
    if not dataclasses.is_dataclass(cls):
        given = {}  # its one use is to say why there is no such layer
    else:
        fields = _fields(cls)
        required = [field.name for field, _ in fields if field.default is dataclasses.MISSING]
        _known(given, required, [field.name for field, _ in fields], f"{where}: {kind}")
        for field, hint in fields:
            if field.name in given:
                given[field.name] = _value(given[field.name], hint, f"{where}: {field.name}", depth)
    try:
        return name, cls(**given)
    except RefDPError as error:
        raise RefDPError(f"{where}: {error}") from None


def _fields(cls: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    """What the class is made of, with types."""
    hints = typing.get_type_hints(cls)
    return [(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init]


def _value(value: Any, hint: Any, where: str, depth: int) -> Any:
    if hint == _CHAIN:
        return _built(value, where, depth + 1)
    if hint is int:
        return _whole(value, where)
    if type(value) is not hint:
        kinds = {bool: "true or false", str: "a text"}
        raise RefDPError(f"{where} = {_shown(value)}: must be {kinds[hint]}")
    return value


def _known(given: Mapping[str, Any], required: Sequence[str], known: Sequence[str], where: str) -> None:
    missing = [key for key in required if key not in given]
    unknown = [_shown(key) for key in given if key not in known]
    if missing or unknown:
        parts = [
            f"{', '.join(keys)} {what}" for keys, what in ((missing, "missing"), (unknown, "unknown")) if keys
        ]
        raise RefDPError(f"{where}: {'; '.join(parts)}; it has {', '.join(known) or 'no parameters'}")


def _whole(value: Any, where: str) -> int:
    if type(value) is not int:
        raise RefDPError(f"{where} = {_shown(value)}: must be a whole number")
    if abs(value) > _LARGEST:
        raise RefDPError(f"{where}: must be at most {_LARGEST}")
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RefDPError(f"{where} = {_shown(value)}: must be an object of names and values")
    return value


def _list(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise RefDPError(f"{where} = {_shown(value)}: must be a list")
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or not all(value.split(".")):
        raise RefDPError(
            f"{where}: name = {_shown(value)}: must be a text such as conv1 or layer1.0.conv1, no part of it empty"
        )
    return value


def _check_unique(names: Sequence[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise RefDPError(f"{where}: {name!r} names two layers; each needs a name of its own")


def _check_depth(depth: int, where: str) -> None:
    if depth > MOST_NESTED:
        raise RefDPError(f"{where}: more than {MOST_NESTED} residual blocks inside each other; nest fewer")


def _shown(value: Any) -> str:
    """The value, shortened."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        return "a number of too many digits"
    return reprlib.repr(value)
