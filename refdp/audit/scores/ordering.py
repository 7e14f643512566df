"""Scores in an order of their own: what a file's rows happen to be sorted by must not matter.

An estimator that chooses its threshold on held-out scores splits them by place. A file sorted by score would make that
split a choice by score, and a file in another order would make another bound of the same scores.

G1. The result depends on the order relation of all scores (ties among them) and on nothing else: not on the order of
    rows, not on what a strictly increasing map does to the scores.
G2. Within a class places say nothing about scores: they are a permutation drawn with SHA-256 of that relation as its
    seed, uniform given the relation where the hash is taken for a random function.
"""

from __future__ import annotations

import hashlib

import numpy as np

from refdp.audit.scores.base import Scores


def in_canonical_order(scores: Scores) -> Scores:
    """The same scores, each class in the order that G1 and G2 describe."""
    parts = (scores.planted, scores.left_out, scores.references)
    together = np.concatenate(parts)
    kinds = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])
    _, ranks = np.unique(together, return_inverse=True)
    order = np.lexsort((kinds, ranks))
    pattern = np.stack([kinds[order], ranks[order].astype(np.int64)]).astype("<i8")
    seed = int.from_bytes(hashlib.sha256(pattern.tobytes()).digest(), "little")
    rng = np.random.default_rng(seed)
    planted, left_out, references = (rng.permutation(np.sort(part)) for part in parts)
    return Scores(planted, left_out, references, scores.fair_coins, scores.runs)
