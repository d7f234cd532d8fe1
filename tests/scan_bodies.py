"""Bodies of loops for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.dtypes import as_dtype
from pellucid.graph.node import Spec, new_input
from pellucid.graph.replay import substitute
from pellucid.ops.scan import Body, make_body


def retyped(params: dict[str, Any], inputs: tuple[Any, ...], dtype: Any) -> dict[str, Any]:
    """A sample's parameters for inputs of another floating-point type, a body made anew for it."""
    body = params.get("body")
    if not isinstance(body, Body) or not dtype.is_floating_point:
        return params
    dtypes = [as_dtype(np.asarray(a).dtype) for a in inputs]
    fresh = [new_input(Spec(n.shape, d)) for n, d in zip(body.inputs, dtypes, strict=True)]
    outputs = substitute(body.outputs, dict(zip(body.inputs, fresh, strict=True)))
    return {**params, "body": make_body(body.carries, body.columns, fresh, outputs)}
