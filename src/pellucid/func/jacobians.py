"""Jacobians and Hessians: a product with each unit vector, all of them at once by ``vmap``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import DTypeError
from pellucid.func.derivatives import ArgNums, Call, check_tensors, chosen_arguments
from pellucid.ops.rows import moved, reshaped
from pellucid.tensor.autograd import set_grad_enabled
from pellucid.tensor.basis import row_parts, unit_vectors
from pellucid.tensor.core import TensorCore
from pellucid.tensor.differentials import zeros_of
from pellucid.tensor.trees import rebuild
from pellucid.tensor.vmap import vmap


def jacrev(
    func: Callable[..., Any],
    argnums: ArgNums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of a function, in reverse mode: one pass backwards for each output element.

    For an output of shape (O...) and an argument of shape (I...) it has shape (O..., I...).  Of a
    function that returns a tree there is a tree of Jacobians; of an argument that is a tree (or
    of several, with a tuple as ``argnums``) each is such a tree.  ``chunk_size`` passes are made
    at once (None: all).  Better than :func:`jacfwd` where outputs are fewer than inputs.

    >>> import pellucid
    >>> from pellucid.func import jacrev
    >>> jacrev(lambda x: x**2)(pellucid.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = chosen_arguments(argnums, args)
        call = Call(func, args, kwargs, chosen, "jacrev(f)", has_aux)
        check_tensors(call.result, "jacrev(f):")
        for output in call.outputs:
            if not output.dtype.is_floating_point:
                raise DTypeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                    f"Tensor with dtype {output.dtype.name}",
                    "return what has derivatives, or leave it to has_aux",
                )
        vectors = unit_vectors(call.outputs)
        pull = vmap(
            lambda *g: call.variables.pull(call.outputs, g, call.keeps), chunk_size=chunk_size
        )
        with set_grad_enabled(call.keeps):
            columns = pull(*vectors)  # one (N, I...) for each variable
        found = []
        for number, output in enumerate(call.outputs):
            parts = [row_parts(c, call.outputs)[number] for c in columns]
            shaped = [reshaped(p, (*output.shape, *p.shape[1:])) for p in parts]
            found.append(_of_arguments(call, shaped, argnums))
        result = rebuild(call.tree, iter(found))
        return (result, call.released(call.aux)) if has_aux else result

    return wrapped


def _of_arguments(call: Call, parts: Sequence[Any], argnums: ArgNums) -> Any:
    trees = call.in_arguments(parts)
    return tuple(trees) if isinstance(argnums, tuple) else trees[0]


def jacfwd(
    func: Callable[..., Any],
    argnums: ArgNums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """The Jacobian of a function, in forward mode: one pass for each input element.

    Shapes and trees are those of :func:`jacrev`; better where inputs are fewer than outputs, and
    for the second derivative of one number (``jacfwd(jacrev(f))``).  The function itself runs
    once, so that its random numbers are the same for all passes; ``randomness`` is accepted as in
    PyTorch.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = chosen_arguments(argnums, args)
        call = Call(func, args, kwargs, chosen, "jacfwd(f)", has_aux, forwards=True)
        check_tensors(call.result, "jacfwd(f):")
        vectors = unit_vectors(call.given)

        def push(*tangents: TensorCore) -> list[Any]:
            found = call.variables.push(call.outputs, tangents, call.keeps)
            return [
                zeros_of(y) if t is None else t for y, t in zip(call.outputs, found, strict=True)
            ]

        with set_grad_enabled(call.keeps):
            columns = vmap(push, chunk_size=chunk_size, randomness=randomness)(*vectors)
        found = []
        for column in columns:  # (N, O...) for each output
            parts = [
                reshaped(moved(part, 0, len(part.shape) - 1), (*column.shape[1:], *x.shape))
                for part, x in zip(row_parts(column, call.given), call.given, strict=True)
            ]
            found.append(_of_arguments(call, parts, argnums))
        result = rebuild(call.tree, iter(found))
        return (result, call.released(call.aux)) if has_aux else result

    return wrapped


def hessian(func: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The second derivatives of a function that returns one number: forward over reverse mode.

    For an argument of shape (I...) it has shape (I..., I...); several, or trees, nest as in
    :func:`jacrev`.

    >>> import pellucid
    >>> from pellucid.func import hessian
    >>> hessian(lambda x: (x**3).sum())(pellucid.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
