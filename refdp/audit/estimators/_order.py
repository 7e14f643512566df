"""The order of scores, ties broken by lot."""

from __future__ import annotations

import zlib

import numpy as np

from refdp.audit.scores import Scores


def untied(scores: Scores, seed: int) -> Scores:
    """Scores replaced by their places 0, 1, ... in the order of all of them [n1 + n0 + nr].

    Scores that are equal get a random order of their own, whatever they belong to. That is a score of its own right,
    (score, independent uniform), so whatever holds for any scores holds for these; where an accuracy of 0 or 1 is
    the score, it keeps what the scores tell. The lots are drawn from the seed and the order of the scores together, so
    that no seed is unlucky for every file. Where no two scores differ nothing is told, and no lot may say otherwise:
    planted canaries come last.

    G1. Only the order of the scores is used.
    G2. The place of a tied score does not depend on what it belongs to, nor on where it stood in the input.
    """
    sizes = np.cumsum([len(scores.planted), len(scores.left_out)])
    pooled = np.concatenate([scores.planted, scores.left_out, scores.references])
    values, group = np.unique(pooled, return_inverse=True)
    places = group.astype(np.float64)
    if len(values) == 1:
        places = np.arange(len(pooled), dtype=np.float64)
    elif len(values) < len(pooled):
        rng = np.random.default_rng([seed, zlib.crc32(group.astype(np.int64).tobytes()), *map(int, sizes)])
        places[np.lexsort((rng.random(len(pooled)), group))] = np.arange(len(pooled))
    planted, left_out, references = np.split(places, sizes)
    return Scores(planted, left_out, references, scores.fair_coins, scores.runs)
