"""A clip norm that follows the data: its statistic is a release too (Andrew et al. 2021, arXiv 1905.03871)."""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause, interval

ORDER = 50


def find(case: Case) -> Iterator[Cause]:
    """Where a statistic was released beside the gradients, without noise or without charge."""
    statistic, run = case.claim.actual.adaptive_clipping, case.run
    if statistic is None or run is None:
        return
    noise = statistic["count_noise"]
    if noise == 0:
        yield Cause(
            "unnoised-statistic",
            "the clip norm follows an un-noised statistic of the batch, and the noise follows the clip norm: whoever "
            "sees either knows whether a record was drawn. No noise on the gradients can hide that "
            f"(epsilon {interval(run)}).",
        )
    else:
        yield Cause(
            "uncharged-statistic",
            f"the noisy count (standard deviation {noise:g}) that adapts the clip norm is one release with the "
            f"gradient and was not accounted for: epsilon is {interval(run)}, not {interval(case.accounted)}.",
        )
