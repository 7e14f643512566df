"""A user's module, described and built in refdp: gradients beside torch.func's. Skipped without torch."""

import copy
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: modules of a user's own are described where it is"
)

import own_modules  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from models.mode_checks import networks  # noqa: E402
from own_modules import MODULES, SHAPES  # noqa: E402
from torch import nn  # noqa: E402

import refdp.crosscheck  # noqa: E402
from refdp.crosscheck.training.peers.shared import torch_models  # noqa: E402
from refdp.models import Network, description, framework, models  # noqa: E402
from refdp.models.layers import Linear  # noqa: E402

FILE = Path(refdp.crosscheck.__file__).parent / "training" / "peers" / "describe_torch.py"
PEER = runpy.run_path(str(FILE))
BOUND = {"float64": 1e-9, "float32": 1e-5}


def module_and_shape(name):
    """The module, weights away from where mistakes hide, and the shape of its samples, channels first."""
    torch.manual_seed(0)
    if name in MODULES:
        module, shape = copy.deepcopy(MODULES[name]()), SHAPES.get(name, (3, 10, 8))
    else:
        build, last, classes, options = torch_models.MODELS[name]
        module, shape = build(last[-1], classes, **options), np.roll(last, 1).tolist()
    with torch.no_grad():
        for values in module.parameters():
            if values.dim() == 1:
                values += 0.3 * torch.randn_like(values)
    return module, tuple(shape)


def described(module, shape):
    return json.loads(json.dumps(PEER["describe"](module, shape)))


def torch_rows(network, module, x, labels, dtype):
    """Per-sample gradients by torch.func in this type, as float64 rows; and the module in it."""
    module = copy.deepcopy(module).to(getattr(torch, dtype))
    wanted = torch_models.per_sample_gradients(
        module, torch.from_numpy(x.astype(dtype)), torch.from_numpy(labels)
    )
    rows = [network.from_framework({k: v[b].numpy() for k, v in wanted.items()}) for b in range(len(x))]
    return np.stack(rows).astype(float), module


def difference(document, module, shape, dtype="float64", batch=3):
    """The largest relative difference of a sample's gradient, and of the logits.

    In float32 a rectifier whose input rounds to the other side of 0 changes a gradient by 1e-3 and more: a sample of
    which torch's own float32 is that far from torch's float64 is left out, one in three at most.
    """
    network = description.build(document)
    generator = np.random.default_rng(0)
    x = generator.standard_normal((batch, *shape)).astype(np.float32)
    labels = generator.integers(network.num_classes, size=batch)
    rows, typed = torch_rows(network, module, x, labels, dtype)
    exact = torch_rows(network, module, x, labels, "float64")[0]
    x = x.astype(dtype)
    own, out = (np.moveaxis(x, 1, -1) if x.ndim == 4 else x), np.full((batch, network.size), np.nan, dtype)
    theta = network.from_framework({name: values.numpy() for name, values in typed.state_dict().items()})
    network.per_sample_gradients(np, theta, own, labels, out)
    smooth = np.linalg.norm(rows - exact, axis=1) <= 1e-5 * np.linalg.norm(exact, axis=1)
    assert smooth.sum() >= batch - 1
    gaps = (np.linalg.norm(rows - out, axis=1) / np.linalg.norm(rows, axis=1))[smooth]
    logits = typed(torch.from_numpy(x)).detach().numpy()
    return max(gaps.max(), abs(logits - network.logits(np, theta, own)).max() / abs(logits).max())


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("name", [*MODULES, *torch_models.MODELS])
def test_gradients_are_those_of_the_module(name, dtype):
    module, shape = module_and_shape(name)
    document = described(module, shape)
    assert sorted(description.build(document).parameters) == sorted(module.state_dict())
    assert difference(document, module, shape, dtype) <= BOUND[dtype]


@pytest.mark.parametrize("spec", torch_models.MODELS)
def test_registered_models_are_found_again(spec):
    """Written as one would in torch, they have the registered model's parameters and gradients to the bit."""
    module, shape = module_and_shape(spec)
    network = description.build(described(module, shape))
    registered = models.create(spec).build(network.input_shape, network.num_classes)
    state = {name: values.numpy() for name, values in module.state_dict().items()}
    x = np.random.default_rng(0).standard_normal((2, *network.input_shape)).astype(np.float32)
    logits = [n.logits(np, n.from_framework(state), x) for n in (network, registered)]
    np.testing.assert_array_equal(*logits)


class Block(nn.Module):
    def __init__(self, layer):
        super().__init__()
        for one in layer["main"] + layer["shortcut"]:
            self.add_module(one["name"], module_of(one))
        self.ways = [[one["name"] for one in layer[way]] for way in ("main", "shortcut")]

    def forward(self, x):
        y, other = x, x
        for name in self.ways[0]:
            y = getattr(self, name)(y)
        for name in self.ways[1]:
            other = getattr(self, name)(other)
        return y + other


