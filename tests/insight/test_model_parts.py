"""What parts of a network, training rows and other values of a row are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.insight.effects.ablation import Part
from pellucid.insight.explain import (
    ExplainProbes,
    ablate,
    counterfactuals,
    leave_one_out,
    nearest_examples,
    prototypes,
    prune,
    tracin,
)
from pellucid.training import Trainer
from pellucid.training.checkpoints import Checkpoints


def half_used() -> Any:
    """y = relu(x0): unit 0 carries all, unit 1 nothing, unit 2 is ignored."""
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with pellucid.no_grad():
        net[0].weight.copy_(pellucid.tensor([[1.0, 0], [0, 0], [0, 1]]))
        net[0].bias.zero_()
        net[2].weight.copy_(pellucid.tensor([[1.0, 1, 0]]))
        net[2].bias.zero_()
    return net


@pytest.mark.parametrize("compile", [True, False])
def test_units_are_worth_what_the_score_loses(compile: bool, rng: np.random.Generator) -> None:
    net, x = half_used(), rng.normal(size=(400, 2)).astype(np.float32)
    y = np.maximum(x[:, :1], 0)
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    found = ablate(net, x, y, "units", score="mse", fill="zero", compile=compile)
    assert [str(part) for part in found.parts] == ["0[0]", "0[1]", "0[2]"]
    assert found.lost[0] == pytest.approx(float((y**2).mean()), rel=1e-5)
    assert_close(found.lost[1:], [0, 0], atol=1e-12)
    assert found.interval.low[0] < found.lost[0] < found.interval.high[0]
    assert found.spare() == [Part("0", 1), Part("0", 2)]
    mean = ablate(net, x, y, "units", score="mse", compile=compile)
    kept = np.maximum(float(x[:, 0].mean()), 0)
    assert mean.lost[0] == pytest.approx(float(((y - kept) ** 2).mean()), rel=1e-4)
    assert all((v.numpy() == before[k]).all() for k, v in net.state_dict().items())
    assert not net[0]._forward_hooks


def test_layers_heads_and_columns(rng: np.random.Generator) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.end = nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.end(self.attention(x, x, x, need_weights=False)[0].mean(1))

    pellucid.manual_seed(0)
    model, x = Block(), rng.normal(size=(60, 4, 8)).astype(np.float32)
    with pellucid.no_grad():
        model.attention.out_proj.weight[:, :4] = 0  # the first head is not read
    y = model(pellucid.tensor(x)).argmax(1).numpy()
    heads = ablate(model, x, y, "heads")
    assert heads.lost[0] == 0 and heads.lost[1] > 0.02
    assert heads.score == 1.0 and heads.metric == "accuracy"
    layers = ablate(model, x, y, layers=["attention"])
    assert layers.lost[0] > 0.02
    table = rng.normal(size=(50, 2))
    columns = ablate(lambda r: r[:, 0] * 2, table, table[:, 0] * 2, "features")
    assert columns.score == 1 and columns.lost[0] == pytest.approx(1) and columns.lost[1] == 0
    skipped = ablate(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1)), np.ones((4, 3), np.float32),
                     np.ones((4, 1)), score="mse", fill="skip")  # fmt: skip
    assert [part.place for part in skipped.parts] == ["0"]  # the only one of equal shapes
    with pytest.raises(ArgumentError, match="no layer 'x'"):
        ablate(model, x, y, layers=["x"])
    with pytest.raises(ArgumentError, match="no heads"):
        ablate(nn.Linear(2, 2), np.ones((4, 2), np.float32), np.ones(4), "heads")
    with pytest.raises(ArgumentTypeError, match="Give the Module"):
        ablate(lambda r: r, x, y)


# ---- training rows ------------------------------------------------------------------------------


def traced(x: Any, y: Any, rate: float = 0.02) -> Any:
    model = nn.Linear(x.shape[1], 1)
    with pellucid.no_grad():
        model.weight.zero_()
    optimizer = optim.SGD(model.parameters(), lr=rate)
    states, steps = [], []
    for step in range(121):
        if step % 10 == 0:
            states.append({k: v.detach().clone() for k, v in model.state_dict().items()})
            steps.append(step)
        optimizer.zero_grad()
        F.mse_loss(model(pellucid.tensor(x)), pellucid.tensor(y)).backward()
        optimizer.step()
    return model, states, steps


def test_influences_sum_to_the_fall_of_the_loss(rng: np.random.Generator) -> None:
    x = rng.normal(size=(40, 3)).astype(np.float32)
    y = (x @ np.float32([[1], [-2], [0.5]]) + 0.1).astype(np.float32)
    model, states, steps = traced(x, y)
    asked = x[:5] + 0.1, y[:5]
    found = tracin(model, "mse_loss", states, (x, y), asked, learning_rates=0.02, steps=steps)
    losses = [
        (asked[0] @ s["weight"].numpy().T + s["bias"].numpy() - asked[1])[:, 0] ** 2
        for s in (states[0], states[-1])
    ]
    assert found.measured is not None
    assert_close(found.measured, losses[0] - losses[1], 1e-4, 1e-5)
    assert np.abs(found.gap).mean() < 0.05 * np.abs(found.measured).mean()
    assert found.verdict.trusted
    # one checkpoint is the product of the gradients itself
    one = tracin(model, "mse_loss", states[:1], (x, y), asked, learning_rates=1.0, compile=False)
    w, b = states[0]["weight"].numpy()[0], states[0]["bias"].numpy()[0]
    rest, other = (x @ w + b - y[:, 0]), (asked[0] @ w + b - asked[1][:, 0])
    wanted = 4 * np.outer(rest, other) * (x @ asked[0].T + 1)
    assert_close(one.values, wanted, 1e-3, 1e-4)
    assert not one.verdict.trusted


def test_a_wrong_label_speaks_against_its_neighbours(rng: np.random.Generator) -> None:
    """Both tracing and leaving out name it."""
    x = rng.normal(size=(50, 3)).astype(np.float32)
    y = (x @ np.float32([[1], [-2], [0.5]])).astype(np.float32)
    x[7] = [2, 0, 0]
    y[7] = -6.0
    asked = np.float32([[2, 0.1, 0]]), np.float32([[2.0]])
    model, states, steps = traced(x, y)
    found = tracin(model, "mse_loss", states[4:], (x, y), asked, learning_rates=0.02)
    left = leave_one_out((x, y), asked, penalty=1e-6)
    assert found.harmful(0, 1) == left.harmful(0, 1) == [7]
    assert np.corrcoef(found.values[:, 0], left.values[:, 0])[0, 1] > 0.8


def test_leaving_out_is_exact(rng: np.random.Generator) -> None:
    """Against the hat matrix: the prediction at a row changes by e_i h_i / (1 − h_i)."""
    x = rng.normal(size=(12, 2))
    y = rng.normal(size=12)
    found = leave_one_out((x, y), (x, y), penalty=0.0)
    design = np.c_[x, np.ones(12)]
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    rest = y - hat @ y
    own = (rest / (1 - np.diagonal(hat))) ** 2 - rest**2
    assert_close(np.diagonal(found.values), own, 1e-6, 1e-9)
    classes = (x[:, 0] > 0).astype(int)
    logistic = leave_one_out((x, classes), (x[:3], classes[:3]), kind="classification")
    assert logistic.values.shape == (12, 3) and np.isfinite(logistic.values).all()


def test_checkpoints_of_a_trainer_are_traced(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    model = nn.Linear(4, 2)
    place = Checkpoints(tmp_path, every_epochs=1, keep=20)
    optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    Trainer(model, "cross_entropy", optimizer, checkpoint=place).fit(
        (x, y), epochs=6, batch_size=16
    )
    found = tracin(model, "cross_entropy", tmp_path, (x, y), (x[:4], y[:4]))
    assert found.values.shape == (64, 4) and found.measured is not None
    assert np.abs(found.gap).mean() < 0.3 * np.abs(found.measured).mean()
    state = {"0.weight": model.weight, "0.bias": model.bias}
    last = tracin(nn.Sequential(model), "cross_entropy", [state], (x, y), (x[:4], y[:4]),
                  learning_rates=0.1, layers=["0"])  # fmt: skip
    assert last.measured is None
    with pytest.raises(ArgumentError, match="no checkpoints"):
        tracin(model, "cross_entropy", tmp_path / "none", (x, y), (x, y))


# ---- examples -----------------------------------------------------------------------------------


def test_prototypes_stand_for_each_cluster(rng: np.random.Generator) -> None:
    centres = np.array([[0.0, 0], [9, 0], [0, 9]])
    x = np.concatenate([c + rng.normal(size=(40, 2)) for c in centres] + [[[30.0, 30.0]]])
    found = prototypes(x, 3)
    assert sorted(i // 40 for i in found.rows) == [0, 1, 2]
    own = np.array(found.rows)[found.nearest[:120]] // 40
    assert (own == np.arange(120) // 40).all()
    assert found.verdict.trusted and found.distance < found.chance.min()
    missed = prototypes(x, 2, criticisms=1, width=3.0)
    kernel = np.exp(-((x[:, None] - x) ** 2).sum(-1) / 18)
    witness = np.abs(kernel.mean(1) - kernel[:, list(missed.rows)].mean(1))
    witness[list(missed.rows)] = 0
    assert missed.criticisms == (int(witness.argmax()),)


def test_nearest_examples_by_what_a_layer_makes_of_them(rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 4)).astype(np.float32)
    found = nearest_examples(x, x[:5], 2)
    assert found.rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    wanted = np.sqrt(((x[:5, None] - x) ** 2).sum(-1))
    assert_close(found.distances[:, 1], np.sort(wanted, axis=1)[:, 1], 1e-4, 1e-5)
    net = half_used()
    inside = nearest_examples(x[:, :2], x[:5, :2], 1, model=net, layer="1")
    assert_close(inside.distances, np.zeros((5, 1)), atol=1e-3)
    with pytest.raises(ArgumentError, match="no layer 'z'"):
        nearest_examples(x[:, :2], x[:5, :2], 1, model=net, layer="z")


# ---- counterfactuals ----------------------------------------------------------------------------


def test_the_nearest_counterfactual_of_a_linear_rule(rng: np.random.Generator) -> None:
    """2 x0 + x1 > 1, moving x0 alone is nearest: it must reach (1 − x1) / 2 and no more."""
    x = rng.normal(size=(300, 3))
    x[0], x[1, 1] = [-1, 0.4, 0.2], 4.0

    def model(rows: Any) -> Any:
        score = 2 * rows[:, 0] + rows[:, 1] - 1
        return np.stack([-score, score], 1)

    found = counterfactuals(model, x, 0)
    assert [c.column for c in found[0].changes] == ["x0"]
    assert found[0].changes[0].after == pytest.approx(0.3, abs=0.01)
    assert model(found[0].row)[0].argmax() == 1
    fixed = counterfactuals(model, x, 0, 1, keep=["x0"])
    assert [c.column for c in fixed[0].changes] == ["x1"]
    assert fixed[0].changes[0].after == pytest.approx(3, abs=0.05)
    with pytest.raises(ArgumentError, match="No values of the data in x2"):
        counterfactuals(model, x, 0, change=["x2"])
    with pytest.raises(ArgumentError, match="is output 0 already"):
        counterfactuals(model, x, 0, 0)


def test_categories_of_counterfactuals_are_those_of_the_data(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "plan": rng.choice(["free", "basic", "gold"], 120),
            "age": rng.integers(20, 60, 120),
            "sex": rng.choice(["f", "m"], 120),
        }
    )
    frame.loc[0] = ["free", 25, "m"]

    def model(rows: Any) -> Any:
        good = (rows["plan"] == "gold") | (rows["age"] >= 40)
        return np.stack([1.0 - good, 1.0 * good], 1)

    found = counterfactuals(model, frame, 0, count=2)
    changes = {tuple(map(str, one.changes)) for one in found.found}
    assert changes == {("plan: free → gold",), ("age: 25 → 40.0",)} or changes == {
        ("plan: free → gold",),
        ("age: 25 → 40",),
    }
    price = counterfactuals(lambda r: r["age"].to_numpy() * 10.0, frame, 0, (300, 320))
    assert 30 <= price[0].changes[0].after <= 32


# ---- during training ----------------------------------------------------------------------------


def test_a_leaked_column_takes_over_while_the_network_learns(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """The last column is the target again; at the start it has no more than its share."""
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = (x[:, 0] + 0.5 * rng.normal(size=300) > 0).astype(np.int64)
    x[:, 3] = 2.0 * y - 1
    pellucid.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    with pellucid.no_grad():
        model[0].weight[:, 3] = 0
    probes = ExplainProbes(x[:10], 1, background=x[10:40], names=["a", "b", "c", "leak"])
    probes.look(model, 0)
    assert probes.curve("leak")[0] < 1e-6 and probes.takeover("leak") is None
    place = Checkpoints(tmp_path, every_epochs=1, keep=3)
    trainer = Trainer(
        model, "cross_entropy", optim.Adam(model.parameters(), lr=0.02), callbacks=[probes],
        checkpoint=place,
    )  # fmt: skip
    trainer.fit((x, y), epochs=8, batch_size=32)
    assert probes.epochs == list(range(9)) and probes.shares.shape == (9, 10, 4)
    taken = probes.takeover("leak")
    assert taken is not None and 1 <= taken <= 6
    assert probes.curve("leak")[-1] > 0.5 and probes.verdict.trusted
    now = model(pellucid.tensor(x[:10])).detach().numpy()[:, 1]
    base = model(pellucid.tensor(x[10:40])).detach().numpy()[:, 1].mean()
    assert_close(probes.shares[-1].sum(axis=1), now - base, 1e-3, 1e-4)
    again = ExplainProbes(x[:10], 1, names=["a", "b", "c", "leak"])
    again.load_state_dict(probes.state_dict())
    assert again.takeover("leak") == taken
    pytest.importorskip("matplotlib")
    ax = probes.draw(tmp_path / "leak.svg")
    assert len(ax.lines) == 4 and (tmp_path / "leak.svg").stat().st_size > 1000


# ---- pruning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "normalized", "cnn"])
def test_networks_are_cut_to_the_units_that_matter(kind: str, rng: np.random.Generator) -> None:
    """Units that the next layer does not read, whatever stands between, cost nothing."""
    pellucid.manual_seed(0)
    chains = {
        "mlp": (nn.Linear(4, 12), nn.Sigmoid(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 2)),
        "normalized": (nn.Linear(4, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 2)),
        "cnn": (
            nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(12 * 4, 2),
        ),
    }  # fmt: skip
    model = nn.Sequential(*chains[kind])
    ends = {"mlp": 2, "normalized": 3, "cnn": 5}[kind]
    width = 4 if kind == "cnn" else 1
    with pellucid.no_grad():
        model[ends].weight[:, : 5 * width] = 0  # units 0 … 4 are not read
        for layer in model:
            if hasattr(layer, "running_mean"):
                layer.running_mean.copy_(pellucid.randn(12))
    model.eval()
    shape = (80, 1, 6, 6) if kind == "cnn" else (80, 4)
    x = rng.normal(size=shape).astype(np.float32)
    answers = model(pellucid.tensor(x)).detach().numpy()
    found = prune(model, x, answers, score="mse", layers=["0", str(ends)], tolerance=1e-9)
    gone = {part.index for part in found.removed if part.place == "0"}
    assert gone >= set(range(5))  # and those that are 0 on all rows
    assert found.is_smaller and found.model[0].weight.shape[0] == 12 - len(gone) >= 5
    assert found.parameters[1] < found.parameters[0]
    assert_close(found.model(pellucid.tensor(x)).detach().numpy(), answers, 1e-4, 1e-5)
    assert abs(found.after - found.before) < 1e-6
    assert model[0].weight.shape[0] == 12


def test_what_is_lost_by_pruning_stays_within_the_tolerance(rng: np.random.Generator) -> None:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = model(pellucid.tensor(x)).argmax(1).numpy()
    found = prune(model, x, y, tolerance=0.1)
    right = (found.model(pellucid.tensor(x)).argmax(1).numpy() == y).mean()
    assert found.after == pytest.approx(right) and 1 - right <= 0.1
    assert 0 < len(found.removed) < 16 and found.verdict.trusted
    assert found.interval.high <= 0.1 + 1e-6
    with pytest.raises(ArgumentError, match="tolerance=-1"):
        prune(model, x, y, tolerance=-1)
