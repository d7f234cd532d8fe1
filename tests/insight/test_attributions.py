"""Explanations by gradients and rules: sums, hand-made examples, every operation, verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, UnsupportedError
from pellucid.insight import explain
from pellucid.insight.explain.rules import NATURES
from pellucid.ops.registry import PRIMITIVES

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(4, 6)).astype(np.float32)
BASE = RANDOM.normal(size=(4, 6)).astype(np.float32)


def mlp(bias: bool = True) -> nn.Sequential:
    pellucid.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 12, bias=bias), nn.ReLU(), nn.Linear(12, 8, bias=bias), nn.GELU(),
        nn.Linear(8, 3, bias=bias),
    ).eval()  # fmt: skip


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 2)

    def forward(self, ids: Any) -> Any:
        return self.out(self.lstm(self.embedding(ids))[0][:, -1])


class Reads(nn.Module):
    """Two inputs of different kinds, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 4)
        self.row = nn.Linear(6, 4)
        self.out = nn.Linear(4, 3)

    def forward(self, row: Any, ids: Any, scale: float = 1.0) -> Any:
        mixed = pellucid.tanh(self.row(row) + self.tokens(ids).sum(1)) * scale
        return {"scores": self.out(mixed), "mixed": mixed}


class Odd(nn.Module):
    """Operations that no layer of the usual networks has, one output each."""

    def forward(self, x: Any) -> Any:
        return pellucid.stack(
            [
                x.prod(1),
                x.logcumsumexp(1)[:, -1],
                (x[:, :3] / (1 + x[:, 3:] ** 2)).sum(1),
                pellucid.maximum(x[:, :3], x[:, 3:]).sum(1),
                x.norm(dim=1),
                x.cumprod(1).sum(1),
                pellucid.atan2(x[:, 0], x[:, 1]),
                x.std(1),
                (x.softmax(1) * x).sum(1),
                x.amax(1) - x.amin(1),
                pellucid.where(x > 0, x * x, x.exp()).sum(1),
                F.layer_norm(x, (6,))[:, 2] * x[:, 1],
            ],
            1,
        )


def test_every_primitive_has_a_nature() -> None:
    """What an operation is to the rules is said when it is added; none is passed over."""
    assert set(PRIMITIVES) <= set(NATURES)
    assert set(NATURES) <= set(PRIMITIVES) | {"input", "constant"}


def test_an_operation_without_a_rule_is_refused() -> None:
    class Inverts(nn.Module):
        def forward(self, x: Any) -> Any:
            return pellucid.linalg.svdvals(x.reshape(len(x), 2, 3))

    for method in (explain.lrp, explain.deep_lift):
        with pytest.raises(UnsupportedError, match="no rule is known for the operation 'svd'"):
            method(Inverts(), X)


def reveal_cancel(*args: Any) -> explain.Explanation:
    return explain.deep_lift(*args, rule="reveal_cancel")


@pytest.mark.parametrize("method", [explain.integrated_gradients, explain.deep_lift, reveal_cancel])
@pytest.mark.parametrize(
    "model",
    [
        mlp,
        lambda: nn.Sequential(mlp(), nn.Softmax(1)),
        lambda: nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.LayerNorm(8)
        ).eval(),
        lambda: nn.Sequential(
            nn.Unflatten(1, (3, 2)), nn.TransformerEncoderLayer(2, 1, 4, batch_first=True),
            nn.Flatten(),
        ).eval(),
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 3, 2, padding=1), nn.MaxPool2d(2, 1),
            nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ),
    ],
    ids=["mlp", "softmax", "norms", "transformer", "cnn"],
)  # fmt: skip
def test_values_sum_to_the_difference(method: Any, model: Any) -> None:
    net = model()
    found = method(net, X, BASE, [0, 1, 2, 0])
    scores = net(pellucid.tensor(X)).detach().numpy(), net(pellucid.tensor(BASE)).detach().numpy()
    rows = np.arange(4)
    wanted = (scores[0] - scores[1])[rows, [0, 1, 2, 0]]
    close = 0.03 if method is explain.integrated_gradients else 1e-5
    assert_close(found.totals, wanted, close, close)
    assert_close(found.gap, wanted - found.totals, 1e-5, 1e-6)


