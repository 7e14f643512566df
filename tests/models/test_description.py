"""Networks as documents: there and back to the bit, and every other document refused by name."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mode_checks import networks, problem, rows_of

from refdp.errors import RefDPError
from refdp.models import Network, description, models
from refdp.models.layers import AvgPool2d, Conv2d, GlobalAvgPool2d, Layer, Linear, Relu, Residual, Tanh
from refdp.models.layers import __all__ as layer_names

MODELS = {
    "mlp": ((10,), 5),
    "mlp:hidden=3,activation=tanh": ((4, 5, 2), 3),
    "mnistnet": ((28, 28, 1), 10),
    "cifar10net": ((32, 32, 3), 10),
    "resnet20": ((32, 32, 3), 10),
    "resnet20:standardisation=scaled": ((16, 16, 1), 7),
    "wrn-16-4": ((32, 32, 3), 10),
    "wrn-16-4:standardisation=scaled": ((8, 8, 3), 2),
}
SMALL: dict[str, Any] = {
    "input_shape": [4, 4, 2],
    "num_classes": 3,
    "layers": [
        {"name": "conv", "kind": "conv2d", "in_channels": 2, "out_channels": 4, "kernel": 3, "bias": False},
        {
            "name": "block",
            "kind": "residual",
            "main": [
                {"name": "gn", "kind": "group_norm", "groups": 2, "channels": 4},
                {"name": "act", "kind": "relu"},
            ],
        },
        {"name": "pool", "kind": "max_pool2d", "size": 2, "stride": 1},
        {"name": "flat", "kind": "flatten"},
        {"name": "fc", "kind": "linear", "in_features": 4, "out_features": 3},
    ],
}


def check_round_trip(network: Network) -> None:
    document = json.loads(json.dumps(description.describe(network)))
    again = description.build(document)
    assert list(again.parameters.items()) == list(network.parameters.items())
    assert again.layers == network.layers
    assert description.describe(again) == document
    theta, x, labels = problem(network, 2, np.float32, 0)
    assert np.array_equal(again.logits(np, theta, x), network.logits(np, theta, x))
    assert np.array_equal(rows_of(again, theta, x, labels), rows_of(network, theta, x, labels))


@settings(max_examples=60, deadline=None)
@given(networks())
def test_random_networks_come_back(network: Network) -> None:
    check_round_trip(network)


@pytest.mark.parametrize("spec", MODELS)
def test_registered_models_come_back(spec: str) -> None:
    check_round_trip(models.create(spec).build(*MODELS[spec]))


def test_every_registered_model_is_tried() -> None:
    assert {spec.partition(":")[0] for spec in MODELS} == set(models.names())


def test_blocks_within_blocks_come_back() -> None:
    inner = Residual((("conv", Conv2d(2, 2, 3, padding=1)),), (("down", Conv2d(2, 2, 1, bias=False)),))
    block = Residual((("inner", inner), ("act", Relu())), (("tanh", Tanh()),))
    pool = ("pool", GlobalAvgPool2d())
    check_round_trip(Network([("a.block", block), pool, ("fc", Linear(2, 3))], (5, 4, 2), 3))
    check_round_trip(
        Network(
            [("pool", AvgPool2d(2, 1)), ("block", block), ("end", pool[1]), ("fc", Linear(2, 3))],
            (5, 4, 2),
            3,
        )
    )


def test_every_layer_has_a_kind() -> None:
    """``networks`` and the models hold each of them, so a new layer is described without another list."""
    assert len(description.KINDS) == len(set(layer_names) - {"ACTIVATIONS", "Layer"})
    assert {"conv2d", "ws_conv2d", "global_avg_pool2d", "batch_norm"} <= set(description.KINDS)


def test_what_has_a_default_may_be_left_out() -> None:
    network = description.build(SMALL)
    assert network.layers[0][1] == Conv2d(2, 4, 3, bias=False)
    assert list(network.parameters)[1:3] == ["block.gn.weight", "block.gn.bias"]


def test_the_example_on_the_page() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "own-models.md"
    (block,) = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    network = description.build(json.loads(block))
    assert list(network.parameters)[2] == "block.conv.weight"
    check_round_trip(network)


def test_numpy_numbers_become_plain_ones() -> None:
    layer = Linear(np.int64(2), np.int32(3))  # type: ignore[arg-type]
    network = Network([("fc", layer)], (np.int64(2),), np.int64(3))  # type: ignore[arg-type]
    check_round_trip(network)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """SMALL with one value replaced; ``...`` takes it out."""
    document = copy.deepcopy(SMALL)
    at: Any = document
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


NESTED: dict[str, Any] = {"name": "r", "kind": "residual", "main": [{"name": "a", "kind": "relu"}]}
for _ in range(description.MOST_NESTED):
    NESTED = {"name": "r", "kind": "residual", "main": [NESTED]}
NAN = float("nan")
REFUSED = [
    (("layers",), ..., r"description: layers missing"),
    (("layers",), "conv", r"layers = 'conv': must be a list"),
    (("layers",), [], r"num_classes"),
    (("layers", 0), 3, r"layers\[0\] = 3: must be an object"),
    (("seed",), 1, r"'seed' unknown; it has input_shape, num_classes, layers"),
    (("input_shape",), [], r"input_shape = \[\]"),
    (("input_shape",), [4, 4, 0], r"input_shape = \[4, 4, 0\]"),
    (("input_shape",), [4, 4, NAN], r"input_shape = nan: must be a whole number"),
    (("input_shape",), [4, 4, True], r"input_shape = True"),
    (("input_shape",), 10, r"input_shape = 10: must be a list"),
    (("num_classes",), 1, r"num_classes = 1"),
    (("num_classes",), "3", r"num_classes = '3'"),
    (("num_classes",), 4, r"num_classes = 4: the layers give \(3,\)"),
    (("num_classes",), 10**5000, r"num_classes: must be at most"),
    (("layers", 0, "kind"), "lstm", r"layers\[0\] 'conv': kind = 'lstm': must be one of .*ws_conv2d"),
    (("layers", 0, "kind"), ["relu"], r"kind = \['relu'\]"),
    (("layers", 0, "kind"), "batch_norm", r"layers\[0\] 'conv': batch_norm: .*group_norm"),
    (("layers", 0, "kind"), ..., r"layers\[0\]: kind missing"),
    (("layers", 0, "name"), ..., r"layers\[0\]: name missing"),
    (("layers", 0, "kernel"), ..., r"layers\[0\] 'conv': conv2d: kernel missing"),
    (("layers", 0, "dilation"), 2, r"conv2d: 'dilation' unknown; it has in_channels"),
    (("layers", 0, "plain"), None, r"'plain' unknown"),
    (("layers", 0, "kernel"), 3.0, r"'conv': kernel = 3.0: must be a whole number"),
    (("layers", 0, "kernel"), NAN, r"'conv': kernel = nan: must be a whole number"),
    (("layers", 0, "kernel"), 0, r"'conv': kernel = 0: must be a whole number >= 1"),
    (("layers", 0, "kernel"), 9, r"layers\[0\] 'conv': input_shape = \(4, 4, 2\)"),
    (("layers", 0, "bias"), 0, r"'conv': bias = 0: must be true or false"),
    (("layers", 0, 5), 0, r"5 unknown"),
    (("layers", 1, "main"), {}, r"layers\[1\] 'block': main = \{\}: must be a list"),
    (("layers", 1, "main"), [], r"layers\[1\] 'block': main = \(\)"),
    (("layers", 1, "main", 0, "groups"), 3, r"layers\[1\] 'block': main\[0\] 'gn': groups = 3"),
    (
        ("layers", 1, "main", 0, "kind"),
        "flatten",
        r"main\[0\] 'gn': flatten: .*unknown; it has no parameters",
    ),
    (("layers", 1, "shortcut"), [{"name": "gn", "kind": "relu"}], r"'gn' names two layers"),
    (("layers", 1, "shortcut"), [{"name": "gn.a", "kind": "relu"}], r"begins with 'gn' and a dot"),
    (("layers", 1), NESTED, r"more than 8 residual blocks inside each other"),
    (("layers", 4, "name"), "conv", r"layers: 'conv' names two layers"),
    (("layers", 4, "name"), "block.gn", r"names two layers"),
    *(
        (("layers", 4, "name"), name, r"layers\[4\]: name = .*must be a text such as conv1")
        for name in ("", ".", "fc.", ".fc", "a..b", "a\n", 3, None, ["fc"])
    ),
    (("layers", 4, "in_features"), 5, r"layers\[4\] 'fc': input_shape = \(4,\)"),
]


@pytest.mark.parametrize(("path", "value", "match"), REFUSED, ids=range(len(REFUSED)))
def test_a_malformed_document_is_refused_by_place(path: tuple[Any, ...], value: Any, match: str) -> None:
    assert description.build(SMALL).size
    with pytest.raises(RefDPError, match=match) as caught:
        description.build(changed(path, value))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_document_is_an_object() -> None:
    for document in ([], None, "mlp", 3):
        with pytest.raises(RefDPError, match=r"description = .*must be an object"):
            description.build(document)  # type: ignore[arg-type]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, of in inner for found in places(of, (*path, key))]


SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.integers() | st.floats() | st.text(max_size=4)
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(sorted(description.KINDS)),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.sampled_from(("name", "kind", "main", "x")), of),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(SMALL)), ANYTHING | st.just(...))
def test_whatever_stands_in_a_document_is_taken_or_refused(path: tuple[Any, ...], value: Any) -> None:
    try:
        network = description.build(changed(path, value))
    except RefDPError:
        return
    assume(network.size < 10**6)
    assert description.build(description.describe(network)).layers == network.layers


class Own(Relu):
    """A layer of somebody's own."""


