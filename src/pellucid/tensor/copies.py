"""The operations that make views, as functions that make copies (``pellucid.view_copy``, …)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pellucid.tensor.out import takes_out, with_out
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.signatures import as_function, present_as
from pellucid.tensor.tensor import Tensor


def _copied(name: str) -> Callable[..., Any]:
    """The function that gives the method's result with memory of its own."""
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        found = method(as_operand(input), *args, **kwargs)
        return tuple(t.clone() for t in found) if isinstance(found, tuple) else found.clone()

    function.__name__ = function.__qualname__ = f"{name}_copy"
    function.__doc__ = f"What :meth:`Tensor.{name}` shows, as a copy with memory of its own."
    signature = as_function(inspect.signature(method))
    present_as(function, method, signature)
    written = takes_out(function)
    present_as(written, function, with_out(signature))
    return written


as_strided_copy = _copied("as_strided")
detach_copy = _copied("detach")
diagonal_copy = _copied("diagonal")
expand_copy = _copied("expand")
permute_copy = _copied("permute")
select_copy = _copied("select")
split_copy = _copied("split")
split_with_sizes_copy = _copied("split_with_sizes")
squeeze_copy = _copied("squeeze")
t_copy = _copied("t")
transpose_copy = _copied("transpose")
unbind_copy = _copied("unbind")
unfold_copy = _copied("unfold")
unsqueeze_copy = _copied("unsqueeze")
view_copy = _copied("view")


@takes_out
def alias_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """A copy of the tensor with memory of its own; gradients flow through."""
    return input.clone()


@takes_out
def slice_copy(
    input: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy of ``input[start:end:step]`` along ``dim``."""
    places = [slice(None)] * (dim % max(1, len(input.shape))) + [slice(start, end, step)]
    return input[tuple(places)].clone()
