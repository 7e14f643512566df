"""Subjects that do not behave."""

import os
import sys
import time

import numpy as np
from correct import Flat


class Talks(Flat):
    """Prints; reads the environment."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        print("hello", step)
        assert "REFDP_SECRET" not in os.environ
        assert sys.stdin.read() == ""
        return super().clip_and_noise(per_sample_grads, step, epoch)


class NotFrozen(Flat):
    """Noise seeded by the clock: nothing freezes it."""

    def __init__(self, **settings):
        super().__init__(*(settings[name] for name in ("max_grad_norm", "noise_multiplier", "batch_size")))
        self.rng = np.random.default_rng(time.perf_counter_ns())


class NotFrozenTwice(NotFrozen):
    """Clipped to 2 C, and nothing freezes its noise."""

    def scales(self, norms):
        total = np.linalg.norm(norms, axis=1, keepdims=True)
        return np.broadcast_to(2 * self.clip / np.maximum(total, 2 * self.clip), norms.shape)


class DiesOnNaN(Flat):
    """The process ends where a record is not finite."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        if not all(np.isfinite(g).all() for g in per_sample_grads):
            os._exit(9)
        return super().clip_and_noise(per_sample_grads, step, epoch)


class Hangs(Flat):
    """Never returns."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        while True:
            time.sleep(1)


class Raises(Flat):
    """Always fails."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        raise RuntimeError("not today")


class Eats(Flat):
    """Wants all the memory."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        return [np.ones(1 << 40)]


class NoMethod:
    """Is no mechanism."""


SEEN = []


class RemembersBatches(Flat):
    """Adds, without noise, how many calls the module has seen: state outside of the instance."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        SEEN.append(step)
        return [g + len(SEEN) - 1 for g in super().clip_and_noise(per_sample_grads, step, epoch)]


class CountsOnClass(Flat):
    """The same, on the class."""

    count = 0

    def clip_and_noise(self, per_sample_grads, step, epoch):
        type(self).count += 1
        return [g + type(self).count - 1 for g in super().clip_and_noise(per_sample_grads, step, epoch)]
