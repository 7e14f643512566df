"""Values of a traced forward pass -> chains of layers, a sum of two branches as a residual block.

Plain Python. A value knows the layer that made it and the values it was made of: none (the input), one, or the two
terms of a sum. A sum's branches start at its dominator: the last value that every way from the input to it passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Value:
    """Attributes:
    inputs: what it was made of.
    layer: kind and parameters; None for the input, for a sum and for what changes nothing in refdp.
    shape: of one sample in torch.
    name: of the layer in the user's module, where ``owns`` parameters; else any.
    place: where in the user's code, for messages.
    permuted: whether it is a flattened image, whose order differs between the two.
    """

    def __init__(
        self,
        inputs: tuple[Value, ...],
        shape: tuple[int, ...],
        layer: dict[str, Any] | None = None,
        name: str = "",
        place: str = "",
        owns: bool = False,
        permuted: bool = False,
    ) -> None:
        self.inputs, self.shape, self.layer, self.name, self.place = inputs, shape, layer, name, place
        self.owns, self.permuted = owns, permuted
        self.users: list[Value] = []
        for value in inputs:
            value.users.append(self)
        self.dominator: Value | None = _meeting(*inputs) if inputs else None
        self.depth: int = self.dominator.depth + 1 if self.dominator else 0


def _meeting(first: Value, second: Value | None = None) -> Value:
    second = second or first
    while first is not second:
        lower, other = (first, second) if first.depth >= second.depth else (second, first)
        assert lower.dominator is not None  # the input dominates all
        first, second = lower.dominator, other
    return first


def chain(start: Value, end: Value) -> list[dict[str, Any]]:
    """The layers from one value to another, as a description has them.

    Raises:
        NotImplementedError: sums whose branches cross, or that cannot be named as the module names them.
    """
    items = _items(start, end, set(), within=False)
    taken = {part for value in _layers(items) if value.owns for part in value.name.split(".")}
    return _named(items, "", taken)


Item = tuple[Value, list[Any], list[Any]]


def _items(start: Value, end: Value, done: set[int], within: bool) -> list[Item]:
    found: list[Item] = []
    while end is not start:
        if id(end) in done:
            _refuse(end, "is read by two sums whose branches do not start at one value; nest the blocks")
        done.add(id(end))
        main: list[Item] = []
        shortcut: list[Item] = []
        if len(end.inputs) == 2:
            assert end.dominator is not None
            main, shortcut = (_items(end.dominator, value, done, True) for value in end.inputs)
            main, shortcut = (main, shortcut) if main else (shortcut, main)
            if not main:
                _refuse(end, "adds a value to itself; refdp's residual needs a layer in one branch")
            if end.dominator.permuted:
                _refuse(
                    end,
                    "adds to a flattened image, which refdp orders otherwise; put a Linear before the block",
                )
        elif end.layer is not None and end.layer["kind"] == "flatten" and within:
            _refuse(end, "flattens within a residual block; flatten after it")
        if main or end.layer is not None:
            found.append((end, main, shortcut))
        end = end.inputs[0] if len(end.inputs) == 1 else end.dominator  # type: ignore[assignment]
    return found[::-1]


def _layers(items: list[Item]) -> Iterator[Value]:
    for value, main, shortcut in items:
        if value.layer is not None:
            yield value
        yield from _layers(main + shortcut)


def _named(items: list[Item], outer: str, taken: set[str]) -> list[dict[str, Any]]:
    """With names below ``outer``, the name of the block they stand in."""
    start = f"{outer}." if outer else ""
    found: list[dict[str, Any]] = []
    for value, main, shortcut in items:
        if value.layer is not None:
            name = value.name.removeprefix(start) if value.owns else _free(value.name, taken)
            found.append({"name": name, **value.layer})
            continue
        owners = [inner.name for inner in _layers(main + shortcut) if inner.owns]
        block = _common(owners) if owners else start + _free(value.name, taken)
        name = block.removeprefix(start)
        if not name or block == outer or name in [other["name"] for other in found]:
            _refuse(
                value,
                f"adds branches with the layers {', '.join(owners)}, which have no module to themselves whose name "
                "could be the block's; put them into one, such as an nn.Sequential",
            )
        both = {"main": _named(main, block, taken), "shortcut": _named(shortcut, block, taken)}
        found.append({"name": name, "kind": "residual", **both})
    if outer:
        names = [one["name"] for one in found]
        for value, _, _ in items:
            own = value.name.removeprefix(start)
            if any(own.startswith(f"{name}.") for name in names):
                _refuse(
                    value,
                    "stands beside a nested block of its module; give that block a module of its own",
                )
    return found


def _common(names: list[str]) -> str:
    """The longest path of modules that all these layers are in."""
    paths = [name.split(".")[:-1] for name in names]
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _refuse(value: Value, why: str) -> None:
    raise NotImplementedError(f"{value.place}: {why}")
