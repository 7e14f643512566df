"""A network's weights in a file, by name and in PyTorch's layouts: ``.npz`` or ``.safetensors``.

A PyTorch model's ``state_dict`` with the same names, saved by safetensors, loads as it is. Float32 and float64
keep their bits, half precision (F16, BF16) becomes float32, everything else is refused. Neither format can
carry code: npz is read without pickle.
"""

from __future__ import annotations

import importlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from refdp.errors import MissingExtraError, RefDPError
from refdp.files import write_atomically
from refdp.models.network import Network

FORMATS = (".npz", ".safetensors")
STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def save(network: Network, theta: np.ndarray, path: Path) -> None:
    """Write host theta [D]; the ending of the path says how. The file appears whole or not at all."""
    ending = _ending(path)
    arrays = network.to_framework(theta)
    if ending == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        content = buffer.getvalue()
    else:
        content = _safetensors("safetensors.numpy").save(arrays)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RefDPError(f"weights {str(path)!r}: cannot be written ({error.strerror})") from None


def load(network: Network, path: Path) -> np.ndarray:
    """theta [D] from such a file, in the widest type stored; refuses other names, shapes, and NaN."""
    return network.from_framework(read(path))


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, float32 or float64, all finite."""
    ending = _ending(path)
    library = _safetensors("safetensors") if ending == ".safetensors" else None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RefDPError(f"weights {str(path)!r}: cannot be read ({error.strerror})") from None
    try:
        stored = _from_npz(content) if library is None else _from_safetensors(library, content)
    except RefDPError as error:
        raise RefDPError(f"weights {str(path)!r}: {error}") from None
    except Exception as error:  # whatever the reader meets in bytes that are no such file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RefDPError(f"weights {str(path)!r}: no sound {ending} file ({reason}); save it again") from None
    for name, values in stored.items():
        if not np.isfinite(values).all():
            raise RefDPError(
                f"weights {str(path)!r}: {name!r} holds values that are not finite; nothing can be "
                "trained or tested from there"
            )
    return stored


def _ending(path: Path) -> str:
    if path.suffix not in FORMATS:
        raise RefDPError(f"weights {str(path)!r}: the name must end in {' or '.join(FORMATS)}")
    return path.suffix


def _safetensors(module: str) -> Any:
    """The library, with its checks of header, sizes and offsets."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            "weights '.safetensors': safetensors is not installed; install refdp[weights], or use .npz"
        ) from error


def _from_npz(content: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
    if len(set(names)) < len(names):
        raise RefDPError("two arrays have one name; save it again")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: _widened(name, arrays[name]) for name in arrays.files}


def _from_safetensors(library: Any, content: bytes) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in library.deserialize(content):
        kind, shape = tensor["dtype"], tensor["shape"]
        if kind not in STORED:
            raise _of_no_use(name, kind)
        values = np.frombuffer(tensor["data"], dtype=STORED[kind])
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = _widened(name, values.reshape(shape))
    return arrays


def _widened(name: str, values: Any) -> np.ndarray:
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.dtype.itemsize > 8:
        raise _of_no_use(name, str(getattr(values, "dtype", type(values).__name__)))
    return values.astype(np.float64 if values.dtype.itemsize == 8 else np.float32)


def _of_no_use(name: str, kind: str) -> RefDPError:
    return RefDPError(
        f"{name!r} is {kind}: weights must be F16, BF16, F32 or F64; leave it out of the file, or convert it"
    )
