"""From ``audit claim``'s file and flags to a claim."""

from __future__ import annotations

from typing import Any

from refdp.accounting import Ledger
from refdp.audit import Claim
from refdp.audit.claim import ROUNDABLE, SCHEMA
from refdp.audit.importers import Imported, read_record
from refdp.audit.importers.source import open_source
from refdp.cli.inputs import read_text
from refdp.cli.ledger_flags import ledger_family
from refdp.cli.output import Output
from refdp.cli.query import is_described, say_steps
from refdp.cli.run_flags import RunFlags
from refdp.errors import RefDPError

_ACTUAL = (
    "actual_sampling",
    "actual_epochs",
    "actual_rate",
    "actual_steps",
    "actual_neighboring",
    "divisor",
    "drop_last",
    "count_noise",
    "rounded",
)
_RUN_FACTS = ("epochs", "dataset_size", "batch_size")


def claim_from(output: Output, *, file: str | None, record_format: str | None, **flags: Any) -> Claim:
    """The claim that a file, or flags, or a record and flags make.

    Raises:
        RefDPError, AccountingError: in one line, what is missing, contradictory or malformed.
    """
    run = RunFlags(**{name: flags.pop(name) for name in RunFlags.__dataclass_fields__})
    noise, epsilon, delta = (flags.pop(name) for name in ("noise_multiplier", "claimed_epsilon", "delta"))
    if file is None:
        if record_format is not None:
            raise RefDPError(f"--format {record_format}: needs a FILE")
        ledger, imported = _from_flags(output, noise, run), None
    else:
        text = _claim_text(file, record_format)
        if text is not None:
            given = [name for name in _ACTUAL if flags[name] is not None]
            if is_described(noise, run) or epsilon is not None or delta is not None or given:
                raise RefDPError(f"{file!r}: is a claim, which says it all; give it without other flags")
            return _told(file, lambda: Claim.from_json(text))
        kept = RunFlags(**{name: getattr(run, name) for name in (*_RUN_FACTS, "neighboring")})
        if noise is not None or run != kept:
            raise RefDPError(
                f"{file!r}: is the record of a run; beside it only --neighboring, --epochs, --batch-size, "
                "--dataset-size and what was claimed and really run may be given"
            )
        imported = read_record(file, record_format, neighboring=run.neighboring)
        ledger = imported.ledger
    return Claim.from_json(_document(ledger, epsilon, delta, run, imported, flags))


def _claim_text(file: str, record_format: str | None) -> str | None:
    """The text of a claim file; None where the file is something else."""
    if file == "-":
        text = read_text(file)
        if record_format not in (None, "claim") or f'"{SCHEMA[:11]}' not in text:
            raise RefDPError(
                "'-': only a claim (refdp-claim/1) is read from standard input; save a record to a file"
            )
        return text
    if record_format not in (None, "claim"):
        return None
    try:
        source = open_source(file)
    except RefDPError as error:
        raise RefDPError(f"{file!r}: {error}") from None
    if record_format is None and (source.is_directory or source.is_zip):
        return None
    try:
        text = source.text
    except RefDPError as error:
        if record_format == "claim":
            raise RefDPError(f"{file!r}: {error}") from None
        return None  # the importers say what is wrong with it
    return text if record_format == "claim" or f'"{SCHEMA[:11]}' in text else None


def _told(file: str, make: Any) -> Claim:
    try:
        claim: Claim = make()
    except ValueError as error:
        raise type(error)(f"{file}: {error}") from None
    return claim


def _from_flags(output: Output, noise: float | None, run: RunFlags) -> Ledger:
    if noise is None:
        raise RefDPError("audit claim: give a FILE, or --noise-multiplier and what else was accounted")
    family = ledger_family(run)
    say_steps(output, run, family.steps)
    return family.at(noise)


