"""A violation: what was measured, what was declared, and the inputs that show it; saved and read back."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refdp.audit.mechanism.settings import Settings
from refdp.errors import RefDPError
from refdp.files import write_atomically

SCHEMA = "refdp-mechanism-counterexample/1"
TOLERATED = 1.1  # so many times the declared noise is no finding


@dataclass(frozen=True, eq=False)
class Finding:
    """One violation.

    Attributes:
        check: the check that measured it, and measures it again.
        what: one sentence.
        measured: the greatest movement, or the least noise, in the units of ``bound``.
        bound: what was declared.
        factor: by how much sensitivity / noise is understated (> 1; inf where nothing protects); < 1 where
            there is more noise than declared, which is no leak.
        arrays: the inputs: ``batch_0``, ... and, for two batches, ``neighbour_0``, ...
        details: whatever else the check needs to measure again.
    """

    check: str
    what: str
    measured: float
    bound: float
    factor: float
    step: int
    arrays: dict[str, np.ndarray]
    details: dict[str, Any]
    file: str | None = None

    @property
    def leaks(self) -> bool:
        """Whether less is protected than declared."""
        return self.factor > 1

    def still_there(self, factor: float) -> bool:
        """Whether a second measurement shows the same violation."""
        return factor > 1 if self.leaks else factor < 1 / TOLERATED

    def to_json(self, settings: Settings) -> dict[str, Any]:
        """As the report prints it."""
        return {
            "check": self.check,
            "what": self.what,
            "measured": self.measured,
            "bound": self.bound,
            "factor": self.factor,
            "effective_noise_multiplier": settings.noise_multiplier / self.factor,
            "step": self.step,
            "counterexample": self.file,
        }


def named(name: str, batch: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays under the names they are saved by."""
    return {f"{name}_{i}": array for i, array in enumerate(batch)}


def batch_of(finding: Finding, name: str) -> list[np.ndarray]:
    """The arrays of that name, in order."""
    count = sum(key.startswith(f"{name}_") for key in finding.arrays)
    return [finding.arrays[f"{name}_{i}"] for i in range(count)]


def save(
    finding: Finding, folder: Path, number: int, subject: str, file: Path, settings: Settings
) -> Finding:
    """Write ``NN-check.npz``; the finding with its path."""
    path = folder / f"{number:02d}-{finding.check}.npz"
    about = {
        "schema": SCHEMA,
        "subject": subject,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "settings": settings.to_json(),
        "check": finding.check,
        "what": finding.what,
        "measured": repr(finding.measured),
        "bound": repr(finding.bound),
        "factor": repr(finding.factor),
        "step": finding.step,
        "details": finding.details,
    }
    content = io.BytesIO()
    np.savez_compressed(content, about=np.array(json.dumps(about)), **finding.arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())
    return replace(finding, file=str(path))


def load(path: Path) -> tuple[Finding, Settings, str, str]:
    """(finding, settings, FILE:CLASS, the file's sha256) from a counterexample."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop("about")))
        if about["schema"] != SCHEMA:
            raise KeyError("schema")
        settings = Settings(**about["settings"])
        measured, bound, factor = (float(about[key]) for key in ("measured", "bound", "factor"))
        found = Finding(
            about["check"],
            about["what"],
            measured,
            bound,
            factor,
            int(about["step"]),
            arrays,
            dict(about["details"]),
            str(path),
        )
        return found, settings, str(about["subject"]), str(about["sha256"])
    except OSError as error:
        raise RefDPError(f"--replay {str(path)!r}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        raise RefDPError(
            f"--replay {str(path)!r}: no counterexample ({SCHEMA}); give a file that --output wrote"
        ) from None


def ratio(a: float, b: float) -> float:
    """a / b with x / 0 = inf."""
    return a / b if b > 0 else math.inf
