"""A fresh permutation each epoch, cut into batches.

Given the permutations, which are the same for both neighbours, an epoch is one Gaussian step; by joint
convexity over permutations (the dominating pair is the same for each) so it is without them: an upper bound.
No amplification is claimed: shuffling can cost far more than Poisson sampling (arXiv 2403.17673, 2411.04205).
"""

from refdp.accounting.schemes._once_an_epoch import unamplified
from refdp.accounting.schemes.base import Scheme

SCHEME = Scheme(
    "shuffle",
    ("epochs",),
    lambda sampling, neighbours: unamplified("shuffle", neighbours, attained=False),
    lambda sampling: sampling.epochs == 0,
    by_epoch=True,
)
