"""What is said of explanations: tests, verdicts; attention, concepts, the logit lens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.insight import explain
from pellucid.insight.explain.concepts import welch
from pellucid.insight.explain.looks import largest_flow
from pellucid.models.gpt import GPT, GPTConfig

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(6, 8)).astype(np.float32)


def trained_looking() -> nn.Sequential:
    """A network whose score rests on a few of its inputs, as a trained one's does."""
    pellucid.manual_seed(2)
    net = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 2)).eval()
    with pellucid.no_grad():
        net[0].weight[:, 4:].mul_(0.05)
    return net


METHODS = {
    "integrated": lambda m: explain.integrated_gradients(m, X, 0, 1),
    "expected": lambda m: explain.expected_gradients(m, X, X, 1, n_samples=200),
    "deep_lift": lambda m: explain.deep_lift(m, X, 0, 1),
    "lrp": lambda m: explain.lrp(m, X, 1),
    "saliency": lambda m: explain.saliency(m, X, 1),
    "smooth": lambda m: explain.smooth_grad(m, X, 1, nt_samples=50),
}


@pytest.mark.parametrize("name", METHODS)
def test_right_values_pass_and_wrong_ones_fail(name: str) -> None:
    model = trained_looking()
    right = METHODS[name](model)
    right.check("all")
    assert right.verdict().trusted, right.verdict()
    assert "randomization" in right.checks and "sensitivity" in right.checks
    wrong = METHODS[name](model)
    wrong.values = (np.random.default_rng(0).permuted(wrong.array, axis=1),)
    assert not wrong.verdict().trusted


def test_values_of_another_model_are_not_trusted() -> None:
    model = trained_looking()
    pellucid.manual_seed(9)
    other = nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 2)).eval()
    found = explain.integrated_gradients(model, X, 0, 1)
    found.values = explain.integrated_gradients(other, X, 0, 1).values
    found.is_complete = False
    assert not found.verdict().trusted


def test_what_does_not_depend_on_the_weights_fails_the_randomization_test() -> None:
    model = trained_looking()
    edges = explain.saliency(model, X, 1)
    edges.again = lambda **changes: edges
    edges.check("randomization")
    assert not edges.checks["randomization"].passed
    assert "nearly the same explanation (rank correlation 1.00)" in edges.verdict()


def test_rows_that_see_each_other_are_told() -> None:
    class Centred(nn.Module):
        def forward(self, x: Any) -> Any:
            return (x - x.mean(0)) * pellucid.arange(8)

    assert "depends on the other rows" in explain.saliency(Centred(), X, 3).verdict()


def test_an_explanation_without_a_model_was_never_tested() -> None:
    made = explain.Explanation("by hand", (X,))
    assert made.verdict() == "Do not trust, because it was never tested against the model."
    with pytest.raises(ArgumentError, match="does not know its model"):
        made.check()
    with pytest.raises(ArgumentError, match="no test 'truth'"):
        explain.saliency(trained_looking(), X, 1).check("truth")
    zeros = explain.Explanation("by hand", (X * 0,))
    assert "all of its values are 0" in zeros.verdict()


def test_too_few_samples_are_told() -> None:
    found = explain.expected_gradients(trained_looking(), X, X, 1, n_samples=3, seed=1)
    assert not found.verdict().trusted
    assert "sampling error is" in found.verdict() or "miss" in found.verdict()


def test_faithfulness_of_a_linear_model_is_exact() -> None:
    """Of a linear model x · w are the Shapley values, and what happens is what is said."""
    net = nn.Linear(8, 1)
    found = explain.input_x_gradient(net, X, 0)
    found.check("faithfulness", "infidelity", "deletion", "insertion")
    assert found.checks["faithfulness"].value == pytest.approx(1, abs=1e-4)
    assert found.checks["infidelity"].value == pytest.approx(0, abs=1e-6)
    order = np.argsort(-found.array, 1)
    sums = np.take_along_axis(found.array, order, 1)
    away, _, _ = explain.curves(found)
    assert_close(away[:, 1:] - away[:, :1], -np.cumsum(sums, 1), 1e-4, 1e-4)


def test_methods_agree_on_a_linear_model() -> None:
    net = nn.Linear(8, 2)
    found = [explain.integrated_gradients(net, X, 0, 1), explain.deep_lift(net, X, 0, 1),
             explain.lrp(net, X, 1), explain.input_x_gradient(net, X, 1)]  # fmt: skip
    assert_close(explain.agreement(*found), np.ones((4, 4)), 1e-9, 1e-9)
    found[0].check("agreement", others=found[1:])
    assert found[0].checks["agreement"].passed


def test_pictures_are_tested_by_squares_and_drawn(tmp_path: Any) -> None:
    pellucid.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 2)
    )
    images = RANDOM.uniform(0, 1, (2, 1, 16, 16)).astype(np.float32)
    found = explain.deep_lift(net, images, 0, 1)
    assert found.verdict().trusted, found.verdict()
    found.draw(path=tmp_path / "map.svg")
    explain.integrated_gradients(trained_looking(), X, 0, 1).draw(path=tmp_path / "bars.svg", row=2)
    assert (tmp_path / "map.svg").stat().st_size > 1000


# ---- attention ---------------------------------------------------------------------------------


