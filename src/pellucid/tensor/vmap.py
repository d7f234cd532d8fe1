"""``vmap``: a function of one example, done for many at once.

The function's Python runs once, on tensors without values that stand for one row (as the body of
a loop does, :mod:`.scan_trace`).  The graph of it is batched (:mod:`pellucid.transforms.batch`) in
the world of the caller: computed at once, recorded for a gradient, or part of the program that is
being traced, which may itself be the row of another ``vmap``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from pellucid.base.errors import ArgumentError, ArgumentTypeError, AutogradError, ShapeError
from pellucid.graph.node import Node, Primitive, Spec
from pellucid.ops import elementwise, structure
from pellucid.ops.rows import Rows, moved, stretched
from pellucid.ops.views import VIEWS
from pellucid.tensor import autograd
from pellucid.tensor.core import TensorCore
from pellucid.tensor.differentials import as_outside
from pellucid.tensor.inplace import overwrite
from pellucid.tensor.random import default_generator
from pellucid.tensor.scan_trace import BodyTrace
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import user_line
from pellucid.tensor.trees import flatten, rebuild
from pellucid.transforms.batch import batch

RANDOMNESS = ("error", "different", "same")


class RowTrace(BodyTrace):
    """One row being recorded: the values of tensors are those of all rows and so not known."""

    def knows(self, cell: Cell) -> bool:
        """A tensor from outside, where nothing is compiled: the graph of a row is used once."""
        if cell.array is None or cell in self.current or cell in self.views:
            return False
        return self.outer is None or (isinstance(self.outer, RowTrace) and self.outer.knows(cell))

    def apply(
        self, primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
    ) -> TensorCore:
        """A symbolic tensor; one with a value where no row and no gradient has a part in it."""
        plain = primitive.name not in VIEWS and primitive.family != "random" and inputs
        if plain and all(not t._requires_grad and self.knows(t._cell) for t in inputs):
            with self.outside(), autograd.set_grad_enabled(False):
                known: TensorCore = inputs[0].apply_primitive(primitive, inputs, params)
            return known
        return super().apply(primitive, inputs, params)

    def where(self) -> str:
        """For messages: why no value is known, and the user's line."""
        line = user_line()
        return (
            ", because vmap runs the function once for all rows: data-dependent control flow and "
            f".item() do not work there{f' ({line})' * bool(line)}"
        )

    def read_grad(self, tensor: TensorCore) -> NoReturn:
        """Raises: gradients are collected outside."""
        raise AutogradError(
            f"a function under vmap uses .grad of a tensor of shape {tuple(tensor.shape)}",
            "use func.grad or func.vjp inside of vmap",
        )


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """``func``, written for one example, as a function of many at once.

    ``vmap(func)(x, y)`` is ``stack([func(x[i], y[i]) for i in range(n)])``, computed with one
    operation for all rows where ``func`` has one: no loop.  It may be used inside itself, under
    ``grad`` and ``jvp``, with those inside, and in a compiled function.

    Args:
        func: takes tensors, numbers and trees of them; returns a tensor or a tree of tensors. It
            may use any tensor from outside, which is the same for all rows.
        in_dims: the axis of each argument along which the examples lie, None for one that all
            share: one value for all arguments, or a tuple with an entry for each, which may be a
            tree like the argument. Keyword arguments are shared.
        out_dims: where that axis is to be in the results.
        randomness: what random numbers drawn in ``func`` are: ``"error"`` (none may be drawn),
            ``"different"`` or ``"same"`` for all rows.
        chunk_size: so many rows at once, one part after the other; None for all.

    A mapped argument that ``func`` changes in place is changed; a tensor from outside can only be
    given what is the same for all rows.

    >>> import pellucid
    >>> a, b = pellucid.tensor([[1.0, 2.0], [3.0, 4.0]]), pellucid.tensor([10.0, 1.0])
    >>> pellucid.vmap(pellucid.dot, in_dims=(0, None))(a, b)
    tensor([12., 34.])

    Raises:
        ArgumentError: axes that do not fit the arguments or results, rows of unequal number, or
            random numbers under ``"error"``.
        TraceError: the function asks for a value, as ``if x > 0`` or ``x.item()`` do.
    """
    if randomness not in RANDOMNESS:
        raise ArgumentError(
            f"vmap got randomness={randomness!r}", "use one of 'error', 'different' and 'same'"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentError(
            f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})",
            "give the number of rows to do at once",
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = _Call(func, in_dims, out_dims, args)
        if chunk_size is None or chunk_size >= call.count:
            return call.run(call.leaves, kwargs, randomness)
        return call.in_chunks(chunk_size, kwargs, randomness)

    return wrapped


