"""Files of recorded batches: every form gives the same batches, and what is wrong is said in one line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.audit.sampling.reader import read_batches
from refdp.errors import RefDPError
from refdp.traces import Trace, TracedStep, write

ROWS = [[3, 1], [], [0, 4, 2], [1]]


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def forms(folder: Path) -> dict[str, str]:
    flat, offsets = np.concatenate([np.array(r, dtype=np.int32) for r in ROWS]), np.array([0, 2, 2, 5, 6])
    trace = Trace(
        tuple(TracedStep(batch_index=np.array(r, dtype=np.int64), step=k + 7) for k, r in enumerate(ROWS)),
        {"framework": "none", "dataset_size": 6},
    )
    write(trace, folder / "trace.npz")
    texts = {
        "list.json": json.dumps(ROWS),
        "object.json": json.dumps({"batches": ROWS, "dataset_size": 6}),
        "lines.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {
        "csr": saved(folder / "csr.npz", indices=flat, offsets=offsets, dataset_size=6),
        "trace": str(folder / "trace.npz"),
        **{name: str(folder / name) for name in texts},
    }


def test_every_form_gives_the_same_batches(tmp_path: Path) -> None:
    for form, path in forms(tmp_path).items():
        found = read_batches(path, 6)
        assert found.batches.indices.tolist() == [3, 1, 0, 4, 2, 1], form
        assert found.batches.sizes.tolist() == [2, 0, 3, 1], form
        assert not found.gaps
        if form in ("csr", "trace", "object.json"):
            assert read_batches(path).batches.dataset_size == 6
            with pytest.raises(RefDPError, match="mend one"):
                read_batches(path, 7)
        else:
            with pytest.raises(RefDPError, match="give --dataset-size"):
                read_batches(path)


def test_steps_that_are_missing_are_noticed(tmp_path: Path) -> None:
    steps = tuple(TracedStep(batch_index=np.array([k]), step=3 * k) for k in range(3))
    write(Trace(steps), tmp_path / "t.npz")
    assert read_batches(str(tmp_path / "t.npz"), 9).gaps


def test_one_line_is_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[1, 2]\n")))
    assert read_batches("-", 5).batches.sizes.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("[1, 2]\n\n[3]\n", "line 2: is blank"),
        ("[1]\n[2\n", "line 2: is not JSON"),
        ("[[1], [true]]", "step 1.*no batch"),
        ("[[1.0]]", "step 0.*no batch"),
        ("[[NaN]]", "no batch"),
        ("[[-1]]", "index -1"),
        ("[[9]]", "index 9 is not in 0 to 4; check --dataset-size"),
        (f"[[{10**30}]]", "is not that of a record"),
        ("[]", "holds no batch"),
        ("7", "holds no batch"),
        ('"abc"', "holds no batch"),
        ("{}", "without batches"),
        ('{"batches": []}', "holds no batch"),
        ('{"batches": [[1]], "dataset_size": 0}', "whole number >= 1"),
        ('{"batches": [[1]], "dataset_size": "5"}', "whole number >= 1"),
        ("[" * 100_000, "line 1: is not JSON"),
    ],
)
def test_bad_text(text: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "batches.json"
    path.write_text(text)
    with pytest.raises(RefDPError, match=match) as caught:
        read_batches(str(path), 5)
    assert str(caught.value).startswith(repr(str(path)))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"weights": np.zeros(3)}, "holds no batches"),
        ({"indices": np.zeros(3), "offsets": np.array([0, 3])}, "whole numbers"),
        ({"indices": np.arange(3), "offsets": np.array([0, 2])}, "offsets: must rise"),
        ({"indices": np.arange(3), "offsets": np.array([0, 4, 3])}, "offsets: must rise"),
        ({"indices": np.arange(3), "offsets": np.array([3])}, "at least one step"),
        (
            {"step0/batch_index": np.arange(2), "step2/batch_index": np.arange(2)},
            "step1/batch_index is missing",
        ),
        ({"step0/batch_index": np.eye(2, dtype=int)}, "list of whole numbers"),
        ({"step0/batch_index": np.array([{}])}, "no sound .npz"),
        ({"indices": np.array([2**63], np.uint64), "offsets": np.array([0, 1])}, "too large"),
        (
            {"indices": np.arange(3), "offsets": np.array([0, 3]), "dataset_size": np.array(2.5)},
            "whole number",
        ),
    ],
)
def test_bad_archives(arrays: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(RefDPError, match=match):
        read_batches(saved(tmp_path / "bad.npz", **arrays), 5)


def test_other_bad_files(tmp_path: Path) -> None:
    for content, match in ((b"PK\x03\x04 no", "no sound .npz"), (b"\xff\xfe\x00", "neither .npz nor UTF-8")):
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(RefDPError, match=match):
            read_batches(str(tmp_path / "f"), 5)
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(RefDPError, match="cannot be read"):
            read_batches(str(missing), 5)
