"""The layers, one a file: each a forward pass, its input gradient and its per-sample parameter gradients."""

from refdp.models.layers.base import Layer
from refdp.models.layers.conv2d import Conv2d
from refdp.models.layers.flatten import Flatten
from refdp.models.layers.linear import Linear
from refdp.models.layers.max_pool2d import MaxPool2d
from refdp.models.layers.relu import Relu
from refdp.models.layers.tanh import Tanh

ACTIVATIONS: dict[str, type[Layer]] = {"relu": Relu, "tanh": Tanh}
"""Activations a model can be asked for by name."""

__all__ = ["ACTIVATIONS", "Conv2d", "Flatten", "Layer", "Linear", "MaxPool2d", "Relu", "Tanh"]