def name_of(func: Callable[..., Any]) -> str:
    """A function's name, for messages."""
    return getattr(func, "__name__", type(func).__name__)


class _Call:
    """One call: the arguments taken apart, and where the rows lie in them."""

    def __init__(
        self, func: Callable[..., Any], in_dims: Any, out_dims: Any, args: tuple[Any, ...]
    ) -> None:
        self.func, self.out_dims = func, out_dims
        self.name = name_of(func)
        self.leaves: list[TensorCore] = []
        self.tree = flatten(args, self.leaves)
        self.dims = self._dims(in_dims, args)
        sizes = [t.shape[d] for t, d in zip(self.leaves, self.dims, strict=True) if d is not None]
        if not sizes:
            raise ArgumentError(
                "vmap: Expected at least one Tensor to vmap over", "check in_dims and the arguments"
            )
        if len(set(sizes)) > 1:
            raise ArgumentError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got "
                f"sizes {sizes} for the mapped dimension",
                "each argument needs as many rows",
            )
        self.count = sizes[0]

    def _dims(self, in_dims: Any, args: tuple[Any, ...]) -> list[int | None]:
        """The axis of rows of each tensor."""
        intro = f"vmap({self.name}, in_dims={in_dims}, ...)(<inputs>): "
        if not isinstance(in_dims, (int, tuple)) or isinstance(in_dims, bool):
            raise ArgumentTypeError(
                f"{intro}expected `in_dims` to be int or a (potentially nested) tuple matching "
                f"the structure of inputs, got: {type(in_dims).__name__}",
                "give an axis, or a tuple with one for each argument",
            )
        if not args:
            raise ArgumentError(
                f"vmap({self.name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or "
                "you are trying to vmap over a function with no inputs. The latter is unsupported.",
                "pass at least one tensor",
            )
        found: list[int | None] = []
        for leaf, dim in spread(in_dims, args, f"{intro}in_dims", "inputs"):
            if dim is not None and (isinstance(dim, bool) or not isinstance(dim, int)):
                raise ArgumentTypeError(
                    f"{intro}Got in_dim={dim} for an input but in_dim must be either an integer "
                    "dimension or None.",
                    "give an axis, or None for what all rows share",
                )
            if not isinstance(leaf, TensorCore):
                if dim is not None and leaf is not None:
                    raise ArgumentError(
                        f"{intro}Got in_dim={dim} for an input but the input is of type "
                        f"{type(leaf).__name__}. We cannot vmap over non-Tensor arguments, please "
                        "use None as the respective in_dim",
                        "write in_dims=(0, None) for a second argument that is no tensor",
                    )
                continue
            rank = len(leaf.shape)
            if dim is not None and not -rank <= dim < rank:
                raise ArgumentError(
                    f"{intro}Got in_dim={dim} for some input, but that input is a Tensor of "
                    f"dimensionality {rank} so expected in_dim to satisfy -{rank} <= in_dim < "
                    f"{rank}.",
                    "name an axis that it has",
                )
            found.append(None if dim is None else dim % rank)
        return found

    def in_chunks(self, size: int, kwargs: dict[str, Any], randomness: str) -> Any:
        """Some rows after the others, results side by side."""
        same = default_generator.get_state() if randomness == "same" else None
        parts: list[list[TensorCore]] = []
        dims: list[int | None] = []
        tree: Any = None
        for start in range(0, self.count, size):
            if same is not None:
                default_generator.set_state(same)
            stop = min(start + size, self.count)
            leaves = [
                t if d is None else _rows_from(t, d, start, stop)
                for t, d in zip(self.leaves, self.dims, strict=True)
            ]
            found: list[TensorCore] = []
            result = self.run(leaves, kwargs, randomness)
            tree = flatten(result, found)
            dims = [d for _, d in spread(self.out_dims, result, "out_dims", "outputs")]
            parts.append(found)
        whole = [
            column[0] if d is None else structure.concatenate(column, d % len(column[0].shape))
            for column, d in zip(zip(*parts, strict=True), dims, strict=True)
        ]
        return rebuild(tree, iter(whole))

    def run(self, leaves: Sequence[TensorCore], kwargs: dict[str, Any], randomness: str) -> Any:
        """The function of one row traced, and done for the rows of ``leaves``."""
        trace = RowTrace(state.trace)
        given: list[TensorCore] = []
        arguments: list[TensorCore] = []
        count = 0
        for tensor, dim in zip(leaves, self.dims, strict=True):
            if dim is None:
                arguments.append(tensor)
                continue
            count = tensor.shape[dim]
            given.append(moved(tensor, dim, 0))
            arguments.append(trace.add_argument(Spec(given[-1].shape[1:], tensor.dtype), "row"))
        args = rebuild(self.tree, iter(arguments))
        result = trace.run(self.func, *args, **kwargs)
        made: list[TensorCore] = []
        tree = flatten(result, made)
        dims = self._out_dims(result)
        wanted = [trace.node_of_tensor(t) for t in made]
        found = _batched(trace, wanted, given, Rows(count, randomness))
        self._write_back(trace, leaves, found)
        outputs = [
            self._placed(value, flag, dim, count)
            for (value, flag), dim in zip(found[: len(wanted)], dims, strict=True)
        ]
        return rebuild(tree, iter(outputs))

    def _out_dims(self, result: Any) -> list[int | None]:
        """Where the rows go in each result, checked."""
        intro = f"vmap({self.name}, ..., out_dims={self.out_dims})(<inputs>): out_dims"
        found = []
        for leaf, dim in spread(self.out_dims, result, intro, "outputs"):
            if not isinstance(leaf, TensorCore):
                raise ArgumentError(
                    f"vmap({self.name}, ...): `{self.name}` must only return Tensors, got type "
                    f"{type(leaf).__name__}",
                    "return tensors, in tuples, lists or dicts",
                )
            if dim is not None and (isinstance(dim, bool) or not isinstance(dim, int)):
                raise ArgumentTypeError(
                    f"{intro} holds {dim!r}", "give an axis for each result, or None"
                )
            found.append(dim)
        return found

    def _placed(self, value: Any, flag: bool, dim: int | None, count: int) -> Any:
        """A result with its rows along the axis that was asked for."""
        if dim is None:
            if flag:
                raise ArgumentError(
                    f"vmap({self.name}, ...): `{self.name}` can not return a BatchedTensor when "
                    "out_dim is None",
                    "give an axis for what differs from row to row",
                )
            return value
        if not flag:
            value = stretched(value, (count, *value.shape))
        rank = len(value.shape)
        if not -rank <= dim < rank:
            raise ArgumentError(
                f"vmap({self.name}, ...) got out_dims={dim} for a result of {rank} axes, that of "
                "the rows included",
                f"name one of {-rank} to {rank - 1}",
            )
        return moved(value, 0, dim % rank)

    def _write_back(
        self, trace: RowTrace, leaves: Sequence[TensorCore], found: Sequence[tuple[Any, bool]]
    ) -> None:
        """What the function changed in place: its arguments, and tensors from outside."""
        arguments, outside = trace.changed_arguments(), trace.changed_outside()
        values = found[len(found) - len(arguments) - len(outside) :]
        targets = [(t, d) for t, d in zip(leaves, self.dims, strict=True) if d is not None]
        for (position, _), (value, flag) in zip(arguments, values, strict=False):
            tensor, dim = targets[position]
            front = moved(tensor, dim, 0)
            overwrite(front, value if flag else stretched(value, front.shape))
        for (cell, _, _), (value, flag) in zip(outside, values[len(arguments) :], strict=True):
            if flag:
                raise ArgumentError(
                    f"vmap: in-place arithmetic on a tensor of shape {tuple(cell.shape)} from "
                    "outside is not possible because it would become another one in each row: "
                    f"shape {tuple(value.shape)}",
                    "use the form that is not in place, or pass the tensor as a mapped argument",
                )
            _overwrite_cell(trace, cell, value)


