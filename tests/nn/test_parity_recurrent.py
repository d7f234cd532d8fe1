"""Recurrent layers and cells give PyTorch's values, gradients, keys and initial values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pellucid  # noqa: E402
from helpers import as_array, assert_close  # noqa: E402
from nn.parity import compare  # noqa: E402
from pellucid import nn, optim  # noqa: E402

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning"),
]

LIBRARIES = (pellucid, torch)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def pair(name: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    """The layer of both libraries with PyTorch's values; keys and shapes must agree."""
    theirs = getattr(torch.nn, name)(*sizes, **options)
    ours = getattr(nn, name)(*sizes, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for key, value in ours.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), theirs.state_dict()[key].numpy())
    return ours, theirs


def flat(result: Any) -> list[Any]:
    """All tensors of a nested result, packed sequences by their data."""
    if hasattr(result, "batch_sizes"):
        return [result.data]
    if isinstance(result, tuple):
        return [tensor for part in result for tensor in flat(part)]
    return [result]


def agree(layers: tuple[Any, Any], call: Any, arrays: list[np.ndarray], what: str = "") -> None:
    """Outputs and the gradients of inputs, states and parameters; ``call(library, layer, *x)``."""
    found: list[list[Any]] = []
    for library, layer in zip(LIBRARIES, layers, strict=True):
        layer.zero_grad()
        given = [library.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        results = flat(call(library, layer, *given))
        total = sum((r * r * r.cos()).sum() for r in results)
        total.backward()
        gradients = [x.grad for x in given if x.requires_grad]
        found.append(results + gradients + [p.grad for p in layer.parameters()])
    for place, (a, b) in enumerate(zip(*found, strict=True)):
        if b is None:
            assert a is None or not as_array(a).any()
        else:
            assert_close(a, b, 1e-4, 2e-6, f"{what} result {place}")


def states(kind: str, rng: np.random.Generator, places: int, *batch: int, width: int = 0) -> list:
    first = normal(rng, places, *batch, width or 4)
    return [first, normal(rng, places, *batch, 4)] if kind == "LSTM" else [first]


def as_state(kind: str, given: tuple) -> Any:
    return None if not given else tuple(given) if kind == "LSTM" else given[0]


OPTIONS = [
    dict(zip(("num_layers", "bias", "batch_first", "bidirectional"), values, strict=True))
    for values in itertools.product((1, 2), (True, False), (True, False), (True, False))
]
KINDS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("kind", "more"), KINDS, ids=str)
def test_layers_over_the_grid(kind: str, more: dict, options: dict, rng) -> None:
    """With and without a state and a batch; T = 1 and B = 1 among the sizes."""
    layers = pair(kind, 3, 4, **options, **more)
    places = options["num_layers"] * (1 + options["bidirectional"])
    first = options["batch_first"]
    for steps, batch in ((5, 2), (1, 3), (4, 1), (1, 1)):
        x = normal(rng, *((batch, steps) if first else (steps, batch)), 3)
        for hx in ([], states(kind, rng, places, batch, width=more.get("proj_size", 0))):
            agree(layers, lambda _, f, x, *s: f(x, as_state(kind, s)), [x, *hx], f"{steps, batch}")
    hx = states(kind, rng, places, width=more.get("proj_size", 0))
    for given in ([], hx):
        agree(layers, lambda _, f, x, *s: f(x, as_state(kind, s)), [normal(rng, 5, 3), *given])


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_batch_of_no_sequences(kind: str) -> None:
    ours, theirs = pair(kind, 3, 4, num_layers=2, bidirectional=True)
    found = flat(ours(pellucid.zeros(5, 0, 3)))
    shapes = [tuple(t.shape) for t in flat(theirs(torch.zeros(5, 0, 3)))]
    assert [tuple(t.shape) for t in found] == shapes
    found[0].sum().backward()
    assert ours.weight_ih_l0.grad.abs().sum().item() == 0


