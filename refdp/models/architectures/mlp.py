"""One hidden layer. With 10 inputs, 64 hidden units and 5 classes: 1,029 parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from refdp import validate
from refdp.models import models
from refdp.models.layers import ACTIVATIONS, Flatten, Linear
from refdp.models.network import Network


@models.register("mlp")
@dataclass(frozen=True)
class Mlp:
    """fc1 (inputs -> hidden), activation, fc2 (hidden -> classes). Images are flattened."""

    hidden: int = 64
    activation: str = "relu"

    def __post_init__(self) -> None:
        validate.whole(1, hidden=self.hidden)
        validate.one_of(tuple(ACTIVATIONS), activation=self.activation)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Network:
        layers = [
            ("flatten", Flatten()),
            ("fc1", Linear(math.prod(input_shape), self.hidden)),
            ("act1", ACTIVATIONS[self.activation]()),
            ("fc2", Linear(self.hidden, num_classes)),
        ]
        return Network(layers, input_shape, num_classes)
