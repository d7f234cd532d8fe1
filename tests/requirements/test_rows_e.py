"""Text E (深度学习的革命), the rows that no other folder shows."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import optim
from pellucid.base.errors import ArgumentError
from pellucid.data.playground import playground
from pellucid.insight.diagnosis import diagnose_curves
from pellucid.models import mlp
from pellucid.training.trainer import Trainer
from requirements.fitting import XOR, XOR_ROWS, train

EPOCHS = np.arange(40)
CURVES = {
    "good fit": (2.3 * 0.85**EPOCHS + 0.05, 2.3 * 0.85**EPOCHS + 0.12),
    "overfitting": (2.3 * 0.8**EPOCHS, 2.3 * 0.8**EPOCHS + 0.03 * EPOCHS),
    "underfitting": (2.3 * 0.99**EPOCHS, 2.32 * 0.99**EPOCHS),
}


@pytest.mark.parametrize("label", CURVES)
def test_E6_learning_curves_are_labelled(label: str) -> None:
    finding = diagnose_curves(CURVES[label])
    assert finding.what == label and "validation loss" in finding.evidence
    assert str(finding).startswith(label)


def test_E6_a_gap_without_a_rise_is_overfitting_too() -> None:
    train_losses, held = 2.3 * 0.8**EPOCHS, np.maximum(2.3 * 0.8**EPOCHS, 1.2)
    assert diagnose_curves((train_losses, held)).what == "overfitting"
    # Against a baseline: a low first epoch is learning, too.
    short = ([0.2, 0.15, 0.13], [0.21, 0.17, 0.16])
    assert diagnose_curves(short).what == "not finished"
    assert diagnose_curves(short, baseline=np.log(10)).what == "good fit"
    assert diagnose_curves(([1.0, np.nan], [1.0, 2.0])).what == "diverged"
    with pytest.raises(ArgumentError, match="two epochs, with validation data"):
        diagnose_curves(([1.0], [1.0]))


def test_E6_real_runs_are_labelled_as_well() -> None:
    """A line under-fits the spiral; a network that is large enough fits the clouds."""
    found = {}
    for name, widths, rate in (("spiral", (), 0.01), ("gauss", (16,), 0.03)):
        data = playground(name, 400, noise=5, seed=2)
        model = mlp(2, widths, 2)
        trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=rate))
        history = trainer.fit(data.train, data.test, epochs=30, batch_size=20)
        found[name] = diagnose_curves(history, baseline=np.log(2)).what
    assert found == {"spiral": "underfitting", "gauss": "good fit"}


@pytest.mark.parametrize("seed", [0, 1])
def test_E6_noise_that_nobody_can_learn_is_no_underfitting(seed: int) -> None:
    """Labels drawn with the chance σ(x₀): logistic regression, the true model, comes to their
    entropy and stays there."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3000, 2)).astype(np.float32)
    chance = 1 / (1 + np.exp(-x[:, :1].astype(np.float64)))
    y = (rng.random((3000, 1)) < chance).astype(np.float32)
    pellucid.manual_seed(seed)
    model = mlp(2, (), 1)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    trainer = Trainer(model, "binary_cross_entropy_with_logits", optimizer)
    rows, held = (x[:2000], y[:2000]), (x[2000:], y[2000:])
    history = trainer.fit(rows, held, epochs=25, batch_size=100)
    q, truth = chance[2000:], y[2000:]
    best = -(truth * np.log(q) + (1 - truth) * np.log(1 - q)).mean()
    assert history["validation_loss"][-1] == pytest.approx(best, abs=0.02)
    finding = diagnose_curves(history, baseline=np.log(2))
    assert finding.what == "at the noise floor" and "noise that nobody can learn" in finding.remedy


