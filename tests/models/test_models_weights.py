"""Weights in files: round trips, PyTorch's state dicts, and files that are damaged or of another kind."""

import importlib.util
import io
import json
import struct
import sys
import zipfile

import gradient_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.errors import MissingExtraError, RefDPError
from refdp.models import weights

needs_safetensors = pytest.mark.skipif(
    importlib.util.find_spec("safetensors") is None, reason="safetensors is not installed (refdp[weights])"
)
FORMATS = [".npz", pytest.param(".safetensors", marks=needs_safetensors)]


def safetensors_bytes(header, data, length=None):
    """A file by hand: 8 bytes of header length, little-endian, the JSON header, the data."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(kind, shape, start, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spec", ["mnistnet", "resnet20:groups=1/2/2/4", "cifar10net"])
def test_round_trip(spec, dtype, ending, tmp_path):
    network, theta, _, _ = checks.problem(spec, 1, dtype=dtype)
    path = tmp_path / f"weights{ending}"
    weights.save(network, theta, path)
    back = weights.load(network, path)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, theta)
    assert list(tmp_path.iterdir()) == [path]
    for name, values in network.to_framework(theta).items():
        np.testing.assert_array_equal(weights.read(path)[name], values)


@needs_safetensors
def test_a_file_made_by_hand_loads(tmp_path):
    """The four types, in the order of the format's description; half precision is exact in float32."""
    data = (
        np.array([1.5, -2.0], "<f4").tobytes()
        + np.array([[0.1]], "<f8").tobytes()
        + np.array([0.5, 65504, 6e-8], "<f2").tobytes()
        + bytes([0x80, 0x3F, 0x49, 0xC0])  # bfloat16: 1 and -3.140625
    )
    header = {
        "__metadata__": {"format": "pt"},
        "a": entry("F32", [2], 0, 8),
        "b": entry("F64", [1, 1], 8, 16),
        "c": entry("F16", [3], 16, 22),
        "d": entry("BF16", [2], 22, 26),
    }
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors_bytes(header, data))
    arrays = weights.read(path)
    assert {name: values.dtype.name for name, values in arrays.items()} == {
        "a": "float32", "b": "float64", "c": "float32", "d": "float32",
    }  # fmt: skip
    assert arrays["a"].tolist() == [1.5, -2.0]
    assert arrays["b"].tolist() == [[0.1]]
    assert arrays["c"].tolist() == [0.5, 65504.0, float(np.float16(6e-8))]
    assert arrays["d"].tolist() == [1.0, -3.140625]


