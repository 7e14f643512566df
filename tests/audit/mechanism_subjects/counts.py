"""Subjects whose count has a fault in special cases only."""

import time

import numpy as np
from correct import CountQuantile


class NullInCount(CountQuantile):
    """A null record counts as below C: right where records are removed, twice too far where they are zeroed out."""

    def counted(self, total):
        return np.where(np.isfinite(total), (total <= self.clip) - 0.5, 0.0)


class NaNInCount(CountQuantile):
    """A record that is not finite makes the count NaN."""

    def counted(self, total):
        return np.where(np.isfinite(total), super().counted(total), np.nan)


class NotSplit(CountQuantile):
    """The gradients have all of the noise multiplier, as if the count were free."""

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        super().__init__(max_grad_norm, noise_multiplier, batch_size)
        self.sigma = noise_multiplier


class WrongSign(CountQuantile):
    """C runs away from the quantile: of no use, but private."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        before = self.clip
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        self.clip = before**2 / self.clip
        return released


class NoCount(CountQuantile):
    """Says how much noise is on a count that it does not show."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        del self.released_count
        return released


class ClockRaw(CountQuantile):
    """Raw indicators, little noise, and that from the clock: nothing freezes it."""

    sigma_b = 0.51

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        super().__init__(max_grad_norm, noise_multiplier, batch_size)
        self.rng = np.random.default_rng(time.perf_counter_ns())

    def counted(self, total):
        return (total <= self.clip) * 1.0
