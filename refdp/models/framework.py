"""Our flat parameter vector <-> arrays by name, as a PyTorch model with the same layers holds them.

Two things differ. A layer may store a parameter in another axis order (``Layer.framework_axes``). And a
linear layer after a flattened image numbers its inputs by height, width, channel here and by channel, height,
width there, so the columns of its weight are permuted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from refdp.errors import RefDPError
from refdp.models.layers import Flatten, Linear, Residual

if TYPE_CHECKING:
    from refdp.models.network import Network


def unpack(network: Network, theta: np.ndarray) -> dict[str, np.ndarray]:
    """theta [D] on the host -> new arrays by name in PyTorch's layouts."""
    if theta.shape != (network.size,):
        raise RefDPError(f"theta.shape = {theta.shape}: this network has ({network.size},) parameters")
    axes, columns = _axes(network), _columns(network)
    arrays = {}
    for name, (where, shape) in network.parameters.items():
        values = theta[where].reshape(shape).transpose(axes[name])
        if name in columns:
            values = values[:, columns[name]]
        arrays[name] = np.array(values, order="C")
    return arrays


def pack(network: Network, arrays: Mapping[str, Any]) -> np.ndarray:
    """Arrays by name in PyTorch's layouts -> theta [D] on the host, in the widest dtype given."""
    missing = [name for name in network.parameters if name not in arrays]
    extra = [name for name in arrays if name not in network.parameters]
    if missing or extra:
        raise RefDPError(
            f"parameters: missing {missing}, not in the network {extra}; give exactly "
            f"{', '.join(network.parameters)}"
        )
    axes, columns = _axes(network), _columns(network)
    parts = []
    for name, (_, shape) in network.parameters.items():
        values = np.asarray(arrays[name])
        wanted = tuple(shape[axis] for axis in axes[name])
        if values.shape != wanted or not np.issubdtype(values.dtype, np.floating):
            raise RefDPError(
                f"parameters[{name!r}]: got {values.dtype} of shape {values.shape}, must be floating point "
                f"of shape {wanted} (PyTorch's layout)"
            )
        if name in columns:
            values = values[:, np.argsort(columns[name])]
        parts.append(values.transpose(np.argsort(axes[name])).ravel())
    return np.concatenate(parts)


def _axes(network: Network) -> dict[str, tuple[int, ...]]:
    """For every parameter the transpose from our layout to PyTorch's."""
    axes = {}
    for layer_name, layer in network.layers:
        for key, shape in layer.parameter_shapes().items():
            axes[f"{layer_name}.{key}"] = layer.framework_axes().get(key, tuple(range(len(shape))))
    return axes


def _columns(network: Network) -> dict[str, np.ndarray]:
    """For every linear weight that reads a flattened image: our input positions in PyTorch's order.

    Raises:
        RefDPError: a residual block with parameters reads it, whose sum would be in an order of its own.
    """
    columns = {}
    shape, order = network.input_shape, None
    for layer_name, layer in network.layers:
        if isinstance(layer, Flatten) and len(shape) > 1:
            order = layer.framework_order(shape)
            if (np.diff(order) == 1).all():  # the two agree, whatever reads it
                order = None
        elif isinstance(layer, Residual) and order is not None and layer.parameter_shapes():
            raise RefDPError(
                f"{layer_name!r}: adds to a flattened image, which PyTorch orders otherwise, so no weights there are "
                "the same; put a linear layer before the block"
            )
        elif isinstance(layer, Linear) and order is not None:
            columns[f"{layer_name}.weight"], order = order, None
        shape = layer.output_shape(shape)
    return columns