@needs_safetensors
def test_a_file_of_ours_is_what_the_format_says(tmp_path):
    network, theta, _, _ = checks.problem("mlp", 1, dtype=np.float32)
    path = tmp_path / "w.safetensors"
    weights.save(network, theta, path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    for name, values in network.to_framework(theta).items():
        start, end = header[name]["data_offsets"]
        assert header[name] == entry("F32", list(values.shape), start, end)
        assert data[start:end] == values.astype("<f4").tobytes()


@needs_safetensors
@pytest.mark.parametrize("name", ["cifar10net", "resnet20", "wrn-16-4"])
def test_a_pytorch_state_dict_loads(name, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed: no state dict to load")
    from safetensors.torch import save_file

    from refdp.crosscheck.training.peers.shared import torch_models
    from refdp.models import models

    build, input_shape, classes, _ = torch_models.MODELS[name]
    module, network = build(3, classes), models.create(name).build(input_shape, classes)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    theta = weights.load(network, tmp_path / "w.safetensors")
    x = np.random.default_rng(0).standard_normal((2, *input_shape)).astype(np.float32)
    wanted = module(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).detach().numpy()
    np.testing.assert_allclose(network.logits(np, theta, x), wanted, rtol=1e-4, atol=1e-5)


BAD = {
    "overlap": ({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, bytes(4), "invalid offset"),
    "a hole": ({"a": entry("F32", [1], 4, 8)}, bytes(8), "invalid offset"),
    "out of range": ({"a": entry("F32", [2], 0, 8)}, bytes(4), "no sound"),
    "bytes left over": ({"a": entry("F32", [1], 0, 4)}, bytes(9), "no sound"),
    "size and shape": ({"a": entry("F32", [3], 0, 8)}, bytes(8), "no sound"),
    "negative": ({"a": entry("F32", [-1], 0, 4)}, bytes(4), "no sound"),
    "overflow": ({"a": entry("F32", [2**62, 2**62], 0, 4)}, bytes(4), "no sound"),
    "integers": ({"n": entry("I64", [1], 0, 8)}, bytes(8), "'n' is I64: weights must be F16, BF16, F32 or F64"),
    "float8": ({"n": entry("F8_E4M3", [2], 0, 2)}, bytes(2), "'n' is F8_E4M3"),
    "unknown": ({"n": entry("F99", [2], 0, 2)}, bytes(2), "no sound"),
    "no entry": ({"a": 3}, b"", "no sound"),
    "NaN": ({"a": entry("F32", [1], 0, 4)}, np.array([np.nan], "<f4").tobytes(), "'a' holds values that are not"),
}  # fmt: skip


@needs_safetensors
@pytest.mark.parametrize("case", BAD)
def test_bad_safetensors_are_refused(case, tmp_path):
    header, data, text = BAD[case]
    refused(tmp_path / "w.safetensors", safetensors_bytes(header, data), text)


@needs_safetensors
@pytest.mark.parametrize(
    "content",
    [b"", b"\1\2", safetensors_bytes({}, b"", length=2**60), safetensors_bytes({}, b"", length=50), b"PK\3\4junk"],
)  # fmt: skip
def test_headers_of_nonsense_are_refused(content, tmp_path):
    refused(tmp_path / "w.safetensors", content, "no sound .safetensors file")


def refused(path, content, text):
    path.write_bytes(content)
    with pytest.raises(RefDPError, match=text) as caught:
        weights.read(path)
    message = str(caught.value)
    assert message.startswith(f"weights {str(path)!r}: ")
    assert "\n" not in message


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(header, data=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no sound .npz file"),
        (b"junk", "no sound .npz file"),
        (npz(a=np.ones(3))[:-30], "no sound .npz file"),
        (npz(a=np.ones(3, dtype=int)), "'a' is int64: weights must be F16, BF16, F32 or F64"),
        (npz(a=np.ones(3, dtype=complex)), "'a' is complex128"),
        (npz(a=np.array([1.0, np.inf])), "'a' holds values that are not finite"),
        (zipped(("a.npy", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"))), "no sound .npz"),
        (zipped(("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }", b"1234"))), "no sound"),
        (zipped(("a.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,), }"))), "no sound"),
        (zipped(("a.npy", npy("[" * 300))), "no sound"),
        (zipped(("a.txt", b"hello")), "'a.txt' is bytes"),
    ],
)  # fmt: skip
def test_bad_npz_are_refused(content, text, tmp_path):
    refused(tmp_path / "w.npz", content, text)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    one = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"1234")
    refused(tmp_path / "w.npz", zipped(("a.npy", one), ("a.npy", one)), "two arrays have one name")


def test_other_byte_orders_and_half_precision_are_read(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(npz(a=np.array([1.5, 2.5], ">f4"), b=np.array([0.5], np.float16), c=np.float64(3.0)))
    arrays = weights.read(path)
    assert [(values.dtype.str, values.tolist()) for values in arrays.values()] == [
        ("<f4", [1.5, 2.5]), ("<f4", [0.5]), ("<f8", 3.0),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255), ending=st.sampled_from(weights.FORMATS))
def test_one_byte_changed_is_read_or_refused_in_one_line(position, value, ending, tmp_path_factory):
    if ending == ".safetensors" and importlib.util.find_spec("safetensors") is None:
        return
    network, theta, _, _ = checks.problem("mlp", 1, dtype=np.float32)
    path = tmp_path_factory.mktemp("weights") / f"w{ending}"
    weights.save(network, theta, path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] = value
    path.write_bytes(content)
    try:
        assert weights.load(network, path).shape == theta.shape
    except RefDPError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message


def test_other_names_and_networks_are_refused(tmp_path):
    network, theta, _, _ = checks.problem("mlp", 1)
    path = tmp_path / "w.npz"
    weights.save(network, theta, path)
    with pytest.raises(RefDPError, match=r"missing .*conv1.weight.*not in the network"):
        weights.load(checks.problem("mnistnet", 1)[0], path)
    for act in (lambda p: weights.save(network, theta, p), weights.read):
        with pytest.raises(RefDPError, match=r"w\.pt': the name must end in \.npz or \.safetensors"):
            act(tmp_path / "w.pt")
    with pytest.raises(RefDPError, match="cannot be read"):
        weights.read(tmp_path / "none.npz")
    with pytest.raises(RefDPError, match="cannot be written"):
        weights.save(network, theta, tmp_path / "none" / "w.npz")


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    for module in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    network, theta, _, _ = checks.problem("mlp", 1)
    for act in (lambda p: weights.save(network, theta, p), weights.read):
        with pytest.raises(MissingExtraError, match=r"not installed; install refdp\[weights\], or use .npz"):
            act(tmp_path / "w.safetensors")
