"""The IDX parser gives a valid array or one line, whatever the bytes."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from data_files import idx, sha256
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refdp.data.idx import parse_idx
from refdp.errors import RefDPError

IMAGES = idx(np.arange(2 * 28 * 28).reshape(2, 28, 28) % 256)
LABELS = idx(np.array([3, 1, 2]))
fast = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def parse(data: bytes, shape: tuple[int, ...] = (28, 28), max_bytes: int = 10**6) -> np.ndarray:
    return parse_idx(io.BytesIO(data), shape, "FILE", max_bytes)[0]


def outcome(data: bytes) -> tuple[np.ndarray | None, str]:
    """The labels, or None and the text of the refusal; any other exception passes."""
    try:
        return parse(data, ()), ""
    except RefDPError as error:
        return None, str(error)


@fast
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)))
def test_round_trip(values: np.ndarray) -> None:
    payload = idx(values)
    read, digest = parse_idx(io.BytesIO(payload), values.shape[1:], "FILE")
    np.testing.assert_array_equal(read, values)
    assert read.dtype == np.uint8
    assert digest == sha256(payload)


@fast
@given(st.binary(max_size=64), st.booleans())
@example(b"", True)
@example(LABELS, True)
@example(b"\0\0\x08\x01\xff\xff\xff\xff", True)
def test_random_bytes_give_an_array_or_one_line(tail: bytes, with_header: bool) -> None:
    for data in (tail, b"\0\0\x08\x01" + tail, b"\0\0\x08\x01" + struct.pack(">I", len(tail)) + tail):
        values, text = outcome(data)
        if values is None:
            assert text.startswith("FILE: ")
            assert "\n" not in text
        else:
            assert data == idx(values)


@fast
@given(st.integers(0, len(IMAGES) - 1))
def test_every_truncation_is_refused(length: int) -> None:
    with pytest.raises(RefDPError, match=r"cut short|is empty"):
        parse(IMAGES[:length])


@pytest.mark.parametrize(
    ("data", "shape", "text"),
    [
        (b"", (), "FILE: is empty"),
        (b"\0\0\x08", (), "header ends early"),
        (b"\0\0\x08\x01\0\0", (), "header ends early"),
        (b"<htm" + LABELS, (), "starts with 3c68746d: must be IDX labels"),
        (b"\0\0\x0d\x01" + LABELS[4:], (), "starts with 00000d01"),
        (IMAGES, (), "starts with 00000803: must be IDX labels .* it holds images: are two files swapped"),
        (LABELS, (28, 28), "must be IDX images .* it holds labels: are two files swapped"),
        (idx(np.zeros((2, 32, 32))), (28, 28), r"entries of shape \(32, 32\): must be \(28, 28\)"),
        (idx(np.zeros(0)), (), "holds 0 entries"),
        (LABELS + b"\0", (), "goes on after the 3 bytes"),
        (LABELS[:-1], (), r"cut short \(2 of 3 bytes\)"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", (), "announces 4294967295 bytes: must be at most 1000000"),
    ],
)
def test_damage_is_named(data: bytes, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(RefDPError, match=text) as caught:
        parse(data, shape)
    assert "\n" not in str(caught.value)


def test_a_stream_that_gives_little_at_a_time_is_read_whole() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 100) if (size or 0) > 100 else size)

    values, digest = parse_idx(Slow(IMAGES), (28, 28), "FILE")
    np.testing.assert_array_equal(values, parse(IMAGES))
    assert digest == sha256(IMAGES)
