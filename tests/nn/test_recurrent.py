"""Recurrent layers: their definition, compiled programs, kept states, sequences, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import as_array, assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError, TraceError
from pellucid.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    sequence_mask,
    unpack_sequence,
    unpad_sequence,
)
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck

BACKENDS = ["reference", "cpu"]


def normal(rng: np.random.Generator, *shape: int) -> Any:
    return pellucid.tensor(rng.normal(size=shape).astype(np.float32))


def flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [tensor for part in result for tensor in flat(part)]
    return [result]


# ---- the definition ----------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_definition(layer: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and last h of one layer with one direction, step by step, as in the papers."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    wi, wh, bi, bh = (getattr(layer, name).detach().numpy() for name in names)
    h = c = np.zeros((x.shape[1], layer.hidden_size))
    outputs = []
    for now in x:
        a, b = now @ wi.T + bi, h @ wh.T + bh
        if layer.mode == "LSTM":
            i, f, g, o = np.split(a + b, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif layer.mode == "GRU":
            (ar, az, an), (br, bz, bn) = np.split(a, 3, -1), np.split(b, 3, -1)
            r, z = sigmoid(ar + br), sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + r * bn) + z * h
        else:
            h = np.tanh(a + b) if layer.mode == "RNN_TANH" else np.maximum(a + b, 0)
        outputs.append(h)
    return np.stack(outputs), h


LAYERS = [(nn.RNN, {}), (nn.RNN, {"nonlinearity": "relu"}), (nn.GRU, {}), (nn.LSTM, {})]


@pytest.mark.parametrize(("kind", "more"), LAYERS, ids=str)
def test_the_layers_are_their_formulas(kind: Any, more: dict, rng) -> None:
    layer = kind(3, 4, dtype=pellucid.float64, **more)
    x = rng.normal(size=(6, 2, 3))
    output, last = layer(pellucid.tensor(x))
    expected, h = by_definition(layer, x)
    assert_close(output, expected, 1e-12)
    assert_close(flat(last)[0][0], h, 1e-12)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_layer_is_a_loop_over_its_cell(kind: str, rng) -> None:
    layer, cell = getattr(nn, kind)(3, 4), getattr(nn, f"{kind}Cell")(3, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = normal(rng, 5, 2, 3)
    hx, outputs = None, []
    for now in x:
        hx = cell(now, hx)
        outputs.append(flat(hx)[0])
    output, last = layer(x)
    assert_close(output, pellucid.stack(outputs), 1e-5, 1e-6)
    for a, b in zip(flat(last), flat(hx), strict=True):
        assert_close(a[0], b, 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (nn.RNN, {}),
        (nn.GRU, {"bidirectional": True}),
        (nn.LSTM, {"num_layers": 2}),
        (nn.LSTM, {"proj_size": 1, "bidirectional": True}),
    ],
    ids=str,
)
def test_gradients_numerically(kind: Any, more: dict, rng) -> None:
    layer = kind(2, 3, dtype=pellucid.float64, **more)
    parameters = list(layer.parameters())
    x = pellucid.tensor(rng.normal(size=(3, 2, 2)), requires_grad=True)

    def run(x: Any, *weights: Any) -> Any:
        return pellucid.cat([t.reshape(-1) for t in flat(layer(x))])

    assert gradcheck(run, (x, *parameters))
    packed = lambda x: flat(layer(pack_padded_sequence(x, [3, 1])))[0]  # noqa: E731
    assert gradcheck(packed, (x,))


def test_second_derivatives_numerically(rng) -> None:
    for kind in (nn.RNN, nn.GRU, nn.LSTM):
        layer = kind(2, 2, dtype=pellucid.float64)
        x = pellucid.tensor(rng.normal(size=(2, 1, 2)), requires_grad=True)
        assert gradgradcheck(lambda x, layer=layer: layer(x)[0], (x,))


def test_dropout_is_between_layers_and_in_training_only(rng) -> None:
    layer = nn.GRU(3, 4, num_layers=2, dropout=1.0)
    x = normal(rng, 5, 2, 3)
    output, h = layer(x)
    silent, _ = layer(x * 0.5)
    assert_close(output, silent)  # nothing of the first layer's output reaches the second
    assert (h[0] != 0).all().item() and (output != 0).all().item()
    layer.eval()
    plain = nn.GRU(3, 4, num_layers=2)
    plain.load_state_dict(layer.state_dict())
    assert_close(layer(x)[0], plain(x)[0])
    layer.train()
    run = pellucid.compile(lambda x: layer(x)[0])
    assert_close(run(x), output, 1e-5, 1e-6)
    layer.eval()
    assert_close(run(x), plain(x)[0], 1e-5, 1e-6)
    with pytest.warns(UserWarning, match="dropout=0.3 has no effect in nn.LSTM with num_layers=1"):
        nn.LSTM(3, 4, dropout=0.3)


def test_parametrized_weights_are_used(rng) -> None:
    """Weight normalization of the recurrent matrix, whose length is then a parameter."""
    layer, x = nn.LSTM(3, 4), normal(rng, 5, 2, 3)
    before = layer(x)[0]
    nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    assert_close(layer(x)[0], before, 1e-5, 1e-6)
    with pellucid.no_grad():
        layer.parametrizations.weight_hh_l0.original0.zero_()
    plain = nn.LSTM(3, 4)
    plain.load_state_dict({
        k: getattr(layer, k) * (k != "weight_hh_l0") for k in plain.state_dict()
    })  # fmt: skip
    assert_close(layer(x)[0], plain(x)[0], 1e-5, 1e-6)


def test_frozen_and_changed_weights_are_noticed_by_compiled_programs(rng) -> None:
    layer, x = nn.GRU(3, 4), normal(rng, 5, 2, 3)
    run = pellucid.compile(lambda x: layer(x)[0])
    assert_close(run(x), layer(x)[0], 1e-5, 1e-6)
    layer.weight_hh_l0.requires_grad_(False)
    layer.weight_ih_l0 = nn.Parameter(layer.weight_ih_l0.detach() * 2)
    assert_close(run(x), layer(x)[0], 1e-5, 1e-6)
    layer(x)[0].sum().backward()
    assert layer.weight_hh_l0.grad is None and layer.bias_hh_l0.grad is not None


def test_statistics_of_outputs_and_states(rng) -> None:
    layer, x = nn.LSTM(3, 4), normal(rng, 5, 2, 3)
    with layer.observe(of=["output"], statistics=["max"]) as seen:
        output, (h, c) = layer(x)
    found = [s["max"] for s in seen.latest()["output"].values()]
    np.testing.assert_allclose(found, [t.max().item() for t in (output, h, c)], rtol=1e-6)


# ---- compiled programs -------------------------------------------------------------------------


def same_compiled(function: Callable[..., Any], arguments: list, backend: str) -> Any:
    """Eager and compiled results agree; returns the compiled function."""
    run = pellucid.compile(function, backend=backend)
    for eager, compiled in zip(flat(function(*arguments)), flat(run(*arguments)), strict=True):
        assert_close(compiled, eager, 1e-5, 1e-6)
    return run


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "more"), [*LAYERS, (nn.LSTM, {"proj_size": 2, "bidirectional": True})], ids=str
)
def test_compiled_layers(kind: Any, more: dict, backend: str, rng) -> None:
    layer = kind(3, 4, num_layers=2, batch_first=True, **more)

    def run(x: Any) -> Any:
        output, last = layer(x)
        total = sum((t * t).sum() for t in flat((output, last)))
        return output, last, *pellucid.grad(total, list(layer.parameters()))

    same_compiled(run, [normal(rng, 2, 3, 3)], backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_lengths_are_values_of_a_compiled_program(kind: Any, backend: str, rng) -> None:
    """Packed inside: one program for all lengths, with what packing gives outside; whatever
    stands in the padding, NaN included, changes nothing."""
    layer = kind(3, 4, bidirectional=True, batch_first=True)

    def run(x: Any, lengths: Any) -> Any:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, last = layer(packed)
        padded, found = pad_packed_sequence(output, True, padding_value=0.5, total_length=4)
        total = sum((t * t).sum() for t in (padded, *flat(last)))
        return padded, found, last, *pellucid.grad(total, list(layer.parameters()))

    compiled = pellucid.compile(run, backend=backend)
    for lengths in ([4, 2, 3], [1, 4, 1], [2, 2, 2]):
        x = normal(rng, 3, 4, 3)
        expected = flat(run(x, lengths))
        x = pellucid.where(sequence_mask(lengths, 4).unsqueeze(-1), x, float("nan"))
        for a, b in zip(flat(compiled(x, pellucid.tensor(lengths))), expected, strict=True):
            assert_close(a, b, 1e-5, 1e-6)
    assert len(compiled.signatures) == 1


def test_known_lengths_inside_a_compiled_function(rng) -> None:
    """As a list they are settings: the packed data exist, and other lengths compile anew."""
    layer, x = nn.GRU(3, 4), normal(rng, 5, 2, 3)

    def run(x: Any, lengths: Any) -> Any:
        output, h = layer(pack_padded_sequence(x, list(lengths)))
        return output.data, h

    compiled = same_compiled(run, [x, (5, 2)], "cpu")
    for a, b in zip(compiled(x, (4, 3)), run(x, (4, 3)), strict=True):
        assert_close(a, b, 1e-5, 1e-6)
    assert len(compiled.signatures) == 2


def test_packed_sequences_as_arguments_of_compiled_functions(rng) -> None:
    layer = nn.LSTM(3, 4, bidirectional=True)
    arrays = [normal(rng, n, 3) for n in (2, 5, 4)]
    packed = pack_sequence(arrays, enforce_sorted=False)
    run = same_compiled(lambda p: layer(p), [packed], "cpu")
    assert isinstance(run(packed)[0], PackedSequence)
    ordered = pack_sequence(sorted(arrays, key=len, reverse=True))
    with pytest.raises(TraceError, match="how many sequences(.|\n)*pack them inside"):
        run(ordered)


def test_packed_data_of_a_compiled_function_are_refused(rng) -> None:
    @pellucid.compile
    def run(x: Any, lengths: Any) -> Any:
        return pack_padded_sequence(x, lengths).data

    with pytest.raises(TraceError, match="packed data(.|\n)*pad_packed_sequence"):
        run(normal(rng, 3, 2), pellucid.tensor([3, 1]))

    @pellucid.compile
    def whole(x: Any, lengths: Any) -> Any:
        return pack_padded_sequence(x, lengths)

    with pytest.raises(TraceError, match="packed data"):
        whole(normal(rng, 3, 2), pellucid.tensor([3, 1]))


def test_a_state_goes_from_call_to_call_of_a_compiled_step(rng) -> None:
    """Truncated back-propagation: the state goes on, its history does not."""
    text = rng.integers(0, 7, (2, 25))

    def train(compiled: bool) -> list[float]:
        pellucid.manual_seed(3)
        table, lstm, out = nn.Embedding(7, 6), nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 7)
        weights = [p for m in (table, lstm, out) for p in m.parameters()]
        optimizer = optim.SGD(weights, lr=0.5)

        def step(x: Any, y: Any, h: Any, c: Any) -> Any:
            optimizer.zero_grad()
            hidden, (h, c) = lstm(table(x), (h, c))
            loss = F.cross_entropy(out(hidden).flatten(0, 1), y.flatten())
            loss.backward()
            optimizer.step()
            return loss.detach(), h.detach(), c.detach()

        run = pellucid.compile(step) if compiled else step
        h, c = pellucid.zeros(1, 2, 8), pellucid.zeros(1, 2, 8)
        losses = []
        for start in range(0, 24, 6):
            x, y = (pellucid.tensor(text[:, start + i : start + i + 6]) for i in (0, 1))
            loss, h, c = run(x, y, h, c)
            losses.append(loss.item())
        assert (h != 0).all().item() and not h.requires_grad
        return losses

    np.testing.assert_allclose(train(True), train(False), rtol=1e-5)


def test_a_state_kept_in_a_buffer_goes_from_call_to_call(rng) -> None:
    class Listener(nn.Module):
        """An RNN that remembers where it stopped."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)
            self.register_buffer("state", pellucid.zeros(1, 2, 4))

        def forward(self, x: Any) -> Any:
            output, last = self.rnn(x, self.state)
            self.state = last.detach()
            return output

    listener = Listener()
    x = normal(rng, 6, 2, 3)
    whole, _ = listener.rnn(x)
    run = pellucid.compile(listener)
    parts = [as_array(run(part)).copy() for part in x.split(2)]
    assert_close(np.concatenate(parts), whole, 1e-5, 1e-6)
    assert_close(listener.state[0], whole[-1], 1e-5, 1e-6)