def test_deep_lift_is_complete_through_any_operation() -> None:
    rows = np.repeat(X[:1], 12, 0), np.repeat(BASE[:1], 12, 0)
    found = explain.deep_lift(Odd(), *rows, list(range(12)))
    assert_close(found.gap, np.zeros(12), 1e-4, 1e-4)


class ByPosition(nn.Module):
    """A score that knows of the inputs only which of them is the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 2)

    def forward(self, x: Any) -> Any:
        return self.table(x.argmax(1)) + 0.1 * x[:, :2]


class ByAnother(nn.Module):
    """Values in the order of other values."""

    def forward(self, x: Any) -> Any:
        values, keys = x[:, :3], x[:, 3:]
        return values.gather(1, keys.argsort(1)) * pellucid.tensor([1.0, 2.0, 4.0])


def test_what_positions_decide_is_named_or_refused() -> None:
    pellucid.manual_seed(0)
    model = ByPosition()
    verdict = explain.lrp(model, X, 0).verdict()
    assert not verdict.trusted
    assert "argmax is not followed" in verdict
    for rule in ("rescale", "reveal_cancel"):
        with pytest.raises(UnsupportedError, match="cannot follow argmax"):
            explain.deep_lift(model, X, BASE, 0, rule=rule)
        with pytest.raises(UnsupportedError, match="cannot follow argsort"):
            explain.deep_lift(ByAnother(), X, BASE, 0, rule=rule)
    assert "argsort is not followed" in explain.lrp(ByAnother(), X, 0).verdict()


WEIGHTS = [3.0, -1.0, 0.5, 2.0, 1.5, -2.0]


@pytest.mark.parametrize(
    "order",
    [
        lambda x: x.sort(1).values * pellucid.tensor(WEIGHTS),
        lambda x: x.sort(1, descending=True).values * pellucid.tensor(WEIGHTS),
        lambda x: x.topk(3, 1).values * pellucid.tensor([1.0, -2.0, 3.0]),
        lambda x: x.tanh().sort(1).values[:, 2:4],
        lambda x: x.reshape(-1, 2, 3).sort(1).values.flatten(1) * pellucid.tensor(WEIGHTS),
    ],
    ids=["sort", "descending", "topk", "median", "axis"],
)
def test_sorted_values_are_followed_to_where_they_stood(order: Any) -> None:
    def scores(x: Any) -> Any:
        return order(x).sum(1, keepdim=True)

    class Sorted(nn.Module):
        def forward(self, x: Any) -> Any:
            return scores(x)

    model = Sorted()
    for rule in ("rescale", "reveal_cancel"):
        found = explain.deep_lift(model, X, BASE, 0, rule=rule)
        assert_close(found.gap, np.zeros(len(X)), 1e-5, 1e-5)
    exact = explain.integrated_gradients(model, X, BASE, 0, n_steps=400)
    assert np.abs(explain.deep_lift(model, X, BASE, 0).array - exact.array).max() < 0.5
    relevance = explain.lrp(model, X, 0)
    assert_close(relevance.totals, scores(pellucid.tensor(X)).numpy()[:, 0], 1e-5, 1e-5)
    assert "operations" not in relevance.checks


def test_relevance_is_kept_where_there_is_no_bias() -> None:
    pellucid.manual_seed(0)
    models = [
        nn.Sequential(mlp(bias=False), nn.Softmax(1)),
        nn.Sequential(nn.Linear(6, 8, bias=False), nn.SiLU(), nn.LayerNorm(8, bias=False)),
        nn.Sequential(
            nn.Unflatten(1, (3, 2)),
            nn.TransformerEncoderLayer(2, 1, 4, bias=False, batch_first=True),
            nn.Flatten(),
        ),
        nn.Sequential(nn.LSTM(6, 4, bias=False, batch_first=True), nn.Flatten()),
    ]  # fmt: skip

    class First(nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Any) -> Any:
            return self.model(x[:, None])[0][:, 0]

    models[3] = First(models[3][0])
    for rule in ("epsilon", "gamma", "alpha1_beta0", "alpha2_beta1"):
        for model in models[:1] if rule != "epsilon" else models:
            found = explain.lrp(model.eval(), X, 1, rule=rule)
            # Rounding counts where values near 0 are divided by.
            assert_close(found.totals, found.output, 2e-3, 2e-4)


def test_relevance_by_hand() -> None:
    """Two inputs, weights (2, −1), bias 0.5: z = 2·3 − 1·2 + 0.5 = 4.5."""
    net = nn.Linear(2, 1)
    with pellucid.no_grad():
        net.weight.copy_(pellucid.tensor([[2.0, -1.0]]))
        net.bias.fill_(0.5)
    x = np.array([[3.0, 2.0]], np.float32)
    assert_close(explain.lrp(net, x, 0).array, [[6, -2]], 1e-6, 1e-6)
    swallowed = explain.lrp(net, x, 0, rule=explain.EpsilonRule(0.5)).array
    assert_close(swallowed, np.array([[6, -2]]) * 4.5 / 5, 1e-6, 1e-6)
    grown = explain.lrp(net, x, 0, rule=explain.GammaRule(1.0)).array
    assert_close(grown, np.array([[12, -2]]) * 4.5 / 10.5, 1e-6, 1e-6)
    apart = explain.lrp(net, x, 0, rule=explain.AlphaBetaRule(2.0, 1.0)).array
    assert_close(apart, np.array([[2 * 6 / 6.5, -1.0]]) * 4.5, 1e-6, 1e-6)
    by_layer = explain.lrp(nn.Sequential(net), x, 0, rules={"0": "gamma"}).array
    assert_close(by_layer, np.array([[7.5, -2]]) * 4.5 / 6, 1e-6, 1e-6)
    with pytest.raises(ArgumentError, match="must be 1"):
        explain.lrp(net, x, 0, rule=explain.AlphaBetaRule(2.0, 0.0))


def test_rescale_by_hand() -> None:
    """Shrikumar's example: a saturated score has a slope of 0 and still rests on its inputs."""

    class Saturated(nn.Module):
        def forward(self, x: Any) -> Any:
            return 1 - F.relu(1 - x.sum(1, keepdim=True))

    x = np.array([[1.0, 1.0]], np.float32)
    assert explain.saliency(Saturated(), x, 0).tolist() == [[0, 0]]
    assert_close(explain.deep_lift(Saturated(), x, 0, 0).array, [[0.5, 0.5]], 1e-6, 1e-6)
    assert_close(explain.integrated_gradients(Saturated(), x, 0, 0).array, [[0.5, 0.5]], 0.02, 0.02)


