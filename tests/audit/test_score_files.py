"""Files of scores: every format says the same, whatever is wrong in one is one line, no bytes give a traceback."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.audit.scores import Scores, read_scores, reader
from refdp.audit.scores import collect as limits
from refdp.audit.scores.direction import against, pairs_right
from refdp.audit.scores.ordering import in_canonical_order
from refdp.errors import RefDPError
from refdp.schema import check_schema

PLANTED, LEFT_OUT, REFERENCES = [0.5, 1.25, float("inf")], [-1.0, 1e-300, float("-inf")], [0.1]


def csv_text() -> str:
    rows = (
        [f"{s!r},1" for s in PLANTED]
        + [f"{s!r},0" for s in LEFT_OUT]
        + [f"{s!r},reference" for s in REFERENCES]
    )
    return "score,member\n" + "\n".join(rows) + "\n"


def words(values: list[float]) -> list[Any]:
    return [("inf" if v > 0 else "-inf") if np.isinf(v) else v for v in values]


def document(**more: Any) -> dict[str, Any]:
    lists = {"planted": words(PLANTED), "left_out": words(LEFT_OUT), "references": words(REFERENCES)}
    return {"schema": "refdp-scores/1", **lists, **more}


def arrays(**more: Any) -> bytes:
    buffer = io.BytesIO()
    parts = {"planted": PLANTED, "left_out": LEFT_OUT, "references": REFERENCES}
    np.savez(buffer, **{name: np.array(value) for name, value in {**parts, **more}.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def lines() -> str:
    first = {"run": "a", "planted": words(PLANTED), "references": words(REFERENCES)}
    second = {"run": "b", "scores": words(LEFT_OUT), "planted": [0, 0, 0], "references": [], "seconds": 1.5}
    return json.dumps(first) + "\n" + json.dumps(second) + "\n"


def at(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "scores"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(tmp_path: Path, content: str | bytes, **options: Any) -> str:
    with pytest.raises(RefDPError) as raised:
        read_scores(at(tmp_path, content), **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("content", "runs"),
    [
        (csv_text(), 1),
        ("\ufeff" + csv_text().replace("\n", "\r\n"), 1),
        ("run,Score,canary, MEMBER\n" + "".join(f"{i % 2},{s},{i},{m}\n" for i, (s, m) in enumerate(
            [(s, "planted") for s in PLANTED] + [(s, "FALSE") for s in LEFT_OUT] + [(REFERENCES[0], "reference")])), 2),
        (json.dumps(document()), 1),
        ("\ufeff" + json.dumps(document(runs=7), indent=1), 7),
        (lines(), 2),
        (arrays(), 1),
        (arrays(runs=3), 3),
    ],
)  # fmt: skip
def test_every_format_says_the_same(tmp_path: Path, content: str | bytes, runs: int) -> None:
    found = read_scores(at(tmp_path, content)).scores
    assert (found.planted.tolist(), found.left_out.tolist()) == (PLANTED, LEFT_OUT)
    assert (found.references.tolist(), found.runs, found.fair_coins) == (REFERENCES, runs, False)


@pytest.mark.parametrize("as_npz", [False, True])
def test_what_a_file_says_of_itself(tmp_path: Path, as_npz: bool) -> None:
    about = {"fair_coins": True, "delta": 1e-6, "claimed_epsilon": 3.5, "title": "t"}
    check_schema("scores", document(**about), "document")
    found = read_scores(at(tmp_path, arrays(**about) if as_npz else json.dumps(document(**about))))
    assert (found.delta, found.claimed_epsilon, found.scores.fair_coins) == (1e-6, 3.5, True)


def test_losses_are_negated_infinities_too(tmp_path: Path) -> None:
    found = read_scores(at(tmp_path, csv_text()), lower_is_member=True).scores
    assert found.planted.tolist() == [-0.5, -1.25, float("-inf")]


def row(text: str) -> str:
    return f"score,member\n1,1\n{text}\n0,0\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("score\n1\n", "column 'member' is missing"),
        ("score,member,loss\n1,1,2\n", "unknown column 'loss'"),
        ("score;member\n1;1\n", "split by commas"),
        ("score,score,member\n1,1,1\n", "given twice"),
        ("score,member\n", "holds no scores"),
        ("score,member\n1,1\n2,1\n", "no scores of non-members"),
        ("score,member\n1,0\n2,reference\n", "no scores of members"),
        (row("nan,1"), "line 3: score is NaN"),
        (row("-NaN,1"), "is NaN"),
        (row(",1"), "score is empty"),
        (row("1_000,1"), "'1_000'"),
        (row("high,0"), "'high'"),
        (row("0x10,0"), "'0x10'"),
        (row("1e999,0"), "beyond float64"),
        (row("0,5,0"), "has 3 cells"),
        (row("0"), "has 1 cells"),
        (row("1,2"), "member = '2'"),
        (row("1,"), "member = ''"),
        (row('"1,1'), "not CSV"),
        (row("1\0,1"), "NUL"),
        ("score,member,run\n1,1,\n", "run is empty"),
        ("score,member,run,canary\n1,1,a,x\n0,0,b,x\n1,0,a,x\n", "row 3: its canary"),
        ("score,member,canary\n1,1,\n", "canary is empty"),
        ("score,member\n" + "1" * 70000 + ",1\n", "longer than"),
        (b"score,member\n\xff,1\n", "not UTF-8"),
        ("{", "not JSON"),
        ("[1]", "is a JSON list"),
        (json.dumps(document(schema="other/1")), "schema = 'other/1'"),
        (json.dumps(document(extra=1)), "unknown field 'extra'"),
        (json.dumps(document(planted="abc")), "must be a list"),
        (json.dumps(document(planted=[1, "abc"])), "planted: score 1 of 2 is 'abc'"),
        (json.dumps(document(planted=[True])), "is 'True'"),
        (json.dumps(document(planted=[float("nan")])), "is NaN"),
        (json.dumps(document(planted=[10**400])), "beyond float64"),
        (json.dumps(document(delta=0)), "delta = 0"),
        (json.dumps(document(claimed_epsilon="inf")), "claimed_epsilon"),
        (json.dumps(document(fair_coins=1)), "fair_coins = 1"),
        (json.dumps(document(runs=8)), "runs = 8: must not exceed"),
        (json.dumps(document())[:-1] + ', "delta": 1e-5, "delta": 1e-6}', "given twice"),
        (lines() + lines(), "name of a run before it"),
        (lines() + '{"run": 3, "pla', "line 3: not JSON"),
        (lines() + '{"scores": [1], "planted": [2]}', "must be 1 or 0"),
        (lines() + '{"scores": [1, 2], "planted": [1]}', "same length"),
        (lines() + json.dumps(document()), "'schema' belongs to the first line"),
        (arrays()[:-30], "no sound .npz"),
        (arrays(planted=np.array([1.0, None])), "pickled"),
        (arrays(planted=np.array(["a"])), "is of type"),
        (arrays(planted=np.array([True])), "is of type"),
        (arrays(planted=np.zeros((2, 2))), "shape (2, 2)"),
        (arrays(planted=np.array([np.nan])), "is NaN"),
        (arrays(weights=np.zeros(2)), "unknown array 'weights'"),
        (arrays(delta=np.zeros(2)), "has shape (2,)"),
        (b"\x93NUMPY\x01", "one .npy array or a pickle"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_one_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in refusal(tmp_path, content)


def test_npz_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    """A header of 10^12 scores is refused before anything of that size is asked for; so is one that is short."""
    for count, said in ((10**12, "more than"), (50, "shorter or longer")):
        member = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f8", "fortran_order": False, "shape": (count,)}
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("planted.npy", member.getvalue() + b"\0" * 16)
        assert said in refusal(tmp_path, buffer.getvalue())


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST", 6)
    for content in (csv_text(), json.dumps(document()), lines(), arrays()):
        assert "more than 6 scores" in refusal(tmp_path, content)
    monkeypatch.setattr(reader, "LARGEST", 50)
    assert "longer than 50 bytes" in refusal(tmp_path, json.dumps(document()))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(RefDPError, match="cannot be read"):
            read_scores(path)


def test_a_split_that_contradicts_fair_coins(tmp_path: Path) -> None:
    text = "score,member\n" + "1,1\n" * 90 + "0,0\n" * 10
    assert "fair coins: 90 planted and 10 left out" in refusal(tmp_path, text, fair_coins=True)
    assert read_scores(at(tmp_path, text)).scores.canaries == 100
    fine = "score,member\n" + "1,1\n" * 70 + "0,0\n" * 30  # 8e-5: rare, and no contradiction
    assert read_scores(at(tmp_path, fine), fair_coins=True).scores.fair_coins
    assert "says otherwise" in refusal(tmp_path, json.dumps(document(fair_coins=False)), fair_coins=True)


def test_scores_that_point_the_other_way_are_said_to() -> None:
    rng = np.random.default_rng(0)
    inside, outside = rng.standard_normal(200) - 1, rng.standard_normal(200)
    assert "--lower-is-member" in (against(Scores(inside, outside)) or "")
    assert against(Scores(outside, inside)) is None
    assert pairs_right(Scores(np.ones(9), np.ones(9))) == (0.5, 0.0)
    assert pairs_right(Scores(np.array([2.0, 1]), np.array([1.0, 0]))) == (
        0.875,
        pytest.approx(1.2247449, abs=1e-6),
    )


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=20),
    st.lists(st.integers(-3, 3), max_size=20),
    st.randoms(),
)
def test_canonical_order_forgets_order_and_scale(inside: list[int], outside: list[int], random: Any) -> None:
    def of(first: list[int], second: list[int]) -> Scores:
        return in_canonical_order(Scores(np.array(first, float), np.array(second, float)))

    expected = of(inside, outside)
    random.shuffle(inside)
    random.shuffle(outside)
    again = of(inside, outside)
    np.testing.assert_array_equal(again.planted, expected.planted)
    np.testing.assert_array_equal(again.left_out, expected.left_out)
    cubed = of([v**3 - 7 for v in inside], [v**3 - 7 for v in outside])
    np.testing.assert_array_equal(cubed.planted, expected.planted**3 - 7)


def test_places_say_nothing_about_scores() -> None:
    """Of sorted scores the first half's mean is as often above the second's as below (400 coins: 5 sigma)."""
    rng = np.random.default_rng(1)
    above, orders = 0, set()
    for _ in range(400):
        found = in_canonical_order(Scores(np.sort(rng.random(10)), rng.random(3))).planted
        above += found[:5].mean() > found[5:].mean()
        orders.add(tuple(np.argsort(found)))
    assert len(orders) > 200  # of 286 patterns of ten among three: a permutation each, not one for all
    assert abs(above - 200) < 50


STARTS = [b"", csv_text().encode(), json.dumps(document()).encode(), lines().encode(), arrays()]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(STARTS), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), max_size=4))
def test_no_bytes_give_a_traceback(
    tmp_path_factory: Any, start: bytes, edits: list[tuple[int, bytes]]
) -> None:
    content = bytearray(start)
    for place, new in edits:
        place %= len(content) + 1
        content[place : place + len(new)] = new
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(bytes(content))
    refused = ""
    try:
        found = read_scores(path).scores
    except RefDPError as error:
        refused = str(error)
    assert "\n" not in refused
    if not refused:
        assert len(found.planted)
        assert not np.isnan(np.concatenate([found.planted, found.outside])).any()