def test_what_a_document_cannot_hold_is_refused() -> None:
    last = ("fc", Linear(2, 3))
    deep: Layer = Relu()
    for _ in range(description.MOST_NESTED + 1):
        deep = Residual((("r", deep),))
    for name, layer, match in (
        ("act", Own(), r"layers\[0\] 'act': is a Own"),
        ("a..b", Relu(), r"layers\[0\]: name = 'a\.\.b'"),
        ("fc", Relu(), "'fc' names two layers"),
        ("deep", deep, "more than 8 residual blocks"),
    ):
        with pytest.raises(RefDPError, match=match):
            description.describe(Network([(name, layer), last], (2,), 3))


@pytest.mark.parametrize("fault", ["shortcut", "field", "order"])
def test_the_round_trip_notices(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: a shortcut lost, a field left at its default, layers in another order."""
    build = description.build

    def broken(document: dict[str, Any]) -> Network:
        document = copy.deepcopy(document)
        blocks = [layer for layer in document["layers"] if layer["kind"] == "residual"]
        if fault == "shortcut":
            blocks[-1]["main"], blocks[-1]["shortcut"] = blocks[-1]["shortcut"], blocks[-1]["main"]
        elif fault == "field":
            del blocks[-1]["main"][0]["standardisation"]
        else:
            document["layers"][1], document["layers"][2] = document["layers"][2], document["layers"][1]
        return build(document)

    network = models.create("wrn-16-4:standardisation=scaled").of_size(  # type: ignore[attr-defined]
        (8, 8, 3), 3, widths=(16, 32, 32, 48), blocks=1
    )
    check_round_trip(network)
    monkeypatch.setattr(description, "build", broken)
    with pytest.raises(AssertionError):
        check_round_trip(network)
