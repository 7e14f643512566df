"""What JAX-Privacy's configurations say, one function a class: its fields into events.

Each takes the fields (as text, JSON or the object gave them) and returns a Reading. ``READERS`` names them all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refdp.accounting import ADD_REMOVE, REPLACE_ONE, ZERO_OUT, BandMFEvent, GaussianEvent, Release, Sampling
from refdp.audit.importers.pytext import Call, Opaque
from refdp.audit.importers.words import multiplier, rate, real, short, whole
from refdp.errors import RefDPError


@dataclass
class Reading:
    """Events and what goes with them; ``neighboring`` is taken where nothing names a relation, ``because``."""

    events: tuple[Release, ...]
    neighboring: str
    because: str
    notes: list[str] = field(default_factory=list)
    claimed: dict[str, float] = field(default_factory=dict)
    actual: dict[str, Any] = field(default_factory=dict)
    group_size: int = 1


Fields = dict[str, Any]
FIXED = "it is the only one that is sound for batches of fixed size"


def plain(value: Any) -> Any:
    """A number or list out of what numpy and JAX print it as: ``np.float64(0.1)``, ``Array([...], dtype=...)``."""
    if isinstance(value, Call) and value.args and value.last_name.lower().startswith(_ARRAYS):
        return plain(value.args[0])
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else value


_ARRAYS = ("array", "float", "int", "bfloat", "uint", "asarray")


def choice(name: str, value: Any, options: tuple[str, ...]) -> str:
    """A member of an enumeration, however it was printed."""
    text = value if isinstance(value, str) else getattr(value, "name", None) or repr(value)[:200]
    found = [option for option in options if re.search(rf"\b{option}\b", str(text)[:200])]
    if len(found) != 1:
        raise RefDPError(f"{name} = {short(value)}: must be one of {', '.join(options)}")
    return found[0]


def _steps(fields: Fields, name: str = "iterations") -> int:
    return whole(name, plain(fields[name]))


def _noise(fields: Fields) -> float:
    return multiplier(plain(fields["noise_multiplier"]))


def _chance(fields: Fields) -> float:
    return rate(plain(fields.get("sampling_prob", 1.0)), name="sampling_prob")


def _band_mf(noise: float, chance: float, steps: int, bands: int) -> Release:
    sampling = Sampling("poisson", rate=chance)
    return (
        GaussianEvent(noise, sampling, steps)
        if bands == 1
        else BandMFEvent(noise, sampling, steps, bands=bands)
    )


def _truncated(fields: Fields, records: Any, steps: int) -> GaussianEvent:
    sampling = Sampling(
        "truncated-poisson",
        rate=_chance(fields),
        dataset_size=whole("num_examples", plain(records), minimum=1),
        max_batch_size=whole("truncated_batch_size", plain(fields["truncated_batch_size"])),
    )
    return GaussianEvent(_noise(fields), sampling, steps)


def band_mf_config(fields: Fields) -> Reading:
    """BandMFExecutionPlanConfig: ceil(iterations / bands) Poisson steps of one group; 1 band is DP-SGD."""
    if fields.get("noise_multiplier") is None:
        raise RefDPError(
            "BandMFExecutionPlanConfig holds no noise_multiplier (the plan calibrates it to its epsilon): give "
            "repr(config.plan.dp_event)"
        )
    strategy = plain(fields["strategy"])
    if not isinstance(strategy, list | tuple) or not strategy:
        raise RefDPError(f"strategy = {short(strategy)}: must be the list of its coefficients, a band each")
    if any(isinstance(part, Opaque) for part in strategy):
        raise RefDPError(
            "strategy is abbreviated ('...'), so its bands cannot be counted: give it as a JSON list, "
            "strategy.tolist()"
        )
    bands = len(strategy)
    partition = choice(
        "partition_type", fields.get("partition_type", "EQUAL_SPLIT"), ("EQUAL_SPLIT", "INDEPENDENT")
    )
    neighboring = ZERO_OUT if partition == "EQUAL_SPLIT" else ADD_REMOVE
    because = (
        f"its partition_type is {partition}; the text of a configuration hides its accountant's relation"
    )
    notes = _off_norm(strategy) if fields.get("column_normalize") is True else []
    event: Release
    if fields.get("truncated_batch_size"):
        if bands > 1:
            raise RefDPError(
                "BandMFExecutionPlanConfig with truncated_batch_size and several bands is not supported: no bound for "
                "truncated batches within groups is proven here; use 1 band, or no truncation"
            )
        event = _truncated(fields, fields.get("num_examples"), _steps(fields))
    else:
        event = _band_mf(_noise(fields), _chance(fields), _steps(fields), bands)
    actual = {
        "iterations": _steps(fields),
        "bands": bands,
        "sampler": "cyclic Poisson, CyclicPoissonSampling",
    }
    for name in ("num_examples", "truncated_batch_size", "l2_clip_norm", "normalize_by"):
        value = plain(fields.get(name))
        if isinstance(value, int | float) and not isinstance(value, bool):
            actual[name] = value
    return Reading((event,), neighboring, because, notes, _claim(fields), actual)


def _off_norm(strategy: list[Any] | tuple[Any, ...]) -> list[str]:
    """Normalised columns are of norm 1, but the noise is scaled by the norm of the coefficients."""
    norm = math.hypot(*(real("strategy", plain(part), "must be numbers") for part in strategy))
    if abs(norm - 1) < 1e-3:
        return []
    return [
        f"column_normalize with coefficients of norm {norm:.6g}: the noise that is added is {norm:.6g} times what the "
        "plan accounts"
    ]


def dp_params(fields: Fields) -> Reading:
    """DpParams with num_updates, as DpsgdTrainingAccountant and its user-level kin account them."""
    if "num_updates" not in fields:
        raise RefDPError(
            "DpParams holds no number of steps: write a JSON object of its fields with num_updates beside them"
        )
    steps = _steps(fields, "num_updates")
    records = whole("num_samples", plain(fields["num_samples"]), minimum=1)
    cycle = whole("cycle_length", plain(fields.get("cycle_length") or 1), minimum=1, maximum=records)
    method = choice(
        "sampling_method", fields.get("sampling_method", "POISSON"), ("POISSON", "FIXED_BATCH_SIZE")
    )
    cap = fields.get("truncated_batch_size")
    users = whole("examples_per_user", plain(fields.get("examples_per_user") or 1), minimum=1)
    if fields.get("batch_size_scale_schedule") and not isinstance(
        plain(fields.get("batch_sizes")), list | tuple
    ):
        raise RefDPError(
            "batch_size_scale_schedule is given without batch_sizes: add batch_sizes, [[step, size], ...]"
        )
    if (cap is not None or method != "POISSON" or users > 1) and cycle > 1:
        raise RefDPError(
            f"cycle_length = {cycle} with another sampler than plain Poisson, or several examples a user: not "
            "supported, no bound is proven here"
        )
    private = fields.get("is_finite_guarantee", True)
    noises = _over_time(
        "noise_multipliers", plain(fields["noise_multipliers"]) if private is not False else 0.0
    )
    sizes = _over_time("batch_sizes", plain(fields.get("batch_sizes") or fields["batch_size"]))
    starts = sorted({start for start in (*noises, *sizes) if start < steps})
    if cycle > 1 and len(starts) > 1:
        raise RefDPError(f"cycle_length = {cycle} with varying noise or batch sizes is not supported")
    events: list[Release] = []
    for start, end in zip(starts, [*starts[1:], steps], strict=True):
        noise = multiplier(_at(noises, start))
        size = whole("batch_size", _at(sizes, start), maximum=records // cycle)
        part = size / (records // cycle)
        if method == "FIXED_BATCH_SIZE":
            sampling = Sampling("without-replacement", dataset_size=records, batch_size=size)
            events.append(GaussianEvent(noise, sampling, end - start))
        elif cap is not None:
            fixed = {"noise_multiplier": noise, "sampling_prob": part, "truncated_batch_size": cap}
            events.append(_truncated(fixed, records, end - start))
        else:
            events.append(_band_mf(noise, part, end - start, cycle))
    because = "JAX-Privacy's accountants take it"
    claimed = _claim(fields)
    reading = Reading(tuple(events), ADD_REMOVE, because, [], claimed, {"dataset_size": records}, users)
    if method == "FIXED_BATCH_SIZE":
        reading.neighboring, reading.because = REPLACE_ONE, FIXED
        reading.notes.append(
            "FIXED_BATCH_SIZE: JAX-Privacy accounts it as Poisson steps of twice the sensitivity; here it is sampling "
            "without replacement under replace-one, at the same noise"
        )
    if private is False:
        reading.notes.append("is_finite_guarantee is False: taken as no noise, epsilon is infinite")
    if len(sizes) == 1:
        reading.actual["batch_size"] = int(sizes[0])
    return reading


def _over_time(name: str, value: Any) -> dict[int, float]:
    """A number, or [step, value] pairs of which the first is at step 0."""
    rule = "must be a number, or pairs [step, value] of which the first is at step 0"
    if not isinstance(value, list | tuple):
        return {0: _exact(name, value, rule)}
    found: dict[int, float] = {}
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise RefDPError(f"{name} = {short(value)}: {rule}")
        step = whole(f"{name} step", plain(pair[0]))
        if step in found:
            raise RefDPError(f"{name}: step {step} is given twice")
        found[step] = _exact(name, plain(pair[1]), rule)
    if 0 not in found:
        raise RefDPError(f"{name} = {short(value)}: {rule}")
    return found


def _exact(name: str, value: Any, rule: str) -> Any:
    """The number itself; a whole one stays whole (batch sizes of a schedule are printed as 64.0)."""
    number = real(name, value, rule)
    return int(number) if name == "batch_sizes" and number.is_integer() else value


def _at(values: dict[int, Any], step: int) -> Any:
    return values[max(start for start in values if start <= step)]


def keras_config(fields: Fields) -> Reading:
    """DPKerasConfig: Poisson steps of the effective batch size."""
    if fields.get("noise_multiplier") is None:
        raise RefDPError(
            "DPKerasConfig holds no noise_multiplier: give config.update_with_calibrated_noise_multiplier()"
        )
    records = whole("train_size", plain(fields["train_size"]), minimum=1)
    accumulated = whole(
        "gradient_accumulation_steps", plain(fields.get("gradient_accumulation_steps", 1)), minimum=1
    )
    batch = whole("batch_size", plain(fields["batch_size"]), minimum=1)
    if batch * accumulated > records:
        raise RefDPError(
            f"batch_size x gradient_accumulation_steps = {batch * accumulated}: must not exceed train_size = {records}"
        )
    sampling = Sampling("poisson", rate=batch * accumulated / records)
    event = GaussianEvent(_noise(fields), sampling, _steps(fields, "train_steps"))
    actual: dict[str, Any] = {
        "batch_size": batch * accumulated,
        "physical_batch_size": batch,
        "dataset_size": records,
    }
    notes = []
    if accumulated > 1:
        notes.append(
            "the rate is that of the accumulated batch, batch_size x gradient_accumulation_steps / train_size"
        )
    if fields.get("poisson_sampling_in_fit") is not True:
        notes.append(
            "poisson_sampling_in_fit is off: fit() takes the batches it is given; Poisson is an assumption"
        )
        actual["sampler"] = "the caller's"
    return Reading((event,), ADD_REMOVE, "JAX-Privacy's accountants take it", notes, _claim(fields), actual)


def dpsgd_event(fields: Fields) -> Reading:
    """The arguments of dpsgd_event and its kin: amplified_bandmf, truncated, of fixed size."""
    steps = _steps(fields)
    bands = whole("num_bands", plain(fields.get("num_bands", 1)), minimum=1)
    because = "it is the usual one"
    if "batch_size" in fields:
        if fields.get("replace") is True:
            raise RefDPError(
                "replace = True: batches drawn with replacement are not supported; no bound is proven here"
            )
        sampling = Sampling(
            "without-replacement",
            dataset_size=whole("dataset_size", plain(fields["dataset_size"]), minimum=1),
            batch_size=whole("batch_size", plain(fields["batch_size"])),
        )
        return Reading((GaussianEvent(_noise(fields), sampling, steps),), REPLACE_ONE, FIXED)
    if "truncated_batch_size" in fields:
        if bands > 1:
            raise RefDPError(
                "truncated batches with num_bands > 1 are not supported: no bound is proven here"
            )
        records = fields.get("num_examples", fields.get("largest_group_size"))
        return Reading((_truncated(fields, records, steps),), ADD_REMOVE, because)
    return Reading((_band_mf(_noise(fields), _chance(fields), steps, bands),), ADD_REMOVE, because)


def _claim(fields: Fields) -> dict[str, float]:
    """The target that the configuration names."""
    rule = "must be a number >= 0"
    found = {
        name: real(name, plain(fields[name]), rule)
        for name in ("epsilon", "delta")
        if fields.get(name) is not None
    }
    for name, value in found.items():
        if value < 0:
            raise RefDPError(f"{name} = {value!r}: {rule}")
    return found


def _sampler_alone(fields: Fields) -> Reading:
    raise RefDPError(
        "is a batch selection strategy: it holds no noise; give the plan's dp_event, or its configuration"
    )


@dataclass(frozen=True)
class Kind:
    """A class or function of JAX-Privacy: its arguments in order, those required, and its reader."""

    read: Callable[[Fields], Reading]
    names: tuple[str, ...]
    required: tuple[str, ...]


def _kind(read: Callable[[Fields], Reading], required: str, optional: str = "") -> Kind:
    return Kind(read, (*required.split(), *optional.split()), tuple(required.split()))


_EVENT = "noise_multiplier iterations"
READERS: dict[str, Kind] = {
    "BandMFExecutionPlanConfig": _kind(
        band_mf_config,
        "iterations strategy",
        "epsilon delta noise_multiplier l2_clip_norm rescale_to_unit_norm normalize_by sampling_prob "
        "truncated_batch_size num_examples partition_type dtype column_normalize accountant noise_seed",
    ),
    "DpParams": _kind(
        dp_params,
        "noise_multipliers num_samples batch_size",
        "delta num_updates batch_size_scale_schedule is_finite_guarantee batch_sizes examples_per_user cycle_length "
        "sampling_method truncated_batch_size",
    ),
    "DPKerasConfig": _kind(
        keras_config,
        "batch_size train_steps train_size",
        "epsilon delta clipping_norm gradient_accumulation_steps poisson_sampling_in_fit noise_multiplier "
        "rescale_to_unit_norm microbatch_size seed",
    ),
    "dpsgd_event": _kind(dpsgd_event, f"{_EVENT} sampling_prob"),
    "amplified_bandmf_event": _kind(dpsgd_event, f"{_EVENT} num_bands sampling_prob"),
    "truncated_dpsgd_event": _kind(dpsgd_event, f"{_EVENT} sampling_prob num_examples truncated_batch_size"),
    "truncated_amplified_bandmf_event": _kind(
        dpsgd_event, f"{_EVENT} num_bands sampling_prob largest_group_size truncated_batch_size"
    ),
    "fixed_dpsgd_event": _kind(dpsgd_event, f"{_EVENT} dataset_size batch_size", "replace"),
    **{
        name: _kind(_sampler_alone, "")
        for name in ("CyclicPoissonSampling", "BallsInBinsSampling", "FixedBatchSampling", "BMinSepSampling")
    },
}