# ---- errors ------------------------------------------------------------------------------------


def lstm(**options: Any) -> Any:
    return nn.Sequential(nn.Identity(), nn.LSTM(3, 4, 2, **options))


def zeros(*shape: int) -> Any:
    return pellucid.zeros(*shape)


@pytest.mark.parametrize(("options", "shape", "message", "hint"), [
    ({}, (5,), r"shape \(5,\)", r"x\.unsqueeze\(-1\)"),
    ({}, (5, 2, 3, 3), r"\(5, 2, 3, 3\)", r"x\.flatten\(2\)"),
    ({}, (5, 2, 7), "expects 3 features .* shape", "input_size=7"),
    ({}, (5, 3, 7), "expects 3 features", "axis 1 has 3: move it to the end"),
    ({}, (0, 2, 3), "no time steps", "at least one"),
    ({"batch_first": True}, (2, 0, 3), "no time steps", "at least one"),
])  # fmt: skip
def test_errors_of_inputs(options: dict, shape: tuple, message: str, hint: str) -> None:
    """They name the layer's place and the likely fix."""
    with pytest.raises(ShapeError, match=f"{message}[^\n]*in layer 1 (.|\n)*{hint}"):
        lstm(**options)(zeros(*shape))


@pytest.mark.parametrize(("options", "state", "hint"), [
    ({}, (2, 5, 4), "batch_first=True if"),
    ({"batch_first": True}, (2, 2, 4), "batch_first=False if"),
    ({"batch_first": True}, (5, 2, 4), r"\.transpose\(0, 1\)"),
    ({}, (1, 2, 4), r"num_layers · directions = 2 · 1"),
    ({}, (2, 2, 5), "hidden_size = 4"),
    ({}, (2, 4), "has a batch, so the state needs 3 axes"),
    ({}, (2, 7, 4), "another batch"),
    ({"proj_size": 3}, (2, 2, 4), "proj_size = 3"),
])  # fmt: skip
def test_errors_of_states(options: dict, state: tuple, hint: str) -> None:
    with pytest.raises(ShapeError, match=rf"h_0 of shape (.|\n)*in layer LSTM(.|\n)*{hint}"):
        lstm(**options)[1](zeros(5, 2, 3), (zeros(*state), zeros(2, 2, 4)))


