"""A run directory of refdp: ledger.json, and beside it config.json and metrics.csv."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from refdp.accounting import Ledger
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.formats.refdp_ledger import imported
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.source import Source, open_source
from refdp.audit.importers.words import short
from refdp.errors import RefDPError
from refdp.schema import check_schema

_FACTS = (
    "dataset",
    "batch_size",
    "physical_batch_size",
    "epochs",
    "sampling",
    "clipping",
    "clip_norm",
    "delta",
)


@formats.register("refdp-run")
class RefdpRun(RecordFormat):
    """The ledger it kept, what it was told to do, and the epsilon it aimed at or reported."""

    name = "refdp-run"
    reads = "a run directory of refdp, with its ledger.json"

    def recognises(self, source: Source) -> bool:
        return source.is_directory

    def read(self, source: Source, neighboring: str | None) -> Imported:
        if not source.is_directory:
            raise RefDPError("is a file; a run directory holds ledger.json and config.json")
        if not (source.path / "ledger.json").exists():
            raise RefDPError("is a directory without ledger.json, so no run of refdp; give the record's file")
        ledger = Ledger.from_json(_part(source.path, "ledger.json").document)
        if not (source.path / "config.json").exists():
            return imported(
                ledger,
                self.name,
                neighboring,
                notes=("config.json is missing: what the run was told to do is unknown",),
            )
        config = _part(source.path, "config.json").document
        check_schema("config", config, "config.json")
        actual = {name: config[name] for name in _FACTS if config[name] is not None}
        claimed = (
            {"epsilon": float(config["target_epsilon"])}
            if config["target_epsilon"]
            else _reported(source.path)
        )
        if claimed is not None:
            claimed["delta"] = float(config["delta"])
        return imported(ledger, self.name, neighboring, claimed=claimed, actual=actual)


def _part(directory: Path, name: str) -> Source:
    try:
        source = open_source(directory / name)
        _ = source.document
    except RefDPError as error:
        raise RefDPError(f"{name} {error}") from None
    return source


def _reported(directory: Path) -> dict[str, Any] | None:
    """The last epsilon in metrics.csv, if it has one."""
    if not (directory / "metrics.csv").exists():
        return None
    try:
        rows = list(csv.DictReader(open_source(directory / "metrics.csv").text.splitlines()))
        last = [row["epsilon_upper"] for row in rows if row.get("epsilon_upper")][-1:]
        value = float(last[0]) if last else None
    except (ValueError, csv.Error) as error:
        raise RefDPError(f"metrics.csv is damaged ({short(str(error))}); remove it to go without") from None
    return None if value is None or not math.isfinite(value) else {"epsilon": value}
