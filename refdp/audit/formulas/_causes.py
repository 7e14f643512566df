"""The ids that formulas give as their ``cause``, each with one sentence for the reader of a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "advanced-composition": "Amplification by sampling and the advanced composition theorem, step by step.",
        "asymptotic": "An order of growth, q sqrt(T log(1/d)) / s, quoted with a constant nobody has proved.",
        "basic-composition": "The epsilon of one step times the number of steps.",
        "classic-conversion": "Renyi DP with the conversion rdp + log(1/d) / (a - 1) of 2017: valid, and loose.",
        "classic-gaussian": "The textbook Gaussian mechanism, sqrt(2 log(1.25/d)) / s, outside its theorem (epsilon "
        "< 1, one release).",
        "clt": "A central limit theorem ('GDP'): the privacy loss taken as normal, which it is in a limit only.",
        "concentrated": "Truncated concentrated DP with its amplification constant 13: valid under conditions only.",
        "linear-q-rdp": "Sampling taken to multiply the Renyi divergence by q: no theorem says so.",
        "moments-lemma": "The closed form of the moments accountant's Lemma 3, without its conditions and remainder.",
        "naive-gdp": "Gaussian DP with q sqrt(T) / s: sampling taken to multiply mu by q, which no theorem says.",
        "no-sampling": "The Gaussian mechanism without amplification by sampling: valid, and far too large.",
        "one-step": "The epsilon of a single step, quoted for the whole run.",
        "order-grid": "Renyi DP of the sampled Gaussian at the best order of a fixed list: valid, and loose.",
        "renyi": "Renyi DP of the sampled Gaussian at its best order: valid, and loose by its conversion.",
        "small-q-rdp": "Renyi DP taken as q^2 a / (2 s^2), the first term of an expansion for small q: it has no "
        "tail, so at small noise multipliers it is far below the truth.",
        "small-q-theorem": "A closed form such as 2 q^2 a / s^2, valid only for a small rate, large noise and small "
        "orders, used without looking at these conditions.",
        "truncated-bound": "A bound for sampling without replacement cut after its second-order term: the terms left "
        "out are positive.",
        "without-replacement": "A Renyi bound made for sampling without replacement: valid for Poisson, and loose.",
    }
)
