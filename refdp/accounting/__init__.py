"""Privacy accounting on numpy and scipy alone: copy this folder anywhere.

rdp_poisson_gaussian    one step's Renyi DP, as upper values
Ledger                  what was released, in order (JSON in and out)
epsilon, delta          two-sided bounds of a ledger
privacy_curve           the same at many points
calibrate_noise_multiplier, calibrate_scale     the least noise that keeps a target
calibrate_steps, calibrate_sample_rate          the most that may be run at given noise
calibrate_delta         the least delta at which a target holds
epsilon_along           the same after every step of a run
shuffle_epsilon_lower   what shuffled batches are worth at most
shuffle_epsilon_upper   the other side, where noise changes within an epoch
"""

from refdp.accounting.accountant import ACCOUNTANTS, Bounds, delta, epsilon, epsilon_upper
from refdp.accounting.calibrate import calibrate_noise_multiplier, calibrate_scale
from refdp.accounting.calibrate_run import calibrate_delta, calibrate_sample_rate, calibrate_steps
from refdp.accounting.calibration import Calibration
from refdp.accounting.curve import PrivacyCurve, privacy_curve
from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.events import (
    SCHEMES,
    BandMFEvent,
    GaussianEvent,
    HistogramEvent,
    QuantileEvent,
    Release,
    Sampling,
)
from refdp.accounting.ledger import Ledger
from refdp.accounting.neighboring import ADD_REMOVE, NEIGHBORING, REPLACE_ONE, ZERO_OUT
from refdp.accounting.prefixes import effective_noise_multiplier, epsilon_after, epsilon_along, prefix
from refdp.accounting.rdp_poisson import rdp_poisson_gaussian, rdp_poisson_gaussian_add
from refdp.accounting.revealed import shuffle_epsilon_upper
from refdp.accounting.schedules import Schedule, shape_names
from refdp.accounting.shuffled import shuffle_epsilon_lower

__all__ = [
    "ACCOUNTANTS",
    "ADD_REMOVE",
    "NEIGHBORING",
    "REPLACE_ONE",
    "SCHEMES",
    "ZERO_OUT",
    "AccountingError",
    "BandMFEvent",
    "Bounds",
    "Calibration",
    "GaussianEvent",
    "HistogramEvent",
    "Ledger",
    "PrivacyCurve",
    "QuantileEvent",
    "Release",
    "Sampling",
    "Schedule",
    "UnsupportedEventError",
    "calibrate_delta",
    "calibrate_noise_multiplier",
    "calibrate_sample_rate",
    "calibrate_scale",
    "calibrate_steps",
    "delta",
    "effective_noise_multiplier",
    "epsilon",
    "epsilon_after",
    "epsilon_along",
    "epsilon_upper",
    "prefix",
    "privacy_curve",
    "rdp_poisson_gaussian",
    "rdp_poisson_gaussian_add",
    "shape_names",
    "shuffle_epsilon_lower",
    "shuffle_epsilon_upper",
]
