"""A user's ``torch.nn.Module`` -> the JSON description of which refdp builds the same network.

Runs under the interpreter in which torch lives, where refdp is not installed. The module's forward pass is traced
(torch.fx) and run once, on zeros, for its shapes; refdp.models.description builds what comes out.

    describe(module, input_shape)    input_shape of one sample as the module takes it: (C, H, W) or (F,)
    load_module("FILE.py:NAME")      NAME: an nn.Module, its class, or a function that returns one

G1. Names are the module's own: the description's parameters are exactly those of ``state_dict()``.
G2. What refdp would compute otherwise is refused, with its place and what to use instead (NotImplementedError, one
    line): nothing is left out and nothing approximated.
G3. The module's parameters, their gradients and its mode are left as they were.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "torch"
METHODS = {}  # type: ignore[var-annotated]  # it takes no steps; it is asked for a description
_SHARED = Path(__file__).parent / "shared"
_Walk = runpy.run_path(str(_SHARED / "torch_walk.py"))["Walk"]
_chain = runpy.run_path(str(_SHARED / "torch_chains.py"))["chain"]
_PARAMETERS = {"linear": ("weight", "bias"), "group_norm": ("weight", "bias"), "conv2d": ("weight",)}
_PARAMETERS["ws_conv2d"] = _PARAMETERS["conv2d"]


def load() -> str:
    """Import torch; its version."""
    return str(import_module("torch").__version__)


def answer(method: str, case: dict) -> dict:
    """{"layers": the description of case["module"]}, for one sample of case["input_shape"], channels first."""
    return {"layers": describe(load_module(case["module"]), tuple(case["input_shape"]))}


def load_module(spec: str) -> Any:
    """The module that ``FILE.py:NAME`` stands for; ValueError where there is none."""
    torch = import_module("torch")
    file, _, name = spec.rpartition(":")
    path = Path(file).resolve()
    if not file or not path.is_file():
        raise ValueError(f"module = {spec!r}: must be FILE.py:NAME, and the file must exist")
    sys.path.insert(0, str(path.parent))
    found = importlib.util.spec_from_file_location(f"_described_{path.stem}", path)
    if found is None or found.loader is None:
        raise ValueError(f"module = {spec!r}: {path.name} is no Python file")
    code = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(code)
    of = getattr(code, name, None)
    if not callable(of):
        raise ValueError(f"module = {spec!r}: {path.name} has no nn.Module, class or function {name!r}")
    try:
        made = of if isinstance(of, torch.nn.Module) else of()
    except TypeError as error:
        raise ValueError(
            f"module = {spec!r}: is called without arguments ({error}); name a function of none"
        ) from None
    if not isinstance(made, torch.nn.Module):
        raise ValueError(f"module = {spec!r}: gives a {type(made).__name__}, must give an nn.Module")
    return made


def describe(module: Any, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """The description of this module, in the mode (train or eval) that it is in.

    Args:
        input_shape: of one sample, channels first.

    Raises:
        NotImplementedError: anything that refdp's layers do not compute; the text names the place and the remedy.
    """
    shape = tuple(input_shape)
    if len(shape) not in (1, 3) or min(shape) < 1:
        _refuse(f"input_shape = {shape}: must be (channels, height, width) or (features,), of one sample")
    _check_hooks(module)
    start, end = _Walk(module, shape).ends()
    if end.permuted or len(end.shape) != 1 or end.shape[0] < 2:
        _refuse(
            f"the output has shape {end.shape} a sample: must be logits of two classes or more, by a Linear layer or "
            "pooled from an image"
        )
    _settle_pools(start, set())
    layers = _chain(start, end)
    _check_parameters(module, _names(layers))
    last = shape if len(shape) == 1 else (*shape[1:], shape[0])
    return {"input_shape": list(last), "num_classes": end.shape[0], "layers": layers}


def _settle_pools(value: Any, seen: set[int]) -> None:
    """Pooling to one position gives (C, 1, 1) in torch and a vector in refdp: where an image is needed after it, it
    becomes pooling with a window of the whole image."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if value.layer is not None and value.layer["kind"] == "global_avg_pool2d":
        flattened = [] if len(value.shape) == 3 else [value]
        if len(value.shape) == 3 and not _only_flattened(value, flattened):
            _, height, width = value.inputs[0].shape
            if height != width:
                _refuse(
                    f"{value.place}: pools {height} x {width} to an image of one position; flatten right after it"
                )
            value.layer = {"kind": "avg_pool2d", "size": height, "stride": height}
        else:
            for flatten in flattened:
                if flatten is not value:
                    flatten.layer = None  # it is a vector already
    for user in value.users:
        _settle_pools(user, seen)


def _only_flattened(value: Any, flattened: list[Any]) -> bool:
    """Whether it is read by activations and then flattened, and by nothing else."""
    for user in value.users:
        kind = (user.layer or {}).get("kind")
        if kind == "flatten":
            flattened.append(user)
        elif kind not in ("relu", "tanh") or not _only_flattened(user, flattened):
            return False
    return True


def _check_hooks(module: Any) -> None:
    """What could change a forward pass, or a gradient, without being seen in it."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    for name, inner in module.named_modules():
        if any(getattr(inner, kind, None) for kind in kinds) or "forward" in vars(inner):
            _refuse(f"{name or 'module'}: has hooks; describe the module before anything is hooked to it")


def _names(layers: list[dict[str, Any]], start: str = "") -> list[str]:
    """Of all parameters that refdp will have."""
    found = []
    for layer in layers:
        name = start + layer["name"]
        found += [f"{name}.{key}" for key in _PARAMETERS.get(layer["kind"], ())]
        found += [f"{name}.bias"] if layer.get("bias") else []
        found += [f"{name}.gain"] if layer.get("standardisation") == "scaled" else []
        for branch in ("main", "shortcut"):
            found += _names(layer.get(branch, []), f"{name}.")
    return found


def _check_parameters(module: Any, names: list[str]) -> None:
    """The module's own are exactly these, each its own and trained."""
    given = dict(module.named_parameters(remove_duplicate=False))
    owners: dict[int, str] = {}
    for name, values in given.items():
        if name not in names:
            _refuse(
                f"{name}: is no weight of a layer that the output depends on; remove it, or use it in a layer"
            )
        if not values.requires_grad:
            _refuse(
                f"{name}: is frozen (requires_grad False), and refdp trains every parameter; let it be trained"
            )
        if owners.setdefault(id(values), name) != name:
            _refuse(f"{name}: is the same as {owners[id(values)]}; refdp's layers share no weights: use two")
    for name in module.state_dict():
        if name not in given:
            _refuse(f"{name}: is a buffer, and refdp's layers keep no state; remove it")


def _refuse(why: str) -> None:
    raise NotImplementedError(why)
