"""A convolution's patches cut from channels-last activations as though they were contiguous.

Opacus 1.6.0, utils/tensor_utils.py: unfold2d takes ``as_strided`` steps of W and 1 whatever ``input.stride()`` is for
the last two axes. With PyTorch's channels-last memory format, and more than one channel, weight gradients of Conv2d are
wrong; biases, and all other layers, are right.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import Arrays, StepView, double, inputs
from refdp.models import Network, loss
from refdp.models.layers import Conv2d

STAGE = "gradients"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """What differs are weights of convolutions, and they are what the wrong patches give."""
    step, network = view.step, view.network
    if (
        not fits.differs(stage)
        or network is None
        or step.x is None
        or step.y is None
        or view.reference is None
    ):
        return None
    wrong = {d.name for d in stage.differences if d.relative > tolerance}
    convolutions = {
        f"{n}.weight" for n, layer in network.layers if isinstance(layer, Conv2d) and layer.in_channels > 1
    }
    if not wrong <= convolutions:
        return None
    misread = misread_gradients(
        network, network.from_framework(double(step.params)), inputs(network, step.x, view.meta), step.y
    )
    expected = {name: misread[name] if name in wrong else values for name, values in view.reference.items()}
    error = fits.misfit(double(step.grad_sample), expected)
    text = (
        f"{', '.join(sorted(wrong))}: what patches cut from channels-last activations give where they are taken for "
        f"contiguous ones, to {error:.1e}; make activations contiguous (memory_format=torch.contiguous_format)"
    )
    return fits.best([Cause("channels-last-patches", text, None, error)], tolerance)


def misread_gradients(network: Network, theta: np.ndarray, x: np.ndarray, labels: np.ndarray) -> Arrays:
    """Of every Conv2d's weight by name: [B, out, in, kernel, kernel], from patches that were cut wrongly."""
    prepared, seen, caches = network.prepare(np, theta), [], []
    for params, (_, layer) in zip(prepared.params, network.layers, strict=True):
        seen.append(x)
        x, cache = layer.forward(np, params, x)
        caches.append(cache)
    _, dy = loss.cross_entropy(np, x, labels)
    found: Arrays = {}
    for index in range(len(network.layers) - 1, -1, -1):
        name, layer = network.layers[index]
        if isinstance(layer, Conv2d):
            found[f"{name}.weight"] = _misread(layer, seen[index], dy)
        if not any(isinstance(other, Conv2d) for _, other in network.layers[:index]):
            break
        dy = layer.input_gradient(np, prepared.params[index], caches[index], dy)
    return found


def _misread(layer: Conv2d, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    pad, size, stride = layer.padding, layer.kernel, layer.stride
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    width = padded.shape[2]
    c, r, s, i, j = np.ix_(*map(range, (layer.in_channels, size, size, dy.shape[1], dy.shape[2])))
    places = c + (r + i * stride) * width + s + j * stride  # W and 1 apart, in memory that has channels last
    patches = padded.reshape(len(x), -1)[:, places]
    return np.asarray(np.einsum("bijo,bcrsij->bocrs", dy, patches, optimize=True))