def test_reveal_cancel_by_hand() -> None:
    """The paper's example: of min(a, b) = a − relu(a − b) both are worth the same, and the
    rescale rule gives one of them all."""

    class Least(nn.Module):
        def forward(self, x: Any) -> Any:
            a, b = x[:, :1], x[:, 1:]
            return a - F.relu(a - b)

    x = np.array([[3.0, 1.0], [1.0, 3.0]], np.float32)
    assert_close(explain.deep_lift(Least(), x, 0, 0).array, [[0, 1], [1, 0]], 1e-6, 1e-6)
    revealed = explain.deep_lift(Least(), x, 0, 0, rule="reveal_cancel")
    assert_close(revealed.array, np.full((2, 2), 0.5), 1e-6, 1e-6)
    with pytest.raises(ArgumentError, match="rule='other'"):
        explain.deep_lift(Least(), x, 0, 0, rule="other")


def test_relu_is_known_however_it_is_written() -> None:
    weight = pellucid.tensor(RANDOM.normal(size=(6, 5)).astype(np.float32))
    out = pellucid.tensor(RANDOM.normal(size=(5, 2)).astype(np.float32))
    ways = [F.relu, lambda v: v.clamp(min=0), lambda v: pellucid.maximum(v, v * 0),
            lambda v: v * (v > 0)]  # fmt: skip

    class Net(nn.Module):
        def __init__(self, way: Any) -> None:
            super().__init__()
            self.way = way

        def forward(self, x: Any) -> Any:
            return self.way(x @ weight) @ out

    slopes = out.numpy()[:, 0] * (X @ weight.numpy() > 0)
    guided = np.maximum(slopes, 0) @ weight.numpy().T
    for way in ways:
        assert_close(explain.guided_backprop(Net(way), X, 0).array, guided, 1e-5, 1e-5)
    deconvolved = np.maximum(out.numpy()[:, 0], 0)[None] @ weight.numpy().T
    found = explain.deconvolution(Net(F.relu), X, 0).array
    assert_close(found, np.repeat(deconvolved, 4, 0), 1e-5, 1e-5)


