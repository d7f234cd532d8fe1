"""Explanations by perturbation beside SHAP's, Captum's, LIME's and scikit-learn's.

    python benchmarks/perturbations.py [--cores 2] [--seconds 1.0] [--only NAME,NAME]

A network on a table (12 → 64 → 64 → 3) and one on pictures (two convolutions, 28 × 28), with the
same weights in both.  A time is that of a whole call, the shortest of as many as fit into so many
seconds, after one that compiles; values are compared before anything is measured, those that are
drawn within their error (Captum's LIME fits a Lasso, and is not compared).  "ratio" is the
other's time over ours.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import Skipped, difference, pair, shortest, table, use_cores

RANDOM = np.random.default_rng(0)
Case = tuple[str, Callable[[], Any], Callable[[], Any], float]
"""Name, ours, theirs, how far the values may be apart (relative to the largest)."""


def tabular(n: Any) -> Any:
    return n.Sequential(n.Linear(12, 64), n.ReLU(), n.Linear(64, 64), n.ReLU(), n.Linear(64, 3))


def pictures(n: Any) -> Any:
    return n.Sequential(
        n.Conv2d(1, 8, 3), n.ReLU(), n.MaxPool2d(2), n.Conv2d(8, 16, 3), n.ReLU(), n.MaxPool2d(2),
        n.Flatten(), n.Linear(400, 10),
    )  # fmt: skip


def cases_of_tables() -> list[Case]:
    """Shapley values, local lines, importances, effects and influences on rows of numbers."""
    import captum.attr as attr
    import torch

    from pellucid.insight import explain

    ours, theirs = pair(tabular)
    x = RANDOM.normal(size=(4, 12)).astype(np.float32)
    base = RANDOM.normal(size=(40, 12)).astype(np.float32)
    tx, zero = torch.tensor(x), torch.zeros(1, 12)
    found: list[Case] = [
        ("Shapley values by 100 orders",
         lambda: explain.shapley_sampling(ours, x, target=1, samples=50),
         lambda: attr.ShapleyValueSampling(theirs).attribute(
             tx, zero, 1, n_samples=100), 0.3),
        ("KernelSHAP, 500 coalitions",
         lambda: explain.kernel_shap(ours, x, target=1, samples=500),
         lambda: attr.KernelShap(theirs).attribute(tx, zero, 1, n_samples=500), 1.0),
        ("ablation of each column",
         lambda: explain.feature_ablation(ours, x, 1),
         lambda: attr.FeatureAblation(theirs).attribute(tx, zero, 1), 1e-4),
    ]  # fmt: skip
    return found + of_shap(ours, theirs, x, base) + of_lime(ours, theirs, x) + of_sklearn(
        ours, theirs
    ) + of_influence(ours, theirs)  # fmt: skip


def answers_of(theirs: Any) -> Callable[[Any], Any]:
    """The probabilities of PyTorch's network for an array."""
    import torch

    def predict(rows: Any) -> Any:
        with torch.no_grad():
            scores = theirs(torch.tensor(np.asarray(rows), dtype=torch.float32))
            return scores.softmax(1).numpy()

    return predict


def of_shap(ours: Any, theirs: Any, x: Any, base: Any) -> list[Case]:
    """SHAP's exact and kernel explainers, with 40 rows of background."""
    try:
        import shap
    except ImportError:
        return []
    import torch

    from pellucid.insight import explain

    def score(rows: Any) -> Any:
        with torch.no_grad():
            return theirs(torch.tensor(rows, dtype=torch.float32)).numpy()[:, 1]

    exact = shap.explainers.Exact(score, base)
    kernel = shap.KernelExplainer(score, base)
    return [
        ("exact Shapley values, 40 rows of background",
         lambda: explain.exact_shapley(ours, x, base, 1),
         lambda: exact(x, silent=True).values, 1e-3),
        ("KernelSHAP, 1,000 coalitions, 40 rows",
         lambda: explain.kernel_shap(ours, x, base, 1, samples=1000),
         lambda: kernel.shap_values(x, nsamples=1000, silent=True), 0.1),
    ]  # fmt: skip


def of_lime(ours: Any, theirs: Any, x: Any) -> list[Case]:
    """LIME on rows of numbers, without discretized columns."""
    try:
        from lime.lime_tabular import LimeTabularExplainer
    except ImportError:
        return []
    from pellucid import nn
    from pellucid.insight import explain

    data = RANDOM.normal(size=(500, 12)).astype(np.float32)
    made = LimeTabularExplainer(data, discretize_continuous=False, sample_around_instance=True)
    predict, whole = answers_of(theirs), nn.Sequential(ours, nn.Softmax(1))

    def other() -> Any:
        found = made.explain_instance(x[0], predict, labels=(1,), num_features=12, num_samples=5000)
        return np.array([value for _, value in sorted(found.local_exp[1])])[None] / data.std(axis=0)

    return [
        ("LIME, 5,000 samples", lambda: explain.lime_tabular(whole, x[:1], data, 1), other, 0.3)
    ]


