"""A run's directory: config.json, ledger.json, metrics.csv, checkpoint.npz, environment.json, weights.npz.

weights.npz is the trained model, made to be shared. The checkpoint is not: it holds the root of the random
streams, which is secret, and is written readable by its owner only.
"""

from __future__ import annotations

import csv
import hashlib
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
from refdp.data import Dataset
from refdp.engine import Trainer
from refdp.errors import RefDPError
from refdp.files import dumps, read_json, write_atomically

PUBLIC_COLUMNS = ("step", "epoch", "test_accuracy", "epsilon_upper", "delta")
PRIVATE_COLUMN = "NOT_PRIVATE_train_loss"
_CHANGES_NOTHING = ("data_dir", "physical_batch_size", "per_sample")  # but rounding


def fingerprint(config: RunConfig, data: Dataset) -> bytes:
    """SHA-256 of everything that decides what a run releases: its configuration and its training records."""
    choices = {k: v for k, v in config.to_json().items() if k not in _CHANGES_NOTHING}
    digest = hashlib.sha256(dumps(choices).encode())
    digest.update(data.train.sha256())
    return digest.digest()


class RunDirectory:
    """Reads and writes one run's files, each write atomic.

    G1. A checkpoint goes with one configuration, one set of training records and one ledger; with others, or
        without it where something was released already, a run is not resumed: its ledger would not be true.
    """

    def __init__(self, path: Path, identity: bytes = b"") -> None:
        self.path, self.identity = path, identity

    @classmethod
    def create(cls, path: Path, config: RunConfig, data: Dataset) -> RunDirectory:
        """A new directory with its config and environment; one that holds a run already is refused."""
        if path.exists() and not path.is_dir():
            raise RefDPError(f"--output {str(path)!r}: is a file; choose a directory")
        if path.exists() and any(path.iterdir()):
            raise RefDPError(
                f"--output {str(path)!r}: exists and is not empty; choose another, or use --resume"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefDPError(f"--output {str(path)!r}: cannot be made ({error.strerror})") from None
        run = cls(path, fingerprint(config, data))
        run._json("config.json", config.to_json())
        run._json("environment.json", environment(config.backend))
        return run

    def _json(self, name: str, document: Any) -> None:
        write_atomically(self.path / name, (dumps(document, indent=1) + "\n").encode())

    def config(self) -> RunConfig:
        """The configuration; RefDPError where the directory holds no run."""
        return RunConfig.from_json(read_json(self.path / "config.json", "run directory"))

    def write_ledger(self, ledger: Ledger) -> None:
        """What has been released so far."""
        self._json("ledger.json", ledger.to_json())

    def write_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """The released weights by name, in PyTorch's layouts: the file to share."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomically(self.path / "weights.npz", buffer.getvalue())

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
        try:
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            return [{k: v for k, v in row.items() if v != ""} for row in rows if int(row["step"]) <= steps]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RefDPError(f"metrics {str(path)!r}: damaged; start a new run") from None

    def write_checkpoint(self, state: dict[str, np.ndarray]) -> None:
        """Everything needed to go on, secret random root included."""
        buffer = io.BytesIO()
        state = {**state, "fingerprint": np.frombuffer(self.identity, dtype=np.uint8)}
        np.savez(buffer, allow_pickle=False, **state)
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

    def resume(self, trainer: Trainer) -> None:
        """Bring a trainer of this directory's plan to the last checkpoint; refuse what does not belong together."""
        where, released = f"run directory {str(self.path)!r}", self._ledger()
        state = self.read_checkpoint()
        if state is None:
            if self.read_metrics(trainer.plan.steps) or (released is not None and released.events):
                raise RefDPError(
                    f"{where}: its checkpoint.npz is gone, but steps were released; start a new run"
                )
            return
        if state.pop("fingerprint", np.empty(0)).tobytes() != self.identity:
            raise RefDPError(
                f"{where}: config.json or the training data changed since the checkpoint; a run goes on as it began"
            )
        trainer.load_state(state)
        rows = self.read_metrics(trainer.step)
        if trainer.step and (not rows or int(rows[-1]["step"]) != trainer.step):
            raise RefDPError(
                f"{where}: metrics.csv does not reach step {trainer.step} of its checkpoint; start a new run"
            )
        if trainer.plan.private and not self._is_ledger_of(released, trainer):
            raise RefDPError(f"{where}: ledger.json is not the ledger of its checkpoint; start a new run")

    @staticmethod
    def _is_ledger_of(released: Ledger | None, trainer: Trainer) -> bool:
        """Whether the plan had released this after the checkpoint's step, or after a later one.

        A save writes the ledger before the checkpoint. One that was cut off in between leaves a ledger that is
        ahead: it charges steps that the resumed run takes again, with the same batches and the same noise.
        """
        if released is None:
            return False
        plan, found = trainer.plan, released.to_json()
        return any(found == plan.ledger(step).to_json() for step in range(trainer.step, plan.steps + 1))

    def _ledger(self) -> Ledger | None:
        path = self.path / "ledger.json"
        return Ledger.from_json(read_json(path, "ledger")) if path.exists() else None


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
