"""Subjects on torch tensors: two that keep their word, two that do not."""

import torch


class TorchFlat:
    """Clip each record to C in float64, sum, noise, mean over the public batch size."""

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        self.clip, self.sigma, self.batch_size = max_grad_norm, noise_multiplier, batch_size

    def clipped_sums(self, grads):
        rows = [g.double().flatten(1) for g in grads]
        norms = torch.cat(rows, 1).norm(dim=1)
        scale = torch.where(norms.isfinite(), self.clip / norms.clamp(min=self.clip), 0.0)
        return [(torch.nan_to_num(r, 0, 0, 0) * scale[:, None]).sum(0) for r in rows]

    def clip_and_noise(self, per_sample_grads, step, epoch):
        out = []
        for g, s in zip(per_sample_grads, self.clipped_sums(per_sample_grads), strict=True):
            assert isinstance(g, torch.Tensor)
            noised = s + self.sigma * self.clip * torch.randn(s.shape, dtype=s.dtype)
            out.append((noised / self.batch_size).to(g.dtype).reshape(g.shape[1:]))
        return out

    def get_effective_sigma(self, step, epoch):
        return torch.tensor(self.sigma)


class TorchClipsTheMean(TorchFlat):
    """The batch's mean gradient is clipped, not each record's."""

    def clipped_sums(self, grads):
        means = [torch.nan_to_num(g.double(), 0, 0, 0).flatten(1).sum(0) / self.batch_size for g in grads]
        norm = torch.cat(means).norm()
        scale = (self.clip / norm).clamp(max=1)
        return [m * scale * self.batch_size for m in means]


class TorchPerLayer(TorchFlat):
    """D12: each tensor clipped to C with noise for one; a NaN record passes through."""

    def clipped_sums(self, grads):
        rows = [g.double().flatten(1) for g in grads]
        return [(r * (self.clip / (r.norm(dim=1) + 1e-6)).clamp(max=1)[:, None]).sum(0) for r in rows]


class TorchGenerator(TorchFlat):
    """Noise from a generator of its own, seeded by the system."""

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        super().__init__(max_grad_norm, noise_multiplier, batch_size)
        self.generator = torch.Generator()
        self.generator.seed()

    def clip_and_noise(self, per_sample_grads, step, epoch):
        out = []
        for g, s in zip(per_sample_grads, self.clipped_sums(per_sample_grads), strict=True):
            noise = torch.randn(s.shape, dtype=s.dtype, generator=self.generator)
            out.append(((s + self.sigma * self.clip * noise) / self.batch_size).reshape(g.shape[1:]))
        return out
