"""Values by perturbation are those of SHAP, Captum, LIME and scikit-learn on the same weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.insight.explain import (
    accumulated_local_effects,
    exact_shapley,
    feature_ablation,
    kernel_shap,
    lime_tabular,
    occlusion,
    partial_dependence,
    permutation_importance,
    shapley_sampling,
)
from pellucid.insight.explain.local_lines import local_line

pytestmark = pytest.mark.parity


def both(layers: Any) -> tuple[Any, Any]:
    """The same network here and in PyTorch."""
    torch = pytest.importorskip("torch")
    pellucid.manual_seed(0)
    ours, theirs = layers(nn), layers(torch.nn)
    state = {k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state)
    return ours, theirs.eval()


def mlp(n: Any) -> Any:
    return n.Sequential(n.Linear(6, 16), n.Tanh(), n.Linear(16, 16), n.ReLU(), n.Linear(16, 3))


def cnn(n: Any) -> Any:
    return n.Sequential(
        n.Conv2d(2, 4, 3), n.ReLU(), n.MaxPool2d(2), n.Flatten(), n.Linear(4 * 9, 3)
    )


@pytest.fixture
def shap() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("shap")


@pytest.fixture
def captum() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("captum.attr")


@pytest.mark.filterwarnings("ignore")
def test_shapley_values_are_those_of_shap(shap: Any, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = both(mlp)
    x = rng.normal(size=(3, 6)).astype(np.float32)
    background = rng.normal(size=(10, 6)).astype(np.float32)

    def predict(rows: Any) -> Any:
        with torch.no_grad():
            return theirs(torch.tensor(rows, dtype=torch.float32)).numpy()[:, 1]

    exact = exact_shapley(ours, x, background, 1)
    wanted = shap.explainers.Exact(predict, background)(x)
    assert_close(exact.values[0], wanted.values, 1e-4, 1e-6)
    assert_close(exact.baseline_output, wanted.base_values, 1e-4, 1e-6)
    kernel = shap.KernelExplainer(predict, background).shap_values(x, nsamples=62, silent=True)
    assert_close(kernel_shap(ours, x, background, 1, samples=62).values[0], kernel, 1e-4, 1e-5)


def test_ablation_occlusion_and_orders_are_those_of_captum(
    captum: Any, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = both(cnn)
    x = rng.normal(size=(2, 2, 8, 8)).astype(np.float32)
    tx = torch.tensor(x)
    mask = np.arange(8)[:, None] // 4 * 2 + np.arange(8) // 4
    wanted = captum.FeatureAblation(theirs).attribute(
        tx, target=2, feature_mask=torch.tensor(mask)[None, None]
    )
    found = feature_ablation(ours, x, 2, groups=("regions", 4))
    assert_close(found.shares, wanted.numpy()[:, 0, ::4, ::4].reshape(2, 4), 1e-4, 1e-6)
    wanted = captum.Occlusion(theirs).attribute(
        tx, (2, 3, 3), strides=(2, 2, 2), target=[0, 2], baselines=0.5
    )
    covered = occlusion(ours, x, [0, 2], window=(2, 3, 3), stride=(2, 2, 2), fill=0.5)
    assert_close(covered.values[0], wanted.numpy(), 1e-4, 1e-6)
    ours, theirs = both(mlp)
    z = rng.normal(size=(2, 6)).astype(np.float32)
    labels = np.array([0, 0, 1, 2, 3, 3])
    orders = captum.ShapleyValues(theirs).attribute(
        torch.tensor(z), target=1, baselines=0.3, feature_mask=torch.tensor(labels)[None]
    )
    exact = exact_shapley(ours, z, target=1, baselines=0.3, groups=labels)
    assert_close(exact.shares, orders.numpy()[:, [0, 2, 3, 4]], 1e-4, 1e-6)
    sampled = shapley_sampling(ours, z, target=1, baselines=0.3, groups=labels, samples=200)
    assert (np.abs(sampled.shares - exact.shares) < 4 * sampled.share_errors + 1e-6).all()


@pytest.mark.filterwarnings("ignore")
def test_local_lines_are_those_of_lime(rng: np.random.Generator) -> None:
    base = pytest.importorskip("lime.lime_base")
    masks = (rng.random((300, 7)) < 0.5).astype(float)
    masks[0] = 1
    labels = np.stack([rng.normal(size=300) + masks[:, 2] * 3] * 2, 1)
    distance = 1 - np.sqrt(masks.sum(1) / 7)

    def kernel(d: Any) -> Any:
        return np.sqrt(np.exp(-(d**2) / 0.25**2))

    theirs = base.LimeBase(kernel).explain_instance_with_data(masks, labels, distance, 1, 7)
    found = local_line(masks, labels[:, 1], kernel(distance), 1.0)
    assert_close(found[0], [value for _, value in sorted(theirs[1])], 1e-8, 1e-10)
    assert_close([found[1], found[3]], [theirs[0], theirs[2]], 1e-8, 1e-10)
    tabular = pytest.importorskip("lime.lime_tabular")
    ours, model = both(mlp)
    data = rng.normal(size=(200, 6)).astype(np.float32)

    def predict(rows: Any) -> Any:
        scores = ours(pellucid.tensor(rows.astype(np.float32))).detach().numpy()
        return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)

    explainer = tabular.LimeTabularExplainer(
        data, discretize_continuous=False, sample_around_instance=True, random_state=0
    )
    wanted = explainer.explain_instance(data[0], predict, labels=(1,), num_samples=20000)
    slopes = np.array([value for _, value in sorted(wanted.local_exp[1])]) / data.std(axis=0)
    both_lines = lime_tabular(
        nn.Sequential(ours, nn.Softmax(1)), data[:1], data, 1, samples=20000, seed=1
    )
    error = both_lines.standard_error[0][0]
    assert (np.abs(both_lines.values[0][0] - slopes) < 6 * error + 1e-4).all()


def test_effects_and_importances_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    linear = pytest.importorskip("sklearn.linear_model")
    x = rng.normal(size=(250, 3))
    y = x[:, 0] ** 2 + x[:, 1]
    model = linear.LinearRegression().fit(np.c_[x, x[:, 0] ** 2][:, :3], y)
    for feature in (0, 1):
        wanted = inspection.partial_dependence(model, x, [feature], kind="both")
        found = partial_dependence(model, x, feature)
        assert_close(found.grid[0], wanted["grid_values"][0], 1e-9)
        assert_close(found.average, wanted["average"], 1e-6, 1e-9)
        assert_close(found.individual, wanted["individual"], 1e-6, 1e-9)
    pair = inspection.partial_dependence(model, x, [(0, 1)], grid_resolution=8)
    ours = partial_dependence(model, x, (0, 1), grid_resolution=8)
    assert_close(ours.average, pair["average"], 1e-6, 1e-9)
    theirs = inspection.permutation_importance(model, x, y, n_repeats=40, random_state=0)
    found_ = permutation_importance(model, x, y, repeats=40)
    spread = theirs.importances.std(axis=1) + found_.deviations
    assert (np.abs(found_.means - theirs.importances_mean) < 4 * spread / np.sqrt(40) + 1e-9).all()
    classifier = linear.LogisticRegression().fit(x, (y > 0).astype(int))
    classes = permutation_importance(classifier, x, (y > 0).astype(int))
    assert classes.score == pytest.approx(classifier.score(x, (y > 0).astype(int)))
    slope = accumulated_local_effects(model, x, 1)
    assert_close(np.diff(slope.average[0]) / np.diff(slope.grid[0]), np.full(len(slope.grid[0]) - 1,
                 model.coef_[1]), 1e-6)  # fmt: skip
