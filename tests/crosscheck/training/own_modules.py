"""Modules as users write them, for describe_torch; imported only where torch is installed."""

import torch
import torch.nn.functional as F
from torch import nn

sequential = nn.Sequential(
    nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.ReLU(inplace=True), nn.Dropout(0.0),
    nn.AvgPool2d(2, 1), nn.Flatten(), nn.Tanh(), nn.Linear(4 * 5 * 4, 6), nn.Identity(), nn.Tanh(), nn.Linear(6, 3),
)  # fmt: skip


class Functional(nn.Module):
    """Functions, methods, sizes asked for, one activation module for several places, padding by name."""

    def __init__(self):
        super().__init__()
        self.conv, self.wide = nn.Conv2d(3, 6, 3, padding="same", bias=False), nn.Conv2d(6, 4, (2, 2), (2, 2))
        self.act, self.out = nn.Tanh(), nn.Linear(4 * 3 * 2, 5)

    def forward(self, x, scale=None):
        x = self.act(self.conv(x)) if scale is None else x
        x = torch.max_pool2d(F.max_pool2d(x, 3, stride=1), (2, 2), 1)
        x = F.relu_(self.wide(x)).contiguous()
        x = F.dropout(x, 0.5, training=False)
        x = x.view(x.size(0), -1).tanh()
        return self.out(self.act(x.reshape(x.shape[0], -1)))


class Own(nn.Module):
    """A standardised convolution written without looking at any other; and a plain one that only counts its calls."""

    class Std(nn.Conv2d):
        def forward(self, x):
            mean = self.weight.mean(dim=(1, 2, 3), keepdim=True)
            std = self.weight.std(dim=(1, 2, 3), keepdim=True, unbiased=True)
            return self._conv_forward(x, (self.weight - mean) / (std + 1e-5), self.bias)

    class Counted(nn.Conv2d):
        def forward(self, x):
            self.calls = getattr(self, "calls", 0) + 1
            return super().forward(x)

    def __init__(self):
        super().__init__()
        self.stem, self.deep = self.Std(3, 4, 3), self.Counted(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.relu(self.deep(self.stem(x).relu())).mean(dim=(-1, -2)))


class Stage(nn.Module):
    """Blocks in blocks: a sum whose one branch holds another, `+=`, torch.add, both branches with layers."""

    class Inner(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.a, self.b, self.norm = (
                nn.Conv2d(width, width, 3, 1, 1),
                nn.Conv2d(width, width, 1),
                nn.GroupNorm(2, width),
            )

        def forward(self, x):
            y = self.norm(self.b(x))
            y += self.a(x).relu()
            return y

    def __init__(self, before, width, stride):
        super().__init__()
        self.down, self.inner = nn.Conv2d(before, width, 2, stride), self.Inner(width)
        self.side = nn.Sequential(nn.AvgPool2d(2, stride), nn.Conv2d(before, width, 1, bias=False))

    def forward(self, x):
        return torch.tanh(torch.add(self.inner(F.relu(self.down(x))), self.side(x)))


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        stages = nn.Sequential(Stage(3, 4, 2), nn.Sequential(Stage(4, 6, 1), nn.ReLU()))
        self.features = nn.ModuleDict(
            {"stages": stages, "last": nn.Sequential(nn.Conv2d(6, 6, 1), nn.Tanh())}
        )
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))

    def forward(self, x):
        x = self.features["stages"](x)
        x = x + self.features["last"](x)
        return self.head(F.relu(self.pool(x)))


class Convolutional(nn.Module):
    """Pooled to one position, then still an image; logits without a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool, self.out = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 3, 1)

    def forward(self, x):
        return self.out(self.pool(self.conv(x)).tanh()).flatten(1)


class VectorBlock(nn.Module):
    """A block on vectors, behind a linear layer that reads a flattened image."""

    def __init__(self):
        super().__init__()
        self.inp, self.out = nn.Linear(3 * 9 * 10, 6), nn.Linear(6, 4)
        self.block = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 6))

    def forward(self, x):
        x = self.inp(torch.flatten(x, start_dim=1))
        return self.out(self.block(x) + x)


def small(inputs=4):
    return nn.Sequential(nn.Linear(inputs, 3))


def needs(inputs):
    return small(inputs)


number = 3
MODULES = {
    "sequential": lambda: sequential,
    "functional": Functional,
    "own": Own,
    "nested": Nested,
    "convolutional": Convolutional,
    "vector-block": VectorBlock,
}
SHAPES = {"sequential": (3, 11, 9), "convolutional": (3, 7, 7), "vector-block": (3, 9, 10)}
