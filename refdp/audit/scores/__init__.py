"""Scores of canaries, from whatever training run they come."""

from refdp.audit.scores.base import Scores
from refdp.audit.scores.reader import ScoreFile, read_scores

__all__ = ["ScoreFile", "Scores", "read_scores"]
