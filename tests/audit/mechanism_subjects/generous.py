"""Subjects with more noise than declared."""

from correct import Flat


class Rounded(Flat):
    """5 % more: a noise multiplier that was rounded up."""

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        super().__init__(max_grad_norm, noise_multiplier, batch_size)
        self.sigma *= 1.05

    def get_effective_sigma(self, step, epoch):
        return self.sigma / 1.05


class Half(Rounded):
    """Half more on all tensors, and it clips to twice C: both are found."""

    def __init__(self, max_grad_norm, noise_multiplier, batch_size):
        super().__init__(max_grad_norm, noise_multiplier, batch_size)
        self.sigma *= 1.5

    def get_effective_sigma(self, step, epoch):
        return self.sigma / 1.5 / 1.05

    def clipped_sums(self, grads):
        return [2 * s for s in super().clipped_sums(grads)]


class OneTensor(Flat):
    """Three times the noise on the first tensor."""

    def clip_and_noise(self, per_sample_grads, step, epoch):
        released = super().clip_and_noise(per_sample_grads, step, epoch)
        more = 8**0.5 * self.sigma * self.clip * self.rng.standard_normal(released[0].shape)
        return [released[0] + more / self.batch_size, *released[1:]]
