"""A backend as unforgiving as a GPU, for machines without one.

``StrictArray`` wraps a numpy array and behaves as cupy's arrays do where code written for numpy goes wrong:

* mixing with numpy arrays is a TypeError; Python scalars are fine (numpy scalars are not: they would silently
  turn float32 results into float64);
* nothing turns it into numpy behind your back: ``np.sum(a)``, ``np.asarray(a)``, ``float(a)``, ``if a:``,
  ``for x in a`` and ``a.item()`` all raise. Reading values on the host takes ``backend.to_host``, which counts
  in ``backend.xp.reads``;
* what ``xp.fuse`` makes into one kernel sees no shapes, indices or methods but ``astype`` (as in cupy's fusion);
  ``backend.xp.kernels`` counts its calls by name;
* reductions and single elements are 0-d arrays, not scalars;
* the namespace has only functions that cupy has, without the arguments that cupy lacks.

Usage: ``backend = strict_backend(); xp = backend.xp; a = backend.asarray(np.ones(3, np.float32))``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from refdp.backend import Backend

# ruff: noqa: SIM905 (word lists are easier to read than lists of quoted words)

SCALARS = (bool, int, float, complex)

CONSTANTS = """float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool_ newaxis inf nan pi e
    finfo iinfo dtype result_type floating integer issubdtype""".split()

FUNCTIONS = """
    abs absolute add all allclose amax amin any arange argmax argmin argsort array array_equal ascontiguousarray
    asarray atleast_1d atleast_2d bincount bitwise_and bitwise_or broadcast_to cbrt ceil clip concatenate copysign
    copyto cos count_nonzero cumprod cumsum diag divide dot einsum empty empty_like equal exp expand_dims expm1
    eye flip floor floor_divide fmax fmin frexp full full_like greater greater_equal hstack hypot identity inner isclose
    isfinite isinf isnan ldexp less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not
    logical_or logical_xor matmul max maximum mean median min minimum moveaxis multiply nan_to_num nanmax nansum
    negative nextafter nonzero not_equal ones ones_like outer pad percentile power prod put_along_axis quantile ravel
    reciprocal repeat reshape roll round searchsorted sign signbit sin sort split sqrt square squeeze stack std
    subtract sum swapaxes take take_along_axis tanh tensordot tile transpose tri tril triu true_divide unique var
    vdot vstack where zeros zeros_like
