"""Where the subjects are, one audit of one, and searches of one under many seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from refdp.audit.mechanism import Attack, Settings, attack, count, noise_data, shift, state
from refdp.audit.mechanism.bench import Bench
from refdp.audit.mechanism.finding import Finding

SUBJECTS = Path(__file__).parent / "mechanism_subjects"


def subject(name: str) -> str:
    """FILE.py:CLASS of ``correct:Flat``."""
    file, cls = name.split(":")
    return f"{SUBJECTS / file}.py:{cls}"


def audited(
    name: str, *, seconds: float = 1.0, seed: int = 0, timeout: float = 5, **settings: object
) -> Attack:
    """An audit of the subject."""
    return attack(subject(name), Settings(**settings), seconds=seconds, seed=seed, timeout=timeout)  # type: ignore[arg-type]


def searched(
    name: str, seeds: Iterable[int], seconds: float, relation: str = "add-remove", *, brief: bool = False
) -> list[Finding]:
    """What the checks that draw batches find, under each seed; noise is measured under the same seeds always.

    ``brief``: movements of the sum and of a count alone.
    """
    file, cls = subject(name).rsplit(":", 1)
    found: list[Finding] = []
    with Bench(Path(file), cls, Settings(relation=relation), memory=4 << 30) as bench:
        bench.choose_release(None)
        ordinary = [np.full((8, 2, 3), 0.1), np.full((8, 4), 0.1)]
        bench.see_whether_it_freezes(ordinary)
        assert bench.frozen
        counts = bench.releases([ordinary], [7])[0][0].count is not None
        for seed in seeds:
            rng = np.random.default_rng(seed)
            if counts:
                found += count.movement(bench, rng, 1)
            if not brief:
                changed, _ = noise_data.check(bench, rng, 1)
                found += [one for one in (changed, state.check(bench, rng)) if one is not None]
            found += shift.search(bench, rng, time.monotonic() + seconds, 1)[0]
        assert bench.frozen
    return found
