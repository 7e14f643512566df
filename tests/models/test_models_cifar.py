"""cifar10net, resnet20, wrn-16-4: parameter counts summed by hand, sizes, options, refusals."""

import numpy as np
import pytest

from refdp.errors import RefDPError
from refdp.models import models
from refdp.models.layers import GroupNorm, Residual, WsConv2d

IMAGE = (32, 32, 3)


def conv(kernel, before, after, bias=0):
    return kernel * kernel * before * after + bias * after


def norm(channels):
    return 2 * channels


def linear(inputs, outputs):
    return (inputs + 1) * outputs


def test_cifar10net_has_132_042_parameters():
    convolutions = conv(3, 3, 32, 1) + conv(3, 32, 64, 1) + conv(3, 64, 64, 1) + conv(3, 64, 128, 1)
    assert convolutions == 896 + 18_496 + 36_928 + 73_856
    norms = norm(32) + norm(64) + norm(64) + norm(128)
    assert convolutions + norms + linear(128, 10) == 130_176 + 576 + 1_290 == 132_042
    assert models.create("cifar10net").build(IMAGE, 10).size == 132_042


def test_resnet20_has_272_474_parameters():
    """Published: about 0.27 million (He et al. 2016, table 6)."""
    stem = conv(3, 3, 16) + norm(16)
    stage1 = 3 * (2 * conv(3, 16, 16) + 2 * norm(16))
    stage2 = conv(3, 16, 32) + 5 * conv(3, 32, 32) + 6 * norm(32) + conv(1, 16, 32) + norm(32)
    stage3 = conv(3, 32, 64) + 5 * conv(3, 64, 64) + 6 * norm(64) + conv(1, 32, 64) + norm(64)
    assert (stem, stage1, stage2, stage3) == (464, 14_016, 51_648, 205_696)
    assert stem + stage1 + stage2 + stage3 + linear(64, 10) == 272_474
    assert models.create("resnet20").build(IMAGE, 10).size == 272_474


def test_wrn_16_4_has_2_748_890_parameters():
    """Published: 2.7 million (Zagoruyko and Komodakis 2016; De et al. 2022)."""

    def first(before, width):
        return (
            norm(before)
            + conv(3, before, width)
            + norm(width)
            + conv(3, width, width)
            + conv(1, before, width)
        )

    def second(width):
        return 2 * (norm(width) + conv(3, width, width))

    stages = [first(a, b) + second(b) for a, b in ((16, 64), (64, 128), (128, 256))]
    assert stages == [47_264 + 73_984, 229_760 + 295_424, 918_272 + 1_180_672]
    assert conv(3, 3, 16) + sum(stages) + norm(256) + linear(256, 10) == 2_748_890
    assert models.create("wrn-16-4").build(IMAGE, 10).size == 2_748_890


@pytest.mark.parametrize(
    ("name", "gains"),
    [
        ("resnet20", 16 + 6 * 16 + 7 * 32 + 7 * 64),
        ("wrn-16-4", 16 + 5 * 64 + 5 * 128 + 5 * 256),
    ],
)
def test_scaled_standardisation_adds_a_gain_for_each_filter(name, gains):
    plain, scaled = (
        models.create(f"{name}:standardisation={kind}").build(IMAGE, 10) for kind in ("unbiased", "scaled")
    )
    assert scaled.size == plain.size + gains
    theta = scaled.initialise(np.random.default_rng(0))
    assert (theta[scaled.parameters["layer1.0.conv1.gain"].where] == 1).all()


def shapes(network):
    found, shape = {}, network.input_shape
    for name, layer in network.layers:
        shape = found[name] = layer.output_shape(shape)
    return found


def test_sizes_after_the_stages():
    found = shapes(models.create("cifar10net").build(IMAGE, 10))
    assert [found[f"gn{i}"] for i in (1, 2, 3, 4)] == [(32, 32, 32), (16, 16, 64), (8, 8, 64), (4, 4, 128)]
    assert found["pool4"] == (128,)
    found = shapes(models.create("resnet20").build(IMAGE, 10))
    assert [found[f"layer{i}.2.act2"] for i in (1, 2, 3)] == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert found["pool"] == (64,)
    found = shapes(models.create("wrn-16-4").build(IMAGE, 10))
    assert [found[f"layer{i}.1"] for i in (1, 2, 3)] == [(32, 32, 64), (16, 16, 128), (8, 8, 256)]
    assert found["pool"] == (256,)


