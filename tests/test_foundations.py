"""Registry, argument checks, files, backend selection, random streams."""

from __future__ import annotations

import math
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp import validate
from refdp.backend import get_backend
from refdp.errors import MissingExtraError, RefDPError
from refdp.files import dumps, read_json, write_atomically
from refdp.registry import Registry, parse_spec
from refdp.rng import Streams


@dataclass(frozen=True)
class Thing:
    size: int
    rate: float = 0.5
    kind: str = "a"
    on: bool = False


def registry() -> Registry[Thing]:
    found: Registry[Thing] = Registry("thing", "refdp.noise")
    found.register("thing")(Thing)
    return found


def test_a_spec_is_a_name_and_parameters() -> None:
    assert parse_spec("flat") == ("flat", {})
    assert parse_spec("cosine:amplitude=0.25, normalise=harmonic") == (
        "cosine",
        {"amplitude": "0.25", "normalise": "harmonic"},
    )


@pytest.mark.parametrize("text", ["", ":a=1", "x:", "x:a", "x:a=", "x:=1", "x:a=1,a=2", "x:a=1,,b=2"])
def test_a_malformed_spec_is_refused(text: str) -> None:
    with pytest.raises(RefDPError):
        parse_spec(text)


def test_a_registry_builds_by_name_with_typed_parameters() -> None:
    assert registry().create("thing:size=3,rate=0.25,on=true") == Thing(3, 0.25, "a", True)
    assert registry().create("thing:kind=b", size=2) == Thing(2, kind="b")


@pytest.mark.parametrize(
    ("spec", "given", "says"),
    [
        ("other", {}, "unknown thing 'other': choose one of thing"),
        ("thing:size=2.5", {}, "size = '2.5': must be a whole number"),
        ("thing:size=1,rate=x", {}, "rate = 'x': must be a number"),
        ("thing:size=1,on=1", {}, "must be true or false"),
        ("thing:size=1,colour=2", {}, "unknown parameter 'colour'"),
        ("thing:size=1", {"size": 2}, "unknown parameter 'size'"),
        ("thing", {}, "parameter 'size' is required"),
    ],
)
def test_a_registry_refuses_in_one_line(spec: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(RefDPError, match=says):
        registry().create(spec, **given)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf, "1", None, True, [1], 1j])
def test_positive_refuses(value: Any) -> None:
    with pytest.raises(RefDPError, match=r"x = .*must be finite and > 0"):
        validate.positive(x=value)


@pytest.mark.parametrize("value", [2.0, 2.5, -1, "3", None, True, math.nan])
def test_whole_refuses(value: Any) -> None:
    with pytest.raises(RefDPError, match="must be a whole number >= 0"):
        validate.whole(x=value)


def test_ranges() -> None:
    validate.in_range(0, 1, x=0, y=1)
    validate.strictly_between(0, 1, x=0.5)
    validate.non_negative(x=0)
    validate.whole(1, x=np.int64(3))
    for bad in (0, 1, math.nan):
        with pytest.raises(RefDPError):
            validate.strictly_between(0, 1, x=bad)
    with pytest.raises(RefDPError, match="must be one of a, b"):
        validate.one_of(("a", "b"), x="c")


def test_json_has_no_nan_and_names_infinity() -> None:
    assert dumps({"a": math.inf, "b": [1.5, -math.inf]}) == '{"a": "inf", "b": [1.5, "-inf"]}'
    with pytest.raises(ValueError, match="JSON"):
        dumps(math.nan)


def test_a_write_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*arguments: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", b"x", private=True)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_unreadable_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("{")
    with pytest.raises(RefDPError, match="not JSON"):
        read_json(tmp_path / "bad", "config")
    with pytest.raises(RefDPError, match="cannot be read"):
        read_json(tmp_path / "missing", "config")


def test_backends_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_backend("numpy").xp is np
    with pytest.raises(RefDPError, match="must be one of numpy, cupy"):
        get_backend("torch")
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match=r"install refdp\[cuda12\] or refdp\[cuda13\]"):
        get_backend("cupy")


def test_without_a_seed_the_root_has_128_random_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("secrets.randbits", lambda bits: asked.append(bits) or 5)
    assert Streams.from_seed(None) == Streams(5, seed_is_known=False)
    assert asked == [128]


@pytest.mark.parametrize("seed", [-1, 2.5, True, "x", 2**128])
def test_seeds_are_whole_numbers(seed: Any) -> None:
    with pytest.raises(RefDPError, match="seed"):
        Streams.from_seed(seed)
