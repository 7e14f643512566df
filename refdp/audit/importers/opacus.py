"""An Opacus accountant's history: rows of (noise multiplier, sample rate, steps), wherever it was found."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from refdp.accounting import ADD_REMOVE, Ledger
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.runs import Row, poisson_events
from refdp.audit.importers.words import multiplier, one_line, rate, real, relation, short, whole
from refdp.errors import RefDPError

KEY = "privacy_accountant_state_dict"
MECHANISMS = {"rdp": "Renyi DP", "prv": "privacy random variables", "gdp": "central limit theorem"}
_FACTS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("batch_size", "physical_batch_size", "max_physical_batch_size"), int),
    **dict.fromkeys(("dataset_size", "sample_size", "epochs", "epoch", "steps"), int),
    **dict.fromkeys(("drop_last", "poisson_sampling"), bool),
    **dict.fromkeys(("max_grad_norm", "target_epsilon", "target_delta"), (int, float)),
    **dict.fromkeys(("sampler", "grad_sample_mode", "clipping", "loss_reduction"), str),
}
_OPTIONS = ("args", "config", "hparams", "hyper_parameters")
_MOST_LOOKED_AT = 100_000


def is_history(value: Any) -> bool:
    """Whether it looks like rows of three numbers (an empty list does not)."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(row, list | tuple) and len(row) == 3 for row in value[:3])
        and not any(isinstance(part, list | tuple | dict | str) for row in value[:3] for part in row)
    )


def find_history(document: Any) -> tuple[Any, Any, str] | None:
    """The history, the accountant's mechanism and where it was, searched for from the outside in.

    Two accountants at the same distance from the outside are refused.
    """
    if isinstance(document, dict) and isinstance(document.get(KEY), dict):
        state = document[KEY]
        if "history" not in state:
            raise RefDPError(f"{KEY} has no 'history'; save the accountant's own state_dict()")
        return state["history"], state.get("mechanism"), KEY
    if is_history(document):
        return document, None, ""
    level: deque[tuple[Any, str]] = deque([(document, "")])
    seen: set[int] = set()
    while level:
        found = [(value, at) for value, at in level if isinstance(value, dict) and _is_state(value)]
        if len(found) > 1:
            raise RefDPError(
                f"holds {len(found)} accountants ({short(found[0][1])}, {short(found[1][1])}, ...); save the one meant"
            )
        if found:
            state, at = found[0]
            return state["history"], state.get("mechanism"), at
        inner: deque[tuple[Any, str]] = deque()
        for value, at in level:
            children = value.items() if isinstance(value, dict) else ()
            for key, child in children:
                if isinstance(child, dict) and id(child) not in seen:
                    seen.add(id(child))
                    inner.append((child, one_line(f"{at}.{str(key)[:40]}".lstrip("."))[:200]))
        if len(seen) > _MOST_LOOKED_AT:
            break
        level = inner
    return None


def _is_state(value: dict[Any, Any]) -> bool:
    history = value.get("history")
    return isinstance(history, list | tuple) and ("mechanism" in value or is_history(history) or not history)


def facts(document: Any) -> dict[str, Any]:
    """What the outermost dict, and the options it holds, say about the run: finite numbers and words of their kind."""
    found: dict[str, Any] = {}
    options = [document.get(key) for key in _OPTIONS] if isinstance(document, dict) else []
    for place in (document, *options):
        for name, kind in _FACTS.items() if isinstance(place, dict) else ():
            value = place.get(name)
            fits = isinstance(value, kind) and (isinstance(value, bool) == (kind is bool))
            if fits and name not in found and not (isinstance(value, float) and not math.isfinite(value)):
                found[name] = one_line(value[:200]) if isinstance(value, str) else value
    return found


def claim_of(document: Any) -> dict[str, float] | None:
    """Epsilon and delta where they stand beside the history."""
    if not isinstance(document, dict):
        return None
    rule = "must be a number >= 0"
    claimed = {
        name: real(name, document[name], rule)
        for name in ("epsilon", "delta")
        if document.get(name) is not None
    }
    for name, value in claimed.items():
        if value < 0:
            raise RefDPError(f"{name} = {value!r}: {rule}")
    return claimed or None


def _rows(history: Any) -> list[Row]:
    if not isinstance(history, list | tuple):
        raise RefDPError(
            f"history = {short(history)}: must be a list of [noise_multiplier, sample_rate, steps]"
        )
    rows: list[Row] = []
    for number, row in enumerate(history):
        if not isinstance(row, list | tuple) or len(row) != 3:
            raise RefDPError(
                f"history row {number} = {short(row)}: must be [noise_multiplier, sample_rate, steps]"
            )
        noise, part, steps = row
        where = f"history row {number}: "
        rows.append((multiplier(noise, where), _rate(part, where), whole(f"{where}steps", steps)))
    return rows


def _rate(value: Any, where: str) -> float:
    try:
        return rate(value, where)
    except RefDPError as error:
        if isinstance(value, int | float) and value > 1:
            raise RefDPError(
                f"{error}; Opacus multiplies it by the accumulated batches of a step, which is over 1 here"
            ) from None
        raise


def imported(
    history: Any,
    mechanism: Any,
    format: str,
    neighboring: str | None,
    *,
    notes: tuple[str, ...] = (),
    claimed: dict[str, float] | None = None,
    actual: dict[str, Any] | None = None,
) -> Imported:
    """The ledger of a history, with the notes that go with every Opacus record."""
    rows = _rows(history)
    told = list(notes)
    if neighboring is None:
        told.append("the record names no neighbouring relation: add-remove taken, as Opacus accounts")
    if isinstance(mechanism, str) and mechanism in MECHANISMS:
        told.append(f"Opacus accounted it by {mechanism} ({MECHANISMS[mechanism]})")
        if mechanism == "gdp":
            told.append("the gdp accountant's figure is an approximation that can be below the true epsilon")
    elif mechanism is not None:
        told.append(f"mechanism {short(mechanism)} is none of Opacus's: passed over")
    if not any(steps for _, _, steps in rows):
        told.append("the history is empty: no step was accounted")
    told += _rate_notes(rows)
    ledger = Ledger(relation(neighboring, ADD_REMOVE), poisson_events(rows))
    return Imported(ledger, format, tuple(told), claimed, dict(actual or {}))


def _rate_notes(rows: list[Row]) -> list[str]:
    rates = sorted({part for _, part, steps in rows if steps and 0 < part < 1})
    if not rates:
        return []
    odd = [part for part in rates if part < 1e-12 or abs(1 / part - round(1 / part)) > 1e-6 / part]
    if odd:
        return [
            f"sample rate {odd[0]!r} is not 1 / a whole number, which Opacus's own 1/len(data_loader) would be: "
            "accumulated batches, or set by hand"
        ]
    return [
        f"sample rate {rates[0]!r} is 1/{round(1 / rates[0]):,}, Opacus's 1/len(data_loader), not batch size / "
        "dataset size: the record holds neither; and it holds no sampler: Poisson taken"
    ]
