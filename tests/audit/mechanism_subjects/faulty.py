"""Subjects with one fault each."""

import numpy as np
from correct import Base, Flat


class MidpointWaterFilling(Base):
    """D1: 14 bisections, then the midpoint."""

    def scales(self, norms):
        low, high = np.zeros(len(norms)), norms.max(1)
        for _ in range(14):
            tau = (low + high) / 2
            over = (np.minimum(norms, tau[:, None]) ** 2).sum(1) > self.clip**2
            high, low = np.where(over, tau, high), np.where(over, low, tau)
        tau = np.where((norms**2).sum(1) > self.clip**2, (low + high) / 2, np.inf)
        return np.minimum(1.0, tau[:, None] / np.maximum(norms, 1e-300))


class SameBatchClip(Flat):
    """D8: C follows the batch that it then clips."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        total = np.linalg.norm(self.norms(per_sample_grads), axis=1)
        above = (total > self.clip).mean() if len(total) else 0.5
        self.clip = float(np.clip(self.clip * np.exp(0.2 * (above - 0.5)), 0.01, 100))
        return super().clip_and_noise(per_sample_grads, step, epoch)


class DeadClipping(Flat):
    """D13: the clipped gradients are thrown away."""

    def clipped_sums(self, grads):
        super().clipped_sums(grads)
        return [np.where(np.isfinite(g), g, 0).sum(0) for g in grads]


class PerLayerOneNoise(Base):
    """D12: each layer clipped to C, noise for one."""

    def scales(self, norms):
        return self.clip / np.maximum(norms, self.clip)


class NoiseOverBatch(Flat):
    """The reverse of D16: noise on the mean, once more divided by the batch size."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        std = self.sigma * self.clip / self.batch_size**2
        return [
            s / self.batch_size + std * self.rng.standard_normal(s.shape)
            for s in self.clipped_sums(per_sample_grads)
        ]


class NaNPasses(Flat):
    """A record that is not finite makes the release not finite."""

    def clipped_sums(self, grads):
        scale = self.scales(np.stack([np.linalg.norm(g.reshape(len(g), -1), axis=1) for g in grads], axis=1))
        return [(g * scale[:, i].reshape((-1,) + (1,) * (g.ndim - 1))).sum(0) for i, g in enumerate(grads)]


class SkipsEmpty(Flat):
    """No noise for an empty batch."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        if len(per_sample_grads[0]) == 0:
            return [np.zeros(g.shape[1:]) for g in per_sample_grads]
        return super().clip_and_noise(per_sample_grads, step, epoch)


class ReusedNoise(Flat):
    """The same draw for every tensor."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        sums = self.clipped_sums(per_sample_grads)
        noise = self.sigma * self.clip * self.rng.standard_normal(max(s.size for s in sums))
        return [(s + noise[: s.size].reshape(s.shape)) / self.batch_size for s in sums]
