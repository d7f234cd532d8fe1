"""Recurrent cells: one time step, for loops of one's own."""

from __future__ import annotations

import math
from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.functional.recurrent import CELLS, Weights
from pellucid.nn.linear import check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.creation import empty, zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class RNNCellBase(Module):
    """What :class:`RNNCell`, :class:`LSTMCell` and :class:`GRUCell` share.

    Parameters: ``weight_ih`` (G, input_size), ``weight_hh`` (G, hidden_size), ``bias_ih`` and
    ``bias_hh`` (G,) unless ``bias=False``; G = ``num_chunks`` · hidden_size.  All start uniform
    in ±1/√hidden_size.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        check_sizes(self._name(), input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def _name(self) -> str:
        return f"nn.{type(self).__name__}"

    def reset_parameters(self) -> None:
        """Draw all parameters again, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Sizes and settings that are not the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _step(self, kind: str, input: Tensor, states: tuple[Any, ...]) -> tuple[Tensor, ...]:
        """The states after one step; ``states`` are tensors or None."""
        need_tensor(self._name(), input)
        self._check_input(input)
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        before = []
        for name, state in zip(("h", "c"), states, strict=False):
            if state is None:
                before.append(zeros(x.shape[0], self.hidden_size, dtype=x.dtype))
                continue
            self._check_state(name, state, input)
            before.append(state if batched else state.unsqueeze(0))
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        cell = CELLS[kind]
        after = cell.step(cell.inputs(x, weights), tuple(before), weights)
        return after if batched else tuple(s.squeeze(0) for s in after)

    def _check_input(self, input: Any) -> None:
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            over_time = input.dim() == 3 and input.shape[-1] == self.input_size
            raise ShapeError(
                f"{self._name()} expects an input (B, {self.input_size}) or ({self.input_size},) "
                f"and got {tuple(input.shape)}",
                f"a cell makes one time step: call it for each x[t], or use {self._name()[:-4]}"
                if over_time
                else "the last axis holds the features: input_size",
            )
        wanted = self.weight_ih.dtype
        if input.dtype is not wanted:
            hint = "turn ids into vectors first: nn.Embedding" if input.dtype.kind == "int" else ""
            raise DTypeError(
                f"{self._name()} has {wanted.name} weights and got an input of {input.dtype.name}",
                hint or f"convert it with .to(pellucid.{wanted.name})",
            )

    def _check_state(self, name: str, state: Any, input: Any) -> None:
        wanted = (*input.shape[:-1], self.hidden_size)
        if tuple(state.shape) != wanted:
            raise ShapeError(
                f"{self._name()} expects {name} of shape {wanted} beside an input of shape "
                f"{tuple(input.shape)} and got {tuple(state.shape)}",
                "input and state have the same batch; the state's last axis is hidden_size",
            )
        if state.dtype is not input.dtype:
            raise DTypeError(
                f"{self._name()} got {name} of {state.dtype.name} beside an input of "
                f"{input.dtype.name}",
                f"convert it: {name}.to(input.dtype)",
            )


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with max(0, ·) for nonlinearity "relu".

    Shapes: input (B, input_size), hx (B, hidden_size), zero by default → (B, hidden_size); the
    axis B may be left out of all.  Parameters at :class:`RNNCellBase`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"nn.RNNCell got nonlinearity={nonlinearity!r}", "use tanh or relu")
        super().__init__(input_size, hidden_size, bias, 1, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next h."""
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, (_single(self, hx),))[0]


class LSTMCell(RNNCellBase):
    """One step of :class:`LSTM`: (h, c) → (h', c').

    Shapes: input (B, input_size), h and c (B, hidden_size), zero by default → the pair
    (h', c'); the axis B may be left out of all.  Parameters at :class:`RNNCellBase`, rows in
    the order i, f, g, o.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__(input_size, hidden_size, bias, 4, dtype=dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The next pair (h, c)."""
        if hx is not None and not (isinstance(hx, (tuple, list)) and len(hx) == 2):
            raise DTypeError(
                f"nn.LSTMCell got a {type(hx).__name__} as its state",
                "its state is a pair (h, c) of tensors, or None for zeros",
            )
        hidden, cell = self._step("LSTM", input, (None, None) if hx is None else tuple(hx))
        return hidden, cell


class GRUCell(RNNCellBase):
    """One step of :class:`GRU`: h → h'.

    Shapes: input (B, input_size), hx (B, hidden_size), zero by default → (B, hidden_size); the
    axis B may be left out of all.  Parameters at :class:`RNNCellBase`, rows in the order r, z, n.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__(input_size, hidden_size, bias, 3, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next h."""
        return self._step("GRU", input, (_single(self, hx),))[0]


def _single(cell: RNNCellBase, hx: Any) -> Any:
    """The state of a cell that has one tensor."""
    if hx is not None and not isinstance(hx, Tensor):
        raise DTypeError(
            f"{cell._name()} got a {type(hx).__name__} as its state",
            "its state is one tensor h; only nn.LSTMCell has a pair (h, c)",
        )
    return hx
