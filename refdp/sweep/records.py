"""The files of a sweep directory: runs.jsonl as runs end, results.json and results.csv at the end.

Infinities are the text "inf" in JSON and CSV; NaN is refused everywhere. A run without a clip norm is a
non-private baseline.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from refdp.errors import RefDPError
from refdp.files import write_atomically
from refdp.schema import check_schema

Run = dict[str, Any]
Key = tuple[str | None, float | None, str, float, int]

RUNS, RESULTS, TABLE, SUMMARY = "runs.jsonl", "results.json", "results.csv", "summary.json"
COLUMNS = (
    "noise_multiplier", "clip_norm", "clipping", "seed", "test_accuracy", "epsilon_lower", "epsilon_upper",
    "target_epsilon", "delta", "sampling", "neighboring", "dataset", "model", "steps", "seconds",
)  # fmt: skip

CHOICES: dict[str, Any] = {"schedule": "constant", "augmentation": None, "iterates": None}
"""What a whole sweep may choose beside its grid -> what it is where a file does not say (older sweeps)."""


def number(value: float | str) -> float:
    """A number of a JSON file as a float: itself, or infinity for the text "inf"."""
    if value == "inf":
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise RefDPError(f'{value!r}: must be a number or "inf"')
    return float(value)


def as_json(value: float | None) -> float | str | None:
    """The reverse of ``number``: infinity becomes the text "inf", None stays None."""
    return "inf" if value is not None and math.isinf(value) else value


def is_baseline(run: Run) -> bool:
    """Whether the run is a non-private baseline: one without clipping."""
    return run["clip_norm"] is None


def level(run: Run) -> tuple[str, float]:
    """What was asked for, and its value: "target_epsilon" where the run has one, else "noise_multiplier"."""
    name = "noise_multiplier" if run.get("target_epsilon") is None else "target_epsilon"
    return name, run[name]


def run_key(run: Run) -> Key:
    """What tells the runs of a sweep apart: clipping, clip norm, what was asked for and its value, seed.

    The middle two are the run's ``level``.
    """
    return run["clipping"], run["clip_norm"], *level(run), run["seed"]


def run_name(run: Run) -> str:
    """A run in words, for messages."""
    if is_baseline(run):
        return f"baseline, seed {run['seed']}"
    noise, norm = run["noise_multiplier"], run["clip_norm"]
    return f"noise multiplier {noise:g}, clip norm {norm:g}, {run['clipping']}, seed {run['seed']}"


def expected_keys(config: dict[str, Any]) -> list[Key]:
    """The ``run_key`` of every run that the grid asks for, baselines first."""
    keys: list[Key] = []
    if config["baselines"]:
        keys += [(None, None, "noise_multiplier", 0, seed) for seed in config["seeds"]]
    levels = [
        (name, value)
        for name in ("noise_multiplier", "target_epsilon")
        for value in config.get(f"{name}s") or []
    ]
    for clipping in config["clippings"]:
        for clip_norm in config["clip_norms"]:
            keys += [(clipping, clip_norm, *asked, seed) for asked in levels for seed in config["seeds"]]
    return keys


def parse_json(text: str | bytes, where: str) -> Any:
    """Read JSON strictly: no NaN, no infinite numbers. Raises RefDPError naming the place."""

    def refuse(name: str) -> Any:
        raise ValueError(f'{name} is not a JSON number; infinity is written "inf"')

    def finite(digits: str) -> float:
        value = float(digits)
        return value if math.isfinite(value) else refuse(digits)

    try:
        return json.loads(text, parse_constant=refuse, parse_float=finite)
    except ValueError as error:
        raise RefDPError(f"{where}: not JSON: {error}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefDPError(f"{path}: cannot be read ({error.strerror}); give a file of a sweep") from None


def read_json(path: Path) -> Any:
    """A JSON file, read strictly."""
    return parse_json(_read(path), str(path))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def read_runs(path: str | os.PathLike[str]) -> list[Run]:
    """The runs of a runs.jsonl file, each checked against its schema.

    A last line that has no newline and is not whole, as a killed sweep leaves it, is ignored: that run
    had not ended. Anything else that is not a run is an error that names its line.
    """
    lines = _read(Path(path)).split(b"\n")
    tail = lines.pop()
    if tail and _is_json(tail):
        lines.append(tail)
    runs = []
    for i, line in enumerate(lines, start=1):
        where = f"{path}: line {i}"
        try:
            runs.append(parse_json(line, where))
            check_schema("sweep-run", runs[-1], where)
        except RefDPError as error:
            raise RefDPError(f"{error}; mend or delete that line, then resume the sweep") from None
    return runs


def append_runs(path: str | os.PathLike[str], records: Iterable[Run]) -> None:
    """Append runs, a line each, and wait until they are on the disk.

    The rest of a line that a killed sweep left unfinished is cut off first.
    """
    lines = []
    for record in records:
        check_schema("sweep-run", record, "run to be written")
        lines.append(json.dumps(record, allow_nan=False) + "\n")
    with open(path, "a+b") as file:
        file.seek(0)
        tail = file.read().rpartition(b"\n")[2]
        if tail and _is_json(tail):
            file.write(b"\n")
        elif tail:
            file.truncate(file.seek(0, os.SEEK_END) - len(tail))
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())


def append_run(path: str | os.PathLike[str], record: Run) -> None:
    """Append one run; see ``append_runs``."""
    append_runs(path, [record])


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file atomically, indented, refusing NaN and infinities."""
    write_atomically(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def csv_text(runs: Iterable[Run]) -> str:
    """The runs as CSV: one flat row a run, in the order given; unknown values are empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        epsilon = run["epsilon"]
        writer.writerow({**run, "epsilon_lower": epsilon["lower"], "epsilon_upper": epsilon["upper"]})
    return out.getvalue()


def write_results(directory: str | os.PathLike[str], config: dict[str, Any], runs: list[Run]) -> None:
    """Write results.json and results.csv of a finished sweep, each atomically."""
    document = {"schema": "refdp-sweep/1", "config": config, "runs": runs}
    check_schema("sweep-results", document, RESULTS)
    write_json(Path(directory) / RESULTS, document)
    write_atomically(Path(directory) / TABLE, csv_text(runs).encode())
