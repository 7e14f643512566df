"""refdp's own clipping rules as subjects: one class a rule, ``radial-mix`` is ``Rule_radial_mix``.

What is released is the sum with each group divided by its noise's standard deviation at noise multiplier 1
(``noise_scales``): one record moves that by at most 1, whatever the allocation (guarantee G5 of the contract).
"""

import re
import sys
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from refdp.backend import get_backend
from refdp.clippers import AdaptiveClipper, ClipContext, clippers, rounding_margin, usable_norms, weighted_sum

BACKEND = get_backend("numpy")


class Rule:
    """A stateless rule."""

    release = "sum"
    spec = ""
    share = None

    def __init__(self, max_grad_norm, noise_multiplier, dataset_size, batch_size, epochs):
        given = {} if self.share is None else {"share": self.share}
        self.rule = clippers.create(self.spec, clip_norm=max_grad_norm, **given)
        self.sigma, self.batch_size = noise_multiplier, batch_size
        self.steps = max(1, dataset_size // batch_size) * epochs
        self.rng, self.released = np.random.default_rng(), {}

    def get_effective_sigma(self, step, epoch):
        return self.sigma

    def get_sensitivity(self, step, epoch):
        return 1.0

    def noise_scales(self, context):
        return self.rule.noise_scales(context)

    def start(self, sizes):
        pass

    def finish(self, norms, usable, context):
        pass

    def clip_and_noise(self, per_sample_grads, step, epoch):
        shapes = [g.shape[1:] for g in per_sample_grads]
        sizes = tuple(int(np.prod(shape)) for shape in shapes)
        ends = [0, *accumulate(sizes)]
        spans = [slice(a, b) for a, b in pairwise(ends)]
        groups = spans if self.rule.per_group else [slice(0, ends[-1])]
        self.start(tuple(g.stop - g.start for g in groups))
        flat = [g.reshape(len(g), size) for g, size in zip(per_sample_grads, sizes, strict=True)]
        rows = np.concatenate(flat, axis=1)
        grouped = tuple(g.stop - g.start for g in groups)
        context = ClipContext(step, self.steps, rounding_margin(rows.dtype), grouped, self.released)
        norms, usable = usable_norms(BACKEND, rows, groups)
        total = weighted_sum(BACKEND, self.rule, rows, norms, groups, context)
        scales = np.repeat(self.noise_scales(context), context.sizes)
        out = total / scales + self.sigma * self.rng.standard_normal(len(total))
        self.finish(norms, usable, context)
        return [out[span].reshape(shape) for span, shape in zip(spans, shapes, strict=True)]


class Adaptive(Rule):
    """A rule whose thresholds follow noised counts, which are released beside."""

    share = 0.1  # of 1 / sigma^2, for the counts

    def __init__(self, max_grad_norm, noise_multiplier, dataset_size, batch_size, epochs):
        super().__init__(max_grad_norm, noise_multiplier, dataset_size, batch_size, epochs)
        self.sigma = noise_multiplier / np.sqrt(1 - self.share)

    def get_count_noise(self, step, epoch):
        return self.rule.count_noise_std(self.sigma, self.batch_size, self.groups)

    @property
    def count_sensitivity(self):
        return self.rule.count_sensitivity(self.groups)

    def start(self, sizes):
        self.groups = len(sizes)
        self.released = self.released or self.rule.initial(sizes)

    def finish(self, norms, usable, context):
        counts = self.rule.counts(np, norms, usable, context)
        noise = self.rng.standard_normal(len(counts))
        self.released_count = counts + self.get_count_noise(0, 0) * noise
        self.released = self.rule.advanced(context, self.released_count, self.batch_size)


class Understated(Rule):
    """No rule: noise scales 7 % below what its contributions need."""

    spec = "per-layer:allocation=equal"

    def noise_scales(self, context):
        return super().noise_scales(context) / 1.07


class RawCounts(Adaptive):
    """No rule: counts that are not centred."""

    spec = "per-layer-quantile"

    def finish(self, norms, usable, context):
        super().finish(norms, usable, context)
        self.released_count = self.released_count + 0.5 * usable.sum()


VARIANTS = (
    "per-layer:allocation=equal",
    "per-layer:allocation=dimension,bounds=dimension",
    "per-layer-quantile:allocation=equal",
    "per-layer-quantile:renormalise=true",
)
SPECS = {"Rule_" + re.sub(r"\W+", "_", spec): spec for spec in (*clippers.names(), *VARIANTS)}
for name, spec in SPECS.items():
    kind = Adaptive if issubclass(clippers.get(spec.split(":")[0]), AdaptiveClipper) else Rule
    globals()[name] = type(name, (kind,), {"spec": spec})
