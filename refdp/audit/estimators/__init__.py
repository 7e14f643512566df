"""Lower bounds on epsilon from scores of canaries, one estimator a file."""

from refdp.audit.estimators.base import Design, Estimate, Estimator
from refdp.registry import Registry

estimators: Registry[Estimator] = Registry("estimator", "refdp.audit.estimators")

__all__ = ["Design", "Estimate", "Estimator", "estimators"]
