"""Layers against their formulas in NumPy, and what texts say of layers and networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from nn.training import train_on_xor
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.tensor.gradcheck import gradcheck


def arrays(layer: nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy() for p in layer.parameters()]


# ---- affine layers ------------------------------------------------------------------------------


def test_A3_linear_is_an_affine_map(rng) -> None:
    x = rng.normal(size=(5, 4)).astype(np.float32)
    layer = nn.Linear(4, 3)
    weight, bias = arrays(layer)
    assert weight.shape == (3, 4) and bias.shape == (3,)
    assert_close(layer(pellucid.tensor(x)), x @ weight.T + bias, 1e-5, 1e-6)
    plain = nn.Linear(4, 3, bias=False)
    assert plain.bias is None and list(plain.state_dict()) == ["weight"]
    assert_close(plain(pellucid.tensor(x)), x @ arrays(plain)[0].T, 1e-5, 1e-6)


def test_A4_B29_layers_without_activations_are_one_affine_map(rng) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)).double()
    weight, bias = np.eye(4), np.zeros(4)
    for layer in net:
        w, b = arrays(layer)
        weight, bias = w @ weight, w @ bias + b
    x = rng.normal(size=(6, 4))
    assert_close(net(pellucid.tensor(x)), x @ weight.T + bias, 1e-10)


def test_A5_an_activation_breaks_additivity(rng) -> None:
    a, b = (pellucid.tensor(rng.normal(size=4).astype(np.float32)) for _ in range(2))
    zero = pellucid.zeros(4)

    def excess(net: nn.Module) -> float:
        return ((net(a + b) - net(b)) - (net(a) - net(zero))).abs().max().item()

    stack = [nn.Linear(4, 32), nn.Linear(32, 2)]
    assert excess(nn.Sequential(*stack)) < 1e-5
    assert excess(nn.Sequential(stack[0], nn.ReLU(), stack[1])) > 0.01


@pytest.mark.parametrize("inputs", [2, 3])
def test_A8_B9_a_neuron_is_an_activated_weighted_sum(inputs: int, rng) -> None:
    neuron = nn.Sequential(nn.Linear(inputs, 1), nn.Sigmoid())
    weight, bias = arrays(neuron)
    x = rng.normal(size=inputs).astype(np.float32)
    z = sum(weight[0, i] * x[i] for i in range(inputs)) + bias[0]
    assert neuron(pellucid.tensor(x)).item() == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-5)


def test_A9_networks_are_nested_functions() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.Tanh(), nn.Linear(1, 1), nn.Sigmoid())
    net.load_state_dict(
        {"0.weight": [[0.5, -1.0]], "0.bias": [0.2], "2.weight": [[2.0]], "2.bias": [-0.1]}
    )
    expected = 1 / (1 + math.exp(-(2 * math.tanh(0.5 * 3 - 1 * 1 + 0.2) - 0.1)))
    assert net(pellucid.tensor([3.0, 1.0])).item() == pytest.approx(expected, rel=1e-6)


def test_B7_the_weight_has_a_row_for_each_output() -> None:
    assert tuple(nn.Linear(5, 3).weight.shape) == (3, 5)
    assert "(out_features, in_features)" in nn.Linear.__doc__


def test_B8_the_bias_shifts_the_output() -> None:
    layer = nn.Linear(2, 1)
    x = pellucid.ones(2)
    before = layer(x).item()
    with pellucid.no_grad():
        layer.bias += 1.5
    assert layer(x).item() - before == pytest.approx(1.5, rel=1e-6)


def test_B10_the_input_layer_computes_nothing() -> None:
    layer = nn.Identity()
    x = pellucid.ones(3)
    assert layer(x) is x and not list(layer.parameters())


def test_B11_B12_widths_are_free_and_scores_give_classes() -> None:
    widths = [4, 7, 9, 3]
    net = nn.Sequential(*[nn.Linear(i, o) for i, o in zip(widths, widths[1:], strict=False)])
    assert [tuple(layer.bias.shape) for layer in net] == [(7,), (9,), (3,)]
    scores = net(pellucid.randn(5, 4))
    assert scores.shape == (5, 3) and scores.argmax(-1).shape == (5,)
    assert_close(F.softmax(scores, dim=-1).argmax(-1), scores.argmax(-1))


def test_B13_neurons_of_a_layer_are_not_connected() -> None:
    layer = nn.Linear(4, 3)
    x = pellucid.randn(4)
    before = layer(x).detach().numpy().copy()
    with pellucid.no_grad():
        layer.weight[1] += 1
    changed = layer(x).detach().numpy() != before
    assert changed.tolist() == [False, True, False]


def test_B14_every_input_reaches_every_output() -> None:
    layer = nn.Linear(4, 3)
    x = pellucid.randn(4, requires_grad=True)
    for output in range(3):
        (slope,) = pellucid.grad(layer(x)[output], x)
        assert (slope != 0).all().item()


def test_D29_xor_needs_a_hidden_layer() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    y = np.array([0, 1, 1, 0.0])
    design = np.column_stack([x, np.ones(4)])
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    assert_close(best, [0, 0, 0.5], 0, 1e-12)
    assert ((design @ best - y) ** 2).mean() == pytest.approx(0.25)
    line = train_on_xor(nn.Linear(2, 1), steps=500)
    assert line[0] == pytest.approx(math.log(2), abs=1e-4)
    pellucid.manual_seed(1)
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    loss, correct = train_on_xor(net, steps=500)
    assert loss < 0.05 and correct == 4


def test_D30_documentation_says_why_activations_are_needed() -> None:
    assert "more than a linear model" in " ".join(nn.Linear.__doc__.split())


def shapes(*listed: tuple[int, ...]) -> list[pellucid.Tensor]:
    """Zeros of each of these shapes."""
    return [pellucid.zeros(shape) for shape in listed]


COUNTED: list[tuple[nn.Module, list[pellucid.Tensor], int]] = [
    (
        nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10)),
        shapes((1, 784), (7, 784), (2, 3, 784)),
        785 * 50 + 51 * 10,
    ),
    (nn.Conv2d(3, 8, 5), shapes((1, 3, 9, 9), (4, 3, 28, 20)), 8 * 3 * 25 + 8),
    (nn.LSTM(6, 4), shapes((2, 1, 6), (9, 3, 6)), 4 * (4 * 6 + 4 * 4 + 2 * 4)),
    (nn.GRU(6, 4), shapes((2, 1, 6), (9, 3, 6)), 3 * (4 * 6 + 4 * 4 + 2 * 4)),
    (nn.Embedding(11, 5), [x.long() for x in shapes((1, 2), (3, 8))], 11 * 5),
    (
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        shapes((1, 2, 8), (3, 7, 8)),
        4 * (8 * 8 + 8) + (8 * 16 + 16) + (16 * 8 + 8) + 2 * 2 * 8,
    ),
]
"""Layer, inputs of several numbers of rows and lengths, and how many parameters it has."""


def test_D31_the_number_of_parameters_depends_on_the_layers_alone() -> None:
    """Every layer that is applied to rows of any length has the weights that it was made with:
    the formulas of its sizes before any input, and the same objects after inputs of all kinds."""
    for layer, inputs, count in COUNTED:
        made = dict(layer.named_parameters())
        values = {name: p.detach().numpy().copy() for name, p in made.items()}
        assert sum(p.numel() for p in made.values()) == count, layer
        for x in inputs:
            layer(x)
        after = dict(layer.named_parameters())
        assert list(after) == list(made) and all(after[name] is made[name] for name in made)
        for name, value in values.items():
            assert_close(after[name], value, 0, 0, name)


def test_D32_activations_see_the_weighted_sum() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    seen = []
    net[1].register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    x = pellucid.randn(2, 3)
    net(x)
    assert_close(seen[0], net[0](x))


def test_C4_new_layers_have_seeded_random_weights() -> None:
    pellucid.manual_seed(5)
    first, second = nn.Linear(4, 3), nn.Linear(4, 3)
    pellucid.manual_seed(5)
    again = nn.Linear(4, 3)
    assert_close(first.weight, again.weight, 0, 0)
    assert (first.weight != second.weight).all().item()
    assert np.unique(first.weight.detach().numpy()).size == 12
    assert np.abs(first.weight.detach().numpy()).max() <= 0.5


def test_C10_D37_forward_changes_no_parameter() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))
    before = [p.detach().clone() for p in net.parameters()]
    net(pellucid.randn(6, 4))
    net.eval()(pellucid.randn(6, 4))
    for p, old in zip(net.parameters(), before, strict=True):
        assert_close(p, old, 0, 0)
    for layer in (nn.BatchNorm1d, nn.Dropout):
        assert "evaluation" in layer.__doc__, "the two that differ say so"


def test_C19_parameters_are_weights_and_biases_alone() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.3), nn.LeakyReLU(0.2), nn.BatchNorm1d(3))
    names = {name.split(".")[1] for name, _ in net.named_parameters()}
    assert names == {"weight", "bias"} and "hyperparameters" in nn.Module.parameters.__doc__


def test_D36_inference_builds_no_graph() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).eval()
    x = pellucid.randn(4, 2)
    learning = net(x)
    assert learning.requires_grad and learning.grad_fn is not None
    with pellucid.no_grad():
        y = net(x)
    assert not y.requires_grad and y.grad_fn is None
    assert_close(y, learning, 0, 0)


def test_bilinear_equals_its_sum(rng) -> None:
    layer = nn.Bilinear(3, 4, 2).double()
    weight, bias = arrays(layer)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    expected = np.einsum("ni,oij,nj->no", x, weight, y) + bias
    assert_close(layer(pellucid.tensor(x), pellucid.tensor(y)), expected, 1e-10)


def test_wrong_sizes_are_explained() -> None:
    with pytest.raises(ArgumentError, match="nn.Linear got in_features=-1"):
        nn.Linear(-1, 2)
    with pytest.raises(ArgumentError, match="out_features=2.5"):
        nn.Linear(1, 2.5)
    with pytest.raises(ArgumentError, match="in1_features=0"):
        nn.Bilinear(0, 1, 1)
    with pytest.raises(ShapeError, match="bilinear expects 2 and 3 features"):
        nn.Bilinear(2, 3, 1)(pellucid.ones(1, 2), pellucid.ones(1, 2))
    with pytest.raises(DTypeError, match="linear got a ndarray .*in layer Linear"):
        nn.Linear(2, 3)(np.ones((4, 2)))
    with pytest.raises(ShapeError, match=r"linear expects 4 features .* shape \(2, 3\)"):
        F.linear(pellucid.ones(2, 3), pellucid.ones(5, 4))


# ---- dropout ------------------------------------------------------------------------------------


def test_A30_dropout_drops_in_training_only() -> None:
    layer = nn.Dropout(0.3)
    x = pellucid.full((100, 200), 2.0)
    y = layer(x).numpy()
    share = (y == 0).mean()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / y.size))
    assert y.mean() == pytest.approx(2.0, abs=0.05)
    assert_close(np.unique(y), [0, 2 / 0.7], 1e-6)
    assert layer.eval()(x) is x


def test_dropout_gradient_has_the_same_mask() -> None:
    x = pellucid.ones(1000, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert_close(x.grad, y, 0, 0)
    pellucid.manual_seed(3)
    first = nn.Dropout()(x.detach())
    pellucid.manual_seed(3)
    assert_close(nn.Dropout(inplace=True)(x.detach().clone()), first, 0, 0)
    assert F.dropout(x.detach(), 1.0).abs().sum().item() == 0
    assert F.dropout(x, 0.0) is x


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    y = nn.AlphaDropout(0.2)(pellucid.randn(200_000)).numpy()
    assert abs(y.mean()) < 0.02 and y.std() == pytest.approx(1, abs=0.02)
    x = pellucid.randn(5)
    assert nn.AlphaDropout().eval()(x) is x
    with pytest.raises(ArgumentError, match="nn.Dropout got p=1.5"):
        nn.Dropout(1.5)
    with pytest.raises(ArgumentError, match="dropout got p=-1"):
        F.dropout(x, -1)


# ---- normalization ------------------------------------------------------------------------------


def test_batch_norm_standardizes_the_batch_and_remembers_it(rng) -> None:
    x = rng.normal(size=(50, 3)) * [1, 5, 0.1] + [10, -3, 0]
    layer = nn.BatchNorm1d(3).double()
    y = layer(pellucid.tensor(x)).detach().numpy()
    mean, var = x.mean(0), x.var(0)
    assert_close(y, (x - mean) / np.sqrt(var + 1e-5), 1e-9)
    assert_close(layer.running_mean, 0.1 * mean, 1e-9)
    assert_close(layer.running_var, 0.9 + 0.1 * x.var(0, ddof=1), 1e-9)
    assert layer.num_batches_tracked.item() == 1
    z = layer.eval()(pellucid.tensor(x[:1])).detach().numpy()
    remembered = (x[:1] - 0.1 * mean) / np.sqrt(0.9 + 0.1 * x.var(0, ddof=1) + 1e-5)
    assert_close(z, remembered, 1e-9)
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1, 1, 1] and layer.num_batches_tracked.item() == 0


def test_the_other_norms_equal_their_formulas(rng) -> None:
    x = rng.normal(size=(4, 6)) * 3 + 1
    a = pellucid.tensor(x)
    standard = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    assert_close(nn.LayerNorm(6).double()(a), standard, 1e-9)
    root = np.sqrt((x**2).mean(1, keepdims=True) + 2.0**-52)
    assert_close(nn.RMSNorm(6).double()(a), x / root, 1e-9)
    halves = x.reshape(4, 2, 3)
    group = (halves - halves.mean(2, keepdims=True)) / np.sqrt(halves.var(2, keepdims=True) + 1e-5)
    assert_close(nn.GroupNorm(2, 6).double()(a), group.reshape(4, 6), 1e-9)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "group_norm", "batch_norm"])
def test_gradients_of_norms_equal_difference_quotients(name: str, rng) -> None:
    x = pellucid.tensor(rng.normal(size=(4, 6)), requires_grad=True)
    weight = pellucid.tensor(rng.normal(size=6), requires_grad=True)
    settings: dict = {
        "layer_norm": lambda x, w: F.layer_norm(x, (6,), w),
        "rms_norm": lambda x, w: F.rms_norm(x, (6,), w),
        "group_norm": lambda x, w: F.group_norm(x, 2, w),
        "batch_norm": lambda x, w: F.batch_norm(x, None, None, w, training=True),
    }
    assert gradcheck(settings[name], (x, weight))


def test_norms_explain_wrong_shapes() -> None:
    with pytest.raises(ShapeError, match=r"1 value per channel, input shape \(1, 3\)"):
        nn.BatchNorm1d(3)(pellucid.ones(1, 3))
    with pytest.raises(ShapeError, match="expects 3 channels on axis 1"):
        nn.BatchNorm1d(3)(pellucid.ones(5, 4))
    with pytest.raises(ShapeError, match=r"it needs \(N, C\) or"):
        nn.BatchNorm1d(3)(pellucid.ones(3))
    with pytest.raises(ShapeError, match=r"layer_norm normalizes the axes \(3,\)"):
        nn.LayerNorm(3)(pellucid.ones(2, 4))
    with pytest.raises(ArgumentError, match="2 groups for 3 channels"):
        nn.GroupNorm(2, 3)
    with pytest.raises(ShapeError, match="group_norm got num_groups=2"):
        F.group_norm(pellucid.ones(2, 3), 2)


# ---- embedding, shapes --------------------------------------------------------------------------


def test_D33_embedding_gives_each_id_a_vector() -> None:
    table = nn.Embedding(10, 4)
    ids = pellucid.tensor([[1, 2, 2], [9, 2, 0]])
    out = table(ids)
    assert out.shape == (2, 3, 4)
    assert_close(out, table.weight.detach().numpy()[ids.numpy()], 0, 0)
    out.sum().backward()
    assert table.weight.grad[:, 0].tolist() == [1, 1, 3, 0, 0, 0, 0, 0, 0, 1], "repeated ids add up"


def test_embedding_of_a_known_table_and_padding() -> None:
    known = pellucid.arange(6.0).reshape(3, 2)
    table = nn.Embedding.from_pretrained(known, padding_idx=0)
    assert not table.weight.requires_grad and table(pellucid.tensor([2])).tolist() == [[4, 5]]
    padded = nn.Embedding(4, 2, padding_idx=-1)
    assert padded.padding_idx == 3 and padded.weight[3].tolist() == [0, 0]
    padded(pellucid.tensor([3, 1, 3])).sum().backward()
    assert padded.weight.grad.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]


def test_embedding_explains_wrong_ids() -> None:
    table = nn.Embedding(3, 2)
    with pytest.raises(ArgumentError, match=r"id 3 for 3 rows(.|\n)*0 to 2: check num_embeddings"):
        table(pellucid.tensor([0, 3]))
    with pytest.raises(DTypeError, match="ids of float32"):
        table(pellucid.ones(2))
    with pytest.raises(ArgumentError, match="padding_idx=3 for 3 rows"):
        nn.Embedding(3, 2, padding_idx=3)
    with pytest.raises(ArgumentError, match="padding_idx=5"):
        F.embedding(pellucid.tensor([0]), table.weight, padding_idx=5)
    with pytest.raises(ShapeError, match="weight of shape"):
        nn.Embedding(3, 2, _weight=pellucid.ones(2, 2))
    with pytest.raises(ShapeError, match="a table has 2 axes"):
        nn.Embedding.from_pretrained(pellucid.ones(2))


def test_flatten_and_unflatten() -> None:
    x = pellucid.arange(24.0).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert_close(nn.Unflatten(1, (3, -1))(nn.Flatten()(x)), x, 0, 0)
    assert nn.Identity(3, unused=True)(x) is x
    assert repr(nn.Unflatten(1, (3, 4))) == "Unflatten(dim=1, unflattened_size=(3, 4))"
