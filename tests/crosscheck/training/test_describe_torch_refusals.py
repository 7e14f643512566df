"""What describe_torch refuses: each by its place and with what to use instead. Skipped without torch."""

import runpy
from pathlib import Path

import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: modules of a user's own are described where it is"
)

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import refdp.crosscheck  # noqa: E402

FILE = Path(refdp.crosscheck.__file__).parent / "training" / "peers" / "describe_torch.py"
describe = runpy.run_path(str(FILE))["describe"]
IMAGE = (4, 6, 6)


class Made(nn.Module):
    """Layers by keyword, and a forward pass as a function of the module and x."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.passed = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.passed(self, x)


def head(features=4):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 3)]


def images(*layers, features=4):
    return nn.Sequential(*layers, *head(features))


def conv(**options):
    return nn.Conv2d(4, 4, 3, padding=options.pop("padding", 1), **options)


def made(forward, **layers):
    """x -> forward -> pooled -> logits."""
    return Made(lambda m, x: m.head(forward(m, x)), **layers, head=nn.Sequential(*head()))


class Gained(nn.Conv2d):
    """Standardised with another constant than refdp's."""

    def forward(self, x):
        flat = self.weight.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + 1.0001e-5)
        return F.conv2d(x, flat.view_as(self.weight), self.bias, self.stride, self.padding)


class Biased(nn.Conv2d):
    """Its standard deviation divides by N."""

    def forward(self, x):
        flat = self.weight.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True, correction=0) + 1e-5)
        return F.conv2d(x, flat.view_as(self.weight), self.bias, self.stride, self.padding)


class Unclamped(nn.Conv2d):
    """De et al.'s without the bound below."""

    def __init__(self):
        super().__init__(4, 4, 3, padding=1)
        self.gain = nn.Parameter(torch.ones(4))

    def forward(self, x):
        flat = self.weight.flatten(1)
        flat = flat - flat.mean(1, keepdim=True)
        flat = flat / flat.norm(dim=1, keepdim=True) * self.gain[:, None]
        return F.conv2d(x, flat.view_as(self.weight), self.bias, self.stride, self.padding)


class Scaled(nn.Linear):
    def forward(self, x):
        return F.linear(x, self.weight * 2, self.bias)


def tied():
    module = images(conv(), nn.ReLU(), conv())
    module[2].weight = module[0].weight
    return module


def frozen():
    module = images(conv(), nn.ReLU())
    module[0].weight.requires_grad_(False)
    return module


def hooked():
    module = images(conv())
    module[0].register_forward_hook(lambda module, given, result: 2 * result)
    return module


def normed():
    return images(torch.nn.utils.parametrizations.weight_norm(conv()))


def buffered():
    module = images(conv())
    module.register_buffer("mean", torch.zeros(3))
    return module


def crossed(m, x):
    h = m.a(x)
    return m.b(h + x) + h


