"""One step of the recurrent cells, and their loop over time.

Each cell is split so that the loop holds as little as possible: ``*_inputs`` is the product of
the inputs of all time steps at once (with every bias that can be added there), ``*_step`` what
depends on the state before: the product with it and the arithmetic of the gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pellucid.nn.functional.common import linear
from pellucid.tensor.creation import zeros
from pellucid.tensor.functions import where
from pellucid.tensor.scan import scan_again
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor

State = tuple[Any, ...]
"""(h,), for an LSTM (h, c); each (B, features)."""


class Weights(NamedTuple):
    """Parameters of one layer in one direction; G is 1, 3 (GRU) or 4 (LSTM) times hidden H."""

    input: Any
    """(G, in)."""
    hidden: Any
    """(G, H), with a projection (G, P)."""
    input_bias: Any = None
    """(G,) or None."""
    hidden_bias: Any = None
    """(G,) or None."""
    projection: Any = None
    """(P, H) or None."""


Step = Callable[[Any, State, Weights], State]


def joint_inputs(x: Tensor, weights: Weights) -> Tensor:
    """W x + b_ih + b_hh for all rows: (rows, in) → (rows, G)."""
    if weights.input_bias is None:
        return linear(x, weights.input)
    return linear(x, weights.input, weights.input_bias + weights.hidden_bias)


def gru_inputs(x: Tensor, weights: Weights) -> Tensor:
    """As :func:`joint_inputs`, but without b_hn, which belongs inside the product with r."""
    if weights.input_bias is None:
        return linear(x, weights.input)
    size = weights.hidden.shape[1]
    outside = weights.hidden_bias.narrow(0, 0, 2 * size)
    outside = cat([outside, zeros(size, dtype=outside.dtype)], 0)
    return linear(x, weights.input, weights.input_bias + outside)


def tanh_step(inputs: Tensor, state: State, weights: Weights) -> State:
    """h' = tanh(inputs + W_hh h)."""
    return ((inputs + linear(state[0], weights.hidden)).tanh(),)


def relu_step(inputs: Tensor, state: State, weights: Weights) -> State:
    """h' = max(0, inputs + W_hh h)."""
    return ((inputs + linear(state[0], weights.hidden)).relu(),)


def lstm_step(inputs: Tensor, state: State, weights: Weights) -> State:
    """(i, f, g, o) = inputs + W_hh h; c' = σ(f) c + σ(i) tanh(g); h' = W_hr? σ(o) tanh(c')."""
    hidden, cell = state
    gates = inputs + linear(hidden, weights.hidden)  # (B, 4H)
    size = cell.shape[-1]
    enter, forget, new, leave = (gates.narrow(-1, k * size, size) for k in range(4))
    cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    hidden = leave.sigmoid() * cell.tanh()
    if weights.projection is not None:
        hidden = linear(hidden, weights.projection)
    return hidden, cell


def gru_step(inputs: Tensor, state: State, weights: Weights) -> State:
    """r, z from inputs + W_hh h; n = tanh(in_n + r (W_hn h + b_hn)); h' = (1 − z) n + z h."""
    (hidden,) = state
    size = hidden.shape[-1]
    products = linear(hidden, weights.hidden)  # (B, 3H)
    gates = (inputs.narrow(-1, 0, 2 * size) + products.narrow(-1, 0, 2 * size)).sigmoid()
    reset, update = gates.narrow(-1, 0, size), gates.narrow(-1, size, size)
    before = products.narrow(-1, 2 * size, size)
    if weights.hidden_bias is not None:
        before = before + weights.hidden_bias.narrow(0, 2 * size, size)
    new = (inputs.narrow(-1, 2 * size, size) + reset * before).tanh()
    return (new + update * (hidden - new),)


class Cell(NamedTuple):
    """What makes a kind of recurrent layer."""

    gates: int
    """Rows of the weights for each hidden unit."""
    states: int
    """Tensors of the state: 1, or 2 with a memory cell."""
    inputs: Callable[[Any, Weights], Any]
    step: Step


CELLS = {
    "RNN_TANH": Cell(1, 1, joint_inputs, tanh_step),
    "RNN_RELU": Cell(1, 1, joint_inputs, relu_step),
    "LSTM": Cell(4, 2, joint_inputs, lstm_step),
    "GRU": Cell(3, 1, gru_inputs, gru_step),
}
"""PyTorch's name of a kind → how it computes."""


def recur(
    kind: str,
    x: Tensor,
    state: State,
    weights: Weights,
    mask: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Any, State]:
    """One layer in one direction over all time steps.

    Shapes: x (T, B, in), state (B, features) each, mask bool (T, B) or None → output (T, B,
    features of h) and the last state.  Where the mask is False the state stays, so a sequence
    ends (or with ``reverse`` begins) at its own length.
    """
    cell = CELLS[kind]
    steps, batch, features = x.shape
    inputs = cell.inputs(x.reshape(steps * batch, features), weights)
    inputs = inputs.reshape(steps, batch, inputs.shape[-1])
    read = [w for w in weights if w is not None]
    key = (cell, mask is None, tuple(w is None for w in weights))
    if mask is None:

        def body(before: State, now: Any) -> tuple[State, Any]:
            after = cell.step(now, before, weights)
            return after, after[0]

        last, outputs = scan_again(key, body, state, inputs, read, reverse)
        return outputs, last

    def masked(before: State, now: Sequence[Any]) -> tuple[State, Any]:
        after = cell.step(now[0], before, weights)
        kept = tuple(where(now[1], a, b) for a, b in zip(after, before, strict=True))
        return kept, kept[0]

    last, outputs = scan_again(key, masked, state, (inputs, mask.unsqueeze(-1)), read, reverse)
    return outputs, last