def encoder() -> nn.Sequential:
    pellucid.manual_seed(0)
    return nn.Sequential(
        nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
        nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
        nn.Flatten(),
        nn.Linear(20, 2),
    ).eval()


def test_attention_is_found_and_rolled_out() -> None:
    model, x = encoder(), RANDOM.normal(size=(3, 5, 4)).astype(np.float32)
    maps = explain.attention_maps(model, x)
    given = pellucid.tensor(x)
    first = model[0].self_attn(given, given, given, average_attn_weights=False)[1]
    assert_close(maps[0], first.detach().numpy(), 1e-5, 1e-6)
    layers = [(m.mean(1) + np.eye(5)) / 2 for m in maps]
    whole = layers[1] @ layers[0]
    assert_close(explain.attention_rollout(model, x, 0).array, whole[:, 0], 1e-5, 1e-6)
    assert_close(explain.attention_rollout(model, x).array, whole.mean(1), 1e-5, 1e-6)
    flow = explain.attention_flow(model, x, 1).array
    low = np.minimum(layers[1][:, 1].sum(1)[:, None], layers[0].sum(1))
    assert (flow <= low + 1e-6).all() and (flow >= layers[1][:, 1] * 0.3).all()
    with pytest.raises(ArgumentError, match="computes no attention"):
        explain.attention_maps(trained_looking(), X)


def test_the_largest_flow_by_hand() -> None:
    """Two ways to input 1: 0.5 through place 0, of which 0.2 fit, and 0.5 through place 1."""
    last, first = np.array([[0.5, 0.5], [0, 1]]), np.array([[0.8, 0.2], [0.3, 0.7]])
    assert largest_flow([first, last], 0, 1) == pytest.approx(0.2 + 0.5)
    assert largest_flow([first, last], 1, 0) == pytest.approx(0.3)
    # A way that blocks a better one is taken back.
    top = np.array([[1.0, 1.0], [0, 0]])
    middle = np.array([[1.0, 1.0], [1.0, 0.0]])
    assert largest_flow([np.array([[1.0, 0], [1.0, 0]]), middle, top], 0, 0) == pytest.approx(2.0)


# ---- concepts, the lens ------------------------------------------------------------------------


def test_a_concept_that_counts_and_one_that_does_not() -> None:
    model = trained_looking()
    weights = model[2].weight.detach().numpy()[0] @ model[0].weight.detach().numpy()
    strong = int(np.abs(weights).argmax())
    with pellucid.no_grad():
        model[0].weight[:, 7] = 0.0
    sets = [RANDOM.normal(size=(40, 8)).astype(np.float32) for _ in range(10)]
    rows, shown = RANDOM.normal(size=(2, 60, 8)).astype(np.float32)
    counts, silent = shown.copy(), shown.copy()
    counts[:, strong] += 3
    silent[:, 7] += 3
    found = explain.tcav(model, "0", rows, counts, sets, 0)
    assert found.verdict().trusted, found
    assert (found.score > 0.8) == (weights[strong] > 0) and found.accuracy > 0.85
    assert not explain.tcav(model, "0", rows, silent, sets, 0).verdict().trusted
    with pytest.raises(ArgumentError, match="at least 4"):
        explain.tcav(model, "0", rows, counts, sets[:2], 0)


def test_welch_against_known_numbers() -> None:
    """scipy.stats.ttest_ind(a, b, equal_var=False).pvalue."""
    a = np.array([0.1, 0.4, -0.3, 0.9, 0.2])
    b = np.array([1.1, 0.7, 2.4, -0.2, 1.6, 0.9, 1.3])
    assert welch(a, b) == pytest.approx(0.0408361, abs=1e-6)


def test_the_logit_lens() -> None:
    pellucid.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=20, block_size=16, n_layer=3, n_head=2, n_embd=8)).eval()
    ids = RANDOM.integers(0, 20, (2, 7))
    lens = explain.logit_lens(model, ids)
    own = model(pellucid.tensor(ids)).softmax(-1).detach().numpy()
    assert lens.layers[-1] == "output" and len(lens.layers) == 4
    assert_close(lens.probabilities[-1], own, 1e-5, 1e-6)
    assert_close(lens.probabilities[-2], own, 1e-5, 1e-6)  # the last block is all that is left
    assert lens.divergence[0] > lens.divergence[2] >= -1e-9
    assert (lens.top()[-1][..., 0] == own.argmax(-1)).all()
    with pytest.raises(ArgumentError, match="no list of blocks"):
        explain.logit_lens(nn.Linear(2, 2), X[:, :2])


def test_captums_names_give_tensors() -> None:
    model, x = trained_looking(), pellucid.tensor(X)
    values, delta = explain.attr.IntegratedGradients(model).attribute(
        x, target=1, return_convergence_delta=True
    )
    own = explain.integrated_gradients(model, X, target=1)
    assert_close(values.numpy(), own.array, 1e-6, 1e-7)
    assert_close(delta.numpy(), -own.gap, 1e-6, 1e-7)
    assert (explain.attr.Saliency(model).attribute(x, 1).numpy() >= 0).all()
    layered = explain.attr.LayerConductance(model, model[0]).attribute(x, target=1)
    assert tuple(layered.shape) == (6, 24)
    noisy = explain.attr.NoiseTunnel(explain.attr.DeepLift(model)).attribute(
        x, nt_samples=3, target=1
    )
    assert tuple(noisy.shape) == (6, 8)