def of_sklearn(ours: Any, theirs: Any) -> list[Case]:
    """Permutation importance and partial dependence of a network as an estimator."""
    try:
        from sklearn.base import BaseEstimator, ClassifierMixin
        from sklearn.inspection import partial_dependence, permutation_importance
    except ImportError:
        return []
    from pellucid import nn
    from pellucid.insight import explain

    predict = answers_of(theirs)

    class Wrapped(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_ = np.arange(3)

        def fit(self, X: Any, y: Any) -> Any:
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict_proba(self, X: Any) -> Any:
            return predict(X)

        def predict(self, X: Any) -> Any:
            return predict(X).argmax(1)

    x = RANDOM.normal(size=(1000, 12)).astype(np.float32)
    y = predict(x).argmax(1)
    whole = nn.Sequential(ours, nn.Softmax(1))
    wrapped = Wrapped()
    return [
        ("permutation importance, 5 repeats", lambda: explain.permutation_importance(whole, x, y),
         lambda: permutation_importance(wrapped, x, y, n_repeats=5).importances, 0.5),
        ("partial dependence, 50 points",
         lambda: explain.partial_dependence(whole, x, 3, grid_resolution=50).average,
         lambda: partial_dependence(wrapped, x, [3], grid_resolution=50)["average"], 1e-4),
    ]  # fmt: skip


def of_influence(ours: Any, theirs: Any) -> list[Case]:
    """TracIn with three checkpoints, 2,000 training rows, 10 asked about."""
    import os
    import tempfile

    import torch
    from captum.influence import TracInCP
    from torch.utils.data import TensorDataset

    from pellucid.insight import explain

    x = RANDOM.normal(size=(2000, 12)).astype(np.float32)
    y = RANDOM.integers(0, 3, 2000)
    place = tempfile.mkdtemp()
    states = []
    for number in range(3):
        torch.manual_seed(number)
        other = tabular(torch.nn)
        torch.save(other.state_dict(), os.path.join(place, f"{number}.pt"))
        states.append({k: v.numpy() for k, v in other.state_dict().items()})

    def load(model: Any, path: str) -> float:
        model.load_state_dict(torch.load(path))
        return 1.0

    traced = TracInCP(
        theirs, TensorDataset(torch.tensor(x), torch.tensor(y)), place, load,
        loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"), batch_size=500,
        sample_wise_grads_per_batch=True,
    )  # fmt: skip
    asked = torch.tensor(x[:10]), torch.tensor(y[:10])
    return [
        ("TracIn, 3 checkpoints, 2,000 × 10 rows",
         lambda: explain.tracin(ours, "cross_entropy", states, (x, y), (x[:10], y[:10]),
                                learning_rates=1.0).values.T,
         lambda: traced.influence(asked), 1e-3)
    ]  # fmt: skip


def cases_of_pictures() -> list[Case]:
    """Covered pictures."""
    import captum.attr as attr
    import torch

    from pellucid.insight import explain

    ours, theirs = pair(pictures)
    x = RANDOM.normal(size=(8, 1, 28, 28)).astype(np.float32)
    tx = torch.tensor(x)
    mask = torch.tensor(np.arange(28)[:, None] // 4 * 7 + np.arange(28) // 4)[None, None]

    def of_regions() -> Any:
        found = explain.feature_ablation(ours, x, 1, groups=("regions", 4))
        return np.repeat(np.repeat(found.shares.reshape(8, 1, 7, 7), 4, 2), 4, 3)

    return [
        ("occlusion, squares of 5 in steps of 2",
         lambda: explain.occlusion(ours, x, 1, window=(1, 5, 5), stride=(1, 2, 2)),
         lambda: attr.Occlusion(theirs).attribute(
             tx, (1, 5, 5), (1, 2, 2), target=1, perturbations_per_eval=16), 1e-3),
        ("ablation of 49 regions", of_regions,
         lambda: attr.FeatureAblation(theirs).attribute(
             tx, target=1, feature_mask=mask, perturbations_per_eval=16), 1e-3),
        ("LIME, 49 regions, 500 samples",
         lambda: explain.lime(ours, x[:1], 1, groups=("regions", 4), samples=500).shares,
         lambda: attr.Lime(theirs).attribute(
             tx[:1], target=1, feature_mask=mask, n_samples=500,
             perturbations_per_eval=16).numpy()[:, 0, ::4, ::4].reshape(1, 49), np.inf),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    cores = use_cores(options.cores)
    warnings.simplefilter("ignore")
    try:
        import captum  # noqa: F401
        import torch
    except ImportError as error:
        raise SystemExit(str(Skipped(f"needs Captum and PyTorch: {error}"))) from None
    import pellucid

    torch.set_num_threads(cores)
    pellucid.set_num_threads(cores)
    lines = []
    for network, cases in (("table", cases_of_tables), ("pictures", cases_of_pictures)):
        if options.only and network not in options.only.split(","):
            continue
        for name, ours, theirs, close in cases():
            apart = difference(ours(), theirs())
            if apart > close:
                raise SystemExit(f"{network}, {name}: values are {apart:.2g} apart")
            times = shortest(ours, options.seconds), shortest(theirs, options.seconds)
            ratio = f"{times[1] / times[0]:.1f}"
            lines.append([network, name, f"{times[0]:.3f}", f"{times[1]:.3f}", ratio])
    print(f"{cores} cores")
    print(table(["network", "method", "ours, ms", "theirs, ms", "ratio"], lines, False))


if __name__ == "__main__":
    main()
