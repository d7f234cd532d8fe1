"""Derivatives as transformations of functions: ``grad``, ``vjp``, ``jvp``, ``linearize``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.differentials import Variables, ones_of, recording, zeros_of
from pellucid.tensor.trees import flatten, map_tensors, rebuild
from pellucid.tensor.vmap import leaves_of, name_of

ArgNums = int | tuple[int, ...]


def chosen_arguments(argnums: ArgNums, args: Sequence[Any]) -> tuple[int, ...]:
    """Positions of the arguments to differentiate for, checked."""
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in wanted) or not wanted:
        raise ArgumentTypeError(
            f"argnums must be int or Tuple[int, ...], got {argnums!r}", "name positions: (0, 1)"
        )
    found = []
    for number in wanted:
        if not -len(args) <= number < len(args):
            raise ArgumentError(
                f"Got argnum={number}, but only {len(args)} positional inputs",
                "positions count the positional arguments, from 0",
            )
        found.append(number % len(args))
    if len(set(found)) < len(found):
        raise ArgumentError(f"argnums elements must be unique, got {argnums}", "name each once")
    return tuple(found)


class Call:
    """A call of a function with some of its arguments as variables, and what came of it."""

    def __init__(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        chosen: Sequence[int],
        what: str,
        has_aux: bool,
        forwards: bool = False,
    ) -> None:
        self.what = what
        self.trees: list[Any] = []
        leaves: list[TensorCore] = []
        for position in chosen:
            self.trees.append(_bare(args[position], leaves, what))
        self.variables = Variables(leaves)
        self.given = leaves
        inner = iter(self.variables.tensors)
        filled = list(args)
        for position, tree in zip(chosen, self.trees, strict=True):
            filled[position] = rebuild(tree, inner)
        with recording(forwards):
            result = func(*filled, **kwargs)
        self.aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentTypeError(
                    f"{what}: output of function f should be a tuple: (output, aux) if has_aux "
                    "is True",
                    "return (output, aux)",
                )
            result, self.aux = result
        self.result = result
        self.tree, self.outputs = leaves_of(result)
        self.keeps = self.variables.others(self.outputs)
        self.variables.finish(self.keeps)

    def released(self, tree: Any) -> Any:
        """A tree of what the function returned, as the caller sees it."""
        return map_tensors(
            tree,
            lambda t: self.variables.released(
                t,
                self.keeps or self.variables.others([t]),  # what is beside the result
            ),
            by_identity=False,
        )

    def in_arguments(self, parts: Sequence[Any]) -> list[Any]:
        """One value for each variable, in the trees of the arguments."""
        inner = iter(parts)
        return [rebuild(tree, inner) for tree in self.trees]

    def pulled(self, cotangents: Sequence[Any]) -> list[Any]:
        """Cotangents of the arguments."""
        return self.in_arguments(self.variables.pull(self.outputs, cotangents, self.keeps))

    def pushed(self, tangents: Sequence[Any]) -> Any:
        """Tangents of the results, in their tree."""
        found = self.variables.push(self.outputs, tangents, self.keeps)
        whole = [zeros_of(y) if t is None else t for y, t in zip(self.outputs, found, strict=True)]
        return rebuild(self.tree, iter(whole))


def _bare(tree: Any, leaves: list[TensorCore], what: str) -> Any:
    """A tree of variables without them; other leaves raise."""
    first = len(leaves)
    bare = flatten(tree, leaves)
    if len(leaves) == first:
        raise ArgumentTypeError(
            f"{what}: an argument to differentiate for holds no tensor but {type(tree).__name__}",
            "pass tensors, in tuples, lists or dicts; choose others with argnums",
        )
    return bare


def check_tensors(result: Any, what: str) -> None:
    """Raise unless all leaves of a result are tensors."""
    if isinstance(result, TensorCore):
        return
    parts: Sequence[Any]
    if isinstance(result, dict):
        parts = list(result.values())
    elif isinstance(result, (list, tuple)):
        parts = result
    else:
        raise ArgumentTypeError(
            f"{what} expected f(*primals) to return only tensors, got unsupported type "
            f"{type(result).__name__}",
            "return tensors, in tuples, lists or dicts",
        )
    for part in parts:
        check_tensors(part, what)


# ---- reverse mode -----------------------------------------------------------------------------


def grad_and_value(
    func: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """As :func:`grad`, for a function that returns ``(gradients, value)``.

    With ``has_aux``: ``(gradients, (value, aux))``.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        what = "grad_and_value(f)(*args)"
        chosen = chosen_arguments(argnums, args)
        call = Call(func, args, kwargs, chosen, what, has_aux)
        if not isinstance(call.result, TensorCore):
            raise ArgumentTypeError(
                f"{what}: Expected f(*args) to return a Tensor, got {type(call.result).__name__}",
                "return one number as a tensor",
            )
        if call.result.shape:
            raise ShapeError(
                f"{what}: Expected f(*args) to return a scalar Tensor, got tensor with "
                f"{len(call.result.shape)} dims. Maybe you wanted to use the vjp or jacrev APIs "
                "instead?",
                "reduce it to one number: .sum() or .mean()",
            )
        found = call.pulled([ones_of(call.result)])
        gradients = tuple(found) if isinstance(argnums, tuple) else found[0]
        value = call.released(call.result)
        return gradients, ((value, call.released(call.aux)) if has_aux else value)

    return wrapped


