"""Products in a narrower type: TF32, bfloat16 or float16.

Rounding errors are not garbage: what rounding the weights and the input to the type does to the gradients is computed,
and the recorded errors must go the same way (of two unrelated vectors of D entries the cosine is about 1 / sqrt(D)).
Numbers stored in a narrow type are told by their zero bits.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits, narrow
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import Arrays, StepView, double, inputs, per_sample_gradients

STAGE = "gradients"
LEAST_COSINE, SIGMAS = 0.25, 8.0


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Errors of a few unit roundoffs that point where the type's rounding does, or values that the type holds."""
    step, network = view.step, view.network
    if (
        not fits.differs(stage)
        or view.reference is None
        or network is None
        or step.x is None
        or step.y is None
    ):
        return None
    found = double(step.grad_sample)
    relative = fits.misfit(found, view.reference)
    if not np.isfinite(relative):
        return None
    x = inputs(network, step.x, view.meta)
    for type_, bits in narrow.BITS.items():
        if relative > narrow.MOST_ROUNDOFFS * 2.0**-bits:
            continue
        evidence = f"differs by {relative:.1e}, {relative * 2.0**bits:.2g} times the unit roundoff 2^-{bits} of {type_}"
        if all(np.array_equal(values, narrow.rounded(values, bits)) for values in found.values()):
            return Cause(
                "low-precision",
                f"{evidence}, and every recorded value has only its {bits} bits",
                None,
                relative,
            )
        params = {
            name: narrow.rounded(np.asarray(v, dtype=np.float64), bits) for name, v in step.params.items()
        }
        predicted = per_sample_gradients(network, params, narrow.rounded(x, bits), step.y)
        cosine = _cosine(
            fits.added(found, view.reference, -1.0), fits.added(predicted, view.reference, -1.0), found
        )
        entries = sum(values.size for values in found.values())
        if cosine >= max(LEAST_COSINE, SIGMAS / entries**0.5):
            text = (
                f"{evidence}; the errors have cosine {cosine:.2f} with what rounding weights and inputs to {type_} "
                f"does (0 to {1 / entries**0.5:.1g} for unrelated ones): compute gradients in float32"
            )
            return Cause("low-precision", text, None, relative * (1.0 - cosine**2) ** 0.5)
    return None


def _cosine(first: Arrays, second: Arrays, sizes: Arrays) -> float:
    """With every parameter's part at the length of its gradients, so that none outweighs the rest."""
    lengths = {name: float(np.linalg.norm(values)) or 1.0 for name, values in sizes.items()}
    a, b = ({name: values / lengths[name] for name, values in part.items()} for part in (first, second))
    both = (fits.inner(a, a) * fits.inner(b, b)) ** 0.5
    return fits.inner(a, b) / both if both > 0 else 0.0
