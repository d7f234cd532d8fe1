"""Explanations against Captum's and SHAP's on the same weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.insight import explain

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
captum = pytest.importorskip("captum.attr", reason="Captum is not installed")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(5, 8)).astype(np.float32)
BASE = RANDOM.normal(size=(5, 8)).astype(np.float32)
TARGET = [0, 1, 2, 0, 1]
IMAGES = RANDOM.normal(size=(3, 1, 12, 12)).astype(np.float32)
IDS = RANDOM.integers(1, 9, (3, 6))


def tabular(n: Any) -> Any:
    return n.Sequential(
        n.Linear(8, 16), n.BatchNorm1d(16), n.ReLU(), n.Dropout(), n.Linear(16, 16), n.Tanh(),
        n.Linear(16, 3),
    )  # fmt: skip


def rectified(n: Any, bias: bool = True) -> Any:
    return n.Sequential(
        n.Linear(8, 16, bias=bias), n.ReLU(), n.Linear(16, 16, bias=bias), n.ReLU(),
        n.Linear(16, 3, bias=bias),
    )  # fmt: skip


def pictures(n: Any) -> Any:
    return n.Sequential(
        n.Conv2d(1, 4, 3), n.ReLU(), n.MaxPool2d(2), n.Conv2d(4, 6, 3), n.ReLU(),
        n.AdaptiveAvgPool2d(1), n.Flatten(), n.Linear(6, 3),
    )  # fmt: skip


def texts(n: Any) -> Any:
    class Tokens(n.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = n.Embedding(9, 4)
            self.lstm = n.LSTM(4, 5, batch_first=True)
            self.out = n.Linear(5, 2)

        def forward(self, ids: Any) -> Any:
            return self.out(self.lstm(self.embedding(ids))[0][:, -1])

    return Tokens()


def pair(make: Any, *args: Any) -> tuple[Any, Any]:
    """The same network in both libraries."""
    torch.manual_seed(0)
    theirs, ours = make(torch.nn, *args).eval(), make(nn, *args).eval()
    ours.load_state_dict({k: pellucid.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    return theirs, ours


def t(array: Any, grad: bool = False) -> Any:
    made = torch.tensor(array)
    return made.requires_grad_() if grad else made


def same(ours: Any, theirs: Any, close: float = 1e-5) -> None:
    assert_close(np.asarray(ours), theirs.detach().numpy(), close, close / 10)


def test_slopes() -> None:
    theirs, ours = pair(tabular)
    target = t(TARGET)
    same(explain.saliency(ours, X, TARGET, abs=True),
         captum.Saliency(theirs).attribute(t(X, True), target))  # fmt: skip
    same(explain.input_x_gradient(ours, X, TARGET),
         captum.InputXGradient(theirs).attribute(t(X, True), target))  # fmt: skip
    theirs, ours = pair(pictures)
    same(explain.saliency(ours, IMAGES, 1),
         captum.Saliency(theirs).attribute(t(IMAGES, True), 1, abs=False))  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    "gausslegendre riemann_trapezoid riemann_left riemann_middle riemann_right".split(),
)
def test_integrated_gradients(rule: str) -> None:
    theirs, ours = pair(tabular)
    other, delta = captum.IntegratedGradients(theirs).attribute(
        t(X), t(BASE), t(TARGET), n_steps=20, method=rule, return_convergence_delta=True
    )
    found = explain.integrated_gradients(ours, X, BASE, TARGET, n_steps=20, method=rule)
    same(found, other)
    assert_close(-np.asarray(found.gap), delta.numpy(), 1e-4, 1e-5)


def test_noise_of_nothing_is_the_method_itself() -> None:
    theirs, ours = pair(tabular)
    other = captum.NoiseTunnel(captum.IntegratedGradients(theirs)).attribute(
        t(X), nt_samples=3, stdevs=0.0, target=t(TARGET)
    )
    found = explain.noise_tunnel(
        ours, X, explain.integrated_gradients, nt_samples=3, stdevs=0.0, target=TARGET
    )
    same(found, other)


def test_expected_gradients_agree_within_their_errors() -> None:
    theirs, ours = pair(tabular)
    torch.manual_seed(1)
    np.random.seed(1)
    other = captum.GradientShap(theirs).attribute(t(X), t(BASE), n_samples=3000, target=t(TARGET))
    found = explain.expected_gradients(ours, X, BASE, TARGET, n_samples=1000)
    assert np.abs(found.array - other.detach().numpy()).max() < 0.02


def test_deep_lift() -> None:
    for make in (tabular, rectified):
        theirs, ours = pair(make)
        same(explain.deep_lift(ours, X, BASE, TARGET),
             captum.DeepLift(theirs).attribute(t(X), t(BASE), t(TARGET)))  # fmt: skip
        same(explain.deep_lift_shap(ours, X, BASE, TARGET),
             captum.DeepLiftShap(theirs).attribute(t(X), t(BASE), t(TARGET)))  # fmt: skip


def test_deep_lift_through_pooling_is_that_of_shap() -> None:
    shap = pytest.importorskip("shap", reason="SHAP is not installed")
    theirs, ours = pair(pictures)
    background = RANDOM.normal(size=(4, 1, 12, 12)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = shap.DeepExplainer(theirs, t(background)).shap_values(t(IMAGES))
    for target in range(3):
        found = explain.deep_lift_shap(ours, IMAGES, background, target)
        assert_close(found.array, other[..., target], 1e-4, 1e-5)


@pytest.mark.parametrize("epsilon", [1e-9, 0.1])
def test_relevance(epsilon: float) -> None:
    rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    theirs, ours = pair(rectified)
    for layer in theirs[::2]:
        layer.rule = rules.EpsilonRule(epsilon)
    found = explain.lrp(ours, X, TARGET, rule=explain.EpsilonRule(epsilon))
    same(found, captum.LRP(theirs).attribute(t(X, True), t(TARGET)), 1e-4)
    for layer in theirs[::2]:
        layer.rule = rules.GammaRule(0.3)
    found = explain.lrp(ours, X, TARGET, rule=explain.GammaRule(0.3))
    same(found, captum.LRP(theirs).attribute(t(X, True), t(TARGET)), 1e-4)
    theirs, ours = pair(rectified, False)
    for layer in theirs[::2]:
        layer.rule = rules.Alpha1_Beta0_Rule()
    found = explain.lrp(ours, np.abs(X), TARGET, rule="alpha1_beta0")
    same(found, captum.LRP(theirs).attribute(t(np.abs(X), True), t(TARGET)), 1e-4)
    theirs, ours = pair(pictures)
    theirs[6].rule = rules.EpsilonRule()
    same(explain.lrp(ours, IMAGES, 1), captum.LRP(theirs).attribute(t(IMAGES, True), 1), 1e-4)


def test_guided_and_activation_maps() -> None:
    theirs, ours = pair(pictures)
    same(explain.guided_backprop(ours, IMAGES, 1),
         captum.GuidedBackprop(theirs).attribute(t(IMAGES, True), 1))  # fmt: skip
    same(explain.deconvolution(ours, IMAGES, 1),
         captum.Deconvolution(theirs).attribute(t(IMAGES, True), 1))  # fmt: skip
    maps = captum.LayerGradCam(theirs, theirs[3]).attribute(
        t(IMAGES), 1, relu_attributions=True
    )[:, 0]  # fmt: skip
    same(explain.grad_cam(ours, ours[3], IMAGES, 1),
         maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-30))  # fmt: skip
    same(explain.guided_grad_cam(ours, ours[3], IMAGES, 1),
         captum.GuidedGradCam(theirs, theirs[3]).attribute(t(IMAGES, True), 1))  # fmt: skip


def test_layers_and_neurons() -> None:
    theirs, ours = pair(rectified)
    a, b, target = theirs[2], ours[2], t(TARGET)
    same(explain.layer_activation(ours, X, b), captum.LayerActivation(theirs, a).attribute(t(X)))
    same(explain.layer_gradient_x_activation(ours, X, b, TARGET),
         captum.LayerGradientXActivation(theirs, a).attribute(t(X), target))  # fmt: skip
    same(explain.layer_integrated_gradients(ours, X, b, BASE, TARGET),
         captum.LayerIntegratedGradients(theirs, a).attribute(t(X), t(BASE), target))  # fmt: skip
    same(explain.layer_conductance(ours, X, b, BASE, TARGET),
         captum.LayerConductance(theirs, a).attribute(t(X), t(BASE), target), 1e-4)  # fmt: skip
    same(explain.internal_influence(ours, X, b, BASE, TARGET),
         captum.InternalInfluence(theirs, a).attribute(t(X), t(BASE), target))  # fmt: skip
    same(explain.layer_deep_lift(ours, X, b, BASE, TARGET),
         captum.LayerDeepLift(theirs, a).attribute(t(X), t(BASE), target))  # fmt: skip
    same(explain.layer_lrp(ours, X, b, TARGET),
         captum.LayerLRP(theirs, a).attribute(t(X), target), 1e-4)  # fmt: skip
    same(explain.neuron_conductance(ours, X, b, 4, BASE, TARGET),
         captum.NeuronConductance(theirs, a).attribute(t(X), 4, t(BASE), target))  # fmt: skip
    same(explain.neuron_gradient(ours, X, b, 4),
         captum.NeuronGradient(theirs, a).attribute(t(X, True), 4))  # fmt: skip
    same(explain.neuron_integrated_gradients(ours, X, b, 4, BASE),
         captum.NeuronIntegratedGradients(theirs, a).attribute(t(X), 4, t(BASE)))  # fmt: skip


def test_tokens() -> None:
    theirs, ours = pair(texts)
    other = captum.LayerIntegratedGradients(theirs, theirs.embedding).attribute(
        t(IDS), t(IDS * 0), target=1
    )
    same(explain.layer_integrated_gradients(ours, IDS, ours.embedding, 0, 1), other)
    same(explain.integrated_gradients(ours, IDS, 0, 1), other.sum(-1))
