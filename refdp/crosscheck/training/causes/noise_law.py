"""Noise of another law than the normal one: Laplace (its own accounting), or uniform (no guarantee).

Which of three laws, each at its likeliest scale, gives the recorded noise the largest likelihood.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"
SURE = 25.0
"""Logarithm of the likelihood ratio to the normal law from which on another one is named."""
FITS = 1e-3
"""p-value of Kolmogorov and Smirnov's test of the law at its likeliest scale, below which it is a third one."""


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The likeliest law, where that is not the normal one, beyond doubt."""
    multiplier, clip_norm = view.step.noise_multiplier, view.step.clip_norm
    if not fits.differs(stage) or view.noise is None or not multiplier or clip_norm is None:
        return None
    parts = [values.ravel() / (multiplier * clip_norm) for values in view.noise.values()]
    z = np.concatenate(parts)
    if len(z) < 2 or not np.isfinite(z).all() or min(np.abs(part).max(initial=1.0) for part in parts) < 1e-3:
        return None
    root, mean, largest = float(np.sqrt(np.square(z).mean())), float(np.abs(z).mean()), float(np.abs(z).max())
    if root == 0.0 or any(
        abs(np.sqrt(np.square(part).mean()) / root - 1) > 6 / len(part) ** 0.5 for part in parts
    ):
        return None  # of several scales: no one law fits
    normal = -len(z) * (np.log(root) + 0.5 * np.log(2 * np.pi) + 0.5)
    laws = {"laplace": -len(z) * (np.log(2 * mean) + 1), "uniform": -len(z) * np.log(2 * largest)}
    law = max(laws, key=lambda name: laws[name])
    fitted = stats.laplace(scale=mean) if law == "laplace" else stats.uniform(-largest, 2 * largest)
    if laws[law] - normal < SURE or stats.kstest(z, fitted.cdf).pvalue < FITS:
        return None
    text = (
        f"{law} noise of standard deviation {root:.4g} times noise_multiplier * clip_norm: its log-likelihood is "
        f"{laws[law] - normal:.0f} above the normal law's; the guarantee is for normal noise"
    )
    return Cause(f"noise-{law}", text, False, 0.0)
