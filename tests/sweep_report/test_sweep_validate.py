"""A good sweep passes every check; each way of spoiling it is caught by the check that is named for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_synthetic import write_sweep

from refdp.errors import RefDPError
from refdp.sweep.validate import CHECKS, validate


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture
def sweep(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "copy"))


def _failed(directory: Path) -> set[str]:
    checks = validate(directory)
    assert [check.name for check in checks] == list(CHECKS)
    assert all(check.detail and "\n" not in check.detail for check in checks)
    return {check.name for check in checks if not check.passed}


def _edit(directory: Path, name: str, change: Callable[[Any], Any]) -> None:
    document = json.loads((directory / name).read_text())
    change(document)
    (directory / name).write_text(json.dumps(document))


def _set(place: tuple[Any, ...], value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in place[:-1]:
            document = document[key]
        document[place[-1]] = value

    return change


def test_a_good_sweep_passes(good: Path) -> None:
    assert _failed(good) == set()


@pytest.mark.parametrize("name", ["results.json", "summary.json", "results.csv", "runs.jsonl"])
def test_a_missing_file(sweep: Path, name: str) -> None:
    (sweep / name).unlink()
    assert "files" in _failed(sweep)


RESULT_CASES = {
    "schema version": (_set(("schema",), "refdp-sweep/2"), "results schema"),
    "accuracy above one": (_set(("runs", 7, "test_accuracy"), 1.01), "accuracy"),
    "accuracy as text": (_set(("runs", 7, "test_accuracy"), "0.9"), "accuracy"),
    "run lost": (lambda doc: doc["runs"].pop(9), "coverage"),
    "run twice": (lambda doc: doc["runs"].append(doc["runs"][9]), "coverage"),
    "baseline lost": (lambda doc: doc["runs"].pop(0), "coverage"),
    "wrong seed": (_set(("runs", 9, "seed"), 7), "coverage"),
    "other sampler": (_set(("runs", 9, "sampling"), "poisson"), "setting"),
    "other delta": (_set(("runs", 9, "delta"), 1e-3), "setting"),
    "lower above upper": (_set(("runs", 9, "epsilon", "lower"), 1e9), "epsilon bounds"),
    "private baseline": (_set(("runs", 0, "epsilon", "upper"), 3.0), "epsilon bounds"),
    "two epsilons a level": (_set(("runs", 9, "epsilon", "upper"), 99.0), "epsilon order"),
    "no runs": (lambda doc: doc["runs"].clear(), "accuracy"),
    "accuracy not as in runs.jsonl": (_set(("runs", 9, "test_accuracy"), 0.5), "runs"),
    "accuracy not as in the table": (_set(("runs", 9, "test_accuracy"), 0.5), "csv"),
    "accuracy not as summed up": (_set(("runs", 9, "test_accuracy"), 0.5), "summary"),
}


@pytest.mark.parametrize("case", RESULT_CASES)
def test_spoilt_results(sweep: Path, case: str) -> None:
    change, name = RESULT_CASES[case]
    _edit(sweep, "results.json", change)
    assert name in _failed(sweep)


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_an_epsilon_that_does_not_fall(sweep: Path, factor: float) -> None:
    """s1's own mistake: an epsilon that stops falling, or rises, as noise grows (here from noise 1 to 2)."""

    def change(document: Any) -> None:
        value = factor * next(r for r in document["runs"] if r["noise_multiplier"] == 1.0)["epsilon"]["upper"]
        for run in document["runs"]:
            if run["noise_multiplier"] == 2.0:
                run["epsilon"]["upper"] = value

    _edit(sweep, "results.json", change)
    assert "epsilon order" in _failed(sweep)


def test_lower_bounds_may_stay_and_unknown_ones_are_skipped(sweep: Path) -> None:
    def change(document: Any) -> None:
        for run in document["runs"]:
            if run["clip_norm"] is not None:
                run["epsilon"]["lower"] = 0
                if run["noise_multiplier"] == 2.0:
                    run["epsilon"]["upper"] = None

    _edit(sweep, "results.json", change)
    assert not {"epsilon order", "epsilon bounds"} & _failed(sweep)


def test_a_baseline_that_learnt_nothing(sweep: Path) -> None:
    def change(document: Any) -> None:
        for run in document["runs"][:3]:
            run["test_accuracy"] = 0.5

    _edit(sweep, "results.json", change)
    assert "baseline" in _failed(sweep)


def test_no_baseline_asked_for(sweep: Path) -> None:
    def change(document: Any) -> None:
        document["config"]["baselines"] = False
        del document["runs"][:3]

    _edit(sweep, "results.json", change)
    assert not {"baseline", "coverage"} & _failed(sweep)


SUMMARY_CASES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "mean": (_set(("cells", 4, "mean"), 0.99), "summary"),
    "std": (_set(("cells", 4, "std"), 0.0), "summary"),
    "cliff": (_set(("privacy_cliff", "exists"), True), "summary"),
    "safe region": (_set(("safe_region", "starts_at_epsilon"), 0.5), "summary"),
    "selection note": (_set(("selection_note",), "All is well."), "summary"),
    "cell lost": (lambda doc: doc["cells"].pop(), "summary"),
    "key lost": (lambda doc: doc.pop("notes"), "summary schema"),
}


@pytest.mark.parametrize("case", SUMMARY_CASES)
def test_spoilt_summary(sweep: Path, case: str) -> None:
    change, name = SUMMARY_CASES[case]
    _edit(sweep, "summary.json", change)
    assert name in _failed(sweep)


def test_rounding_in_the_summary_is_no_fault(sweep: Path) -> None:
    mean = json.loads((sweep / "summary.json").read_text())["cells"][0]["mean"]
    _edit(sweep, "summary.json", _set(("cells", 0, "mean"), mean + 1e-15))
    assert _failed(sweep) == set()


def test_runs_file_with_a_line_lost_or_broken(sweep: Path) -> None:
    lines = (sweep / "runs.jsonl").read_text().splitlines(keepends=True)
    (sweep / "runs.jsonl").write_text("".join(lines[1:]))
    assert _failed(sweep) == {"runs"}
    (sweep / "runs.jsonl").write_text("{}\n" + "".join(lines))
    assert _failed(sweep) == {"runs"}
    (sweep / "runs.jsonl").write_text("".join(reversed(lines)))
    assert _failed(sweep) == set()


def test_csv_edited(sweep: Path) -> None:
    text = (sweep / "results.csv").read_text()
    (sweep / "results.csv").write_text(text.replace("fixed-order", "poisson", 1))
    assert _failed(sweep) == {"csv"}


@pytest.mark.parametrize("spoil", ["missing", "empty", "text", "cut", "tiny"])
def test_spoilt_picture(sweep: Path, spoil: str) -> None:
    path = sweep / "heatmap.png"
    content = path.read_bytes()
    if spoil == "missing":
        path.unlink()
    else:
        tiny = content[:60] + content[-60:]
        path.write_bytes({"empty": b"", "text": b"x" * 9999, "cut": content[:-9], "tiny": tiny}[spoil])
    assert _failed(sweep) == {"pictures"}


@pytest.mark.parametrize("name", ["results.json", "summary.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"runs": 3, "config": 4}', "NaN"])
def test_nonsense_is_reported_not_raised(sweep: Path, name: str, text: str) -> None:
    (sweep / name).write_text(text)
    assert _failed(sweep) >= {f"{name.split('.')[0]} schema", "summary"}


def test_what_is_not_a_sweep(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(RefDPError, match="not a sweep directory"):
            validate(directory)
