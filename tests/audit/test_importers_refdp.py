"""refdp's own ledgers and run directories, and what ``read_record`` does with any path."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from importers_files import FIXTURES, fixture, ledger, read, refusal, write

from refdp.accounting import Ledger, epsilon
from refdp.audit.importers import from_object, read_record, record_formats
from refdp.audit.importers.format import formats
from refdp.audit.importers.source import open_source

TRUE = ledger((1.1, 0.01, 100), (1.0, 0.01, 50), neighboring="zero-out")


def test_a_ledger_is_read_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, TRUE.to_json())
    assert (found.ledger, found.format, found.notes) == (TRUE, "refdp-ledger", ())
    assert from_object(TRUE).ledger == from_object(TRUE.to_json()).ledger == TRUE
    other = read(tmp_path, TRUE.to_json(), neighboring="add-remove")
    assert other.ledger == Ledger("add-remove", TRUE.events)
    assert "the ledger says zero-out" in other.notes[0]
    assert read(tmp_path, Ledger().to_json()).notes == ("the ledger is empty: nothing was released",)


def test_a_ledger_through_every_other_format_costs_the_same(tmp_path: Path) -> None:
    rows = [(event.noise, event.sampling.rate, event.count) for event in TRUE.events]
    parts = [
        f"SelfComposedDpEvent(PoissonSampledDpEvent({rate!r}, GaussianDpEvent({noise!r})), {count})"
        for noise, rate, count in rows
    ]
    forms: list[Any] = [
        rows,
        "noise_multiplier,sample_rate,steps\n" + "\n".join(f"{n!r},{q!r},{s}" for n, q, s in rows),
        f"ComposedDpEvent([{', '.join(parts)}])",
    ]
    expected = epsilon(TRUE, 1e-5)
    for form in forms:
        found = read(tmp_path, form, neighboring="zero-out")
        assert found.ledger == TRUE
        bounds = epsilon(found.ledger, 1e-5)
        assert (bounds.lower, bounds.upper) == (expected.lower, expected.upper)


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from refdp.cli import run

    directory = tmp_path_factory.mktemp("runs") / "run"
    options = ["--dataset", "gaussian-clusters", "--noise-multiplier", "1", "--epochs", "1", "--seed", "3"]
    assert run(["train", *options, "--output", str(directory), "--json", "--quiet"]) == 0
    return directory


def test_a_run_directory(run_directory: Path) -> None:
    found = read_record(run_directory)
    assert found.format == "refdp-run"
    assert found.ledger == Ledger.from_json((run_directory / "ledger.json").read_text())
    assert found.actual["epochs"] == 1
    assert found.claimed is not None
    bounds = epsilon(found.ledger, found.claimed["delta"])
    assert found.claimed["epsilon"] == pytest.approx(bounds.upper)


def test_a_run_directory_with_parts_missing_or_damaged(run_directory: Path, tmp_path: Path) -> None:
    for name in ("ledger.json", "config.json", "metrics.csv"):
        (tmp_path / name).write_bytes((run_directory / name).read_bytes())
    assert read_record(tmp_path).claimed
    (tmp_path / "metrics.csv").write_text("epsilon_upper\nx\n")
    assert "metrics.csv" in refusal(tmp_path)
    (tmp_path / "metrics.csv").unlink()
    assert read_record(tmp_path).claimed is None
    (tmp_path / "config.json").write_text("{}")
    assert "config.json" in refusal(tmp_path)
    (tmp_path / "config.json").write_text("[")
    assert "config.json" in refusal(tmp_path)
    (tmp_path / "config.json").unlink()
    assert "config.json is missing" in read_record(tmp_path).notes[0]
    (tmp_path / "ledger.json").write_bytes(b"\xff\xfe\x00")
    assert "ledger.json" in refusal(tmp_path)
    (tmp_path / "ledger.json").unlink()
    assert "without ledger.json" in refusal(tmp_path)


def test_no_two_formats_take_the_same_file(tmp_path: Path) -> None:
    paths = [path for path in FIXTURES.iterdir() if path.name.startswith(("opacus", "numpy", "whole"))]
    for name in ("dp-events.json", "jax-privacy.json"):
        for key, forms in fixture(name).items():
            paths += [write(tmp_path, text, f"{key}-{form}-{name}") for form, text in forms.items()]
    paths += [
        write(tmp_path, TRUE.to_json(), "ledger"),
        write(tmp_path, "noise_multiplier,sample_rate\n1,0.1\n", "csv"),
    ]
    assert len(paths) > 30
    for path in paths:
        taken = [name for name in formats.names() if formats.get(name)().recognises(open_source(path))]
        assert len(taken) == 1, (path.name, taken)


def test_every_format_says_what_it_reads() -> None:
    found = record_formats()
    names = "csv dp-event jax-privacy opacus-checkpoint opacus-history refdp-ledger refdp-run"
    assert sorted(found) == names.split()
    assert all(20 < len(text) < 120 for text in found.values())


@pytest.mark.parametrize(
    "content", ["hello", "{}", "[[1,2]]", '{"a": 1}', "f(x)", "1,2,3\n4,5,6", "(1, 2)", "{1, 2}"]
)
def test_an_unknown_record_lists_the_formats(content: str, tmp_path: Path) -> None:
    line = refusal(write(tmp_path, content))
    for name in record_formats():
        assert name in line


def test_the_format_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, TRUE.to_json())
    assert read_record(path, "refdp-ledger").ledger == TRUE
    assert "unknown record format 'parquet': choose one of csv" in refusal(path, format="parquet")
    for name in record_formats():
        if name != "refdp-ledger":
            refusal(path, format=name)
        refusal(tmp_path, format=name)
    assert "neighboring = 'all'" in refusal(path, neighboring="all")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "missing")
    assert "is empty" in refusal(write(tmp_path, ""))
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a directory" in refusal(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no path"):
        read_record("a\0b")
    with pytest.raises(ValueError, match="is no path"):
        read_record(None)  # type: ignore[arg-type]


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write(b"[[1, 2, 3]]" + b" " * 1000)
        file.seek(2**40)
        file.write(b"x")
    assert "is 1,099,511,627,777 bytes" in refusal(path)


def test_the_documents_of_a_ledger_are_checked_as_ever(tmp_path: Path) -> None:
    document = json.loads(json.dumps(TRUE.to_json()))
    document["events"][0]["mechanism"] = "laplace"
    assert "laplace" in refusal(write(tmp_path, document))
    document["schema"] = "refdp-ledger/9"
    assert "refdp-ledger/9" in refusal(write(tmp_path, document))
