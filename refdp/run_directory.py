"""A run's directory: config.json, ledger.json, metrics.csv, checkpoint.npz, environment.json.

The checkpoint holds the root of the random streams, which is secret: it is written readable by its owner only.
"""

from __future__ import annotations

import csv
import io
import platform
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy

import refdp
from refdp.accounting import Ledger
from refdp.config import RunConfig
from refdp.errors import RefDPError
from refdp.files import dumps, read_json, write_atomically

PUBLIC_COLUMNS = ("step", "epoch", "test_accuracy", "epsilon_upper", "delta")
PRIVATE_COLUMN = "NOT_PRIVATE_train_loss"


class RunDirectory:
    """Reads and writes one run's files, each write atomic."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, config: RunConfig, backend: str) -> RunDirectory:
        """A new directory with its config and environment; one that holds a run already is refused."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RefDPError(
                f"--output {str(path)!r}: exists and is not empty; choose another, or use --resume"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefDPError(f"--output {str(path)!r}: cannot be made ({error.strerror})") from None
        run = cls(path)
        run._json("config.json", config.to_json())
        run._json("environment.json", environment(backend))
        return run

    def _json(self, name: str, document: Any) -> None:
        write_atomically(self.path / name, (dumps(document, indent=1) + "\n").encode())

    def config(self) -> RunConfig:
        """The configuration; RefDPError where the directory holds no run."""
        return RunConfig.from_json(read_json(self.path / "config.json", "run directory"))

    def write_ledger(self, ledger: Ledger | None) -> None:
        """What has been released so far; a baseline has none."""
        if ledger is not None:
            self._json("ledger.json", ledger.to_json())

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """One row an evaluation; a private column is there only where it was asked for, and says what it is."""
        columns = [*PUBLIC_COLUMNS, *([PRIVATE_COLUMN] if any(PRIVATE_COLUMN in row for row in rows) else [])]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path / "metrics.csv", text.getvalue().encode())

    def read_metrics(self, steps: int) -> list[dict[str, Any]]:
        """The rows up to a step, for a run that goes on from there."""
        path = self.path / "metrics.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
        kept = []
        for row in rows:
            if int(row["step"]) <= steps:
                kept.append({k: v for k, v in row.items() if v != ""})
        return kept

    def write_checkpoint(self, state: dict[str, np.ndarray]) -> None:
        """Everything needed to go on, secret random root included."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(state.items()))
        write_atomically(self.path / "checkpoint.npz", buffer.getvalue(), private=True)

    def read_checkpoint(self) -> dict[str, np.ndarray] | None:
        """The last state written, or None before the first; a damaged one is refused."""
        path = self.path / "checkpoint.npz"
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise RefDPError(
                f"checkpoint {str(path)!r}: damaged ({type(error).__name__}); start afresh"
            ) from None


def environment(backend: str) -> dict[str, Any]:
    """Versions that a result depends on."""
    return {
        "refdp": refdp.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "platform": sys.platform,
        "machine": platform.machine(),
        "backend": backend,
    }
