"""Weight standardisation of another variant: the biased variance, or the small constant in another place.

V = u / (sqrt(|u|² / M + inner) + outer), u = W - mean(W): M = N - 1, inner = 0, outer = 1e-5 is the one meant (as
PyTorch's std); M = N is the biased one (as numpy's and JAX's default), inner = 1e-5 that of ``F.batch_norm``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double, inputs, per_sample_gradients
from refdp.models import Network
from refdp.models.layers import Layer, Residual, WsConv2d
from refdp.models.layers import weight_standardisation as ws

STAGE = "gradients"
EPS = ((0.0, 1e-5), (1e-5, 0.0), (0.0, 0.0), (1e-6, 0.0), (0.0, 1e-8))


@dataclass(frozen=True)
class _Variant(WsConv2d):
    """The same layer with M = N where ``biased``, and the constants given."""

    biased: bool = False
    inner: float = 0.0
    outer: float = 0.0

    def prepared(self, xp: Any, params: dict[str, Array]) -> dict[str, Any]:
        weight = params["weight"].reshape(self.out_channels, self.plain.fan_in)
        centred = weight - weight.mean(axis=1, keepdims=True)
        number = weight.shape[1] if self.biased else weight.shape[1] - 1
        root = xp.sqrt((centred * centred).sum(axis=1, keepdims=True) / number + self.inner)
        scale = 1 / (root + self.outer)
        used = ws.Standardised(
            centred * scale, centred, scale[:, 0], centred * scale**2 / (number * root), scale[:, 0]
        )
        return params | {"used": used, "projection": None}


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Gradients recomputed with each variant."""
    step, network = view.step, view.network
    if (
        not fits.differs(stage)
        or network is None
        or step.x is None
        or step.y is None
        or view.reference is None
    ):
        return None
    if not any(isinstance(layer, WsConv2d) and not layer.has_gain for layer in _all_layers(network.layers)):
        return None
    found, causes = double(step.grad_sample), []
    x = inputs(network, step.x, view.meta)
    for biased in (True, False):
        for inner, outer in EPS:
            if not biased and (inner, outer) == EPS[0]:
                continue
            layers = _with(network.layers, biased, inner, outer)
            other = Network(layers, network.input_shape, network.num_classes)
            error = fits.misfit(found, per_sample_gradients(other, step.params, x, step.y))
            divisor = "N" if biased else "N - 1"
            text = (
                f"weights standardised by sqrt(|u|² / ({divisor}) + {inner:g}) + {outer:g}, where sqrt(|u|² / (N - 1)) "
                f"+ 1e-05 was meant: gradients agree with that to {error:.1e}"
            )
            id_ = "standardisation-biased" if biased else "standardisation-epsilon"
            causes.append(Cause(id_, text, True, error))
    return fits.best(causes, tolerance)


def _all_layers(layers: tuple[tuple[str, Layer], ...]) -> list[Layer]:
    found: list[Layer] = []
    for _, layer in layers:
        found += _all_layers(layer.main + layer.shortcut) if isinstance(layer, Residual) else [layer]
    return found


def _with(
    layers: tuple[tuple[str, Layer], ...], biased: bool, inner: float, outer: float
) -> tuple[tuple[str, Layer], ...]:
    changed: list[tuple[str, Layer]] = []
    for name, layer in layers:
        new = layer
        if isinstance(layer, Residual):
            new = dataclasses.replace(
                layer,
                main=_with(layer.main, biased, inner, outer),
                shortcut=_with(layer.shortcut, biased, inner, outer),
            )
        elif isinstance(layer, WsConv2d) and not layer.has_gain:
            settings = {f.name: getattr(layer, f.name) for f in dataclasses.fields(WsConv2d) if f.init}
            new = _Variant(**settings, biased=biased, inner=inner, outer=outer)
        changed.append((name, new))
    return tuple(changed)
