"""The same batches in the same order every epoch: one exact Gaussian step an epoch."""

from refdp.accounting.schemes._once_an_epoch import unamplified
from refdp.accounting.schemes.base import Scheme

SCHEME = Scheme(
    "fixed-order",
    ("epochs",),
    lambda sampling, neighbours: unamplified("fixed-order", neighbours, attained=True),
    lambda sampling: sampling.epochs == 0,
    by_epoch=True,
)
