"""The exact shape of a certificate: which fields, of which kind; anything else is refused by its place.

G1. After ``validated`` every number is a finite int or float (no bool, NaN, infinity or text), every field is known
    and present.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from refdp.accounting.certificate.check_integrals import Refused

Rule = Callable[[str, Any], None]
_LIMIT = 1_000_000  # entries of a list


def _number(place: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{place} = {value!r}: must be a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise Refused(f"{place} = {value!r}: must be finite")


def _whole(place: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"{place} = {value!r}: must be a whole number")


def _text(place: str, value: Any) -> None:
    if not isinstance(value, str):
        raise Refused(f"{place} = {value!r}: must be a text")


def _anything(place: str, value: Any) -> None:
    """Read, and refused, elsewhere."""


def _option(*options: Any) -> Rule:
    def rule(place: str, value: Any) -> None:
        if not any(type(value) is type(option) and value == option for option in options):
            raise Refused(f"{place} = {value!r}: must be one of {', '.join(map(repr, options))}")

    return rule


def _either(option: Any, other: Rule) -> Rule:
    def rule(place: str, value: Any) -> None:
        if not (type(value) is type(option) and value == option):
            other(place, value)

    return rule


def _list(entry: Rule, count: int | None = None) -> Rule:
    def rule(place: str, value: Any) -> None:
        if not isinstance(value, list) or len(value) > _LIMIT or (count is not None and len(value) != count):
            raise Refused(f"{place}: must be a list" + (f" of {count}" if count is not None else ""))
        for index, item in enumerate(value):
            entry(f"{place}[{index}]", item)

    return rule


def _object(fields: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    known = {**fields, **(optional or {})}

    def rule(place: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise Refused(f"{place}: must be an object")
        for name in value:
            if name not in known:
                raise Refused(f"{place}: unknown field {name!r}")
        for name in fields:
            if name not in value:
                raise Refused(f"{place}: field {name!r} is missing")
        for name, item in value.items():
            known[name](f"{place}.{name}", item)

    return rule


def _by(name: str, choices: Mapping[str, Rule]) -> Rule:
    def rule(place: str, value: Any) -> None:
        if not isinstance(value, dict) or value.get(name) not in choices:
            raise Refused(f"{place}: {name!r} must be one of {', '.join(choices)}")
        choices[value[name]](place, value)

    return rule


_INTERVAL = _list(_number, 2)
_BOUND = _either(None, _either("inf", _number))
_VERSIONS = _object({"refdp": _text, "python-flint": _text})


_HEAD = {
    "schema": _text,
    "kind": _text,
    "certified": _list(_text),
    "precision": _whole,
    "versions": _VERSIONS,
}
_DIRECTION = {"direction": _option("remove", "add")}
_PROOF = _by(
    "by",
    {
        "contour": _object({**_DIRECTION, "by": _text, "contour": _whole, "sum_over_delta": _INTERVAL}),
        "chernoff": _object({**_DIRECTION, "by": _text, "tilt": _number, "log_delta": _number}),
        "single": _object({**_DIRECTION, "by": _text, "over_delta": _INTERVAL}),
        "greatest-loss": _object({**_DIRECTION, "by": _text, "greatest_loss": _number}),
    },
)
_TIGHT = _object({"epsilon": _number, "delta": _number, "proofs": _list(_PROOF)})
_GAUSSIAN = _object({"epsilon": _number, "mu_squared": _INTERVAL})
_RDP = _object(
    {"epsilon": _number, "order": _number, "conversion": _text, "rdp": _INTERVAL, "groups": _whole}
)
_LINE = _object({"kind": _whole, "noise_multiplier": _number, "count": _whole, "decay_height": _number})
_CONTOUR = _object(
    {
        **_DIRECTION,
        "side": _option("upper", "lower"),
        "tilt": _number,
        "step": _number,
        "terms": _whole,
        "guard": _number,
        "log_top": _INTERVAL,
        "log_guard": _INTERVAL,
        "log_beyond": _INTERVAL,
        "lines": _list(_LINE),
    }
)
PARTS: Mapping[str, Rule] = {
    "rdp.upper": _RDP,
    "pld.lower": _TIGHT,
    "pld.upper": _TIGHT,
    "gaussian.lower": _GAUSSIAN,
    "gaussian.upper": _GAUSSIAN,
    "unsampled.upper": _GAUSSIAN,
}
_EPSILON = _object(
    {
        **_HEAD,
        "ledger": _anything,
        "delta": _number,
        "epsilon": _object({"lower": _either(None, _number), "upper": _either(None, _number)}),
        "claimed": _object({"lower": _BOUND, "upper": _BOUND}),
        "not_certified": _list(_object({"part": _option(*PARTS), "reason": _text})),
        "parts": _object({}, PARTS),
        "contours": _list(_CONTOUR),
    }
)
_ENCLOSURE = _object({"rdp": _INTERVAL, "by": _option("trapezoid", "binomial", "closed-form")})
_STEP = _object(
    {
        **_HEAD,
        "sample_rate": _number,
        "noise_multiplier": _number,
        "order": _number,
        "value": _number,
        "exceeds": _number,
        "remove": _ENCLOSURE,
        "add": _ENCLOSURE,
    }
)


def validated(document: Any, schema: str) -> dict[str, Any]:
    """The document, if its shape is right; raises Refused with the place that is not."""
    if not isinstance(document, dict):
        raise Refused("certificate: must be an object")
    if document.get("schema") != schema:
        raise Refused(f"schema = {document.get('schema')!r}: must be {schema!r}")
    _by("kind", {"epsilon": _EPSILON, "rdp": _STEP})("certificate", document)
    return document
