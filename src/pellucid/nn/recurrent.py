"""Recurrent layers: a state that each time step hands to the next."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, overload

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.common import dropout as drop
from pellucid.nn.functional.recurrent import CELLS, Weights, recur
from pellucid.nn.linear import check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.nn.utils.rnn import (
    MaskedSequence,
    PackedSequence,
    packed_like,
    padded_and_mask,
)
from pellucid.tensor.creation import empty, zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor


class RNNBase(Module):
    """What :class:`RNN`, :class:`LSTM` and :class:`GRU` share: parameters, layers, directions.

    ``mode`` is "RNN_TANH", "RNN_RELU", "LSTM" or "GRU"; the other arguments are described at
    :class:`LSTM`.

    Parameters of layer k: ``weight_ih_l{k}`` (G, in), ``weight_hh_l{k}`` (G, H), ``bias_ih_l{k}``
    and ``bias_hh_l{k}`` (G,), with a projection ``weight_hr_l{k}`` (P, H); those of the backward
    direction end in ``_reverse``.  G is H, 3H (GRU: r, z, n) or 4H (LSTM: i, f, g, o).  All start
    uniform in ±1/√H.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        if mode not in CELLS:
            raise ArgumentError(f"nn.RNNBase got mode={mode!r}", f"use one of {', '.join(CELLS)}")
        self.mode = mode
        self._check_settings(input_size, hidden_size, num_layers, dropout, proj_size)
        for name, value in (
            ("bias", bias), ("batch_first", batch_first), ("bidirectional", bidirectional)
        ):  # fmt: skip
            if not isinstance(value, bool):
                raise ArgumentError(
                    f"{self._name()} got {name}={value!r}",
                    "use True or False; after hidden_size come "
                    + (
                        "num_layers, nonlinearity, bias"
                        if mode[:3] == "RNN"
                        else "num_layers, bias"
                    ),
                )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} has no effect in {self._name()} with num_layers=1: it acts "
                "between layers; put nn.Dropout after the layer instead",
                stacklevel=3,
            )
        rows = CELLS[mode].gates * hidden_size
        features = proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                inputs = input_size if layer == 0 else features * self._directions
                sizes: dict[str, tuple[int, ...]] = {"ih": (rows, inputs), "hh": (rows, features)}
                for part, size in sizes.items():
                    weight = Parameter(empty(*size, dtype=dtype))
                    self.register_parameter(f"weight_{part}{suffix}", weight)
                if bias:
                    for part in ("ih", "hh"):
                        offset = Parameter(empty(rows, dtype=dtype))
                        self.register_parameter(f"bias_{part}{suffix}", offset)
                if proj_size:
                    projection = Parameter(empty(proj_size, hidden_size, dtype=dtype))
                    self.register_parameter(f"weight_hr{suffix}", projection)
        self.reset_parameters()

    def _check_settings(
        self, input_size: Any, hidden_size: Any, num_layers: Any, dropout: Any, proj_size: Any
    ) -> None:
        name = self._name()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        check_sizes(name, **sizes, proj_size=proj_size)
        for what, size in sizes.items():
            if size < 1:
                raise ArgumentError(f"{name} got {what}={size}", "use at least 1")
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)):
            raise ArgumentError(f"{name} got dropout={dropout!r}", "use a number from 0 to 1")
        if not 0 <= dropout <= 1:
            raise ArgumentError(
                f"{name} got dropout={dropout}", "it is a probability: use a number from 0 to 1"
            )
        if proj_size and self.mode != "LSTM":
            raise ArgumentError(f"{name} got proj_size={proj_size}", "only nn.LSTM has projections")
        if proj_size >= hidden_size:
            raise ArgumentError(
                f"{name} got proj_size={proj_size} with hidden_size={hidden_size}",
                "a projection makes the state smaller: use less than hidden_size, or 0 for none",
            )

    # ---- parameters ------------------------------------------------------------------------

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _name(self) -> str:
        return f"nn.{type(self).__name__}"

    def _suffixes(self, layer: int) -> list[str]:
        """Ends of the names of a layer's parameters, one for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"][: self._directions]

    def _weights(self, suffix: str) -> Weights:
        """The parameters of a layer and direction (or what parametrizations make of them)."""
        found = [getattr(self, f"weight_ih{suffix}"), getattr(self, f"weight_hh{suffix}")]
        for kind in ("bias_ih", "bias_hh"):
            found.append(getattr(self, kind + suffix) if self.bias else None)
        found.append(getattr(self, f"weight_hr{suffix}") if self.proj_size else None)
        return Weights(*found)

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, in the order of ``parameters()``."""
        suffixes = [s for layer in range(self.num_layers) for s in self._suffixes(layer)]
        found = [self._weights(suffix) for suffix in suffixes]
        return [[w for w in weights if w is not None] for weights in found]

    def flatten_parameters(self) -> None:
        """Does nothing: the memory layout of weights is the compiler's business."""

    def reset_parameters(self) -> None:
        """Draw all parameters again, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Sizes and settings that are not the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text

    # ---- the pass --------------------------------------------------------------------------

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """(output, last state); shapes at :class:`LSTM`."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if not isinstance(input, Tensor):
            raise DTypeError(
                f"{self._name()} got a {type(input).__name__} as input",
                "pass a tensor (T, B, features) or a PackedSequence",
            )
        self._check_input(input)
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(0 if self.batch_first else 1)
        x = x.transpose(0, 1) if self.batch_first else x  # (T, B, in)
        state = self._initial(hx, x, batched, tuple(input.shape))
        output, last = self._layers(x, state, None)
        if self.batch_first:
            output = output.transpose(0, 1)
        if not batched:
            output = output.squeeze(0 if self.batch_first else 1)
            last = [s.squeeze(1) for s in last]
        return output, self._as_user_state(last)

    def _packed(self, sequence: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        x, mask = padded_and_mask(sequence)  # (T, B, in), (T, B)
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{self._name()} expects a packed sequence of {self.input_size} features and got "
                f"packed data with elements of shape {tuple(x.shape[2:])}",
                f"pack a tensor (T, B, {self.input_size}), or change input_size",
            )
        self._check_dtype(x)
        state = self._initial(hx, x, True, tuple(x.shape))
        masked = isinstance(sequence, MaskedSequence)
        order = None if masked else sequence.sorted_indices
        if order is not None:
            state = [s.index_select(1, order) for s in state]
        output, last = self._layers(x, state, mask)
        if order is not None:
            last = [s.index_select(1, sequence.unsorted_indices) for s in last]
        return packed_like(sequence, output), self._as_user_state(last)

    def _layers(self, x: Any, state: list[Any], mask: Any) -> tuple[Any, list[Any]]:
        """All layers and directions: x (T, B, in), state (L·D, B, ·) → output, last state."""
        finals: list[tuple[Any, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = drop(x, self.dropout)
            outputs = []
            for direction, suffix in enumerate(self._suffixes(layer)):
                place = layer * self._directions + direction
                before = tuple(s.select(0, place) for s in state)
                output, last = recur(
                    self.mode, x, before, self._weights(suffix), mask, bool(direction)
                )
                outputs.append(output)
                finals.append(last)
            x = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        return x, [stack(parts) for parts in zip(*finals, strict=True)]

    # ---- the state -------------------------------------------------------------------------

    def _as_user_state(self, state: list[Any]) -> Any:
        """h, for an LSTM (h, c)."""
        return state[0] if len(state) == 1 else tuple(state)

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        """Shapes of h and c with a batch axis."""
        places = self.num_layers * self._directions
        widths = [self.proj_size or self.hidden_size, self.hidden_size]
        return [(places, batch, width) for width in widths[: CELLS[self.mode].states]]

    def _initial(self, hx: Any, x: Any, batched: bool, input_shape: tuple[int, ...]) -> list[Any]:
        """The given state, checked, or zeros: tensors (L·D, B, features)."""
        wanted = self._state_shapes(x.shape[1])
        if hx is None:
            return [zeros(*shape, dtype=x.dtype) for shape in wanted]
        found = self._state_tensors(hx)
        for name, tensor, shape in zip(("h_0", "c_0"), found, wanted, strict=False):
            expected = shape if batched else (shape[0], shape[2])
            if tuple(tensor.shape) != expected:
                raise ShapeError(
                    f"{self._name()} expects {name} of shape {expected} beside an input of shape "
                    f"{input_shape} and got {tuple(tensor.shape)}",
                    self._state_hint(tuple(tensor.shape), expected, input_shape),
                )
            if tensor.dtype is not x.dtype:
                raise DTypeError(
                    f"{self._name()} got {name} of {tensor.dtype.name} beside an input of "
                    f"{x.dtype.name}",
                    f"convert it: {name}.to(input.dtype)",
                )
        return found if batched else [s.unsqueeze(1) for s in found]

    def _state_tensors(self, hx: Any) -> list[Any]:
        """h, or h and c, as a list."""
        if CELLS[self.mode].states == 1:
            if isinstance(hx, Tensor):
                return [hx]
            raise DTypeError(
                f"{self._name()} got a {type(hx).__name__} as its state",
                "its state is one tensor h_0; only nn.LSTM has a pair (h_0, c_0)",
            )
        pair = isinstance(hx, (tuple, list)) and len(hx) == 2
        if pair and all(isinstance(part, Tensor) for part in hx):
            return list(hx)
        raise DTypeError(
            f"{self._name()} got a {type(hx).__name__} as its state",
            "its state is a pair (h_0, c_0) of tensors, or None for zeros",
        )

    def _state_hint(
        self, got: tuple[int, ...], wanted: tuple[int, ...], input_shape: tuple[int, ...]
    ) -> str:
        """The likely reason why a state has another shape."""
        if len(got) != len(wanted):
            batch = "has a batch" if len(wanted) == 3 else "has no batch"
            return f"the input {batch}, so the state needs {len(wanted)} axes"
        if len(wanted) == 3:
            other = input_shape[1 if self.batch_first else 0]
            if got == (wanted[0], other, wanted[2]):
                return (
                    f"the input's batch is on axis {0 if self.batch_first else 1} with "
                    f"batch_first={self.batch_first}; set batch_first={not self.batch_first} if "
                    "it is on the other"
                )
            if got == (wanted[1], wanted[0], wanted[2]):
                return (
                    "the state is (layers · directions, batch, features) also with "
                    "batch_first=True: use .transpose(0, 1)"
                )
        if got[0] != wanted[0]:
            return (
                f"its first axis is num_layers · directions = {self.num_layers} · "
                f"{self._directions}"
            )
        if got[-1] != wanted[-1]:
            width = "proj_size" if wanted[-1] == self.proj_size else "hidden_size"
            return f"its last axis is {width} = {wanted[-1]}"
        return "a state kept from another batch? start again with None, or keep the batch size"

    # ---- checks of the input ---------------------------------------------------------------

    def _check_input(self, input: Any) -> None:
        order = "(B, T, features)" if self.batch_first else "(T, B, features)"
        shape = tuple(input.shape)
        if len(shape) not in (2, 3):
            hint = f"it needs 3 axes {order}, or 2 (T, features) without a batch"
            if len(shape) < 2:
                hint += "; a number for each step is one feature: x.unsqueeze(-1)"
            if len(shape) > 3:
                hint += "; join the axes of the features: x.flatten(2)"
            raise ShapeError(f"{self._name()} got an input of shape {shape}", hint)
        self._check_dtype(input)
        if shape[-1] != self.input_size:
            hint = f"or make the layer with input_size={shape[-1]}"
            if len(shape) == 3 and self.input_size in shape[:-1]:
                hint = (
                    f"axis {shape.index(self.input_size)} has {self.input_size}: move it to the "
                    "end with .transpose or .movedim"
                )
            elif len(shape) == 2 and self.input_size == 1:
                hint = "a number for each step is one feature: x.unsqueeze(-1)"
            raise ShapeError(
                f"{self._name()} expects {self.input_size} features on the last axis and got an "
                f"input of shape {shape}",
                f"inputs are {order}; {hint}",
            )
        axis = 1 if self.batch_first and len(shape) == 3 else 0
        if shape[axis] == 0:
            raise ShapeError(
                f"{self._name()} got an input of shape {shape}: no time steps",
                "give at least one step",
            )

    def _check_dtype(self, input: Any) -> None:
        wanted = self.weight_ih_l0.dtype
        if input.dtype is wanted:
            return
        if input.dtype.kind == "int":
            hint = "turn ids into vectors first: nn.Embedding, or F.one_hot(x, n).float()"
        else:
            hint = f"convert the input with .to(pellucid.{wanted.name}), or the layer: model.to()"
        raise DTypeError(
            f"{self._name()} has {wanted.name} weights and got an input of {input.dtype.name}",
            hint,
        )


class RNN(RNNBase):
    """The plain recurrent layer: h_t = tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh).

    ``nonlinearity`` "relu" has max(0, ·) in place of tanh.  Arguments, shapes and parameters as
    for :class:`LSTM` without a memory cell: the state is h alone.  Its gradients shrink or grow
    by about the largest singular value of W_hh (times tanh′) with each step back, so it forgets
    what lies more than some tens of steps behind.  (Elman, 1990.)
    """

    if TYPE_CHECKING:

        @overload
        def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]: ...
        @overload
        def forward(
            self, input: PackedSequence, hx: Tensor | None = None
        ) -> tuple[PackedSequence, Tensor]: ...
        def forward(self, input: Any, hx: Any = None) -> Any:
            """(output, last state)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"nn.RNN got nonlinearity={nonlinearity!r}", "use tanh or relu")
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory: a cell c that is written, kept and read through gates.

    .. code-block:: text

        i, f, g, o = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh
        c_t = σ(f) c_{t−1} + σ(i) tanh(g)
        h_t = σ(o) tanh(c_t),  with a projection  h_t = W_hr (σ(o) tanh(c_t))

    The gradient of c passes a step by a factor σ(f) alone, which is how it reaches far back.
    (Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000;
    projection: Sak, Senior and Beaufays, 2014.)

    Args:
        input_size: features of x.
        hidden_size: H, features of c and, without a projection, of h.
        num_layers: L layers, each fed with the outputs of the one before.
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        batch_first: (B, T, ·) instead of (T, B, ·) for input and output; not for states.
        dropout: probability with which outputs between layers are zeroed in training.
        bidirectional: D = 2 directions: a second pass from the end, outputs side by side.
        proj_size: P > 0 makes h smaller by a matrix (P, H).

    Shapes: input (T, B, input_size), h_0 (L·D, B, P or H) and c_0 (L·D, B, H), both zero by
    default → output (T, B, D·(P or H)), which is h of the last layer at each step, and
    (h_T, c_T).  Without a batch the axis B is left out everywhere.  A ``PackedSequence`` as
    input gives one as output, and states at each sequence's own end.

    >>> import pellucid
    >>> from pellucid import nn
    >>> output, (h, c) = nn.LSTM(10, 20, num_layers=2)(pellucid.zeros(5, 3, 10))
    >>> output.shape, h.shape
    (pellucid.Size([5, 3, 20]), pellucid.Size([2, 3, 20]))
    """

    if TYPE_CHECKING:

        @overload
        def forward(
            self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
        ) -> tuple[Tensor, tuple[Tensor, Tensor]]: ...
        @overload
        def forward(
            self, input: PackedSequence, hx: tuple[Tensor, Tensor] | None = None
        ) -> tuple[PackedSequence, tuple[Tensor, Tensor]]: ...
        def forward(self, input: Any, hx: Any = None) -> Any:
            """(output, last state)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            dtype=dtype,
        )


class GRU(RNNBase):
    """Gated recurrent unit: a reset and an update gate, no separate memory cell.

    .. code-block:: text

        r = σ(W_ir x_t + b_ir + W_hr h_{t−1} + b_hr)
        z = σ(W_iz x_t + b_iz + W_hz h_{t−1} + b_hz)
        n = tanh(W_in x_t + b_in + r (W_hn h_{t−1} + b_hn))
        h_t = (1 − z) n + z h_{t−1}

    Arguments, shapes and parameters as for :class:`LSTM` without a projection; the state is h
    alone.  As in PyTorch and cuDNN the reset gate acts after the product W_hn h, unlike the
    paper's.  (Cho et al., 2014.)
    """

    if TYPE_CHECKING:

        @overload
        def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]: ...
        @overload
        def forward(
            self, input: PackedSequence, hx: Tensor | None = None
        ) -> tuple[PackedSequence, Tensor]: ...
        def forward(self, input: Any, hx: Any = None) -> Any:
            """(output, last state)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            dtype=dtype,
        )