def _document(
    ledger: Ledger,
    epsilon: float | None,
    delta: float | None,
    run: RunFlags,
    imported: Imported | None,
    flags: dict[str, Any],
) -> dict[str, Any]:
    """A ``refdp-claim/1`` document of what was given."""
    recorded = (imported.claimed if imported else None) or {}
    epsilon = epsilon if epsilon is not None else recorded.get("epsilon")
    delta = delta if delta is not None else recorded.get("delta", 1e-5)
    if epsilon is None:
        raise RefDPError("--claimed-epsilon: is needed; the epsilon that is stated for this run")
    facts = {**(imported.actual if imported else {}), **_given(run)}
    document: dict[str, Any] = {**ledger.to_json(), "schema": SCHEMA}
    document["claimed"] = {"epsilon": epsilon, "delta": delta}
    if set(_RUN_FACTS) <= set(facts):
        document["run"] = {name: facts[name] for name in _RUN_FACTS}
        last = flags["drop_last"] if flags["drop_last"] is not None else facts.get("drop_last")
        if last is not None:
            document["run"]["drop_last"] = last
    elif flags["drop_last"] is not None:
        raise RefDPError("--drop-last: needs --epochs, --batch-size and --dataset-size beside it")
    document |= {
        name: flags[name]
        for name in ("actual_steps", "actual_neighboring", "divisor")
        if flags[name] is not None
    }
    if flags["actual_sampling"] is not None:
        document["actual_sampling"] = _sampling(flags, run, facts)
    elif flags["actual_epochs"] is not None or flags["actual_rate"] is not None:
        raise RefDPError("--actual-epochs, --actual-rate: need --actual-sampling beside them")
    elif imported is not None:
        _check_sampler(facts)
    if flags["count_noise"] is not None:
        document["adaptive_clipping"] = {"count_noise": flags["count_noise"]}
    if flags["rounded"] is not None:
        words = [word.strip().replace("-", "_") for word in flags["rounded"].split(",")]
        if len(words) > 1 and {"all", "none"} & set(words):
            raise RefDPError(f"--rounded {flags['rounded']}: all and none stand alone")
        bad = [word for word in words if word not in (*ROUNDABLE, "all", "none")]
        if bad:
            raise RefDPError(f"--rounded {bad[0]!r}: must be all, none, or some of {', '.join(ROUNDABLE)}")
        document["rounded"] = {"all": True, "none": False}.get(words[0], words)
    if imported is not None:
        document["notes"] = "; ".join(imported.notes)
        document["title"] = f"{imported.format} record"
    return document


def _check_sampler(facts: dict[str, Any]) -> None:
    """Refuse to take Poisson sampling for what a record itself says was something else."""
    says = facts.get("sampler")
    other = isinstance(says, str) and "poisson" not in says.lower()
    if other or facts.get("poisson_sampling") is False:
        what = f"sampler: {says}" if other else "poisson_sampling: false"
        raise RefDPError(
            f"--actual-sampling: is needed, because the record says how batches were drawn ({what}); give shuffle, "
            "fixed-order or what it was, or poisson if it was that after all"
        )


def _given(run: RunFlags) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _RUN_FACTS if getattr(run, name) is not None}


def _sampling(flags: dict[str, Any], run: RunFlags, facts: dict[str, Any]) -> dict[str, Any]:
    """The ``actual_sampling`` object of the flags."""
    scheme = flags["actual_sampling"]
    epochs = flags["actual_epochs"] if flags["actual_epochs"] is not None else facts.get("epochs")
    rate = flags["actual_rate"]
    if rate is None and {"batch_size", "dataset_size"} <= set(facts):
        rate = facts["batch_size"] / facts["dataset_size"]
    values = {
        "rate": rate,
        "epochs": epochs,
        "dataset_size": facts.get("dataset_size"),
        "batch_size": facts.get("batch_size"),
        "max_batch_size": run.max_batch_size,
        "bins": run.bins,
    }
    takes = {
        "poisson": ("rate",),
        "truncated-poisson": ("rate", "dataset_size", "max_batch_size"),
        "without-replacement": ("dataset_size", "batch_size"),
        "shuffle": ("epochs",),
        "fixed-order": ("epochs",),
        "balls-and-bins": ("bins", "epochs"),
    }.get(scheme, ())
    for name, option in (("epochs", "actual_epochs"), ("rate", "actual_rate")):
        if flags[option] is not None and name not in takes:
            raise RefDPError(f"--{option.replace('_', '-')}: has no meaning under --actual-sampling {scheme}")
    missing = [name for name in takes if values[name] is None]
    if missing:
        option = {"rate": "--actual-rate", "epochs": "--actual-epochs"}.get(
            missing[0], "--" + missing[0].replace("_", "-")
        )
        raise RefDPError(f"--actual-sampling {scheme}: needs {option}")
    return {"scheme": scheme, **{name: values[name] for name in takes}}
