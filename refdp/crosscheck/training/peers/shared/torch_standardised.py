"""What a convolution class of the user's own computes, found by trying it: no name and no promise is relied on.

Runs where torch is; refdp is not imported. The equations are those of refdp's ``conv2d`` and ``ws_conv2d``
(refdp/models/layers/weight_standardisation.py).
"""

from __future__ import annotations

import copy
from importlib import import_module
from typing import Any

SCALES = (1.0, 1e-4)
"""Of the weights tried: at the second the constants 1e-5 and 1e-4 of the equations weigh."""
TOLERANCE = 1e-9


def kind_of(conv: Any) -> dict[str, Any] | None:
    """The kind, and for ``ws_conv2d`` its standardisation; None where it computes neither.

    Tried in float64 on a copy, on fixed random numbers at both scales of weights.

    Args:
        conv: an ``nn.Conv2d`` of any subclass.
    """
    torch = import_module("torch")
    with torch.no_grad():
        trial = copy.deepcopy(conv).double().cpu()
        generator = torch.Generator().manual_seed(0)
        gain = getattr(trial, "gain", None)
        candidates: dict[str, dict[str, Any]] = {"conv2d": {"kind": "conv2d"}}
        if gain is None:
            candidates["unbiased"] = {"kind": "ws_conv2d", "standardisation": "unbiased"}
        elif isinstance(gain, torch.nn.Parameter) and gain.shape == (conv.out_channels,):
            candidates = {"scaled": {"kind": "ws_conv2d", "standardisation": "scaled"}}
        side = max(conv.kernel_size) + 3
        for scale in SCALES:
            for values in trial.parameters():
                values.copy_(torch.randn(values.shape, generator=generator, dtype=torch.float64))
            trial.weight.mul_(scale).add_(0.5 * scale)
            x = torch.randn(2, conv.in_channels, side, side, generator=generator, dtype=torch.float64)
            try:
                found = trial(x)
            except Exception:  # whatever the user's code does with such an image
                return None
            candidates = {
                name: of for name, of in candidates.items() if _alike(found, _expected(name, trial, x))
            }
    return next(iter(candidates.values()), None)


def _expected(name: str, conv: Any, x: Any) -> Any:
    torch = import_module("torch")
    weight = conv.weight
    flat = weight.flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    if name == "unbiased":
        weight = (centred / (centred.std(1, keepdim=True) + 1e-5)).view_as(weight)
    elif name == "scaled":
        lengths = centred.square().sum(1, keepdim=True)
        weight = (centred / lengths.clamp(min=1e-4).sqrt() * conv.gain[:, None]).view_as(weight)
    return torch.nn.functional.conv2d(x, weight, conv.bias, conv.stride, conv.padding)


def _alike(found: Any, expected: Any) -> bool:
    if getattr(found, "shape", None) != expected.shape:
        return False
    return bool((found - expected).norm() <= TOLERANCE * expected.norm())  # False for NaN
