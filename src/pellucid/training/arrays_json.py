"""Arrays as JSON values: little-endian bytes in base64, checked when they are read."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.json_checks import json_error, json_integer, json_list, json_text

Numbers = npt.NDArray[Any]
_MOST = 2**31


def array_to_json(array: Numbers) -> dict[str, Any]:
    """An array as JSON values."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = base64.b64encode(plain.tobytes()).decode()
    return {"dtype": plain.dtype.str, "shape": list(plain.shape), "data": data}


def array_from_json(value: object, where: str, kinds: str = "<f8") -> Numbers:
    """An array of one of ``kinds`` (NumPy's names, separated by spaces), all values finite."""
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data"}:
        raise json_error(where, "an array", value)
    kind = json_text(value["dtype"], where, tuple(kinds.split()))
    sizes = [json_integer(n, where, 0, _MOST) for n in json_list(value["shape"], where, 2)]
    data = value["data"]
    if not isinstance(data, str):
        raise json_error(where, "bytes in base64", data)
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise json_error(where, "bytes in base64", data) from None
    dtype = np.dtype(kind)
    if len(content) != math.prod(sizes) * dtype.itemsize:
        raise json_error(where, f"the bytes of {sizes}", len(content))
    array = np.frombuffer(bytearray(content), dtype).reshape(sizes)
    if dtype.kind == "f" and not bool(np.isfinite(array).all()):
        raise json_error(where, "finite numbers", "NaN or infinity")
    return array
