"""Malformed records: one line each, exit code 2, never a traceback, never a hang."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importers_files import FIXTURES, check_line, checkpoint, fixture, refusal, write
from importers_watch import nothing_runs

from refdp.audit.importers import from_object, read_record
from refdp.audit.importers.pickles import read_pickle
from refdp.errors import RefDPError

HUGE = "9" * 5000
DEEP = 100_000
DOCUMENTS: dict[str, Any] = {
    "not-json": "[1, 2",
    "json-and-more": "[] []",
    "nan": "[[NaN, 0.1, 5]]",
    "inf": "[[Infinity, 0.1, 5]]",
    "python-nan": "[(nan, 0.1, 5)]",
    "twice": '{"history": [], "history": [], "mechanism": "rdp"}',
    "deep-lists": "[" * DEEP + "]" * DEEP,
    "deep-dicts": '{"a":' * DEEP + "1" + "}" * DEEP,
    "deep-tuples": "(" * DEEP,
    "deep-calls": "GaussianDpEvent(" * DEEP,
    "long-number": f"[[1, 0.1, {HUGE}]]",
    "long-python-number": f"[(1, 0.1, {HUGE})]",
    "long-digits-and-a-letter": "GaussianDpEvent(" + "1" * 10**6 + "x)",
    "open-string": "GaussianDpEvent('" + "a" * 10**6,
    "open-brackets": "GaussianDpEvent(" + "<" * 10**6,
    "spaces": "GaussianDpEvent(" + " " * 10**6 + "!",
    "many-parts": "ComposedDpEvent([" + "1," * 10**6,
    "negative": [[-1.0, 0.1, 5]],
    "string": [["1.0", 0.1, 5], [1.0, 0.1, 5]],
    "bool": [[True, 0.1, 5]],
    "null": [[None, 0.1, 5]],
    "rate-above-1": [[1.0, 1.5, 5]],
    "rate-below-0": [[1.0, -0.1, 5]],
    "rate-bool": [[1.0, True, 5]],
    "half-a-step": [[1.0, 0.1, 2.5]],
    "whole-but-a-float": [[1.0, 0.1, 5.0]],
    "negative-steps": [[1.0, 0.1, -5]],
    "bool-steps": [[1.0, 0.1, True]],
    "too-many-steps": [[1.0, 0.1, 10**13]],
    "beyond-floats": f"[[{'9' * 400}, 0.1, 5]]",
    "four-parts": {"history": [[1.0, 0.1, 5, 6]], "mechanism": "rdp"},
    "row-of-none": {"history": [None], "mechanism": "rdp"},
    "history-of-text": {"privacy_accountant_state_dict": {"history": "abc"}},
    "no-history": {"privacy_accountant_state_dict": {"mechanism": "rdp"}},
    "claim-of-text": {"history": [[1, 0.1, 5]], "epsilon": "3"},
    "claim-below-0": {"history": [[1, 0.1, 5]], "epsilon": -3},
    "control-characters": {"history": [["\x1b[2J\r\n", 0.1, 5]], "mechanism": "rdp"},
    "surrogates": '{"history": [["\\ud800", 0.1, 5]], "mechanism": "rdp"}',
    "latin-1": b'{"history": "\xe9"}',
    "nul": b"[1, \x00 2]",
    "line-ends": "noise_multiplier\r\rsample_rate",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_malformed_record_is_one_helpful_line(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, DOCUMENTS[name])
    start = time.perf_counter()
    with nothing_runs():
        refusal(path)
    assert time.perf_counter() - start < 10  # none over 2 s alone on a machine


def test_the_line_says_what_where_and_the_rule(tmp_path: Path) -> None:
    line = refusal(write(tmp_path, [[1.0, 0.1, 5], [1.0, 1.5, 5]]))
    assert "history row 1: sample_rate = 1.5: must be in [0, 1]" in line
    line = refusal(write(tmp_path, [[1.0, 0.1, 2.5]]))
    assert "history row 0: steps = 2.5: must be a whole number from 0 to 1,000,000,000,000" in line


def tolerated(function: Any, *arguments: Any) -> None:
    """Reads, or refuses in one line; anything else fails."""
    with nothing_runs():
        try:
            function(*arguments)
        except RefDPError as error:
            line = str(error)
        else:
            return
    check_line(f"{line} (a line may be short where no file is named)")


TEXTS = [
    (FIXTURES / "opacus-history.json").read_text(),
    json.dumps(fixture("dp-events.json")["mixed"]["tuple"]),
    *(fixture("dp-events.json")[name]["repr"] for name in ("joint", "truncated")),
    *(fixture("jax-privacy.json")[name]["repr"] for name in ("bandmf-4", "varying")),
    json.dumps(fixture("jax-privacy.json")["varying"]["json"]),
    "step;noise_multiplier;sample_rate;steps\n0;1.1;0.01;50\n50;1.0;0.01;2\n",
]
CHECKPOINT = (FIXTURES / "opacus-checkpoint.pt").read_bytes()
PICKLE = CHECKPOINT[CHECKPOINT.index(b"\x80\x02") :][:1107]
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["set", "cut", "add"]), st.binary(max_size=6)),
    min_size=1,
    max_size=6,
)  # fmt: skip


def edited(data: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    for place, kind, some in edits:
        at = int(place * len(data))
        end = at + (0 if kind == "add" else len(some))
        data = data[:at] + (b"" if kind == "cut" else some) + data[end:]
    return data


@given(st.sampled_from(TEXTS), EDITS)
def test_edited_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, edits: Any
) -> None:
    path = write(tmp_path_factory.getbasetemp(), edited(text.encode(), edits), "edited")
    tolerated(read_record, path)


def test_the_pickle_that_is_edited_is_a_whole_one() -> None:
    assert read_pickle(PICKLE)["epoch"] == 2


@given(EDITS)
def test_an_edited_pickle_is_read_or_refused(edits: Any) -> None:
    tolerated(read_pickle, edited(PICKLE, edits))


@given(EDITS)
def test_an_edited_archive_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, edits: Any) -> None:
    path = write(tmp_path_factory.getbasetemp(), edited(CHECKPOINT, edits), "edited")
    tolerated(read_record, path)


OPCODES = st.lists(
    st.sampled_from(
        [bytes([code]) for code in b"(012N]})aesutldRboQ\x85\x86\x87\x88\x8f\x90\x91\x92\x93\x94\x81"]
        + [f"c{name}\n".replace(" ", "\n").encode() for name in (
            "collections OrderedDict", "argparse Namespace", "numpy dtype", "numpy.core.multiarray scalar",
            "_codecs encode", "__builtin__ set", "opacus.accountants.rdp RDPAccountant", "os system"
        )]
        + [b"K\x01", b"X\x01\x00\x00\x00a", b"X\x02\x00\x00\x00f8", b"X\x07\x00\x00\x00history", b"h\x00", b"q\x00"]
        + [b"C\x08abcdefgh", b"G?\xf0\x00\x00\x00\x00\x00\x00", b"iargparse\nNamespace\n"]
    ),
    max_size=40,
)  # fmt: skip


@given(OPCODES)
def test_any_opcodes_are_read_or_refused(opcodes: list[bytes]) -> None:
    tolerated(read_pickle, b"".join(opcodes) + b".")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["history", "mechanism", "events", "event", "count", "class_name", "schema", "epsilon"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    path = write(tmp_path_factory.getbasetemp(), json.dumps(document), "any")
    tolerated(read_record, path)
    tolerated(from_object, document)
    tolerated(from_object, {"history": document, "mechanism": "rdp"})
    path = write(tmp_path_factory.getbasetemp(), repr(document), "any")
    tolerated(read_record, path)


def test_a_checkpoint_of_a_history_that_is_wrong(tmp_path: Path) -> None:
    import pickle

    state = {"history": [(1.0, 0.1, 5), (float("nan"), 0.1, 5)], "mechanism": "rdp"}
    line = refusal(write(tmp_path, checkpoint(pickle.dumps(state, 2))))
    assert "history row 1: noise_multiplier = nan" in line
