"""One kind of sampled step a file; ``base`` says what each must be able to answer."""

from refdp.accounting.kernels.balls_and_bins import BallsAndBins
from refdp.accounting.kernels.base import Kernel
from refdp.accounting.kernels.poisson import Poisson
from refdp.accounting.kernels.poisson_group import PoissonGroup
from refdp.accounting.kernels.poisson_replace import PoissonReplace
from refdp.accounting.kernels.truncated_poisson import TruncatedPoisson
from refdp.accounting.kernels.unsampled import Unsampled
from refdp.accounting.kernels.without_replacement import WithoutReplacement

__all__ = [
    "BallsAndBins",
    "Kernel",
    "Poisson",
    "PoissonGroup",
    "PoissonReplace",
    "TruncatedPoisson",
    "Unsampled",
    "WithoutReplacement",
]