def _overwrite_cell(trace: RowTrace, cell: Cell, value: Any) -> None:
    """A tensor from outside gets its new value, with its history where it has one."""
    tensors = [t for t, _ in trace.captured.values() if t._cell is cell]
    overwrite(tensors[0] if tensors else TensorCore.make(cell), value)


def _batched(
    trace: RowTrace, wanted: Sequence[Node], given: Sequence[TensorCore], rows: Rows
) -> list[tuple[Any, bool]]:
    """Values of nodes, then of what was changed, for all rows; computed where the caller is."""
    given, changed = list(given), []
    for position, node in trace.changed_arguments():
        given[position] = elementwise.copy(given[position])  # what is recorded reads this one
        changed.append(node)
    outside = trace.changed_outside()
    changed += [node for _, _, node in outside]
    known: dict[Node, tuple[Any, bool]] = {
        n: (as_outside(t), False) for t, n in trace.captured.values()
    }
    for cell, before, _ in outside:
        # A copy: the value is written back before what is recorded reads it.
        known[before] = elementwise.copy(TensorCore.make(cell)), False
    known |= {n: (t, True) for n, t in zip(trace.argument_nodes, given, strict=True)}
    seen = [trace.node_of_tensor(t) for _, t in trace.seen]
    autocast, state.autocast = state.autocast, None  # what was to be narrow has been narrowed
    try:
        found = batch([*wanted, *seen, *changed], known, rows, given[0])
    finally:
        state.autocast = autocast
    first = len(wanted)
    for (show, _), (value, _) in zip(trace.seen, found[first : first + len(seen)], strict=True):
        show(value)
    return [*found[:first], *found[first + len(seen) :]]