def test_tokens_are_explained_through_what_they_are_looked_up_as() -> None:
    pellucid.manual_seed(1)
    model, ids = Tokens(), RANDOM.integers(1, 11, (3, 5))
    for method in (explain.integrated_gradients, explain.deep_lift):
        found = method(model, ids, 0, 1)
        assert found.shape == (3, 5)
        assert found.relative_gap < 1e-3
        assert found.verdict().trusted
    by_layer = explain.layer_integrated_gradients(model, ids, model.embedding, 0, 1)
    own = explain.integrated_gradients(model, ids, 0, 1)
    assert_close(by_layer.array.sum(-1), own.array, 1e-5, 1e-6)
    # The same token everywhere as in the baseline gives nothing.
    same = explain.integrated_gradients(model, ids, ids, 1)
    assert not same.array.any() and not same.verdict().trusted


def test_several_inputs_and_outputs_and_further_arguments() -> None:
    pellucid.manual_seed(1)
    model, ids = Reads(), RANDOM.integers(1, 11, (4, 3))
    target = explain.Output("scores", [0, 1, 2, 0])
    given = {"row": X, "ids": ids}
    found = explain.integrated_gradients(model, given, {"row": BASE, "ids": 0}, target)
    assert found.names == ("row", "ids")
    assert [v.shape for v in found.values] == [(4, 6), (4, 3)]
    assert found.relative_gap < 1e-4
    as_tuple = explain.integrated_gradients(model, (X, ids), (BASE, 0), target)
    for a, b in zip(found.values, as_tuple.values, strict=True):
        assert_close(a, b, 1e-6, 1e-7)
    doubled = explain.integrated_gradients(
        model, (X, ids), (BASE, 0), lambda out: out["mixed"].sum(1), additional_forward_args=(2.0,)
    )
    once = explain.integrated_gradients(model, (X, ids), (BASE, 0), lambda out: out["mixed"].sum(1))
    assert_close(doubled.values[0], 2 * once.values[0], 1e-5, 1e-6)
    each = np.array([[1.0], [2], [1], [2]], np.float32)  # a further argument with a line a row
    scaled = explain.deep_lift(
        model, (X, ids), (BASE, 0), lambda out: out["mixed"].sum(1), additional_forward_args=each
    )
    assert_close(scaled.totals[1], 2 * once.totals[1], 0.02, 1e-3)
    with pytest.raises(ArgumentError, match="several outputs, a dictionary of 'scores', 'mixed'"):
        explain.saliency(model, (X, ids))
    with pytest.raises(ArgumentError, match="target names the output 'none'"):
        explain.saliency(model, (X, ids), explain.Output("none", 0))


def test_compiled_and_other_models_give_the_same() -> None:
    model = mlp()
    plain = explain.integrated_gradients(model, X, BASE, 1)
    compiled = explain.integrated_gradients(pellucid.compile(model), X, BASE, 1)
    function = explain.integrated_gradients(lambda x: model(x), X, BASE, 1)

    class Branches(nn.Module):
        """Cannot be compiled: Python looks at a value."""

        def forward(self, x: Any) -> Any:
            return model(x) if float(x.sum().item()) < 1e9 else x

    eager = explain.integrated_gradients(Branches(), X, BASE, 1)
    for found in (compiled, function, eager):
        assert_close(found.array, plain.array, 1e-5, 1e-6)


def test_weights_that_change_change_the_explanation() -> None:
    """Programs are kept; what they read is not."""
    model = mlp()
    before = explain.deep_lift(model, X, BASE, 1).array.copy()
    with pellucid.no_grad():
        model[0].weight.mul_(2)
    after = explain.deep_lift(model, X, BASE, 1)
    assert np.abs(after.array - before).max() > 1e-3
    assert after.relative_gap < 1e-4