@pytest.mark.parametrize("seed", [0, 1])
def test_E6_a_run_that_has_just_begun_is_not_finished(seed: int) -> None:
    """The same line, three epochs and eighty: first it still learns, then it fits."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = x @ np.array([[1.0], [2.0], [-1.0], [0.5]], np.float32)
    found = {}
    for epochs in (3, 80):
        pellucid.manual_seed(seed)
        model = mlp(4, (), 1)
        trainer = Trainer(model, "mse_loss", optim.SGD(model.parameters(), lr=0.01))
        history = trainer.fit((x[:200], y[:200]), (x[200:], y[200:]), epochs=epochs, batch_size=20)
        found[epochs] = diagnose_curves(history)
        shown = [history["loss"][0], history["loss"][-1]]
        assert "training loss went from {:.4g} to {:.4g}".format(*shown) in found[epochs].evidence
    assert {n: f.what for n, f in found.items()} == {3: "not finished", 80: "good fit"}
    assert "more epochs" in found[3].remedy


def test_E6_a_run_that_was_stopped_early_shows_why() -> None:
    """Labels without any rule: the validation loss rose, which is what ended the run."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 8)).astype(np.float32), rng.integers(0, 2, 120)
    pellucid.manual_seed(0)
    model = mlp(8, (64, 64), 2)
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=1e-2))
    history = trainer.fit((x[:60], y[:60]), (x[60:], y[60:]), epochs=200, batch_size=20, patience=5)
    finding = diagnose_curves(history, baseline=np.log(2))
    assert history.status == "stopped early" and finding.what == "overfitting"
    assert f"in epoch {history.best_epoch})" in finding.evidence


def test_E7_regularization_helps_against_overfitting_only() -> None:
    """The remedies differ, and a penalty makes an under-fitted model worse."""
    over, under = (diagnose_curves(CURVES[k]).remedy for k in ("overfitting", "underfitting"))
    assert "weight decay" in over and "augment" in over
    assert "larger network" in under and "make it worse" in under
    losses = []
    for decay in (0.0, 0.5):
        pellucid.manual_seed(1)
        model = mlp(2, (2,), 1, activation="tanh", initialization="xavier_normal")
        optimizer = optim.SGD(model.parameters(), lr=0.2, weight_decay=decay)
        loss = F.binary_cross_entropy_with_logits
        losses.append(train(model, loss, XOR_ROWS, XOR, optimizer, 400)[-1])
    assert losses[1] > losses[0] + 0.05


def test_E2_nodes_hold_weights_that_training_changes() -> None:
    model = mlp(2, (4,), 1)
    before = model[0].weight.detach().numpy().copy()
    train(model, F.mse_loss, XOR_ROWS, XOR, optim.SGD(model.parameters(), lr=0.1), 5)
    after = model[0].weight.detach().numpy()
    assert before.shape == (4, 2) and (before != after).any(1).any()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_E9_B24_the_sample_system_repaired(seed: int) -> None:
    """2-4-1 sigmoid with squared error on exclusive or: 4 of 4 right, MSE ≤ .001."""
    random = np.random.default_rng(seed)
    model = mlp(2, (4,), 1, activation="sigmoid")
    with pellucid.no_grad():
        for layer in (model[0], model[2]):
            for parameter in (layer.weight, layer.bias):
                drawn = random.normal(size=tuple(parameter.shape)).astype(np.float32)
                parameter.copy_(pellucid.tensor(drawn))

    def loss(scores: pellucid.Tensor, targets: pellucid.Tensor) -> pellucid.Tensor:
        return F.mse_loss(scores.sigmoid(), targets)

    losses = train(model, loss, XOR_ROWS, XOR, optim.SGD(model.parameters(), lr=5.0), 6000)
    with pellucid.no_grad():
        answers = model(pellucid.tensor(XOR_ROWS)).sigmoid().numpy()
    assert losses[-1] <= 1e-3 and ((answers > 0.5) == XOR).all()


def test_E17_trees_margins_and_forests_stand_beside_the_network() -> None:
    """Other learners are compared on the same folds of the same table by scikit-learn's own means;
    the network is no worse than the tree and the boundary of a support vector machine."""
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    from pellucid.estimators import NetClassifier

    x, y = load_breast_cancer(return_X_y=True)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    learners = {
        "network": NetClassifier(epochs=40, random_state=0),
        "tree": DecisionTreeClassifier(random_state=0),
        "machine": SVC(),
        "forest": RandomForestClassifier(random_state=0),
    }
    found = {name: cross_val_score(who, x, y, cv=folds).mean() for name, who in learners.items()}
    assert found["network"] > max(found["tree"], found["machine"]), found
    assert found["network"] > found["forest"] - 0.02, found