@pytest.mark.parametrize("lengths", [[5, 3, 1], [2, 5, 2, 1], [1], [4, 4], [1, 1, 1]], ids=str)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "more"), KINDS, ids=str)
def test_packed_sequences(kind: str, more: dict, bidirectional: bool, lengths: list, rng) -> None:
    """Two layers; sorted, unsorted, of one length; with and without an initial state."""
    layers = pair(kind, 3, 4, num_layers=2, bidirectional=bidirectional, **more)
    batch = len(lengths)
    x = normal(rng, max(lengths), batch, 3)
    hx = states(kind, rng, 2 + 2 * bidirectional, batch, width=more.get("proj_size", 0))

    def call(library: Any, layer: Any, x: Any, *state: Any) -> Any:
        pack = library.nn.utils.rnn.pack_padded_sequence
        return layer(pack(x, lengths, enforce_sorted=False), as_state(kind, state))

    for given in ([], hx):
        agree(layers, call, [x, *given])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (3,), (1,), (0,)], ids=str)
@pytest.mark.parametrize(
    ("kind", "more"),
    [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("GRUCell", {}), ("LSTMCell", {})],
    ids=str,
)
def test_cells(kind: str, more: dict, batch: tuple, bias: bool, rng) -> None:
    layers = pair(kind, 3, 4, bias=bias, **more)
    x, h, c = (normal(rng, *batch, n) for n in (3, 4, 4))
    state = [h, c] if kind == "LSTMCell" else [h]
    for given in ([], state):
        agree(layers, lambda _, f, x, *s: f(x, as_state(kind[:-4], s)), [x, *given])


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
def test_double_backward_through_a_cell(kind: str, rng) -> None:
    """The gradient of the squared gradient, for weights and input, in float64."""
    ours, theirs = pair(kind, 3, 4)
    arrays = [rng.normal(size=(2, n)) for n in (3, 4, 4)]
    found = []
    for library, layer in zip(LIBRARIES, (ours.double(), theirs.double()), strict=True):
        x, h, c = (library.tensor(a, requires_grad=True) for a in arrays)
        out = flat(layer(x, (h, c) if kind == "LSTMCell" else h))
        autograd = getattr(library, "autograd", library)
        first = autograd.grad(
            sum((o * o).sum() for o in out), [x, layer.weight_hh], create_graph=True
        )
        sum((g * g).sum() for g in first).backward()
        found.append([x.grad, h.grad, layer.weight_ih.grad, layer.weight_hh.grad])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, 1e-9, 1e-12)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("compiled", [False, True])
def test_trajectories_of_20_steps(kind: str, compiled: bool, rng) -> None:
    """Losses and final parameters of 20 steps of Adam are PyTorch's."""
    ours, theirs = pair(kind, 3, 4, num_layers=2, batch_first=True)
    x, y = normal(rng, 6, 5, 3), normal(rng, 6, 5, 4)
    losses = []
    for library, layer, make in zip(
        LIBRARIES, (ours, theirs), (optim.Adam, torch.optim.Adam), strict=True
    ):
        optimizer = make(layer.parameters(), lr=0.02)

        def step(x: Any, y: Any, layer: Any = layer, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (layer(x)[0] - y).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = pellucid.compile(step) if compiled and library is pellucid else step
        given = [library.tensor(a) for a in (x, y)]
        losses.append([float(run(*given)) for _ in range(20)])
    np.testing.assert_allclose(*losses, rtol=2e-5)
    assert losses[0][-1] < losses[0][0]
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert_close(a, b, 1e-3, 1e-4, name)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"])
def test_initial_values_are_in_the_same_bounds(kind: str) -> None:
    ours, theirs = getattr(nn, kind)(30, 50), getattr(torch.nn, kind)(30, 50)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        a, b = a.detach().numpy().ravel(), b.detach().numpy().ravel()
        assert abs(a).max() <= 50**-0.5 and abs(a).max() > 0.9 * abs(b).max(), name
        assert abs(a.mean()) < 6 * b.std() / np.sqrt(b.size)
        assert abs(a.std() - b.std()) < 6 * b.std() / np.sqrt(b.size)


def test_states_load_both_ways_bit_for_bit(tmp_path) -> None:
    options = {"num_layers": 2, "bidirectional": True, "proj_size": 3}
    ours, theirs = nn.LSTM(5, 4, **options), torch.nn.LSTM(5, 4, **options)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), ours.state_dict()[key].numpy())
    assert repr(ours) == repr(theirs)
    assert [len(w) for w in ours.all_weights] == [len(w) for w in theirs.all_weights]


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_positional_arguments_are_pytorchs(kind: str) -> None:
    more = ("relu",) if kind == "RNN" else ()
    settings = (3, 4, 2, *more, False, True, 0.5, True)
    assert repr(getattr(nn, kind)(*settings)) == repr(getattr(torch.nn, kind)(*settings))