""".split()

METHODS = """all any argmax argmin argsort astype clip copy cumprod cumsum diagonal dot max mean min nonzero prod
    ravel repeat reshape round squeeze std sum swapaxes take trace transpose var view""".split()

ATTRIBUTES = "dtype shape ndim size itemsize nbytes strides flags".split()

BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lt le gt ge eq ne".split()

NOT_IN_CUPY = {"einsum": {"out", "order", "casting"}, "copyto": set()}
NOT_IN_CUPY_BY_DEFAULT = {"where", "initial", "subok", "order", "like", "device"}
FUSIBLE = """abs add copysign divide exp expm1 greater isfinite less log log1p maximum minimum multiply negative
    sqrt square subtract sum tanh where""".split()
_fusing = False


def _not_while_fusing(what: str) -> None:
    if _fusing:
        raise TypeError(f"{what}: cupy.fuse cannot make that part of a kernel")


class StrictArray:
    """An array that lives on a pretend device."""

    __array_ufunc__ = None  # numpy's own operators give up, so ours decide (and refuse)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: np.ndarray) -> None:
        self._data = data

    def __repr__(self) -> str:
        return f"StrictArray(shape={self._data.shape}, dtype={self._data.dtype})"  # values stay on the device

    def __len__(self) -> int:
        _not_while_fusing("len")
        return len(self._data)

    @property
    def T(self) -> StrictArray:
        _not_while_fusing("T")
        return StrictArray(self._data.T)

    def __getitem__(self, key: Any) -> StrictArray:
        _not_while_fusing("an index")
        return _wrap(self._data[_index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        _not_while_fusing("an index")
        self._data[_index(key)] = _unwrap(value)

    def fill(self, value: Any) -> None:
        self._data.fill(_unwrap(value))

    def __neg__(self) -> StrictArray:
        return _wrap(-self._data)

    def __abs__(self) -> StrictArray:
        return _wrap(abs(self._data))

    def __invert__(self) -> StrictArray:
        return _wrap(~self._data)

    def _no_host_read(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("implicit read of a device array on the host: use backend.to_host, or stay in xp")

    __array__ = __float__ = __int__ = __bool__ = __index__ = __complex__ = _no_host_read
    __iter__ = __contains__ = __array_function__ = item = tolist = tobytes = _no_host_read


def _binary(name: str) -> Callable[[StrictArray, Any], Any]:
    def operate(self: StrictArray, other: Any) -> Any:
        return _wrap(getattr(self._data, f"__{name}__")(_operand(other)))

    return operate


def _in_place(name: str) -> Callable[[StrictArray, Any], StrictArray]:
    def operate(self: StrictArray, other: Any) -> StrictArray:
        result = getattr(self._data, f"__i{name}__")(_operand(other))
        if result is NotImplemented:
            raise TypeError(f"in-place {name} with {type(other).__name__}")
        return self

    return operate


def _method(name: str) -> Callable[..., Any]:
    def call(self: StrictArray, *args: Any, **kwargs: Any) -> Any:
        if name != "astype":
            _not_while_fusing(name)
        return _call(name, getattr(self._data, name), args, kwargs)

    return call


def _attribute(name: str) -> property:
    def get(self: StrictArray) -> Any:
        if name not in ("dtype", "ndim"):
            _not_while_fusing(name)
        return getattr(self._data, name)

    return property(get)


for _name in BINARY:
    setattr(StrictArray, f"__{_name}__", _binary(_name))
for _name in BINARY[:11]:
    setattr(StrictArray, f"__r{_name}__", _binary(f"r{_name}"))
    setattr(StrictArray, f"__i{_name}__", _in_place(_name))
for _name in METHODS:
    setattr(StrictArray, _name, _method(_name))
for _name in ATTRIBUTES:
    setattr(StrictArray, _name, _attribute(_name))


def _wrap(result: Any) -> Any:
    """Arrays and scalars (bools too: cupy's allclose) become StrictArrays, also in containers."""
    if isinstance(result, np.ndarray | np.generic | bool):
        return StrictArray(np.asarray(result))
    if isinstance(result, tuple | list):
        return type(result)(map(_wrap, result))
    return result


def _unwrap(value: Any) -> Any:
    """StrictArrays become numpy arrays; numpy's own arrays and scalars are refused."""
    if isinstance(value, StrictArray):
        return value._data
    if isinstance(value, np.ndarray | np.generic):
        raise TypeError(
            f"numpy {type(value).__name__} mixed with a device array: use backend.asarray, float() or int()"
        )
    if isinstance(value, tuple | list):
        return type(value)(map(_unwrap, value))
    return value


def _operand(value: Any) -> Any:
    if not isinstance(value, StrictArray) and type(value) not in SCALARS:
        raise TypeError(
            f"{type(value).__name__} mixed with a device array: use backend.asarray, float() or int()"
        )
    return _unwrap(value)


def _index(key: Any) -> Any:
    """An index may hold ints (numpy's too: they are host integers), slices, None, ... and StrictArrays."""
    if isinstance(key, tuple):
        return tuple(map(_index, key))
    if isinstance(key, np.ndarray | list):
        raise TypeError(f"{type(key).__name__} as an index of a device array: use backend.asarray first")
    return key if isinstance(key, np.integer) else _unwrap(key)


def _call(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    refused = NOT_IN_CUPY.get(name, NOT_IN_CUPY_BY_DEFAULT) & set(kwargs)
    if refused:
        raise TypeError(f"{name}: cupy does not take {', '.join(sorted(refused))}")
    result = function(*_unwrap(args), **{key: _unwrap(value) for key, value in kwargs.items()})
    out = kwargs.get("out")
    return out if out is not None else _wrap(result)


class StrictNamespace:
    """The part of numpy's namespace that cupy has, for StrictArrays.

    ``reads`` counts explicit host reads, ``kernels`` the calls of fused formulas.
    """

    def __init__(self) -> None:
        self.reads = 0
        self.kernels: Counter[str] = Counter()
        as_strided = self._function("as_strided", np.lib.stride_tricks.as_strided)
        self.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided))
        self.linalg = SimpleNamespace(norm=self._function("norm", np.linalg.norm))
        self.ndarray = StrictArray

    @staticmethod
    def _function(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: _call(name, function, args, kwargs)

    def fuse(self, kernel_name: str) -> Callable[..., Callable[..., StrictArray]]:
        """Runs the formula, where nothing but what cupy can make a kernel of works."""

        def decorate(formula: Callable[..., StrictArray]) -> Callable[..., StrictArray]:
            def call(*arrays: StrictArray) -> StrictArray:
                global _fusing
                if not all(isinstance(array, StrictArray) for array in arrays):
                    raise TypeError(f"{kernel_name}: takes device arrays only")
                self.kernels[kernel_name] += 1
                _fusing = True
                try:
                    return formula(*arrays)
                finally:
                    _fusing = False

            return call

        return decorate

    def __getattr__(self, name: str) -> Any:
        if name in CONSTANTS:
            return getattr(np, name)
        if name in FUNCTIONS:
            if name not in FUSIBLE:
                _not_while_fusing(name)
            return self._function(name, getattr(np, name))
        raise AttributeError(
            f"xp.{name}: not in the strict namespace (is it in cupy? then add it to the list)"
        )


def strict_backend(forbid_reads: bool = False) -> Backend:
    """A fresh strict backend; with ``forbid_reads`` even an explicit ``to_host`` raises."""
    xp = StrictNamespace()

    def asarray(host: np.ndarray) -> StrictArray:
        if isinstance(host, StrictArray):
            return host
        return StrictArray(np.array(host))

    def to_host(array: StrictArray) -> np.ndarray:
        if not isinstance(array, StrictArray):
            raise TypeError(f"to_host takes a device array, got {type(array).__name__}")
        if forbid_reads:
            raise AssertionError("host read where none is allowed")
        xp.reads += 1
        return array._data.copy()

    def normal(seed: np.random.SeedSequence, size: int, dtype: Any) -> StrictArray:
        generator = np.random.Generator(np.random.SFC64(seed))
        return StrictArray(generator.standard_normal(size, dtype=dtype))

    return Backend("strict", xp, asarray, to_host, normal, reads_are_free=False)
