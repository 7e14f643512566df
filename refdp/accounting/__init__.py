"""Privacy accounting on numpy and scipy alone: copy this folder anywhere.

rdp_poisson_gaussian    one step's Renyi DP, as upper values
Ledger                  what was released, in order (JSON in and out)
epsilon, delta          two-sided bounds of a ledger
calibrate_noise_multiplier, calibrate_scale
"""

from refdp.accounting.accountant import ACCOUNTANTS, Bounds, delta, epsilon, epsilon_upper
from refdp.accounting.calibrate import Calibration, calibrate_noise_multiplier, calibrate_scale
from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.events import SCHEMES, GaussianEvent, Sampling
from refdp.accounting.ledger import Ledger
from refdp.accounting.neighboring import ADD_REMOVE, NEIGHBORING, REPLACE_ONE, ZERO_OUT
from refdp.accounting.rdp_poisson import rdp_poisson_gaussian, rdp_poisson_gaussian_add
from refdp.accounting.schedules import Schedule, shape_names

__all__ = [
    "ACCOUNTANTS",
    "ADD_REMOVE",
    "NEIGHBORING",
    "REPLACE_ONE",
    "SCHEMES",
    "ZERO_OUT",
    "AccountingError",
    "Bounds",
    "Calibration",
    "GaussianEvent",
    "Ledger",
    "Sampling",
    "Schedule",
    "UnsupportedEventError",
    "calibrate_noise_multiplier",
    "calibrate_scale",
    "delta",
    "epsilon",
    "epsilon_upper",
    "rdp_poisson_gaussian",
    "rdp_poisson_gaussian_add",
    "shape_names",
]
