"""ResNet-20 (He et al. 2016, arXiv 1512.03385) with weight standardisation and GroupNorm in the place of batch
normalisation; 272,474 parameters on CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass

from refdp import validate
from refdp.models import group_counts, models
from refdp.models.layers import (
    ACTIVATIONS,
    GlobalAvgPool2d,
    GroupNorm,
    Layer,
    Linear,
    Residual,
    WsConv2d,
    weight_standardisation,
    windows,
)
from refdp.models.layers.chain import Named
from refdp.models.network import Network


@models.register("resnet20")
@dataclass(frozen=True)
class ResNet20:
    """Stem of 16 channels, three stages of three basic blocks with 16, 32, 64, mean over positions, linear.

    ``groups`` are those of the stem and the stages; ``standardisation`` is unbiased or scaled.
    """

    activation: str = "relu"
    groups: str = "4/4/8/16"
    standardisation: str = "unbiased"

    def __post_init__(self) -> None:
        validate.one_of(tuple(ACTIVATIONS), activation=self.activation)
        validate.one_of(weight_standardisation.VARIANTS, standardisation=self.standardisation)
        group_counts.parse(self.groups)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Network:
        return self.of_size(input_shape, num_classes, widths=(16, 16, 32, 64), blocks=3)

    def of_size(
        self, input_shape: tuple[int, ...], num_classes: int, widths: tuple[int, ...], blocks: int
    ) -> Network:
        """Any widths (of the stem and the stages) and number of blocks a stage."""
        windows.check_image("resnet20", input_shape, 1)
        groups = group_counts.parse(self.groups)
        activation = ACTIVATIONS[self.activation]()
        layers: list[Named] = [
            ("conv1", self._conv(input_shape[2], widths[0])),
            ("gn1", GroupNorm(groups[0], widths[0])),
            ("act1", activation),
        ]
        before = widths[0]
        for stage in (1, 2, 3):
            for block in range(blocks):
                stride = 2 if stage > 1 and block == 0 else 1
                name = f"layer{stage}.{block}"
                layers += [
                    (name, self._block(before, widths[stage], stride, groups[stage], activation)),
                    (f"{name}.act2", activation),
                ]
                before = widths[stage]
        layers += [("pool", GlobalAvgPool2d()), ("fc", Linear(before, num_classes))]
        return Network(layers, input_shape, num_classes)

    def _block(self, before: int, width: int, stride: int, groups: int, activation: Layer) -> Residual:
        """The two chains of a basic block; the activation after their sum is the network's."""
        shortcut: tuple[Named, ...] = ()
        if stride > 1 or before != width:
            shortcut = (
                ("shortcut.0", self._conv(before, width, kernel=1, stride=stride)),
                ("shortcut.1", GroupNorm(groups, width)),
            )
        main = (
            ("conv1", self._conv(before, width, stride=stride)),
            ("gn1", GroupNorm(groups, width)),
            ("act1", activation),
            ("conv2", self._conv(width, width)),
            ("gn2", GroupNorm(groups, width)),
        )
        return Residual(main, shortcut)

    def _conv(self, before: int, width: int, kernel: int = 3, stride: int = 1) -> WsConv2d:
        return WsConv2d(before, width, kernel, stride, kernel // 2, standardisation=self.standardisation)
