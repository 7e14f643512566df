"""The accountant's default conversion from Renyi DP; ``conversions`` holds all of them, by name."""

from refdp.accounting.conversions.balle2020 import NAME, epsilon_from_rdp, log_delta_from_rdp

__all__ = ["NAME", "epsilon_from_rdp", "log_delta_from_rdp"]
