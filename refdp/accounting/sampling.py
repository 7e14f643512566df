"""A ledger's ``sampling`` object: a scheme's name and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from refdp.accounting import _checks
from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.kernels import Kernel
from refdp.accounting.schemes import SCHEME_BY_NAME, Neighbours, Scheme

SCHEMES = tuple(SCHEME_BY_NAME)


@dataclass(frozen=True)
class Sampling:
    """How the records of a step are chosen.

    Attributes:
        scheme: a name in SCHEMES, each a file of ``schemes``. A scheme takes its own fields, all of them:
        rate: probability in [0, 1] with which each record takes part (poisson, truncated-poisson).
        epochs: whole passes (shuffle, fixed-order, balls-and-bins).
        dataset_size, batch_size: n >= 1 and b <= n records (without-replacement; n for truncated-poisson).
        max_batch_size: the cap of truncated-poisson.
        bins: steps an epoch of balls-and-bins, >= 1.
    """

    scheme: str
    rate: float | None = None
    epochs: int | None = None
    dataset_size: int | None = None
    batch_size: int | None = None
    max_batch_size: int | None = None
    bins: int | None = None

    def __post_init__(self) -> None:
        own = self._scheme()
        given = {name for name in _FIELDS if getattr(self, name) is not None}
        if given != set(own.fields):
            need = ", ".join(sorted(own.fields)) or "nothing else"
            raise AccountingError(f"sampling scheme {self.scheme}: takes {need}; got {sorted(given)}")
        for name in own.fields:
            value = getattr(self, name)
            if name == "rate":
                checked: float = _checks.probability("sampling rate", value)
            else:
                checked = _checks.whole(
                    f"sampling {name}", value, minimum=int(name in ("dataset_size", "bins"))
                )
            object.__setattr__(self, name, checked)
        own.check(self)

    def _scheme(self) -> Scheme:
        if not isinstance(self.scheme, str) or self.scheme not in SCHEME_BY_NAME:
            raise UnsupportedEventError(
                f"sampling scheme {self.scheme!r} is not supported: it must be one of {', '.join(SCHEMES)}"
            )
        return SCHEME_BY_NAME[self.scheme]

    def kernel(self, neighbours: Neighbours) -> Kernel:
        """One step under these neighbours; refused, with the reason, where no bound is proven."""
        return self._scheme().kernel(self, neighbours)

    def check_neighboring(self, neighboring: str) -> None:
        """Refuse the relations under which this scheme has no proven bound."""
        if not self.is_no_op():
            self.kernel(Neighbours(neighboring))

    def is_no_op(self) -> bool:
        """Whether no record is ever chosen."""
        return self._scheme().is_no_op(self)

    @property
    def passes(self) -> int | None:
        """Epochs in an event of count 1, or None where an event of count 1 is one step."""
        return self.epochs if self._scheme().by_epoch else None

    def to_json(self) -> dict[str, Any]:
        """The ``sampling`` object of a ledger."""
        own = {name: getattr(self, name) for name in SCHEME_BY_NAME[self.scheme].fields}
        return {"scheme": self.scheme, **own}

    @classmethod
    def from_json(cls, document: Any) -> Sampling:
        """Read a ledger's ``sampling`` object."""
        if not isinstance(document, dict) or "scheme" not in document:
            raise AccountingError(f"sampling = {document!r}: must be an object with a 'scheme'")
        scheme = document["scheme"]
        unknown = sorted(set(document) - {"scheme", *_FIELDS})
        if unknown and isinstance(scheme, str) and scheme in SCHEME_BY_NAME:
            raise UnsupportedEventError(f"sampling {scheme}: unknown field {unknown[0]!r}")
        return cls(scheme, **{name: document[name] for name in _FIELDS if name in document})


_FIELDS = tuple(f.name for f in fields(Sampling) if f.name != "scheme")
