"""The files of an audit's directory: audit.json and initial.npy before the first run, scores.jsonl as runs end."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from refdp.audit.runs.config import AuditConfig
from refdp.audit.runs.initial import worst_case_weights
from refdp.audit.runs.setup import Setup
from refdp.audit.scores import Scores
from refdp.errors import RefDPError
from refdp.files import dumps, read_json, write_atomically
from refdp.schema import check_schema

CONFIG, WEIGHTS, SCORES = "audit.json", "initial.npy", "scores.jsonl"


class AuditDirectory:
    """One audit's files.

    G1. A run that ended is on the disk before it counts; an audit that is killed loses the runs under way only.
    G2. An audit goes on with the very choices, training records, canaries and initial weights it began with.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the folder; one that holds something is refused."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise RefDPError(
                f"--output {str(self.path)!r}: exists and is not empty; choose another, or use --resume"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefDPError(f"--output {str(self.path)!r}: cannot be made ({error.strerror})") from None

    def config(self) -> AuditConfig:
        """The audit's choices; RefDPError where the directory holds no audit."""
        return AuditConfig.from_json(read_json(self.path / CONFIG, "audit directory"))

    def begin(self, setup: Setup) -> Setup:
        """Write down what was chosen, before any run; the setup with initial weights, if they are worst-case.

        Raises:
            RefDPError: another audit began here in the meantime.
        """
        if (self.path / CONFIG).exists():
            raise RefDPError(
                f"--output {str(self.path)!r}: another audit began there just now; choose another"
            )
        if setup.config.initial == "worst-case":
            setup = replace(setup, initial=worst_case_weights(setup))
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(setup.initial), allow_pickle=False)
            write_atomically(self.path / WEIGHTS, buffer.getvalue())
        document = {**setup.config.to_json(), "records_sha256": setup.sha256()}
        write_atomically(self.path / CONFIG, (dumps(document, indent=1) + "\n").encode())
        return setup

    def go_on(self, setup: Setup) -> Setup:
        """The same for an audit that began before.

        Raises:
            RefDPError: its training records, canaries or initial weights are not those it began with.
        """
        if read_json(self.path / CONFIG, "audit directory").get("records_sha256") != setup.sha256():
            raise RefDPError("--resume: the data changed since the audit began; start a new one")
        if setup.config.initial == "random":
            return setup
        try:
            initial = np.load(self.path / WEIGHTS, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise RefDPError(f"{WEIGHTS}: cannot be read; start a new audit") from None
        if initial.shape != (setup.plan.network.size,) or not np.isfinite(initial).all():
            raise RefDPError(f"{WEIGHTS}: is not of this model; start a new audit")
        return replace(setup, initial=initial)

    def runs(self, setup: Setup) -> list[dict[str, Any]]:
        """The runs that ended. A last line that is not whole, as a killed audit leaves it, is cut off.

        Raises:
            RefDPError: a line that is no run of this audit (its coins are not this audit's, say), named by its number.
        """
        path, config = self.path / SCORES, setup.config
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")
        if tail := lines.pop():
            with open(path, "r+b") as file:
                file.truncate(file.seek(0, os.SEEK_END) - len(tail))
        found = []
        for number, line in enumerate(lines, start=1):
            where = f"{SCORES}: line {number}"
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise RefDPError(f"{where}: not JSON ({error}); start a new audit") from None
            check_schema("audit-run-scores", found[-1], where)
            sizes = [len(found[-1][name]) for name in ("planted", "scores", "references")]
            expected = [config.canaries, config.canaries, config.references]
            coins = setup.seeds.planted(found[-1]["run"], config.canaries).tolist()
            if sizes != expected or found[-1]["run"] >= config.runs or found[-1]["planted"] != coins:
                raise RefDPError(f"{where}: is no run of this audit; start a new one")
        if len({record["run"] for record in found}) != len(found):
            raise RefDPError(f"{SCORES}: a run stands there twice; start a new audit")
        return found

    def append(self, record: dict[str, Any]) -> None:
        """One run that ended, on the disk when this returns."""
        check_schema("audit-run-scores", record, "run to be written")
        with open(self.path / SCORES, "ab") as file:
            file.write((dumps(record) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def write_scores(self, scores: Scores, config: AuditConfig, name: str) -> None:
        """All runs' scores in one file, as ``refdp audit scores`` reads them."""
        buffer = io.BytesIO()
        arrays = {key: getattr(scores, key) for key in ("planted", "left_out", "references")}
        facts = {"fair_coins": scores.fair_coins, "runs": scores.runs, "delta": config.delta}
        assert config.claimed_epsilon is not None
        np.savez(buffer, allow_pickle=False, **arrays, **facts, claimed_epsilon=config.claimed_epsilon)
        write_atomically(self.path / name, buffer.getvalue())
