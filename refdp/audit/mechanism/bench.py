"""Play batches through the subject and measure how far two releases are apart.

G1. A subject that hangs or dies on one run is started again; the other runs of the request still get answers.
G2. Frozen noise is used only where it was seen to freeze: the same seed gave the same release twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refdp.audit.mechanism.process import SubjectDied, SubjectProcess
from refdp.audit.mechanism.settings import Settings
from refdp.errors import RefDPError

Batch = list[np.ndarray]  # one array [B, *shape] per parameter
DEATHS = 30


@dataclass(frozen=True)
class Call:
    """One ``clip_and_noise``; ``seed`` freezes the noise anew before it."""

    batch: Batch
    step: int = 0
    epoch: int = 0
    seed: int | None = None


@dataclass(frozen=True)
class Release:
    """What one call released: flat, or why not; and what was declared before it.

    Attributes:
        count: what it released beside, flat, with noise; None where the class declares no such thing.
    """

    output: np.ndarray | None
    error: str | None
    sigma: float
    sensitivity: float
    eps: float
    count: np.ndarray | None = None
    count_noise: float = 0.0
    count_sensitivity: float = 0.0


class Bench:
    """The subject, kept alive.

    Attributes:
        frozen: whether seeds freeze its noise.
        calls: how many times ``clip_and_noise`` was asked for.
    """

    def __init__(
        self, file: Path, name: str, settings: Settings, *, memory: int, timeout: float = 5.0
    ) -> None:
        self.file, self.name, self.settings = file, name, settings
        self._memory, self._timeout = memory, timeout
        self._process = self._start()
        self.about = self._process.about
        self.frozen, self.calls, self._deaths, self._pace = False, 0, 0, 0.0
        if not self.about["has_method"]:
            self.close()
            raise RefDPError(f"{file}:{name}: has no method clip_and_noise(per_sample_grads, step, epoch)")

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the subject's process."""
        self._process.close()

    def choose_release(self, release: str | None) -> None:
        """What is released: as asked, else as the class says, else the mean."""
        chosen = release or self.about["release"] or "mean"
        if chosen not in ("sum", "mean"):
            raise RefDPError(f"{self.name}.release = {chosen!r}: must be 'sum' or 'mean'")
        self.settings = replace(self.settings, release=chosen)

    def _start(self) -> SubjectProcess:
        return SubjectProcess(self.file, self.name, memory=self._memory, timeout=self._timeout + 20)

    def play(
        self, runs: Sequence[tuple[Sequence[Call], Sequence[int]]], noise_multiplier: float | None = None
    ) -> list[list[list[Release]]]:
        """Each run under each of its seeds: [run][seed][call], shorter where a call failed."""
        try:
            return self._play(runs, noise_multiplier)
        except SubjectDied as died:
            self._process.close()
            self._process = self._start()
            self._deaths += 1
            if self._deaths > DEATHS:
                raise RefDPError(
                    f"{self.file}:{self.name}: {died}, again and again; nothing was found out"
                ) from None
            if len(runs) == 1:
                lost = Release(None, str(died), 0.0, 0.0, 0.0)
                return [[[lost] for _ in runs[0][1]]]
            half = len(runs) // 2
            return self.play(runs[:half], noise_multiplier) + self.play(runs[half:], noise_multiplier)

    def _play(
        self, runs: Sequence[tuple[Sequence[Call], Sequence[int]]], noise_multiplier: float | None
    ) -> list[list[list[Release]]]:
        asked: list[dict[str, Any]] = []
        numbers: list[np.ndarray] = []
        for calls, seeds in runs:
            self.calls += len(calls) * len(seeds)
            told = [
                {"shapes": [a.shape for a in c.batch], "step": c.step, "epoch": c.epoch, "seed": c.seed}
                for c in calls
            ]
            asked.append({"calls": told, "seeds": [int(s) for s in seeds]})
            numbers += [array.ravel() for call in calls for array in call.batch]
        settings = self.settings.arguments()
        if noise_multiplier is not None:
            settings["noise_multiplier"] = noise_multiplier
        document, outputs = self._process.ask(
            {"settings": settings, "runs": asked},
            np.concatenate(numbers) if numbers else np.empty(0),
            self._timeout + 5 * self._pace * sum(len(calls) * len(seeds) for calls, seeds in runs),
        )
        return _sorted(document, outputs, [len(seeds) for _, seeds in runs])

    def releases(
        self, batches: Sequence[Batch], seeds: Sequence[int], noise_multiplier: float | None = None
    ) -> list[list[Release]]:
        """The first release of a fresh instance, for each batch and seed."""
        played = self.play([([Call(batch)], seeds) for batch in batches], noise_multiplier)
        return [[calls[0] for calls in run] for run in played]

    def see_whether_it_freezes(self, batch: Batch) -> None:
        """Sets ``frozen``; a subject that cannot take an ordinary batch is refused."""
        first = self.releases([batch], [7])[0]
        if first[0].output is None:
            raise RefDPError(f"{self.file}:{self.name}: fails on an ordinary batch: {first[0].error}")
        begin = time.monotonic()
        again = self.releases([batch], [7])[0]
        self._pace = time.monotonic() - begin
        self.frozen = bool(np.array_equal(first[0].output, again[0].output, equal_nan=True))  # type: ignore[arg-type]


def _sorted(document: dict[str, Any], outputs: np.ndarray, counts: list[int]) -> list[list[list[Release]]]:
    found: list[list[list[Release]]] = []
    at, played = 0, iter(document["played"])
    for count in counts:
        run = []
        for _ in range(count):
            calls = []
            for one in next(played):
                output = None
                if "output" in one and "error" not in one:
                    output = outputs[at : at + one["output"]]
                    at += one["output"]
                counted = None if "count" not in one else np.array(one["count"], dtype=np.float64)
                beside = (counted, one.get("count_noise", 0.0), one.get("count_sensitivity", 0.0))
                declared = (one["sigma"], one["sensitivity"], one.get("eps", 0.0))
                calls.append(Release(output, one.get("error"), *declared, *beside))
            run.append(calls)
        found.append(run)
    return found