def test_parameter_names():
    resnet, wrn = (list(models.create(name).build(IMAGE, 10).parameters) for name in ("resnet20", "wrn-16-4"))
    assert resnet[:4] == ["conv1.weight", "gn1.weight", "gn1.bias", "layer1.0.conv1.weight"]
    assert [name for name in resnet if "shortcut" in name] == [
        f"layer{i}.0.shortcut.{key}" for i in (2, 3) for key in ("0.weight", "1.weight", "1.bias")
    ]
    assert [name for name in wrn if "shortcut" in name] == [f"layer{i}.0.shortcut.weight" for i in (1, 2, 3)]
    assert [name for name in wrn if name.startswith("layer2.0.")] == [
        f"layer2.0.{key}"
        for key in ("gn1.weight", "gn1.bias", "conv1.weight", "gn2.weight", "gn2.bias", "conv2.weight",
                    "shortcut.weight")
    ]  # fmt: skip
    assert wrn[-4:] == ["gn1.weight", "gn1.bias", "fc.weight", "fc.bias"]
    assert not [name for name in resnet + wrn if "conv" in name and name.endswith("bias")]


def norms_of(network):
    """(channels, groups) of every group normalisation, in order."""

    def walk(layers):
        for _, layer in layers:
            if isinstance(layer, GroupNorm):
                yield layer.channels, layer.groups
            elif isinstance(layer, Residual):
                yield from walk(layer.main)
                yield from walk(layer.shortcut)

    return list(walk(network.layers))


def test_groups():
    found = norms_of(models.create("resnet20").build(IMAGE, 10))
    assert found == [(16, 4)] * 7 + [(32, 8)] * 7 + [(64, 16)] * 7
    found = norms_of(models.create("wrn-16-4").build(IMAGE, 10))
    assert [channels for channels, _ in found] == [16, 64, 64, 64, 64, 128, 128, 128, 128, 256, 256, 256, 256]
    assert {groups for _, groups in found} == {16}
    found = norms_of(models.create("wrn-16-4:groups=4/4/8/16").build(IMAGE, 10))  # s4's
    assert set(found) == {(16, 4), (64, 4), (128, 8), (256, 16)}
    assert norms_of(models.create("resnet20", groups=2).build(IMAGE, 10)) == [
        (channels, 2) for channels in [16] * 7 + [32] * 7 + [64] * 7
    ]
    found = norms_of(models.create("cifar10net:groups=4").build(IMAGE, 10))
    assert found == [(32, 4), (64, 4), (64, 4), (128, 4)]


def test_only_blocks_that_change_the_shape_have_a_shortcut():
    for name, wanted in (
        ("resnet20", ["layer2.0", "layer3.0"]),
        ("wrn-16-4", ["layer1.0", "layer2.0", "layer3.0"]),
    ):
        network = models.create(name).build(IMAGE, 10)
        blocks = [(key, layer) for key, layer in network.layers if isinstance(layer, Residual)]
        assert len(blocks) == {"resnet20": 9, "wrn-16-4": 6}[name]
        assert [key for key, layer in blocks if layer.shortcut] == wanted
        for _, layer in blocks:
            for _, inner in layer.shortcut:
                assert not isinstance(inner, WsConv2d) or inner.kernel == 1


@pytest.mark.parametrize("name", ["cifar10net", "resnet20", "wrn-16-4"])
@pytest.mark.parametrize("shape", [(8, 8, 3), (28, 28, 1), (9, 11, 2)])
def test_other_images(name, shape):
    network = models.create(f"{name}:activation=tanh").build(shape, 4)
    theta = network.initialise(np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((1, *shape)).astype(np.float32)
    assert np.isfinite(network.logits(np, theta, x)).all()


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: models.create("cifar10net").build((10,), 5), "cifar10net takes images"),
        (lambda: models.create("cifar10net").build((7, 9, 3), 5), "cifar10net needs height and width"),
        (lambda: models.create("resnet20").build((10,), 5), "resnet20 takes images"),
        (lambda: models.create("wrn-16-4").build((32, 32), 5), "wrn-16-4 takes images"),
        (lambda: models.create("wrn-16-4").build((1, 1, 3), 5), "single values"),
        (lambda: models.create("resnet20:activation=gelu"), "must be one of relu, tanh"),
        (lambda: models.create("wrn-16-4:activation=gelu"), "must be one of relu, tanh"),
        (lambda: models.create("cifar10net:activation=gelu"), "must be one of relu, tanh"),
        (lambda: models.create("cifar10net:groups=3").build(IMAGE, 10), "groups = 3: must divide the 32 channels"),
        (lambda: models.create("cifar10net:groups=0"), "groups = 0"),
        (lambda: models.create("resnet20:groups=3").build(IMAGE, 10), "groups = 3: must divide the 16 channels"),
        (lambda: models.create("resnet20:groups=4/4"), "groups = '4/4': must be one count, or four as in 4/4/8/16"),
        (lambda: models.create("wrn-16-4:groups=x"), "groups = 'x': must be one count"),
        (lambda: models.create("wrn-16-4:groups=0"), "groups = '0'"),
        (lambda: models.create("wrn-16-4:groups=-4"), "groups = '-4'"),
        (lambda: models.create("resnet20:standardisation=biased"), "must be one of unbiased, scaled"),
        (lambda: models.create("wrn-16-4:standardisation=no"), "must be one of unbiased, scaled"),
    ],
)  # fmt: skip
def test_refusals(build, text):
    with pytest.raises(RefDPError, match=text):
        build()
