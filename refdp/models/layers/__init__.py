"""The layers, one a file: each a forward pass, its input gradient and its per-sample parameter gradients."""

from refdp.models.layers.avg_pool2d import AvgPool2d
from refdp.models.layers.base import Layer
from refdp.models.layers.batch_norm import BatchNorm
from refdp.models.layers.conv2d import Conv2d
from refdp.models.layers.flatten import Flatten
from refdp.models.layers.global_avg_pool2d import GlobalAvgPool2d
from refdp.models.layers.group_norm import GroupNorm
from refdp.models.layers.linear import Linear
from refdp.models.layers.max_pool2d import MaxPool2d
from refdp.models.layers.relu import Relu
from refdp.models.layers.residual import Residual
from refdp.models.layers.tanh import Tanh
from refdp.models.layers.ws_conv2d import WsConv2d

ACTIVATIONS: dict[str, type[Layer]] = {"relu": Relu, "tanh": Tanh}
"""Activations a model can be asked for by name."""

__all__ = [
    "ACTIVATIONS",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Flatten",
    "GlobalAvgPool2d",
    "GroupNorm",
    "Layer",
    "Linear",
    "MaxPool2d",
    "Relu",
    "Residual",
    "Tanh",
    "WsConv2d",
]