REFUSED = {
    "batch norm": (images(nn.BatchNorm2d(4)), r"^0: BatchNorm2d: .*every record's gradient depend.*GroupNorm"),
    "functional batch norm": (made(lambda m, x: F.batch_norm(x, None, None, training=True)), "batch_norm.*GroupNorm"),
    "layer norm": (images(nn.LayerNorm(IMAGE)), r"^0: LayerNorm: .*GroupNorm\(1, channels\)"),
    "instance norm": (images(nn.InstanceNorm2d(4)), r"GroupNorm\(channels, channels\)"),
    "embedding": (nn.Sequential(nn.Embedding(9, 3)), r"^0: Embedding: refdp has no such layer; use Linear"),
    "lstm": (made(lambda m, x: m.cell(x)[0], cell=nn.LSTM(6, 3)), r"^cell: LSTM: refdp has no such layer"),
    "attention": (made(lambda m, x: m.a(x, x, x)[0], a=nn.MultiheadAttention(4, 2)), "^a: MultiheadAttention"),
    "dropout": (images(nn.Dropout(0.1)), r"^0: dropout in training.*call eval\(\) first"),
    "functional dropout": (made(lambda m, x: F.dropout(x, 0.1)), r"^forward, dropout: dropout in training"),
    "softmax": (nn.Sequential(nn.Flatten(), nn.Linear(144, 3), nn.Softmax(1)), "^2: Softmax: .*takes logits"),
    "log_softmax": (made(lambda m, x: F.log_softmax(x, 1)), "forward, log_softmax: .*takes logits"),
    "gelu": (images(nn.GELU()), r"^0: GELU: refdp has no such layer; use Linear, .*ReLU, Tanh"),
    "oblong kernel": (images(nn.Conv2d(4, 4, (3, 1))), r"^0: kernel_size = \(3, 1\): .*equal"),
    "oblong stride": (images(conv(stride=(1, 2))), r"^0: stride = \(1, 2\)"),
    "oblong padding": (images(conv(padding=(1, 0))), r"^0: padding = \(1, 0\)"),
    "even same": (images(nn.Conv2d(4, 4, 2, padding="same")), r"^0: Conv2d with padding 'same' and an even kernel"),
    "groups": (images(conv(groups=2)), r"^0: Conv2d with groups = 2"),
    "dilation": (images(conv(dilation=2)), r"^0: Conv2d with dilation = \(2, 2\)"),
    "reflected padding": (images(conv(padding_mode="reflect")), r"padding_mode = 'reflect'"),
    "linear without bias": (nn.Sequential(nn.Flatten(), nn.Linear(144, 3, bias=False)), r"^1: Linear without bias"),
    "eps": (images(nn.GroupNorm(2, 4, eps=1e-6)), r"^0: GroupNorm with eps = 1e-06"),
    "affine": (images(nn.GroupNorm(2, 4, affine=False)), "affine = False"),
    "norm on vectors": (nn.Sequential(nn.Flatten(), nn.GroupNorm(2, 144)), r"^1: gets \(144,\) a sample.*images"),
    "linear on images": (nn.Sequential(nn.Linear(6, 3)), r"^0: gets \(4, 6, 6\) a sample.*vectors"),
    "padded pool": (images(nn.MaxPool2d(2, padding=1)), r"^0: max_pool2d with padding = 1"),
    "ceil pool": (images(nn.AvgPool2d(2, ceil_mode=True)), "^0: avg_pool2d with .*ceil_mode = True"),
    "dilated pool": (images(nn.MaxPool2d(2, dilation=2)), "^0: max pooling with dilation"),
    "indices": (images(nn.MaxPool2d(2, return_indices=True)), "return_indices"),
    "divisor": (images(nn.AvgPool2d(2, divisor_override=3)), "divisor_override"),
    "adaptive": (images(nn.AdaptiveAvgPool2d(2)), r"^0: adaptive average pooling to 2: .*AvgPool2d"),
    "mean of channels": (made(lambda m, x: x.mean(1)), r"^forward, mean: a mean over dim = 1"),
    "used twice": (made(lambda m, x: m.a(m.a(x)), a=conv()), r"^a: is used twice; .*a layer of its own"),
    "tied": (tied(), r"^2.weight: is the same as 0.weight"),
    "frozen": (frozen(), r"^0.weight: is frozen"),
    "hook": (hooked(), r"^0: has hooks"),
    "weight norm": (normed(), r"^0.parametrizations.weight.original0: is no weight of a layer"),
    "buffer": (buffered(), r"^mean: is a buffer"),
    "unused": (made(lambda m, x: m.a(x), a=conv(), b=conv()), r"^b.weight: .*output depends on"),
    "bare parameter": (made(lambda m, x: x + m.p, p=nn.Parameter(torch.zeros(1))), r"^p: is used outside a layer"),
    "own linear": (nn.Sequential(nn.Flatten(), Scaled(144, 3)), r"^1.weight: is used outside a layer"),
    "own convolution": (images(Gained(4, 4, 3, padding=1)), r"^0: Gained computes neither .*ws_conv2d"),
    "biased deviation": (images(Biased(4, 4, 3, padding=1)), r"^0: Biased computes neither"),
    "no bound below": (images(Unclamped()), r"^0: Unclamped computes neither"),
    "constant": (made(lambda m, x: x + torch.ones(4, 6, 6)), r"makes a tensor|used outside a layer"),
    "factor": (made(lambda m, x: 2 * x), r"^forward, mul: mul: .*multiplies"),
    "gate": (made(lambda m, x: x * m.a(x), a=conv()), r"^forward, mul: mul: .*multiplies"),
    "concatenation": (made(lambda m, x: torch.cat([x, x], 1)), r"^forward, cat: cat: .*by adding"),
    "number added": (made(lambda m, x: x + 1), r"^forward, add: only a sum of two branches"),
    "alpha": (made(lambda m, x: torch.add(m.a(x), x, alpha=2), a=conv()), r"^forward, add: only a sum"),
    "broadcast": (made(lambda m, x: x + m.a(x), a=nn.AdaptiveAvgPool2d(1)), r"^forward, add: only a sum"),
    "itself": (made(lambda m, x: x + x), r"^forward, add: adds a value to itself"),
    "crossing": (made(crossed, a=conv(), b=conv()), r"^a: is read by two sums"),
    "no module to itself": (made(lambda m, x: m.a(x) + x, a=conv()), r"^forward, add: adds .* a, .*Sequential"),
    "flatten within": (
        Made(lambda m, x: m.b.a(x.flatten(1)) + m.b.c(x.flatten(1)),
             b=nn.ModuleDict({"a": nn.Linear(144, 3), "c": nn.Linear(144, 3)})),
        r"^forward, flatten: flattens within a residual block",
    ),
    "block on a flattened image": (
        Made(lambda m, x: (lambda h: m.o(m.b(h) + h))(x.flatten(1)),
             b=nn.Sequential(nn.Linear(144, 144)), o=nn.Linear(144, 3)),
        r"^forward, add: adds to a flattened image",
    ),
    "in place": (made(lambda m, x: (lambda h: m.b(F.relu_(h)) + h)(m.a(x)), a=conv(), b=nn.Sequential(conv())),
                 r"^forward, relu_: changes in place what forward, add reads"),
    "in place, thrown away": (made(lambda m, x: (F.relu_(x), x)[1]), r"^forward, relu_: changes in place what head.0"),
    "depends on data": (made(lambda m, x: x if x.sum() > 0 else -x), r"^forward cannot be traced"),
    "transposed": (made(lambda m, x: x.transpose(2, 3)), r"^forward, transpose"),
    "unflattened": (made(lambda m, x: x.view(-1, 8, 6, 3)), r"^forward, view: makes \(3, 8, 6, 3\)"),
    "batch of one size": (made(lambda m, x: x.view(3, 4, 36)), r"^forward, view: makes"),
    "samples joined": (made(lambda m, x: x.reshape(-1, 72)), r"^forward, reshape: makes \(6, 72\)"),
    "shapes": (images(nn.Conv2d(5, 4, 3)), r"^0: does not take samples of \(4, 6, 6\)"),
    "image as output": (nn.Sequential(conv()), r"^the output has shape \(4, 6, 6\)"),
    "flattened output": (nn.Sequential(conv(), nn.Flatten()), r"^the output has shape \(144,\)"),
    "activated output": (nn.Sequential(conv(), nn.Flatten(), nn.ReLU()), r"^the output has shape \(144,\)"),
    "one logit": (nn.Sequential(nn.Flatten(), nn.Linear(144, 1)), r"two classes or more"),
    "two outputs": (Made(lambda m, x: (x, x)), r"forward returns"),
    "one layer": (nn.Conv2d(4, 4, 3), r"^the module is one layer.*nn.Sequential"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_place(name):
    module, match = REFUSED[name]
    with pytest.raises(NotImplementedError, match=match) as caught:
        describe(module, (3,) if name == "embedding" else IMAGE)
    assert "\n" not in str(caught.value)


def test_nothing_but_the_fault_is_in_the_way():
    """What is refused above, with the one fault put right."""
    block = {"b": nn.ModuleDict({"a": conv(), "c": conv()})}
    for forward, layers in (
        (lambda m, x: m.b.c(F.relu_(m.b.a(x))) + x, block),
        (lambda m, x: m.b(x) + x, {"b": nn.Sequential(conv())}),
        (lambda m, x: F.dropout(x, 0.1, training=False).relu(), {}),
        (lambda m, x: torch.add(m.b(x), x), {"b": nn.Sequential(conv())}),
    ):
        assert describe(made(forward, **layers), IMAGE)["num_classes"] == 3
    assert describe(images(conv(), nn.Dropout(0.3), nn.ReLU()).eval(), IMAGE)["num_classes"] == 3


@pytest.mark.parametrize("shape", [(), (4, 6), (4, 0, 6), (1, 4, 6, 6)])
def test_the_shape_is_of_one_sample(shape):
    with pytest.raises(NotImplementedError, match="input_shape"):
        describe(images(conv()), shape)


def test_not_square_images_pool_to_vectors_only():
    pool, last = nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 3, 1)
    with pytest.raises(
        NotImplementedError, match="0: pools 6 x 5 to an image of one position; flatten right after"
    ):
        describe(nn.Sequential(pool, last, nn.Flatten()), (4, 6, 5))
    kinds = [layer["kind"] for layer in describe(nn.Sequential(pool, last, nn.Flatten()), IMAGE)["layers"]]
    assert kinds == ["avg_pool2d", "conv2d", "flatten"]
