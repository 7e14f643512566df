"""WRN-16-4 (Zagoruyko and Komodakis 2016, arXiv 1605.07146) with weight standardisation and GroupNorm(16), as in
De et al. 2022 (arXiv 2204.13650); 2,748,890 parameters on CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass

from refdp import validate
from refdp.models import group_counts, models
from refdp.models.layers import (
    ACTIVATIONS,
    GlobalAvgPool2d,
    GroupNorm,
    Linear,
    Residual,
    WsConv2d,
    weight_standardisation,
    windows,
)
from refdp.models.layers.chain import Named
from refdp.models.network import Network


@models.register("wrn-16-4")
@dataclass(frozen=True)
class Wrn16x4:
    """Stem of 16 channels, three stages of two pre-activation blocks with 64, 128, 256; norm, activation, mean
    over positions, linear.

    A block is norm, activation, convolution, norm, activation, convolution. Where it changes the shape, the
    shortcut is a 1x1 convolution of the activated input, else the input itself. ``groups`` is one count, or
    four: where a norm sees the channels of the stem and of the stages.
    """

    activation: str = "relu"
    groups: str = "16"
    standardisation: str = "unbiased"

    def __post_init__(self) -> None:
        validate.one_of(tuple(ACTIVATIONS), activation=self.activation)
        validate.one_of(weight_standardisation.VARIANTS, standardisation=self.standardisation)
        group_counts.parse(self.groups)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Network:
        return self.of_size(input_shape, num_classes, widths=(16, 64, 128, 256), blocks=2)

    def of_size(
        self, input_shape: tuple[int, ...], num_classes: int, widths: tuple[int, ...], blocks: int
    ) -> Network:
        """Any widths (of the stem and the stages) and number of blocks a stage."""
        windows.check_image("wrn-16-4", input_shape, 1)
        groups = group_counts.parse(self.groups)
        activation = ACTIVATIONS[self.activation]()
        layers: list[Named] = [("conv1", self._conv(input_shape[2], widths[0]))]
        seen = 0  # the stage whose channels come in
        for stage in (1, 2, 3):
            for block in range(blocks):
                before, width = widths[seen], widths[stage]
                stride = 2 if stage > 1 and block == 0 else 1
                name = f"layer{stage}.{block}"
                first: list[Named] = [("gn1", GroupNorm(groups[seen], before)), ("act1", activation)]
                rest: list[Named] = [
                    ("conv1", self._conv(before, width, stride=stride)),
                    ("gn2", GroupNorm(groups[stage], width)),
                    ("act2", activation),
                    ("conv2", self._conv(width, width)),
                ]
                if stride > 1 or before != width:
                    shortcut = ("shortcut", self._conv(before, width, kernel=1, stride=stride))
                    layers += [(f"{name}.{key}", layer) for key, layer in first]
                    layers.append((name, Residual(tuple(rest), (shortcut,))))
                else:
                    layers.append((name, Residual((*first, *rest))))
                seen = stage
        layers += [
            ("gn1", GroupNorm(groups[3], widths[3])),
            ("act1", activation),
            ("pool", GlobalAvgPool2d()),
            ("fc", Linear(widths[3], num_classes)),
        ]
        return Network(layers, input_shape, num_classes)

    def _conv(self, before: int, width: int, kernel: int = 3, stride: int = 1) -> WsConv2d:
        return WsConv2d(before, width, kernel, stride, kernel // 2, standardisation=self.standardisation)
