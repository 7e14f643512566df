"""A JAX-Privacy configuration: its repr, a JSON object of its fields, or the object itself."""

from __future__ import annotations

from typing import Any

from refdp.accounting import ADD_REMOVE, ZERO_OUT, Ledger
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.formats import dp_event
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.jax_privacy.kinds import READERS
from refdp.audit.importers.pytext import Call
from refdp.audit.importers.source import Source
from refdp.audit.importers.words import relation, short
from refdp.errors import RefDPError

_NAMED = ("class", "class_name")


@formats.register("jax-privacy")
class JaxPrivacy(RecordFormat):
    """See ``refdp.audit.importers.jax_privacy`` for the classes and what is taken from each."""

    name = "jax-privacy"
    reads = "a JAX-Privacy configuration, as its repr or a JSON object of its fields"

    def recognises(self, source: Source) -> bool:
        return source.is_document and _kind_of(source.document) is not None

    def read(self, source: Source, neighboring: str | None) -> Imported:
        return _imported(source.document, neighboring)

    def recognises_object(self, value: Any) -> bool:
        return _kind_of(value) is not None or _is_plan(value)

    def read_object(self, value: Any, neighboring: str | None) -> Imported:
        if _is_plan(value):
            notes = ("read from the plan's dp_event: a band-mf plan is its Poisson steps there",)
            sampler = getattr(value, "batch_selection_strategy", None)
            split = getattr(getattr(sampler, "partition_type", None), "name", "") == "EQUAL_SPLIT"
            default = ZERO_OUT if split else ADD_REMOVE
            actual = {"sampler": type(sampler).__name__}
            return dp_event.imported(value.dp_event, neighboring, default=default, notes=notes, actual=actual)
        return _imported(value, neighboring)


def _is_plan(value: Any) -> bool:
    return type(value).__name__ == "DPExecutionPlan" and hasattr(value, "dp_event")


def _kind_of(value: Any) -> str | None:
    """The name of the class or function that the value is of, or has the fields of."""
    if isinstance(value, Call):
        return value.last_name if value.last_name in READERS else None
    if not isinstance(value, dict):
        name = type(value).__name__
        return name if name in READERS and not isinstance(value, type) else None
    for key in _NAMED:
        if isinstance(value.get(key), str):
            return value[key] if value[key] in READERS else None
    if isinstance(value.get("history"), list):
        return None
    fitting = [
        name
        for name, kind in READERS.items()
        if kind.required and set(kind.required) <= set(value) <= set(kind.names)
    ]
    return fitting[0] if fitting else None


def _imported(value: Any, neighboring: str | None) -> Imported:
    name = _kind_of(value)
    if name is None:
        raise RefDPError(f"is no configuration known here: must be one of {', '.join(READERS)}")
    kind = READERS[name]
    if isinstance(value, Call):
        if len(value.args) > len(kind.names):
            raise RefDPError(f"{name} has {len(value.args)} arguments: it takes {', '.join(kind.names)}")
        fields = {**dict(zip(kind.names, value.args, strict=False)), **value.fields}
    elif isinstance(value, dict):
        fields = {str(key): item for key, item in value.items() if key not in _NAMED}
    else:
        fields = {field: getattr(value, field) for field in kind.names if hasattr(value, field)}
    missing = [field for field in kind.required if field not in fields]
    unknown = sorted(set(fields) - set(kind.names))
    if kind.names and missing:
        raise RefDPError(f"{name}: {missing[0]} is required")
    if kind.names and unknown:
        raise RefDPError(f"{name}: unknown field {short(unknown[0])}; it may change what a step costs")
    reading = kind.read(fields)
    own = getattr(getattr(fields.get("accountant"), "neighboring_relation", None), "name", "")
    default = dp_event.RELATIONS.get(own, reading.neighboring)
    notes = list(reading.notes)
    if neighboring is None and own not in dp_event.RELATIONS:
        notes.insert(0, f"no neighbouring relation is named: {default} taken; {reading.because}")
    ledger = Ledger(relation(neighboring, default), reading.events, reading.group_size)
    return Imported(ledger, "jax-privacy", tuple(notes), reading.claimed or None, reading.actual)