def test_errors_of_dtypes_and_kinds() -> None:
    net = lstm()
    with pytest.raises(DTypeError, match="input of int64(.|\n)*nn.Embedding"):
        net(zeros(5, 2, 3).long())
    with pytest.raises(DTypeError, match=r"float32 weights(.|\n)*\.to\(pellucid.float32\)"):
        net(zeros(5, 2, 3).double())
    with pytest.raises(DTypeError, match=r"pair \(h_0, c_0\)"):
        net[1](zeros(5, 2, 3), zeros(2, 2, 4))
    with pytest.raises(DTypeError, match="h_0 of float64(.|\n)*convert it"):
        net[1](zeros(5, 2, 3), (zeros(2, 2, 4).double(), zeros(2, 2, 4)))
    with pytest.raises(DTypeError, match="one tensor h_0"):
        nn.GRU(3, 4)(zeros(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 4)))
    with pytest.raises(DTypeError, match="got a ndarray(.|\n)*PackedSequence"):
        net[1](np.zeros((5, 2, 3)))
    with pytest.raises(ShapeError, match="packed sequence of 3 features"):
        net[1](pack_sequence([zeros(2, 5)]))


def test_a_layer_after_a_recurrent_one_says_that_it_got_a_pair() -> None:
    net = nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2))
    with pytest.raises(DTypeError, match=r"got a tuple(.|\n)*in layer 1(.|\n)*\(output, state\)"):
        net(zeros(5, 2, 3))


