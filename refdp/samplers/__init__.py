"""How batches are drawn, and what each way of drawing them is worth to the accountant."""

from refdp.registry import Registry
from refdp.samplers.base import Batch, Sampler

samplers: Registry[Sampler] = Registry("sampler", "refdp.samplers")

__all__ = ["Batch", "Sampler", "samplers"]
