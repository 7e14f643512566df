"""The trace format: what is written is read back, and what is not sound is refused by name."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refdp.errors import RefDPError
from refdp.traces import Trace, TracedStep, read, reader, write
from refdp.traces.reader import from_arrays
from refdp.traces.writer import to_arrays

SHAPES = {"fc.weight": (2, 3), "fc.bias": (2,)}


def arrays(seed: int = 0, batch: int = 4, draws: int | None = None) -> dict[str, Any]:
    """A sound step by key."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {
        "x": rng.standard_normal((batch, 3), dtype=np.float32),
        "y": rng.integers(2, size=batch),
        "norms": rng.random(batch, dtype=np.float32),
        "batch_index": np.arange(batch),
        "clip_norm": 1.0,
        "noise_multiplier": 0.5,
        "divisor": 4.0,
        "expected_batch_size": 4,
        "learning_rate": 0.1,
        "momentum": 0.9,
        "generator": "torch-cpu",
        "seed": 7,
    }
    for name, shape in SHAPES.items():
        for kind in ("param", "clipped_sum", "param_after"):
            found[f"{kind}/{name}"] = rng.standard_normal(shape, dtype=np.float32)
        found[f"grad_sample/{name}"] = rng.standard_normal((batch, *shape), dtype=np.float32)
        found[f"noised_sum/{name}"] = rng.standard_normal(shape if draws is None else (draws, *shape))
    return found


def traced(**changes: Any) -> Trace:
    """The sound step, with changes; None takes a key out."""
    given = arrays() | changes
    return from_arrays({key: np.asarray(value) for key, value in given.items() if value is not None})


@given(st.integers(0, 9), st.integers(0, 5), st.sampled_from((None, 1, 3)), st.integers(1, 3))
def test_what_is_written_is_read(
    tmp_path_factory: Any, seed: int, batch: int, draws: int | None, steps: int
) -> None:
    single = from_arrays({k: np.asarray(v) for k, v in arrays(seed, batch, draws).items()}).steps[0]
    trace = Trace((single,) * steps, {"framework": "x", "model": "mlp"})
    path = tmp_path_factory.mktemp("trace") / "t.npz"
    write(trace, path)
    again = read(path)
    assert again.meta == trace.meta
    assert len(again.steps) == steps
    first, second = to_arrays(trace), to_arrays(again)
    second = {key: values for key, values in second.items() if key in first}  # steps get their numbers
    assert first.keys() == second.keys()
    for key, values in first.items():
        np.testing.assert_array_equal(values, second[key])


def test_the_top_of_a_file_holds_for_all_steps_and_weights_follow() -> None:
    step = {k: v for k, v in arrays().items() if not k.startswith("param/")}
    both = {f"step{i}/{k}": v for i in range(2) for k, v in step.items() if k != "clip_norm"}
    first = {f"step0/param/{name}": np.zeros(shape) for name, shape in SHAPES.items()}
    trace = from_arrays({k: np.asarray(v) for k, v in (both | first | {"clip_norm": 2.5}).items()})
    assert [step.clip_norm for step in trace.steps] == [2.5, 2.5]
    assert [step.step for step in trace.steps] == [
        None,
        None,
    ]  # a number that was not recorded is not made up
    for name in SHAPES:
        np.testing.assert_array_equal(trace.steps[1].params[name], trace.steps[0].params_after[name])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"clip_nrom": 1.0}, "'clip_nrom': unknown"),
        ({"grad/fc.bias": np.zeros(2)}, "'grad/fc.bias': unknown"),
        ({"clip_norm": 0.0}, "clip_norm: = 0.0, must be a finite number > 0"),
        ({"clip_norm": np.nan}, "clip_norm: = nan"),
        ({"divisor": -1.0}, "divisor: = -1.0"),
        ({"noise_multiplier": np.inf}, "noise_multiplier: = inf"),
        ({"learning_rate": [0.1, 0.2]}, "learning_rate: is float64 of shape"),
        ({"clip_norm": "one"}, "clip_norm: is <U3"),
        ({"seed": -1}, "seed: must be one whole number >= 0"),
        ({"generator": 3}, "generator: must be text"),
        ({"y": np.array([0.0, 1.0, 0.0, 1.0])}, "y: is float64"),
        ({"y": np.array([0, -1, 0, 1])}, "y: holds -1"),
        ({"y": np.array([0, 1])}, "must have a row for each"),
        ({"norms": np.zeros((4, 2))}, "norms: has shape"),
        ({"param/fc.bias": np.zeros(2, dtype=int)}, "param/fc.bias: is int64"),
        ({"param/fc.bias": np.zeros(3)}, "where the parameter has"),
        ({"grad_sample/fc.bias": np.zeros((4, 3))}, "grad_sample/fc.bias: has shape"),
        ({"noised_sum/fc.bias": np.zeros((0, 2))}, "noised_sum/fc.bias: has shape"),
        ({"param_after/fc.bias": None}, "['fc.bias'] are not in both"),
        ({"grad_sample/extra": np.zeros((4, 1))}, "['extra'] are not in both"),
        ({"meta": "no json"}, "meta: must be a JSON object"),
        ({"meta": "[1]"}, "meta: must be a JSON object"),
        ({"step1/x": np.zeros((4, 3))}, "without gaps"),
    ],
)
def test_what_is_not_sound_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(RefDPError) as refused:
        traced(**changes)
    assert text in str(refused.value)


def test_nothing_is_no_trace() -> None:
    with pytest.raises(RefDPError, match="holds no step"):
        from_arrays({"meta": np.array("{}")})


def test_a_trace_that_would_be_refused_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RefDPError, match="clip_norm"):
        write(Trace((TracedStep(clip_norm=-1.0),)), tmp_path / "t.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04broken"])
def test_bytes_that_are_no_npz_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(content)
    with pytest.raises(RefDPError, match=r"no sound \.npz file"):
        read(path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(RefDPError, match=r"no sound \.npz file"):
        read(path)


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    path, buffer = tmp_path / "t.npz", io.BytesIO()
    np.save(buffer, np.ones(1))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("clip_norm.npy", buffer.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("clip_norm.npy", buffer.getvalue())
    with pytest.raises(RefDPError, match="two arrays have one name"):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RefDPError, match="cannot be read"):
        read(tmp_path / "none.npz")


def test_meta_is_plain_json() -> None:
    assert traced(meta=json.dumps({"model": "mlp"})).meta == {"model": "mlp"}


def test_a_small_file_that_unpacks_to_a_lot_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.npz"
    np.savez_compressed(path, x=np.zeros((4, 100_000)))
    assert len(read(path).steps) == 1
    monkeypatch.setattr(reader, "LARGEST", 2**20)
    with pytest.raises(RefDPError, match="would unpack to 3200"):
        read(path)