def _rows_from(tensor: TensorCore, dim: int, start: int, stop: int) -> Any:
    first = [start if i == dim else 0 for i in range(len(tensor.shape))]
    last = [stop if i == dim else n for i, n in enumerate(tensor.shape)]
    return structure.slice_(tensor, first, last, [1] * len(first))


def spread(dims: Any, tree: Any, what: str, of: str) -> list[tuple[Any, Any]]:
    """Each leaf of a tree with its entry in ``dims``: a tree like it, cut off anywhere."""
    if isinstance(tree, (list, tuple)):
        parts: list[Any] | None = list(tree)
    else:
        parts = list(tree.values()) if isinstance(tree, dict) else None
    if parts is None:
        return [(tree, dims)]
    if dims is None or isinstance(dims, int) or not isinstance(dims, (list, tuple, dict)):
        own: list[Any] = [dims] * len(parts)
    elif isinstance(dims, dict):
        fits = isinstance(tree, dict) and list(dims) == list(tree)
        own = list(dims.values()) if fits else []
    else:
        own = [] if isinstance(tree, dict) else list(dims)
    if len(own) != len(parts):
        raise ArgumentError(
            f"{what} is not compatible with the structure of `{of}`: {dims!r} for "
            f"{len(parts)} of them",
            "give one entry for each, or one for all",
        )
    return [pair for d, t in zip(own, parts, strict=True) for pair in spread(d, t, what, of)]


def leaves_of(tree: Any) -> tuple[Any, list[TensorCore]]:
    """The tree without its tensors, and the tensors."""
    leaves: list[TensorCore] = []
    return flatten(tree, leaves), leaves


def batched_grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any,
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool | None,
    materialize_grads: bool,
) -> list[Any]:
    """:func:`pellucid.autograd.grad` for rows of cotangents."""
    out = [outputs] if isinstance(outputs, TensorCore) else list(outputs)
    wrt = [inputs] if isinstance(inputs, TensorCore) else list(inputs)
    seeds = [grad_outputs] if isinstance(grad_outputs, TensorCore) else list(grad_outputs or ())
    if len(seeds) != len(out) or any(g is None for g in seeds):
        raise AutogradError(
            "grad can be implicitly created only for scalar outputs: is_grads_batched=True needs "
            "grad_outputs",
            "pass one for each output, with an axis of rows in front",
        )
    for number, (seed, output) in enumerate(zip(seeds, out, strict=True)):
        if tuple(seed.shape[1:]) != tuple(output.shape):
            raise ShapeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output "
                "as the batch dimension. The sizes of the remaining dimensions are expected to "
                "match the shape of corresponding output, but a mismatch was detected: "
                f"grad_output[{number}] has a shape of {tuple(seed.shape)} and output[{number}] "
                f"has a shape of {tuple(output.shape)}.",
                "stack cotangents of the shape of the output",
            )
    used: list[int] = []

    def one_row(*cotangents: TensorCore) -> list[Any]:
        found = autograd.grad(
            out,
            wrt,
            cotangents,
            retain_graph,
            create_graph,
            allow_unused=allow_unused,
            materialize_grads=materialize_grads,
        )
        used[:] = [i for i, part in enumerate(found) if part is not None]
        return [found[i] for i in used]

    with autograd.set_grad_enabled(create_graph):
        columns = vmap(one_row)(*seeds)
    whole: list[Any] = [None] * len(wrt)
    for number, column in zip(used, columns, strict=True):
        whole[number] = column
    return whole


autograd.batched_grad = batched_grad
