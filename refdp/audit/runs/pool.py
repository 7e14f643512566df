"""The scores of all runs as one, whichever ended first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from refdp.audit.scores import Scores
from refdp.errors import RefDPError


def pooled(records: Sequence[dict[str, Any]]) -> Scores:
    """Scores of runs (lines of scores.jsonl), in the order of their numbers.

    Raises:
        RefDPError: two lines of the same run, or none at all.
    """
    ordered = sorted(records, key=lambda record: record["run"])
    numbers = [record["run"] for record in ordered]
    if not numbers or len(set(numbers)) != len(numbers):
        raise RefDPError("scores.jsonl: needs each run once, and at least one; start a new audit")
    planted = np.concatenate([np.array(record["planted"], dtype=bool) for record in ordered])
    scores = np.concatenate([np.array(record["scores"], dtype=np.float64) for record in ordered])
    references = np.concatenate([np.array(record["references"], dtype=np.float64) for record in ordered])
    return Scores(scores[planted], scores[~planted], references, fair_coins=True, runs=len(ordered))
