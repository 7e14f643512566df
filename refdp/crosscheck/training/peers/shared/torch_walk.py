"""A module's forward pass, traced (torch.fx) and run once on zeros: every operation a value, or refused with its place.

Runs where torch is; refdp is not imported.
"""

from __future__ import annotations

import runpy
from importlib import import_module
from pathlib import Path
from typing import Any

_ops = runpy.run_path(str(Path(__file__).with_name("torch_ops.py")))
_Value = runpy.run_path(str(Path(__file__).with_name("torch_chains.py")))["Value"]
_refuse = _ops["refuse"]

BATCH = 3
_SUMS = ("add", "add_", "iadd")
_RESHAPES = ("flatten", "view", "reshape", "squeeze", "Flatten")
_QUERIES = ("size", "getattr", "dim", "numel")
_IN_PLACE = ("relu_", "tanh_", "add_", "iadd")
_TORCH = ("torch", "torch.nn.functional", "torch._C._nn", "_operator")
_OWNERS = ("linear", "conv2d", "ws_conv2d", "group_norm")
_NEEDS = {"linear": (1,), "relu": (1, 3), "tanh": (1, 3)}


class Walk:
    """One pass over the traced forward pass: every node refused, or run and turned into a value."""

    def __init__(self, module: Any, shape: tuple[int, ...]) -> None:
        self.torch = import_module("torch")
        self.graph, self.module = _traced(module), module
        self.shape = shape
        self.results: dict[Any, Any] = {}
        self.values: dict[Any, Any] = {}
        self.roots: dict[Any, Any] = {}  # the node whose memory a node's result may lie in
        self.called: set[str] = set()

    def ends(self) -> tuple[Any, Any]:
        """The values that the forward pass starts and ends at."""
        nodes = list(self.graph.nodes)
        with self.torch.no_grad():
            for node in nodes[:-1]:
                self._step(node)
        self._check_in_place(nodes)
        (result,) = nodes[-1].args
        if result not in self.values:
            _refuse(f"forward returns {result}: must return the logits, one tensor that depends on the input")
        return self.values[nodes[0]], self.values[result]

    def _step(self, node: Any) -> None:
        self.roots[node] = node
        if node.op == "placeholder":
            like = next(self.module.parameters(), self.torch.zeros(0))
            self.results[node] = self.torch.zeros((BATCH, *self.shape), dtype=like.dtype, device=like.device)
            self.values[node] = _Value((), self.shape)
        elif node.op == "get_attr":
            _refuse(
                f"{_path(node.target)}: is used outside a layer of torch.nn; refdp's parameters belong to "
                f"{_ops['_KNOWN']} (a convolution of one's own: derive it from nn.Conv2d)"
            )
        elif not any(other in self.values for other in node.all_input_nodes) and node.op != "call_module":
            self.results[node] = self._run(node)
            if isinstance(self.results[node], self.torch.Tensor):
                _refuse(
                    f"{_place(node)}: makes a tensor that does not depend on the input; refdp has no constants"
                )
        elif _called(node) in _QUERIES and not isinstance(found := self._run(node), self.torch.Tensor):
            self.results[node] = found
        else:
            self._value(node)

    def _value(self, node: Any) -> None:
        """A sum, a change of shape or a layer."""
        name, place, module = _called(node), _place(node), None
        if node.op == "call_module":
            module = self.module.get_submodule(_path(node.target))
            name = _ops["known"](module) or _at(place, _ops["unknown"], type(module).__name__)
        elif name not in (*_SUMS, *_RESHAPES, *_ops["CALLS"]) or not _of_torch(node):
            _at(place, _ops["unknown"], name)
        read = [self.values[other] for other in node.args if self._is_value(other)]
        if name in _SUMS:
            if len(read) != 2 or len(node.args) != 2 or node.kwargs or read[0].shape != read[1].shape:
                _refuse(
                    f"{place}: only a sum of two branches of one shape, without a factor, is refdp's residual"
                )
            self._keep(node, _Value(tuple(read), read[0].shape, name=node.name, place=place))
        elif len(read) != 1 or not self._is_value(node.args[0]):
            _refuse(
                f"{place}: must be given the value before it, first and alone; refdp joins branches by sums"
            )
        elif name in _RESHAPES:
            self._reshape(node, read[0])
        else:
            self._layer(node, read[0], _at(place, self._layer_of, node, module, name))

    def _layer_of(self, node: Any, module: Any, name: str) -> dict[str, Any] | None:
        if module is not None:
            return _ops["of_module"](module)
        try:
            return _ops["CALLS"][name](*self._plain(node.args), **self._plain(node.kwargs))
        except TypeError as error:
            return _refuse(f"called in a way that is not known here ({error})")

    def _layer(self, node: Any, before: Any, layer: dict[str, Any] | None) -> None:
        place = _place(node)
        if layer is None:
            self.results[node] = self._run(node)
            self.values[node], self.roots[node] = before, self.roots[node.args[0]]
            return
        kind = layer["kind"]
        if len(before.shape) not in _NEEDS.get(kind, (3,)):
            takes = "vectors" if kind == "linear" else "images"
            _refuse(f"{place}: gets {before.shape} a sample; refdp's {kind} takes {takes} only")
        owns = kind in _OWNERS
        name = _path(node.target) if owns else node.name.removeprefix("module_")
        if not name:
            _refuse("the module is one layer, which has no name; put it into an nn.Sequential")
        if owns and name in self.called:
            _refuse(
                f"{place}: is used twice; refdp's layers share no weights: give each place a layer of its own"
            )
        self.called.add(name)
        permuted = before.permuted and kind in ("relu", "tanh")
        self._keep(node, _Value((before,), (), layer, name, place, owns, permuted))

    def _reshape(self, node: Any, before: Any) -> None:
        result = self._run(node)
        sizes, size = tuple(result.shape), 1
        for length in before.shape:
            size *= length
        if sizes == (BATCH, *before.shape):
            value = before
        elif sizes == (BATCH, size):
            mixed = len(before.shape) == 3 and size > max(before.shape[0], size // before.shape[0])
            value = _Value((before,), (size,), {"kind": "flatten"}, node.name, _place(node), permuted=mixed)
        else:
            _refuse(
                f"{_place(node)}: makes {sizes} of {(BATCH, *before.shape)}; only flattening is a layer of refdp"
            )
        self.results[node], self.values[node] = result, value
        self.roots[node] = self.roots[node.args[0]]

    def _keep(self, node: Any, value: Any) -> None:
        self.results[node], self.values[node] = self._run(node), value
        value.shape = tuple(self.results[node].shape[1:])
        if self._in_place(node):
            self.roots[node] = self.roots[node.args[0]]

    def _run(self, node: Any) -> Any:
        arguments, options = self._plain(node.args), self._plain(node.kwargs)
        try:
            if node.op == "call_module":
                found = self.module.get_submodule(_path(node.target))(*arguments, **options)
            elif node.op == "call_method":
                found = getattr(arguments[0], node.target)(*arguments[1:], **options)
            else:
                found = node.target(*arguments, **options)
        except Exception as error:
            text = " ".join(str(error).split())
            raise NotImplementedError(
                f"{_place(node)}: does not take samples of {self.shape}: {text}"
            ) from None
        return found

    def _plain(self, arguments: Any) -> Any:
        """With every node replaced by what it gave."""
        return self.torch.fx.node.map_arg(arguments, self.results.__getitem__)

    def _check_in_place(self, nodes: list[Any]) -> None:
        """Refuse where a value is read after it was changed: in a graph of values it would be the old one."""
        order = {node: index for index, node in enumerate(nodes)}
        for node in nodes:
            if node not in self.values or not self._in_place(node):
                continue
            root = self.roots[node.args[0]]
            for other in nodes[: order[node]]:
                later = [user for user in other.users if order[user] > order[node] and self._reads(user)]
                if other in self.values and self.roots[other] is root and later:
                    _refuse(
                        f"{_place(node)}: changes in place what {_place(later[0])} reads afterwards; "
                        "leave inplace out there"
                    )

    def _in_place(self, node: Any) -> bool:
        if node.op == "call_module":
            return bool(getattr(self.module.get_submodule(_path(node.target)), "inplace", False))
        flags = (node.kwargs.get("inplace"), *node.args[1:])
        return _called(node) in _IN_PLACE or (_called(node) == "relu" and any(flag is True for flag in flags))

    def _reads(self, node: Any) -> bool:
        return node.op == "output" or node in self.values

    def _is_value(self, other: Any) -> bool:
        return isinstance(other, self.torch.fx.Node) and other in self.values


def _traced(module: Any) -> Any:
    torch = import_module("torch")

    class Tracer(torch.fx.Tracer):  # type: ignore[name-defined]
        def is_leaf_module(self, inner: Any, name: str) -> bool:
            return _ops["known"](inner) is not None or super().is_leaf_module(inner, name)

    class Alone(torch.nn.Module):  # type: ignore[name-defined]
        """Given one argument, so that the others of a forward have their defaults."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Any) -> Any:
            return self.module(x)

    try:
        return Tracer().trace(Alone())
    except Exception as error:  # whatever the user's forward does with a value that is not there yet
        text = " ".join(str(error).split())
        return _refuse(
            f"forward cannot be traced: {text} (torch.fx); let it depend on the module alone, not on the data, and "
            "take one tensor"
        )


def _at(place: str, make: Any, *arguments: Any) -> Any:
    """What ``make`` gives; its refusals name the place."""
    try:
        return make(*arguments)
    except NotImplementedError as error:
        raise NotImplementedError(f"{place}: {error}") from None


def _path(target: str) -> str:
    """The user's name of a module or parameter."""
    return target.removeprefix("module").removeprefix(".")


def _called(node: Any) -> str:
    return (
        str(node.target) if node.op == "call_method" else str(getattr(node.target, "__name__", node.target))
    )


def _of_torch(node: Any) -> bool:
    return node.op == "call_method" or getattr(node.target, "__module__", None) in _TORCH


def _place(node: Any) -> str:
    """Where it is called, in the user's names."""
    if node.op == "call_module":
        return _path(node.target) or "module"
    stack = [_path(path) for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    return f"{stack[-1] + '.' if stack and stack[-1] else ''}forward, {_called(node)}"
