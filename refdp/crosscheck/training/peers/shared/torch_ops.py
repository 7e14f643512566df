"""PyTorch's modules and functions -> refdp's layers: one function a kind, which refuses what refdp's layer is not.

Runs where torch is; refdp is not imported. Every refusal is a NotImplementedError of one line: what, and the remedy.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

Layer = dict[str, Any]
_KNOWN = "Linear, Conv2d, GroupNorm, ReLU, Tanh, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d(1), Flatten"
_kind_of = runpy.run_path(str(Path(__file__).with_name("torch_standardised.py")))["kind_of"]


def refuse(why: str) -> Any:
    raise NotImplementedError(why)


def linear(module: Any) -> Layer:
    if module.bias is None:
        refuse("Linear without bias: refdp's linear has one; use bias=True")
    return {"kind": "linear", "in_features": module.in_features, "out_features": module.out_features}


def conv2d(module: Any) -> Layer:
    for option, wanted in (("dilation", (1, 1)), ("groups", 1), ("padding_mode", "zeros")):
        if getattr(module, option) != wanted:
            refuse(f"Conv2d with {option} = {getattr(module, option)!r}: refdp's has {wanted!r} only")
    kernel, stride = one_size("kernel_size", module.kernel_size), one_size("stride", module.stride)
    if module.padding == "same" and kernel % 2 == 0:
        refuse("Conv2d with padding 'same' and an even kernel pads unequally; use an odd kernel")
    named = {"valid": 0, "same": kernel // 2}
    padding = named[module.padding] if module.padding in named else one_size("padding", module.padding)
    found: Layer = {"kind": "conv2d"}
    if not _unchanged(module, ("forward", "_conv_forward")):
        found = _kind_of(module) or refuse(
            f"{type(module).__name__} computes neither a plain convolution nor one with weights standardised as "
            "refdp's ws_conv2d: (w - mean) / (std + 1e-5), or gain (w - mean) / sqrt(max(|w - mean|^2, 1e-4)) with a "
            "parameter gain [out]; use one of these"
        )
    sizes = {"in_channels": module.in_channels, "out_channels": module.out_channels, "kernel": kernel}
    return {**found, **sizes, "stride": stride, "padding": padding, "bias": module.bias is not None}


def group_norm(module: Any) -> Layer:
    if module.eps != 1e-5 or not module.affine:
        refuse(
            f"GroupNorm with eps = {module.eps!r}, affine = {module.affine}: refdp's has 1e-5 and is affine; "
            "use these"
        )
    return {"kind": "group_norm", "groups": module.num_groups, "channels": module.num_channels}


def relu(input: Any, inplace: bool = False) -> Layer:
    return {"kind": "relu"}


def tanh(input: Any) -> Layer:
    return {"kind": "tanh"}


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layer:
    if one_size("dilation", dilation) != 1 or return_indices:
        refuse("max pooling with dilation or return_indices: refdp's has neither; leave them out")
    return _pool("max_pool2d", kernel_size, stride, padding, ceil_mode)


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Layer:
    if divisor_override is not None:
        refuse("average pooling with divisor_override: refdp's divides by the window; leave it out")
    return _pool("avg_pool2d", kernel_size, stride, padding, ceil_mode)


def _pool(kind: str, size: Any, stride: Any, padding: Any, ceil_mode: bool) -> Layer:
    if one_size("padding", padding) != 0 or ceil_mode:
        refuse(
            f"{kind} with padding = {padding!r}, ceil_mode = {ceil_mode}: refdp's windows lie within the image; "
            "use padding 0, or a convolution of stride 2"
        )
    size = one_size("kernel_size", size)
    return {
        "kind": kind,
        "size": size,
        "stride": size if stride in (None, ()) else one_size("stride", stride),
    }


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Layer:
    if output_size not in (1, (1, 1), [1, 1]):
        refuse(
            f"adaptive average pooling to {output_size!r}: refdp's pools to 1; use AvgPool2d with a fixed size"
        )
    return {"kind": "global_avg_pool2d"}


def mean(input: Any, dim: Any = None, keepdim: bool = False) -> Layer:
    dims = sorted(d % input.dim() for d in ((dim,) if isinstance(dim, int) else dim or ()))
    if input.dim() != 4 or dims != [2, 3]:
        refuse(
            f"a mean over dim = {dim!r}: only that over all positions of an image, (2, 3), is a layer of refdp"
        )
    return {"kind": "global_avg_pool2d"}


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
    if training and p > 0:
        refuse("dropout in training: refdp's models draw no random numbers; call eval() first, or set p = 0")


def one_size(name: str, value: Any) -> int:
    """The size of both directions."""
    sizes = [value] if isinstance(value, int) else list(value)
    if len(set(sizes)) != 1:
        refuse(
            f"{name} = {tuple(sizes)!r}: refdp's windows are square and move alike both ways; make them equal"
        )
    return int(sizes[0])


MODULES = {
    "Linear": linear,
    "Conv2d": conv2d,
    "GroupNorm": group_norm,
    "ReLU": lambda module: relu(None),
    "Tanh": lambda module: tanh(None),
    "MaxPool2d": lambda m: max_pool2d(
        None, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    "AvgPool2d": lambda m: avg_pool2d(
        None, m.kernel_size, m.stride, m.padding, m.ceil_mode, True, m.divisor_override
    ),
    "AdaptiveAvgPool2d": lambda m: adaptive_avg_pool2d(None, m.output_size),
    "Identity": lambda module: None,
    **dict.fromkeys(("Dropout", "Dropout2d"), lambda m: dropout(None, m.p, m.training)),
}
CALLS = {
    **{f.__name__: f for f in (relu, tanh, max_pool2d, avg_pool2d, adaptive_avg_pool2d, mean, dropout)},
    "relu_": relu,
    "tanh_": tanh,
    "dropout2d": dropout,
    "contiguous": lambda input: None,
}
INSTEAD = (
    (
        "BatchNorm",
        "it makes every record's gradient depend on the others, so no clipping bounds one; use GroupNorm",
    ),
    ("LayerNorm", "on images use GroupNorm(1, channels)"),
    ("InstanceNorm", "use GroupNorm(channels, channels)"),
    ("Softmax", "refdp's loss takes logits, as CrossEntropyLoss does; leave it out"),
    ("softmax", "refdp's loss takes logits, as CrossEntropyLoss does; leave it out"),
    (
        "batch_norm",
        "it makes every record's gradient depend on the others, so no clipping bounds one; use GroupNorm",
    ),
    ("cat", "join branches by adding them (a residual block)"),
    ("mul", "refdp has no layer that multiplies"),
    ("sub", "branches are added only"),
)


def known(module: Any) -> str | None:
    """Name of the torch class that this module computes as, where there is a layer for it."""
    classes: tuple[Any, ...] = type(module).__mro__
    for cls in classes:
        if cls.__module__.startswith("torch.nn.") and cls.__name__ in (*MODULES, "Flatten"):
            same = cls.__name__ == "Conv2d" or type(module).forward is cls.forward  # conv2d looks for itself
            return cls.__name__ if same else None
    return None


def of_module(module: Any) -> Layer | None:
    """The layer of a known module; None where it passes values as they are."""
    return MODULES[known(module) or ""](module)


def unknown(name: str) -> Any:
    """Refuse, with what to use instead."""
    remedy = next(
        (text for start, text in INSTEAD if start in name), f"use {_KNOWN}, and sums of two branches"
    )
    return refuse(f"{name}: refdp has no such layer; {remedy}")


def _unchanged(module: Any, methods: tuple[str, ...]) -> bool:
    plain = next(cls for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn."))
    return all(getattr(type(module), name) is getattr(plain, name) for name in methods)
