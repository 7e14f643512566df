"""refdp's five models as one would write them in PyTorch; needs torch and nothing of refdp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WsConv(nn.Conv2d):
    """Weight-standardised convolution: unbiased std + 1e-5, or De et al.'s scaled one with a gain."""

    def __init__(self, *args: Any, standardisation: str = "unbiased", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, bias=False)
        if standardisation == "scaled":
            self.gain = nn.Parameter(torch.ones(self.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.flatten(1)
        if hasattr(self, "gain"):
            number = flat.shape[1]
            scale = torch.rsqrt(torch.clamp(flat.var(1, correction=0, keepdim=True) * number, min=1e-4))
            flat = (flat - flat.mean(1, keepdim=True)) * scale * self.gain[:, None]
        else:
            flat = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + 1e-5)
        return F.conv2d(x, flat.view_as(self.weight), None, self.stride, self.padding)


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, before: int, width: int, stride: int, groups: int, standardisation: str) -> None:
        super().__init__()
        kind: dict[str, Any] = {"standardisation": standardisation}
        self.conv1, self.gn1 = WsConv(before, width, 3, stride, 1, **kind), nn.GroupNorm(groups, width)
        self.conv2, self.gn2 = WsConv(width, width, 3, 1, 1, **kind), nn.GroupNorm(groups, width)
        self.shortcut = nn.Sequential()
        if stride > 1 or before != width:
            self.shortcut = nn.Sequential(
                WsConv(before, width, 1, stride, 0, **kind), nn.GroupNorm(groups, width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.gn2(self.conv2(F.relu(self.gn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class PreActivationBlock(nn.Module):
    """The block of wide residual networks."""

    def __init__(
        self, before: int, width: int, stride: int, groups: int, groups_before: int, standardisation: str
    ) -> None:
        super().__init__()
        kind: dict[str, Any] = {"standardisation": standardisation}
        self.gn1, self.conv1 = (
            nn.GroupNorm(groups_before, before),
            WsConv(before, width, 3, stride, 1, **kind),
        )
        self.gn2, self.conv2 = nn.GroupNorm(groups, width), WsConv(width, width, 3, 1, 1, **kind)
        self.shortcut = WsConv(before, width, 1, stride, 0, **kind) if before != width else None

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.gn1(x))
        other = x if self.shortcut is None else self.shortcut(h)
        return self.conv2(F.relu(self.gn2(self.conv1(h)))) + other


class ResNet(nn.Module):
    """ResNet-20 with group norm and weight standardisation."""

    def __init__(self, channels: int, classes: int, standardisation: str = "unbiased") -> None:
        super().__init__()
        widths, blocks, groups = (16, 16, 32, 64), 3, (4, 4, 8, 16)
        self.conv1 = WsConv(channels, widths[0], 3, 1, 1, standardisation=standardisation)
        self.gn1 = nn.GroupNorm(groups[0], widths[0])
        for s in (1, 2, 3):
            stage = [
                Block(widths[s - 1] if b == 0 else widths[s], widths[s], 2 if s > 1 and b == 0 else 1,
                      groups[s], standardisation)
                for b in range(blocks)
            ]  # fmt: skip
            setattr(self, f"layer{s}", nn.Sequential(*stage))
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.gn1(self.conv1(x))))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class WideResNet(nn.Module):
    """WRN-16-4, De et al. 2022 (arXiv 2204.13650)."""

    def __init__(self, channels: int, classes: int, standardisation: str = "unbiased") -> None:
        super().__init__()
        widths, blocks, groups = (16, 64, 128, 256), 2, (16,) * 4
        self.conv1 = WsConv(channels, widths[0], 3, 1, 1, standardisation=standardisation)
        for s in (1, 2, 3):
            stage = [
                PreActivationBlock(widths[s - 1] if b == 0 else widths[s], widths[s],
                                   2 if s > 1 and b == 0 else 1, groups[s],
                                   groups[s - 1] if b == 0 else groups[s], standardisation)
                for b in range(blocks)
            ]  # fmt: skip
            setattr(self, f"layer{s}", nn.Sequential(*stage))
        self.gn1 = nn.GroupNorm(groups[3], widths[3])
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.gn1(self.layer3(self.layer2(self.layer1(self.conv1(x))))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Cifar10Net(nn.Module):
    """Four convolutions with group norm, a mean over positions and one linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        widths = (channels, 32, 64, 64, 128)
        for n in range(1, 5):
            setattr(self, f"conv{n}", nn.Conv2d(widths[n - 1], widths[n], 3, padding=1))
            setattr(self, f"gn{n}", nn.GroupNorm(8, widths[n]))
        self.fc = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        for n in range(1, 5):
            x = F.relu(getattr(self, f"gn{n}")(getattr(self, f"conv{n}")(x)))
            x = F.avg_pool2d(x, 2) if n < 4 else x
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class MnistNet(nn.Module):
    """Two convolutions and two linear layers, 26,010 parameters."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 8, 2, 3), nn.Conv2d(16, 32, 4, 2)
        self.fc1, self.fc2 = nn.Linear(512, 32), nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2, 1)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2, 1)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Mlp(nn.Module):
    """One hidden layer of 64."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inputs, 64), nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x)))


MODELS: dict[str, tuple[Callable[..., nn.Module], tuple[int, ...], int, dict[str, Any]]] = {
    "mlp": (Mlp, (10,), 5, {}),
    "mnistnet": (MnistNet, (28, 28, 1), 10, {}),
    "cifar10net": (Cifar10Net, (32, 32, 3), 10, {}),
    "resnet20": (ResNet, (32, 32, 3), 10, {}),
    "resnet20:standardisation=scaled": (ResNet, (32, 32, 3), 10, {"standardisation": "scaled"}),
    "wrn-16-4": (WideResNet, (32, 32, 3), 10, {}),
    "wrn-16-4:standardisation=scaled": (WideResNet, (32, 32, 3), 10, {"standardisation": "scaled"}),
}
"""Specification -> (class, shape of one sample channels-last, classes, options)."""


def per_sample_gradients(model: nn.Module, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """By torch.func: {name: [B, *shape]}; x is channels-first."""
    params = {name: values.detach() for name, values in model.named_parameters()}

    def loss(params: dict[str, Tensor], one: Tensor, label: Tensor) -> Tensor:
        logits = torch.func.functional_call(model, params, (one[None],))
        return F.cross_entropy(logits, label[None])

    return torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(params, x, labels)