def module_of(layer):
    """A torch module of a description's layer."""
    kind = layer["kind"]
    of = [value for key, value in layer.items() if key not in ("name", "kind")]
    if kind == "ws_conv2d":
        return torch_models.WsConv(*of[:5], standardisation=of[6])
    if kind == "residual":
        return Block(layer)
    if kind == "conv2d":
        return nn.Conv2d(*of[:5], bias=of[5])
    if kind == "global_avg_pool2d":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    kinds = {
        "linear": nn.Linear, "group_norm": nn.GroupNorm, "relu": nn.ReLU, "tanh": nn.Tanh, "flatten": nn.Flatten,
        "max_pool2d": nn.MaxPool2d, "avg_pool2d": nn.AvgPool2d,
    }  # fmt: skip
    return kinds[kind](*of)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_random_networks_written_in_torch_come_back(network):
    document = description.describe(network)
    for layer in document["layers"]:  # torch_models' have no bias
        if layer["kind"] == "ws_conv2d":
            layer["bias"] = False
    network = description.build(document)
    module = nn.Sequential()
    for layer in document["layers"]:
        module.add_module(layer["name"], module_of(layer))
    shape = np.roll(network.input_shape, 1).tolist()
    again = description.build(described(module, shape))
    assert list(again.parameters.items()) == list(network.parameters.items())
    theta = network.initialise(np.random.default_rng(0), np.float64)
    x = np.random.default_rng(1).standard_normal((2, *network.input_shape))
    np.testing.assert_array_equal(again.logits(np, theta, x), network.logits(np, theta, x))


def conv2d(layer):
    return {key: value for key, value in layer.items() if key != "standardisation"} | {"kind": "conv2d"}


FAULTS = {
    "stride": ("own", lambda layers: layers[0].update(stride=2)),
    "padding": ("own", lambda layers: layers[0].update(padding=1)),
    "not standardised": ("own", lambda layers: layers.__setitem__(0, conv2d(layers[0]))),
    "another activation": ("own", lambda layers: layers[1].update(kind="tanh")),
    "another pooling": ("sequential", lambda layers: layers[3].update(kind="max_pool2d")),
    "other groups": ("nested", lambda layers: layers[0]["main"][2]["main"][1].update(groups=1)),
    "activation in the other branch": (
        "nested",
        lambda layers: layers[0]["main"][2]["main"].append(layers[0]["main"][2]["shortcut"].pop()),
    ),
    "identity lost": (
        "vector-block",
        lambda layers: layers.__setitem__(
            slice(2, 3), [one | {"name": f"block.{one['name']}"} for one in layers[2]["main"]]
        ),
    ),
    "weights of two layers exchanged": (
        "resnet20",
        lambda layers: [layers[3]["main"][at].update(name=name) for at, name in ((0, "conv2"), (3, "conv1"))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_description_is_noticed(fault):
    name, spoil = FAULTS[fault]
    module, shape = module_and_shape(name)
    document = described(module, shape)
    assert difference(document, module, shape) <= 1e-9
    spoil(document["layers"])
    assert difference(document, module, shape) > 1e-4


@pytest.mark.parametrize("name", ["functional", "sequential", "vector-block"])
def test_unpermuted_columns_are_noticed(name, monkeypatch):
    module, shape = module_and_shape(name)
    document = described(module, shape)
    monkeypatch.setattr(framework, "_columns", lambda network: {})
    assert difference(document, module, shape) > 1e-3


def test_it_runs_where_refdp_is_not(tmp_path):
    """As child.py does: isolated, by path, a file of the user's that imports another beside it."""
    (tmp_path / "own_modules.py").write_text(Path(own_modules.__file__).read_text())
    user = tmp_path / "user.py"
    user.write_text("import own_modules\nfrom own_modules import *\nmade = own_modules.Functional()\n")
    code = (
        "import json, runpy, sys; peer = runpy.run_path(sys.argv[1])\n"
        "for name in ('Functional', 'made', 'small'):\n"
        "    module = peer['load_module'](sys.argv[2] + ':' + name)\n"
        "    print(json.dumps(peer['describe'](module, (4,) if name == 'small' else (3, 10, 8))))\n"
        "assert not any(name.split('.')[0] in ('refdp', 'numpy.testing', 'pytest') for name in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(FILE), str(user)], capture_output=True, text=True, check=True
    )
    first, second, third = (description.build(json.loads(line)) for line in done.stdout.splitlines())
    assert isinstance(first, Network)
    assert first.layers == second.layers
    assert third.layers == (("0", Linear(4, 3)),)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("absent", "no nn.Module, class or function 'absent'"),
        ("number", "no nn.Module, class or function 'number'"),
        ("needs", r"called without arguments .*'inputs'"),
        ("module_of_nothing", "gives a NoneType"),
    ],
)
def test_a_name_that_gives_no_module_is_refused(name, match, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        Path(own_modules.__file__).read_text() + "\n\ndef module_of_nothing():\n    return None\n"
    )
    with pytest.raises(ValueError, match=match):
        PEER["load_module"](f"{file}:{name}")
    with pytest.raises(ValueError, match=r"must be FILE\.py:NAME"):
        PEER["load_module"](f"{tmp_path / 'other.py'}:{name}")


def test_the_module_is_left_as_it_was():
    module, shape = module_and_shape("sequential")
    before = copy.deepcopy(module.state_dict())
    random = torch.get_rng_state()
    described(module, shape)
    assert module.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert all(values.grad is None for values in module.parameters())