# ---- sequences ---------------------------------------------------------------------------------

U, TU = nn.utils.rnn, torch.nn.utils.rnn


def same_packed(ours: Any, theirs: Any) -> None:
    """All four parts equal, dtypes included."""
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert as_array(a).dtype == as_array(b).dtype
            np.testing.assert_array_equal(as_array(a), as_array(b))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (3,), (2, 2)], ids=str)
@pytest.mark.parametrize("lengths", [[4, 2, 2], [1, 4, 3], [2, 2, 2], [3, 1, 1]], ids=str)
def test_packing_and_padding(lengths: list, rest: tuple, batch_first: bool, rng) -> None:
    x = rng.normal(size=((3, 4) if batch_first else (4, 3)) + rest)
    ordered = lengths == sorted(lengths, reverse=True)
    for enforce in (True, False) if ordered else (False,):
        packed = U.pack_padded_sequence(pellucid.tensor(x), lengths, batch_first, enforce)
        other = TU.pack_padded_sequence(torch.tensor(x), lengths, batch_first, enforce)
        same_packed(packed, other)
        given = pellucid.tensor(lengths)
        same_packed(U.pack_padded_sequence(pellucid.tensor(x), given, batch_first, enforce), other)
        same_packed(packed.float(), other.float())
        for options in ({}, {"batch_first": True, "padding_value": -7.0, "total_length": 6}):
            for a, b in zip(
                U.pad_packed_sequence(packed, **options),
                TU.pad_packed_sequence(other, **options),
                strict=True,
            ):
                np.testing.assert_array_equal(a.numpy(), b.numpy())
        for a, b in zip(U.unpack_sequence(packed), TU.unpack_sequence(other), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    compare(
        lambda t: U.pack_padded_sequence(t, lengths, batch_first, False).data,
        lambda t: TU.pack_padded_sequence(t, lengths, batch_first, False).data,
        [x],
    )
    compare(
        lambda t: U.pad_packed_sequence(
            U.pack_padded_sequence(t, lengths, batch_first, False), padding_value=2.0
        )[0],
        lambda t: TU.pad_packed_sequence(
            TU.pack_padded_sequence(t, lengths, batch_first, False), padding_value=2.0
        )[0],
        [x],
    )


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_lists_of_sequences(dtype: Any, side: str, batch_first: bool, rng) -> None:
    arrays = [rng.integers(0, 9, (n, 2)).astype(dtype) for n in (2, 4, 1)]
    ours, theirs = ([lib.tensor(a) for a in arrays] for lib in LIBRARIES)
    a = U.pad_sequence(ours, batch_first, -1, side)
    b = TU.pad_sequence(theirs, batch_first, -1, side)
    assert a.numpy().dtype == b.numpy().dtype
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    same_packed(U.pack_sequence(ours, False), TU.pack_sequence(theirs, False))
    padded = U.pad_sequence(ours, batch_first)
    for x, y in zip(U.unpad_sequence(padded, [2, 4, 1], batch_first), arrays, strict=True):
        np.testing.assert_array_equal(x.numpy(), y)