@pytest.mark.parametrize(("options", "message"), [
    ({"hidden_size": 0}, "hidden_size=0"),
    ({"num_layers": 0}, "num_layers=0"),
    ({"input_size": 2.5}, "input_size=2.5"),
    ({"dropout": 1.5}, "dropout=1.5"),
    ({"dropout": True}, "dropout=True"),
    ({"bias": "relu"}, "bias='relu'"),
    ({"proj_size": 4}, "proj_size=4 with hidden_size=4"),
])  # fmt: skip
def test_errors_of_settings(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        nn.LSTM(**{"input_size": 3, "hidden_size": 4, **options})


def test_errors_of_names() -> None:
    with pytest.raises(ArgumentError, match="nonlinearity='gelu'"):
        nn.RNN(3, 4, nonlinearity="gelu")
    with pytest.raises(ArgumentError, match="nonlinearity='gelu'"):
        nn.RNNCell(3, 4, nonlinearity="gelu")
    with pytest.raises(ArgumentError, match="mode='QRNN'"):
        nn.RNNBase("QRNN", 3, 4)
    with pytest.raises(ArgumentError, match="only nn.LSTM has projections"):
        nn.RNNBase("GRU", 3, 4, proj_size=2)


def test_errors_of_cells() -> None:
    cell = nn.LSTMCell(3, 4)
    with pytest.raises(ShapeError, match=r"one time step: call it for each x\[t\], or use nn.LSTM"):
        cell(zeros(5, 2, 3))
    with pytest.raises(ShapeError, match=r"\(B, 3\) or \(3,\) and got \(2, 5\)"):
        cell(zeros(2, 5))
    with pytest.raises(ShapeError, match=r"c of shape \(2, 4\)"):
        cell(zeros(2, 3), (zeros(2, 4), zeros(3, 4)))
    with pytest.raises(DTypeError, match=r"pair \(h, c\)"):
        cell(zeros(2, 3), zeros(2, 4))
    with pytest.raises(DTypeError, match="only nn.LSTMCell"):
        nn.GRUCell(3, 4)(zeros(2, 3), (zeros(2, 4), zeros(2, 4)))
    with pytest.raises(DTypeError, match="int64(.|\n)*nn.Embedding"):
        cell(zeros(2, 3).long())


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: pack_padded_sequence(x, [1, 3]), r"grow: \[1, 3\](.|\n)*enforce_sorted"),
    (lambda x: pack_padded_sequence(x, [3, 0]), "the length 0 for sequences of 3 steps"),
    (lambda x: pack_padded_sequence(x, [4, 2]), "the length 4(.|\n)*batch_first=True"),
    (lambda x: pack_padded_sequence(x, [3]), r"lengths of shape \(1,\)"),
    (lambda x: pack_padded_sequence(x[:, :0], []), "no sequences"),
    (lambda x: pack_padded_sequence(x[0, :, 0], [3]), "at least 2 axes"),
    (lambda x: pad_packed_sequence(pack_padded_sequence(x, [3, 1]), total_length=2),
     "total_length=2(.|\n)*at least 3"),
    (lambda x: pad_packed_sequence(x), "got a Tensor(.|\n)*PackedSequence"),
    (lambda x: pad_sequence([]), "empty list"),
    (lambda x: pad_sequence(3), "got a int(.|\n)*list of tensors"),
    (lambda x: pad_sequence([x, x[:, :1]]), r"\(3, 2, 3\) and \(3, 1, 3\)"),
    (lambda x: pad_sequence([x], padding_side="top"), "padding_side='top'"),
    (lambda x: pack_sequence([x[0, 0, 0]]), "sequence 0,(.|\n)*at least 1 axis"),
    (lambda x: unpad_sequence(x, [1]), "1 lengths for 2 sequences"),
    (lambda x: PackedSequence(x), "no batch_sizes"),
])  # fmt: skip
def test_errors_of_sequences(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises((ShapeError, ArgumentError, DTypeError), match=message):
        call(zeros(3, 2, 3))


def test_sequence_mask() -> None:
    assert sequence_mask([2, 0]).tolist() == [[True, True], [False, False]]
    assert sequence_mask(pellucid.tensor([1]), 3).tolist() == [[True, False, False]]
    run = pellucid.compile(lambda n: sequence_mask(n, 3))
    assert run(pellucid.tensor([3, 1])).tolist() == [[True] * 3, [True, False, False]]
    with pytest.raises(ArgumentError, match="max_len"):
        pellucid.compile(lambda n: sequence_mask(n))(pellucid.tensor([3, 1]))


def test_unpacking_gives_back_what_was_packed(rng) -> None:
    arrays = [rng.normal(size=(n, 2)) for n in (2, 5, 1)]
    packed = pack_sequence([pellucid.tensor(a) for a in arrays], enforce_sorted=False)
    for a, b in zip(unpack_sequence(packed), arrays, strict=True):
        assert_close(a, b)
    assert packed.long().data.dtype is pellucid.int64 and packed.cpu() is packed
    assert packed.to(pellucid.float64) is packed and not packed.is_cuda


def test_layers_that_look_alike_share_a_traced_step_and_nothing_else() -> None:
    """A step is traced once for equal shapes; weights, values and modes are each layer's own."""

    def unrolled(layer: Any, x: Any) -> Any:
        weights = [getattr(layer, f"{n}_l0") for n in ("weight_ih", "weight_hh")]
        biases = layer.bias_ih_l0 + layer.bias_hh_l0
        h = pellucid.zeros(2, 4)
        for t in range(3):
            h = (x[t] @ weights[0].T + h @ weights[1].T + biases).tanh()
        return h

    layers = []
    for seed in range(3):
        pellucid.manual_seed(seed)
        layers.append(nn.RNN(5, 4))
    x = pellucid.tensor(np.random.default_rng(1).standard_normal((3, 2, 5)).astype(np.float32))
    for layer in (*layers, *layers):
        layer.zero_grad()
        layer(x)[1].square().sum().backward()
        found = [p.grad.numpy().copy() for p in layer.parameters()]
        layer.zero_grad()
        unrolled(layer, x).square().sum().backward()
        for got, parameter in zip(found, layer.parameters(), strict=True):
            np.testing.assert_allclose(got, parameter.grad.numpy(), rtol=1e-4, atol=1e-6)
    frozen = layers[1].requires_grad_(False)
    assert not frozen(x)[0].requires_grad
    with pellucid.no_grad():
        assert not layers[0](x)[0].requires_grad
    assert layers[0](x)[0].requires_grad
    wide = nn.RNN(5, 4, dtype=pellucid.float64)
    assert wide(x.double())[0].dtype is pellucid.float64
    # Both matrices the same tensor, then two tensors again.
    square = nn.RNN(4, 4)
    y = pellucid.tensor(np.ones((3, 2, 4), np.float32))
    before = square(y)[1]
    square.weight_hh_l0 = square.weight_ih_l0
    tied = square(y)[1]
    square.weight_hh_l0 = nn.Parameter(square.weight_ih_l0.detach() * 0)
    apart = square(y)[1]
    assert not np.allclose(before.detach().numpy(), tied.detach().numpy())
    assert not np.allclose(tied.detach().numpy(), apart.detach().numpy())
    h = np.tanh(
        np.ones((2, 4)) @ square.weight_ih_l0.detach().numpy().T
        + (square.bias_ih_l0 + square.bias_hh_l0).detach().numpy()
    )
    np.testing.assert_allclose(apart.detach().numpy()[0], h, rtol=1e-5)
