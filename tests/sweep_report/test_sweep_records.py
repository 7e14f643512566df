"""runs.jsonl, results.json and results.csv: what is written is read back, and nothing else is."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_synthetic import make_config, make_run, make_runs

from refdp.errors import RefDPError
from refdp.sweep import records
from refdp.sweep.records import append_run, append_runs, number, read_runs, write_results


def test_runs_come_back_as_written(tmp_path: Path) -> None:
    runs = make_runs()
    for run in runs[:3]:
        append_run(tmp_path / "runs.jsonl", run)
    append_runs(tmp_path / "runs.jsonl", runs[3:])
    assert read_runs(tmp_path / "runs.jsonl") == runs


def test_any_cut_loses_only_the_last_run_and_resuming_mends_it(tmp_path: Path) -> None:
    path, (first, second, third) = tmp_path / "runs.jsonl", make_runs()[:3]
    append_runs(path, [first, second])
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        kept = [first, second] if end == len(whole) - 1 else [first]
        assert read_runs(path) == kept
        append_run(path, third)
        assert read_runs(path) == [*kept, third]


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append_runs(path, make_runs()[:3])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-5], lines[2]]) + "\n")
    with pytest.raises(RefDPError, match=r"line 2: not JSON: .*mend or delete that line"):
        read_runs(path)


def test_a_broken_last_line_with_its_newline_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"noise_multiplier": 1\n')
    with pytest.raises(RefDPError, match="line 1: not JSON"):
        read_runs(path)


def test_an_empty_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append_run(path, make_runs()[0])
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(RefDPError, match="line 2"):
        read_runs(path)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps({**make_runs()[0], "seconds": 7}).replace("7}", text + "}") + "\n")
    with pytest.raises(RefDPError, match="line 1: not JSON") as caught:
        read_runs(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test_accuracy": 1.5}, "test_accuracy = 1.5"),
        ({"seed": "42"}, "seed = '42'"),
        ({"epsilon": {"lower": 1, "upper": "Infinity"}}, "epsilon.upper = 'Infinity'"),
        ({"clipping": None}, "clipping = None"),
        ({"clip_norm": 0}, "clip_norm = 0"),
    ],
)
def test_a_bad_run_is_neither_written_nor_read(tmp_path: Path, change: dict, words: str) -> None:
    path, run = tmp_path / "runs.jsonl", {**make_run(1.0, 1.0, 42, 0.9), **change}
    with pytest.raises(RefDPError, match=words) as caught:
        append_run(path, run)
    assert not path.exists()
    assert "\n" not in str(caught.value)
    path.write_text(json.dumps(run) + "\n")
    with pytest.raises(RefDPError, match="line 1: " + words):
        read_runs(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RefDPError, match="cannot be read"):
        read_runs(tmp_path / "none.jsonl")


def test_number() -> None:
    assert number("inf") == math.inf
    assert number(3) == 3.0
    for bad in (True, None, "3", math.nan):
        with pytest.raises(RefDPError, match="must be a number"):
            number(bad)  # type: ignore[arg-type]


@given(st.floats(0, allow_nan=False))
def test_as_json_and_number_are_each_others_reverse(value: float) -> None:
    written = records.as_json(value)
    json.dumps(written, allow_nan=False)
    assert written is not None
    assert number(written) == value


def test_results_and_csv(tmp_path: Path) -> None:
    config, runs = make_config(), make_runs()
    write_results(tmp_path, config, runs)
    document = json.loads((tmp_path / "results.json").read_text())
    assert document == {"schema": "refdp-sweep/1", "config": config, "runs": runs}
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(runs)
    assert (rows[0]["clip_norm"], rows[0]["epsilon_upper"]) == ("", "inf")
    assert float(rows[-1]["epsilon_upper"]) == runs[-1]["epsilon"]["upper"]
    assert rows[-1]["target_epsilon"] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_results(tmp_path, make_config(), make_runs())
    before = (tmp_path / "results.json").read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write_json(tmp_path / "results.json", {"a": math.nan})
    with pytest.raises(RefDPError, match="clippings = 'flat'"):
        write_results(tmp_path, make_config(clippings="flat"), make_runs())
    assert (tmp_path / "results.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_the_grid_of_s1_is_66_runs() -> None:
    keys = records.expected_keys(make_config())
    assert len(keys) == len(set(keys)) == 7 * 3 * 3 + 3
    assert set(keys) == set(map(records.run_key, make_runs()))


def test_a_grid_of_targets_is_told_apart_by_target() -> None:
    config = make_config(noise_multipliers=None, target_epsilons=[1, 8.0], baselines=False)
    assert len(records.expected_keys(config)) == 2 * 3 * 3
    run = make_run(1.234, 1.0, 42, 0.9, target_epsilon=8)
    assert records.run_key(run) in records.expected_keys(config)
