"""The small convolutional network usual in work on private learning; 26,010 parameters with 10 classes."""

from __future__ import annotations

from dataclasses import dataclass

from refdp import validate
from refdp.errors import RefDPError
from refdp.models import models
from refdp.models.layers import ACTIVATIONS, Conv2d, Flatten, Linear, MaxPool2d
from refdp.models.network import Network

IMAGE = (28, 28, 1)


@models.register("mnistnet")
@dataclass(frozen=True)
class MnistNet:
    """Two convolutions, each with activation and overlapping max pooling, then two linear layers."""

    activation: str = "relu"

    def __post_init__(self) -> None:
        validate.one_of(tuple(ACTIVATIONS), activation=self.activation)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Network:
        if tuple(input_shape) != IMAGE:
            raise RefDPError(
                f"input_shape = {input_shape}: mnistnet takes images of {IMAGE} (height, width, channels); "
                "use model mlp for other data"
            )
        activation = ACTIVATIONS[self.activation]()
        layers = [
            ("conv1", Conv2d(1, 16, kernel=8, stride=2, padding=3)),  # 28 x 28 x 1 -> 14 x 14 x 16
            ("act1", activation),
            ("pool1", MaxPool2d(size=2, stride=1)),  # -> 13 x 13 x 16
            ("conv2", Conv2d(16, 32, kernel=4, stride=2)),  # -> 5 x 5 x 32
            ("act2", activation),
            ("pool2", MaxPool2d(size=2, stride=1)),  # -> 4 x 4 x 32
            ("flatten", Flatten()),
            ("fc1", Linear(4 * 4 * 32, 32)),
            ("act3", activation),
            ("fc2", Linear(32, num_classes)),
        ]
        return Network(layers, input_shape, num_classes)
