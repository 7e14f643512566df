"""A plain convolutional network with GroupNorm; 132,042 parameters on CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass

from refdp import validate
from refdp.models import models
from refdp.models.layers import (
    ACTIVATIONS,
    AvgPool2d,
    Conv2d,
    GlobalAvgPool2d,
    GroupNorm,
    Layer,
    Linear,
    windows,
)
from refdp.models.network import Network

CHANNELS = (32, 64, 64, 128)


@models.register("cifar10net")
@dataclass(frozen=True)
class Cifar10Net:
    """Four 3x3 convolutions of 32, 64, 64, 128 channels, each with GroupNorm and activation, the first three with
    2x2 average pooling; then the mean over positions and one linear layer. Images of 8 x 8 and more.
    """

    activation: str = "relu"
    groups: int = 8

    def __post_init__(self) -> None:
        validate.one_of(tuple(ACTIVATIONS), activation=self.activation)
        validate.whole(1, groups=self.groups)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Network:
        windows.check_image("cifar10net", input_shape, 8)
        activation = ACTIVATIONS[self.activation]()
        layers: list[tuple[str, Layer]] = []
        before = input_shape[2]
        for number, channels in enumerate(CHANNELS, start=1):
            layers += [
                (f"conv{number}", Conv2d(before, channels, kernel=3, padding=1)),
                (f"gn{number}", GroupNorm(self.groups, channels)),
                (f"act{number}", activation),
            ]
            if number < len(CHANNELS):
                layers.append((f"pool{number}", AvgPool2d(size=2, stride=2)))
            before = channels
        layers += [("pool4", GlobalAvgPool2d()), ("fc", Linear(before, num_classes))]
        return Network(layers, input_shape, num_classes)
