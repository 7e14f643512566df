"""Values of a forward pass as chains of layers: plain Python, so these run without torch."""

import pytest

from refdp.crosscheck.training.peers.shared.torch_chains import Value, chain
from refdp.errors import RefDPError
from refdp.models import description

ONE = {"kind": "conv2d", "in_channels": 2, "out_channels": 2, "kernel": 1}
SHAPE = (2, 3, 3)


def conv(before, name):
    return Value((before,), SHAPE, dict(ONE), name, name, owns=True)


def relu(before, name="relu"):
    return Value((before,), SHAPE, {"kind": "relu"}, name, name)


def add(*terms):
    return Value(terms, SHAPE, name="add", place="forward, add")


def network(start, end):
    """Built, so that its names are known to be allowed."""
    tail = [{"name": "end", "kind": "global_avg_pool2d"}]
    return description.build({"input_shape": [3, 3, 2], "num_classes": 2, "layers": chain(start, end) + tail})


def names(start, end):
    return [
        name.removesuffix(".weight") for name in network(start, end).parameters if name.endswith("weight")
    ]


def test_a_chain_and_a_block():
    x = Value((), SHAPE)
    h = relu(conv(x, "stem"))
    y = add(conv(relu(conv(h, "b.0.c1")), "b.0.c2"), h)
    assert [layer["name"] for layer in chain(x, y)] == ["stem", "relu", "b.0"]
    block = chain(x, y)[-1]
    assert [layer["name"] for layer in block["main"]] == ["c1", "relu_", "c2"]
    assert block["shortcut"] == []
    assert names(x, y) == ["stem", "b.0.c1", "b.0.c2"]


def test_the_branch_with_layers_is_the_main_one():
    x = Value((), SHAPE)
    y = add(x, conv(x, "b.c"))
    assert [layer["name"] for layer in chain(x, y)[0]["main"]] == ["c"]


def test_blocks_within_either_branch():
    x = Value((), SHAPE)
    left = add(conv(x, "s.in1.a"), conv(x, "s.in1.b"))
    right = conv(add(relu(conv(relu(x), "s.in2.deep.a")), x), "s.last")
    y = add(relu(left), right)
    assert names(x, conv(y, "out")) == ["s.in1.a", "s.in1.b", "s.in2.deep.a", "s.last", "out"]
    main, shortcut = chain(x, y)[0]["main"], chain(x, y)[0]["shortcut"]
    assert [(layer["name"], layer["kind"]) for layer in main] == [("in1", "residual"), ("relu", "relu")]
    assert [(layer["name"], layer["kind"]) for layer in shortcut] == [
        ("in2.deep", "residual"),
        ("last", "conv2d"),
    ]


def test_an_activated_shortcut_starts_the_block_later():
    """As in wide residual networks: what both branches share stands before the block."""
    x = Value((), SHAPE)
    h = relu(conv(x, "b.first"))
    y = add(conv(h, "b.main"), conv(h, "b.side"))
    assert names(x, y) == ["b.first", "b.main", "b.side"]
    assert [layer["name"] for layer in chain(x, y)] == ["b.first", "relu", "b"]


def test_a_block_without_parameters():
    x = Value((), SHAPE)
    assert names(x, conv(add(relu(x), x), "out")) == ["out"]


def crossing(x):
    h = conv(x, "s.a")
    return add(conv(add(h, x), "s.b"), h)


def three_terms(x):
    return add(add(conv(x, "s.a"), conv(x, "s.b")), x)


def beside(x):
    return add(conv(add(conv(x, "s.in.a"), x), "s.in.b"), x)


def sibling(x):
    inner = add(conv(x, "s.in.a"), x)
    return add(conv(conv(inner, "s.in.b"), "s.c"), x)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (crossing, "s.a: is read by two sums"),
        (lambda x: add(x, x), "adds a value to itself"),
        (lambda x: add(conv(x, "a"), x), r"layers a, .*put them into one"),
        (three_terms, r"layers s.a, s.b, .*put them into one"),
        (lambda x: add(conv(add(conv(x, "s.a"), x), "s.b"), x), r"put them into one"),
        (beside, r"put them into one"),
        (sibling, r"s.in.b: stands beside a nested block of its module"),
        (lambda x: (lambda h: add(conv(h, "s.b"), h))(add(conv(x, "s.a"), x)), r"layers s.b, .*put them into one"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_chain_is_refused(make, match):
    x = Value((), SHAPE)
    with pytest.raises(NotImplementedError, match=match):
        chain(x, make(x))


def test_what_is_refused_for_its_names_would_have_others(monkeypatch):
    """Seeded: without the refusals, parameters have other names than the module's, or refdp refuses them."""
    monkeypatch.setitem(chain.__globals__, "_refuse", lambda value, why: None)
    x = Value((), SHAPE)
    assert names(x, three_terms(x)) == ["s.s.a", "s.s.b"]
    x = Value((), SHAPE)
    with pytest.raises(RefDPError, match=r"begins with 'in' and a dot"):
        network(x, sibling(x))
