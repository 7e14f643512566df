"""q^2 a / (2 s^2) for the Renyi DP of a sampled step, minimised over a list of orders.

The first term of the expansion for small q and large s (it is what a Gaussian of noise multiplier s / q would cost).
No bound: the true moment grows like q^a exp(a (a - 1) / (2 s^2)) beyond some order, and this has no such tail. Found
with several conversions (_grids) and lists of orders:
small-q-rdp-log-ratio       log-ratio conversion, orders 1.1 .. 10.9, 12 .. 63: the accountant of the DPMechanism
                            benchmark harness (an MLS-Bench task). That source is not public; inferred from what it
                            prints: its multipliers .23847751617431637 (rate 256/60000, 1,170 steps) and
                            .6405064010620116 (256/50000, 5,850), both for epsilon 3 at delta 1e-5, are the 18th
                            midpoints of [.01, 100] and give 3.0016 and 2.9986, where mironov2017 gives 3.12 and
                            balle2020 2.71. Best orders 8.5; the continuous optima are 8.53 and 8.54, so a list in
                            halves would fit as well
small-q-rdp-mironov         mironov2017, the same orders: many re-implementations
small-q-rdp-mironov-integers    mironov2017, orders 2 .. 63, 128, 256, 512
small-q-rdp-mironov-powers  mironov2017, orders 2, 4, 8, .. 256
small-q-rdp-balle           balle2020, orders 1.1 .. 10.9, 12 .. 63
"""

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import OPACUS, Conversion, balle, best, gaussian, log_ratio, mironov

_INTEGERS = (*(float(a) for a in range(2, 64)), 128.0, 256.0, 512.0)
_POWERS = tuple(2.0**k for k in range(1, 9))


def _with(
    name: str, orders: tuple[float, ...], convert: Conversion, tail: str, source: str, rank: int
) -> Formula:
    def evaluate(setting: Setting) -> Value:
        q = float(setting.sample_rate)
        return best(gaussian(setting.steps * (q * q) * setting.snr), orders, convert, setting.delta)

    return Formula(
        name,
        cause="small-q-rdp",
        kind=NOT_A_BOUND,
        symbols=f"min over a of T q^2 a/(2 s^2) + {tail}",
        source=source,
        worth="no tail: far below the truth at multipliers under about 1",
        evaluate=evaluate,
        rank=rank,
    )


_CODE = "re-implementations, as the first term of arXiv 1908.10530"
FORMULAS = (
    _with(
        "small-q-rdp-log-ratio",
        OPACUS,
        log_ratio,
        "log(1/d)/(a-1) + log((a-1)/a)",
        "DPMechanism benchmark harness (MLS-Bench), inferred",
        30,
    ),
    _with("small-q-rdp-mironov", OPACUS, mironov, "log(1/d)/(a-1)", _CODE, 31),
    _with("small-q-rdp-mironov-integers", _INTEGERS, mironov, "log(1/d)/(a-1)", _CODE, 32),
    _with("small-q-rdp-mironov-powers", _POWERS, mironov, "log(1/d)/(a-1)", _CODE, 34),
    _with("small-q-rdp-balle", OPACUS, balle, "log((a-1)/a) - log(a d)/(a-1)", _CODE, 33),
)
