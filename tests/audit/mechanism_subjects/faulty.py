"""Subjects with one fault each."""

import numpy as np
from correct import Base, CountQuantile, Flat


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


class NoiseOnMean(Flat):
    """D16: N(0, sigma^2 C^2) on the mean."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        return [
            s / self.batch_size + self.sigma * self.clip * self.rng.standard_normal(s.shape)
            for s in self.clipped_sums(per_sample_grads)
        ]


class MeanNoiseOnSum(Flat):
    """The noise of the mean on the sum."""

    release = "sum"

    def clip_and_noise(self, per_sample_grads, step, epoch):
        std = self.sigma * self.clip / self.batch_size
        return [s + std * self.rng.standard_normal(s.shape) for s in self.clipped_sums(per_sample_grads)]


class NaNPasses(Flat):
    """A record that is not finite makes the release not finite."""

    def clipped_sums(self, grads):
        scale = self.scales(np.stack([np.sqrt((g**2).sum(tuple(range(1, g.ndim)))) for g in grads], axis=1))
        return [
            (g * scale[:, i].reshape((len(g),) + (1,) * (g.ndim - 1))).sum(0) for i, g in enumerate(grads)
        ]


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


class RawQuantile(Flat):
    """C follows an un-noised count of the batch before."""

    def get_sensitivity(self, step, epoch):
        return self.clip

    def clip_and_noise(self, per_sample_grads, step, epoch):
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        total = np.linalg.norm(self.norms(per_sample_grads), axis=1)
        self.clip *= float(np.exp(-0.2 * ((total <= self.clip).sum() / self.batch_size - 0.5)))
        return released


class FixedSeed(Flat):
    """Noise from a seed that anyone knows, the same at each step."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        self.rng = np.random.default_rng(0)
        return super().clip_and_noise(per_sample_grads, step, epoch)


class NoNoiseOnBias(Flat):
    """The last tensor goes out as it is."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        return [*released[:-1], self.clipped_sums(per_sample_grads)[-1] / self.batch_size]


class RealisedDivisor(Flat):
    """A mean over the records that came."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        self.batch_size = max(len(per_sample_grads[0]), 1)
        return super().clip_and_noise(per_sample_grads, step, epoch)


class MedianClip(Flat):
    """P4: no record contributes more than C, but each moves the threshold of all."""

    def scales(self, norms):
        total = np.linalg.norm(norms, axis=1, keepdims=True)
        clip = min(self.clip, float(np.median(total))) if len(total) else self.clip
        return np.broadcast_to(clip / np.maximum(total, max(clip, 1e-300)), norms.shape)


class OffBySeven(Flat):
    """Clips to 1.07 C: a small violation, also where noise must be averaged."""

    def scales(self, norms):
        total = np.linalg.norm(norms, axis=1, keepdims=True)
        return np.broadcast_to(1.07 * self.clip / np.maximum(total, 1.07 * self.clip), norms.shape)


class RawCountQuantile(CountQuantile):
    """1.11, as a public library has it: 0/1 indicators are summed, the noise is for the centred ones."""

    def counted(self, total):
        return (total <= self.clip) * 1.0


class QuietCount(CountQuantile):
    """Less noise on the count than declared."""

    def get_count_noise(self, step, epoch):
        return 1.25 * self.sigma_b


class SharedCountNoise(CountQuantile):
    """The count has the noise of the first coordinate."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        before = self.clip
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        noise = released[0].flat[0] * self.batch_size - self.clipped_sums_at(before, per_sample_grads)
        total = np.linalg.norm(self.norms(per_sample_grads), axis=1)
        self.released_count = self.counted(total).sum() + self.sigma_b * noise / (self.sigma * before)
        return released

    def clipped_sums_at(self, clip, grads):
        after, self.clip = self.clip, clip
        sums = self.clipped_sums(grads)
        self.clip = after
        return sums[0].flat[0]