def grad(
    func: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient of a function that returns one number, as a function of the same arguments.

    Args:
        func: returns a tensor without axes; with ``has_aux`` the pair ``(output, aux)``.
        argnums: the argument to differentiate for, or a tuple of several. An argument may be a
            tree of tensors (the parameters of a model by name); its gradient is a tree like it.
        has_aux: whether to return ``(gradients, aux)``.

    What the function does not depend on gets zeros.  Nothing is collected in ``.grad``.

    >>> import pellucid
    >>> from pellucid.func import grad
    >>> grad(grad(pellucid.sin))(pellucid.tensor(0.5))
    tensor(-0.4794)

    Raises :class:`~pellucid.base.errors.PellucidError` where the result is not one number, or
    ``argnums`` names no argument.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradients, value = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return wrapped


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The output of ``func(*primals)``, and the function that pulls cotangents back.

    ``vjp_fn(cotangents)`` takes a tree like the output and returns a tuple with a cotangent for
    each primal: the product of the cotangents with the Jacobian.  With ``has_aux`` the function
    returns ``(output, aux)``, and ``(output, vjp_fn, aux)`` comes back.

    >>> import pellucid
    >>> from pellucid.func import vjp
    >>> y, pull = vjp(lambda x: x**2, pellucid.tensor([1.0, 2.0]))
    >>> pull(pellucid.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    call = Call(func, primals, {}, range(len(primals)), "vjp(f, *primals)", has_aux)
    check_tensors(call.result, "vjp(f, *primals):")

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        tree, leaves = leaves_of(cotangents)
        _check_like(call, tree, leaves, "cotangents")
        return tuple(call.pulled(leaves))

    output = call.released(call.result)
    return (output, vjp_fn, call.released(call.aux)) if has_aux else (output, vjp_fn)


def _check_like(call: Call, tree: Any, leaves: Sequence[TensorCore], what: str) -> None:
    """Raise unless cotangents have the tree and the shapes of the outputs."""
    if tree != call.tree or len(leaves) != len(call.outputs):
        raise ArgumentError(
            f"{call.what}: expected {what} to have the same pytree structure as the output of f",
            "pass one tensor for each tensor that it returned, in the same tree",
        )
    for position, (given, output) in enumerate(zip(leaves, call.outputs, strict=True)):
        if tuple(given.shape) != tuple(output.shape):
            raise ShapeError(
                f"Mismatch in shape: grad_output[{position}] has a shape of {tuple(given.shape)} "
                f"and output[{position}] has a shape of {tuple(output.shape)}.",
                "both need the same shape",
            )


# ---- forward mode -----------------------------------------------------------------------------


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """``func(*primals)`` and its derivative along ``tangents``, in forward mode.

    The second result is the product of the Jacobian with the tangents, a tree like the output; no
    part of it needs the derivative to any single input.

    Args:
        func: a function of tensors and trees of them.
        primals: its arguments, a tuple.
        tangents: a tuple of the same trees and shapes.
        strict: raise where an output does not depend on the primals, instead of a tangent of 0.
        has_aux: ``func`` returns ``(output, aux)``; ``(output, tangents, aux)`` comes back.

    >>> import pellucid
    >>> from pellucid.func import jvp
    >>> x = pellucid.tensor([1.0, 2.0])
    >>> jvp(pellucid.sin, (x,), (pellucid.ones(2),))[1]
    tensor([ 0.5403, -0.4161])
    """
    what = "jvp(f, primals, tangents)"
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple):
            raise ArgumentTypeError(
                f"{what}: Expected {name} to be a tuple. E.g. it should be valid to call "
                f"f(*primals). Got {type(given).__name__}",
                f"pass ({name[:-1]},) for one argument",
            )
    tree, leaves = leaves_of(tangents)
    call = Call(func, primals, {}, range(len(primals)), what, has_aux, forwards=True)
    check_tensors(call.result, f"{what}:")
    check_tangents(call, tree, leaves, what)
    output = call.released(call.result)
    if strict:
        _check_depends(call)
    pushed = call.pushed(leaves)
    return (output, pushed, call.released(call.aux)) if has_aux else (output, pushed)


def _check_depends(call: Call) -> None:
    found = call.variables.push(call.outputs, call.given, call.keeps)
    if any(t is None for t in found):
        raise ArgumentError(
            f"{call.what}: an output does not depend on the primals and strict=True",
            "with strict=False its tangent is 0",
        )


def check_tangents(call: Call, tree: Any, leaves: Sequence[TensorCore], what: str) -> None:
    """Raise unless tangents have the trees, shapes and dtypes of the primals."""
    if tree != tuple(call.trees) or len(leaves) != len(call.given):
        raise ArgumentError(
            f"{what}: Expected primals and tangents to have the same python structure. For "
            "example, if primals is a tuple of 3 tensors, tangents also must be.",
            "pass one tangent for each tensor among the primals, in the same tree",
        )
    for given, primal in zip(leaves, call.given, strict=True):
        if tuple(given.shape) != tuple(primal.shape):
            raise ShapeError(
                "Trying to set a forward gradient that has a different size than that of the "
                f"original Tensor, this is not supported. Tensor is of size "
                f"{list(primal.shape)} while the given forward gradient is of size "
                f"{list(given.shape)}.",
                "both need the same shape",
            )
        if given.dtype is not primal.dtype:
            raise ArgumentTypeError(
                f"{what}: a tangent of {given.dtype.name} was given for a primal of "
                f"{primal.dtype.name}",
                "convert it with .to()",
            )


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The output of ``func(*primals)``, and the function ``tangents -> tangents of the output``.

    As :func:`jvp`, but the function is run once and its derivative used as often as is wanted:
    ``jvp_fn(*tangents)`` takes one tangent for each primal.

    >>> import pellucid
    >>> from pellucid.func import linearize
    >>> y, along = linearize(pellucid.sin, pellucid.tensor(0.0))
    >>> along(pellucid.tensor(3.0))
    tensor(3.)
    """
    what = f"linearize({name_of(func)}, *primals)"
    call = Call(func, primals, {}, range(len(primals)), what, False, forwards=True)
    check_tensors(call.result, f"{what}:")

    def jvp_fn(*tangents: Any) -> Any:
        tree, leaves = leaves_of(tangents)
        check_tangents(call, tree, leaves, what)
        return call.pushed(leaves)

    return call.released(call.result), jvp_fn
