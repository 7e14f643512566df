"""Subjects that keep their word."""

import numpy as np


class Base:
    """Clip rows by ``scales``, sum, noise, mean over the public batch size."""

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        self.clip, self.sigma, self.batch_size = max_grad_norm, noise_multiplier, batch_size
        self.rng = np.random.default_rng()

    def norms(self, grads):
        """[B, L] in float64; a record with NaN or inf counts as infinite."""
        norms = np.stack([np.sqrt((g**2).sum(tuple(range(1, g.ndim)))) for g in grads], axis=1)
        return np.where(np.isfinite(norms).all(1, keepdims=True), norms, np.inf)

    def scales(self, norms):
        """[B, L] -> [B, L]."""
        raise NotImplementedError

    def clipped_sums(self, grads):
        norms = self.norms(grads)
        bad = ~np.isfinite(norms).all(1)
        scales = self.scales(np.where(bad[:, None], 0.0, norms))
        out = []
        for i, g in enumerate(grads):
            shape = (len(g),) + (1,) * (g.ndim - 1)
            out.append(np.where(bad.reshape(shape), 0.0, g * scales[:, i].reshape(shape)).sum(0))
        return out

    def clip_and_noise(self, per_sample_grads, step, epoch):
        return [
            (s + self.sigma * self.clip * self.rng.standard_normal(s.shape)) / self.batch_size
            for s in self.clipped_sums(per_sample_grads)
        ]

    def get_effective_sigma(self, step, epoch):
        return self.sigma


class Flat(Base):
    def scales(self, norms):
        total = np.linalg.norm(norms, axis=1, keepdims=True)
        return np.broadcast_to(self.clip / np.maximum(total, self.clip), norms.shape)


class AutoS(Base):
    def scales(self, norms):
        total = np.linalg.norm(norms, axis=1, keepdims=True)
        return np.broadcast_to(self.clip / (total + 0.01), norms.shape)


class WaterFilling(Base):
    """tau with sum_l min(n_l, tau)^2 = C^2, exactly."""

    def scales(self, norms):
        scales = np.ones_like(norms)
        for i, row in enumerate(norms):
            top = row.max()
            if top * np.linalg.norm(row / max(top, 1e-300)) <= self.clip:
                continue
            a = np.sort(row / top)
            c2 = (self.clip / top) ** 2
            before = np.concatenate([[0.0], np.cumsum(a**2)[:-1]])
            left = len(a) - np.arange(len(a))
            k = int(np.argmax(before + left * a**2 > c2))
            tau = np.sqrt(max(c2 - before[k], 0.0) / left[k]) * top
            scales[i] = np.minimum(1.0, tau / np.maximum(row, 1e-300))
            scales[i] *= min(1.0, self.clip / max(np.linalg.norm(scales[i] * row), 1e-300))
        return scales


class LegacyNoise(Flat):
    """Noise by numpy's global state, sum instead of mean."""

    release = "sum"

    def clip_and_noise(self, per_sample_grads, step, epoch):
        return [
            s + np.random.normal(0, self.sigma * self.clip, s.shape)
            for s in self.clipped_sums(per_sample_grads)
        ]


class NoisyQuantile(Flat):
    """C follows a count with noise; each step is held to its own C."""

    def get_sensitivity(self, step, epoch):
        return self.clip

    def clip_and_noise(self, per_sample_grads, step, epoch):
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        norms = self.norms(per_sample_grads)
        total = np.linalg.norm(norms, axis=1)
        count = np.where(np.isfinite(total) & (total > 0), (total <= self.clip) - 0.5, 0.0).sum()
        below = (count + 2 * self.rng.standard_normal()) / self.batch_size
        self.clip *= float(np.exp(-0.2 * np.clip(below, -0.5, 0.5)))
        return released


class CountQuantile(Flat):
    """The same, and it says what it releases beside: the centred count, which takes a part of sigma."""

    sigma_b = 1.0  # spec 1.11: gradients sigma_D = (sigma^-2 - (2 sigma_b)^-2)^(-1/2)

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        super().__init__(max_grad_norm, (noise_multiplier**-2 - (2 * self.sigma_b) ** -2) ** -0.5, batch_size)

    def get_sensitivity(self, step, epoch):
        return self.clip

    def get_count_noise(self, step, epoch):
        return self.sigma_b

    def counted(self, total):
        """[B] norms -> their part of the count; null records and such that are not finite: 0."""
        return np.where(np.isfinite(total) & (total > 0), (total <= self.clip) - 0.5, 0.0)

    def clip_and_noise(self, per_sample_grads, step, epoch):
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        total = np.linalg.norm(self.norms(per_sample_grads), axis=1)
        self.released_count = self.counted(total).sum() + self.sigma_b * self.rng.standard_normal()
        self.clip *= float(np.exp(-0.2 * np.clip(self.released_count / self.batch_size, -0.5, 0.5)))
        return released