def test_a_function_with_a_derivative_of_its_own_keeps_it() -> None:
    class Double(pellucid.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Identity()

        def forward(self, x: Any) -> Any:
            return Double.apply(self.first(x))

    net = Net()
    assert explain.saliency(net, X, 0)[0].tolist() == [2, 0, 0, 0, 0, 0]
    with pytest.raises(UnsupportedError, match="autograd.Function Double"):
        explain.layer_gradient_x_activation(net, X, net.first, 0)


def test_noise_is_averaged_and_its_error_told() -> None:
    few = explain.smooth_grad(mlp(), X, 1, nt_samples=10)
    many = explain.smooth_grad(mlp(), X, 1, nt_samples=1000)
    assert few.standard_error is not None and many.standard_error is not None
    away = np.abs(few.array - many.array) / np.hypot(few.standard_error[0], many.standard_error[0])
    assert np.quantile(away[np.isfinite(away)], 0.9) < 4
    assert many.standard_error[0].mean() < 0.2 * few.standard_error[0].mean()
    again = explain.smooth_grad(mlp(), X, 1, nt_samples=10)
    assert again.tolist() == few.tolist() and few.seeds == (0,)
    assert (explain.var_grad(mlp(), X, 1).array >= -1e-9).all()


def test_expected_gradients_come_close_to_the_exact_mean() -> None:
    model, background = mlp(), RANDOM.normal(size=(20, 6)).astype(np.float32)
    exact = np.mean(
        [explain.integrated_gradients(model, X, b[None], 1).array for b in background], axis=0
    )
    found = explain.expected_gradients(model, X, background, 1, n_samples=1000)
    assert_close(found.array, exact, 0.05, 0.02)
    assert found.standard_error is not None
    away = np.abs(found.array - exact) / found.standard_error[0]
    assert np.quantile(away, 0.9) < 4
    assert found.verdict().trusted


@pytest.mark.parametrize("method", [explain.integrated_gradients, explain.deep_lift, explain.lrp])
def test_random_values_are_not_trusted(method: Any) -> None:
    """Neither noise, nor shuffled values that still sum up, nor the values of another class."""
    model, random = mlp(bias=False), np.random.default_rng(0)
    right = method(model, X, target=1)
    assert right.verdict().trusted, right.verdict()
    trusted = 0
    for _ in range(20):
        wrong = method(model, X, target=1)
        wrong.values = (random.permuted(wrong.array, axis=1),)
        trusted += wrong.verdict().trusted
        noise = method(model, X, target=1)
        drawn = random.normal(size=X.shape)
        noise.values = (drawn * (noise.totals / drawn.sum(1))[:, None],)
        trusted += noise.verdict().trusted
    assert trusted <= 1


def test_an_explanation_shows_itself() -> None:
    import json

    found = explain.integrated_gradients(mlp(), X, BASE, 1)
    told = json.loads(found.to_json())
    assert told["method"] == "integrated_gradients" and len(told["values"][0]) == 4
    assert told["verdict"]["trusted"] is found.verdict().trusted
    assert "<table>" in found._repr_html_() and "Trust" in found._repr_html_()
    assert found.strongest(0, 2)[0][1] == pytest.approx(
        found[0][np.abs(found[0]).argmax()], rel=1e-6
    )
    assert np.abs(found).shape == X.shape and (found - found).max() == 0


def test_paths_and_baselines() -> None:
    model = mlp()
    several = explain.integrated_gradients(model, X, [BASE, "mean", 0.0], 1)
    each = [explain.integrated_gradients(model, X, b, 1).array for b in (BASE, "mean", 0.0)]
    assert_close(several.array, np.mean(each, 0), 1e-5, 1e-6)
    assert several.standard_error is not None and several.relative_gap < 0.03
    bent = explain.integrated_gradients(
        model, X, target=1, path=lambda a: BASE + (X - BASE) * a**2, n_steps=200
    )
    assert bent.relative_gap < 0.01
    pictures = RANDOM.normal(size=(2, 1, 8, 8)).astype(np.float32)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(108, 2))
    blurred = explain.integrated_gradients(net, pictures, target=0, path="blur", n_steps=100)
    assert blurred.relative_gap < 0.05
    with pytest.raises(ArgumentError, match="no baseline 'grey'"):
        explain.integrated_gradients(model, X, "grey")


def test_neurons_and_layers() -> None:
    model = mlp()
    through = explain.layer_conductance(model, X, "2", BASE, 1, n_steps=200)
    assert through.relative_gap < 0.01
    parts = [
        explain.neuron_conductance(model, X, "2", k, BASE, 1, n_steps=400).array.sum(1)
        for k in range(8)
    ]
    assert_close(np.stack(parts, 1), through.array, 0.05, 0.01)
    neuron = explain.saliency(explain.LayerOutput(model, model[2]), X, 5)
    assert_close(neuron.array, explain.neuron_gradient(model, X, model[2], 5).array, 1e-6, 1e-7)
    with pytest.raises(ArgumentError, match="no layer 'none'"):
        explain.layer_activation(model, X, "none")
    assert [len(m._forward_hooks) for m in model.modules()] == [0] * 6
