"""The Trainer: order of events, early stopping, equal bits, and clear ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_same
from pellucid import nn, optim
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError, DataError
from pellucid.training.history import Event
from pellucid.training.trainer import Trainer
from pellucid.utils.data import DataLoader, TensorDataset


def blobs(rng: np.random.Generator, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds in four dimensions, float32 (rows, 4), and their numbers, int64 (rows,)."""
    labels = rng.integers(0, 3, rows)
    centres = np.array([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]])
    return (centres[labels] + 0.5 * rng.normal(size=(rows, 4))).astype(np.float32), labels


def network(*widths: int, dropout: float = 0.0) -> Any:
    pellucid.manual_seed(1)
    layers: list[Any] = []
    for before, after in zip(widths, widths[1:-1], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def weights(model: Any) -> list[np.ndarray]:
    return [np.array(p.detach().numpy()) for p in model.parameters()]


# ---- the loop ----------------------------------------------------------------------------------


def test_D35_the_four_parts_of_a_step_come_in_order(rng: np.random.Generator) -> None:
    """Forward, loss, backward, update, in every step that Python runs."""
    seen: list[Event] = []
    model = network(4, 8, 3)
    trainer = Trainer(model, "cross_entropy", callbacks=[seen.append], compile=False)
    trainer.fit(blobs(rng, 96), epochs=2, batch_size=32)
    parts = [e.kind for e in seen if e.kind in ("forward", "loss", "backward", "update")]
    assert parts == ["forward", "loss", "backward", "update"] * 6
    assert not any(e.facts["traced"] for e in seen if e.kind == "forward")
    assert seen[0].kind == "start" and seen[-1].kind == "stop"
    assert [e.epoch for e in seen if e.kind == "epoch"] == [1, 2]


def test_D35_a_compiled_step_shows_its_parts_once_when_it_is_made(rng: np.random.Generator) -> None:
    seen: list[Event] = []
    trainer = Trainer(network(4, 8, 3), "cross_entropy", callbacks=[seen.append])
    trainer.fit(blobs(rng, 96), epochs=3, batch_size=32)
    parts = [e for e in seen if e.kind in ("forward", "loss", "backward", "update")]
    assert [e.kind for e in parts] == ["forward", "loss", "backward", "update"]
    assert all(e.facts["traced"] for e in parts)
    assert sum(e.facts["count"] for e in seen if e.kind == "steps") == 9


def test_D3_training_and_prediction_are_two_phases(rng: np.random.Generator) -> None:
    """Fitting changes the weights; predicting does not, and dropout is off in it."""
    x, y = blobs(rng)
    model = network(4, 16, 3, dropout=0.5)
    trainer = Trainer(model, "cross_entropy")
    before = weights(model)
    trainer.fit((x, y), epochs=2)
    after = weights(model)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    first, second = trainer.predict(x), trainer.predict(x)
    assert_same(first, second, rtol=0, atol=0)
    for a, b in zip(after, weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.training


def test_E10_each_epoch_leaves_a_record_of_its_loss(rng: np.random.Generator) -> None:
    x, y = blobs(rng)
    trainer = Trainer(network(4, 16, 3), "cross_entropy")
    history = trainer.fit((x, y), (x[:50], y[:50]), epochs=5)
    assert len(history) == 5 and [record.epoch for record in history] == [1, 2, 3, 4, 5]
    assert history["loss"][-1] < history["loss"][0]
    assert history.epochs[-1].steps == history.steps == 5 * 4
    assert all(record.rows_per_second > 0 for record in history)


def test_the_epoch_loss_is_the_mean_over_rows_also_with_a_short_last_batch(
    rng: np.random.Generator,
) -> None:
    x, y = blobs(rng, 70)
    model = network(4, 3)
    still = optim.SGD(model.parameters(), lr=0.0)
    history = Trainer(model, "cross_entropy", still).fit((x, y), epochs=1, batch_size=32)
    scores = x @ model[0].weight.detach().numpy().T + model[0].bias.detach().numpy()
    powers = np.exp(scores - scores.max(1, keepdims=True))
    expected = -np.log(powers[np.arange(70), y] / powers.sum(1)).mean()
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_E8_E9_the_first_example_learns_exclusive_or() -> None:
    """2-4-1 with sigmoids and squared error, full batches, learning rate 2: all four cases."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    trainer = Trainer(model, "mse_loss", optim.SGD(model.parameters(), lr=2.0))
    history = trainer.fit((x, y), epochs=6000, batch_size=4)
    predicted = trainer.predict(x).numpy()
    assert ((predicted > 0.5) == (y > 0.5)).all()
    assert float(np.square(predicted - y).mean()) <= 0.001
    assert len(history) == 6000 and history["loss"][-1] < 0.001


@pytest.mark.parametrize("depth", [0, 1, 3, 8])
def test_B4_C7_depth_is_a_parameter(depth: int, rng: np.random.Generator) -> None:
    """Also three hidden layers learn the clouds."""
    from pellucid.training.config import TrainingConfig
    from pellucid.training.network import build_mlp

    model = build_mlp(4, TrainingConfig(widths=(16,) * depth), 3)
    assert sum(isinstance(layer, nn.Linear) for layer in model) == depth + 1
    x, y = blobs(rng)
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.01))
    trainer.fit((x, y), epochs=15)
    assert (trainer.predict_class(x).numpy() == y).mean() > 0.95


def test_B11_each_layer_has_a_width_of_its_own() -> None:
    from pellucid.training.config import TrainingConfig
    from pellucid.training.network import build_mlp

    model = build_mlp(10, TrainingConfig(widths=(32, 8, 20), activation="gelu"), 2)
    shapes = [tuple(p.shape) for p in model.parameters() if len(p.shape) == 2]
    assert shapes == [(32, 10), (8, 32), (20, 8), (2, 20)]


def test_B12_scores_and_classes_are_predicted(rng: np.random.Generator) -> None:
    x, y = blobs(rng)
    trainer = Trainer(network(4, 16, 3), "cross_entropy")
    trainer.fit((x, y), epochs=10)
    scores, classes = trainer.predict(x), trainer.predict_class(x)
    assert scores.shape == (200, 3) and classes.dtype is pellucid.int64
    np.testing.assert_array_equal(classes.numpy(), scores.numpy().argmax(1))
    single = Trainer(network(4, 1), "binary_cross_entropy_with_logits")
    np.testing.assert_array_equal(
        single.predict_class(x).numpy(), (single.predict(x).numpy()[:, 0] > 0).astype(int)
    )


# ---- early stopping ----------------------------------------------------------------------------


def test_A28_training_stops_after_patience_and_the_best_weights_come_back(
    rng: np.random.Generator,
) -> None:
    """Labels without any pattern: the validation loss rises after a while."""
    x = rng.normal(size=(120, 20)).astype(np.float32)
    y = rng.integers(0, 2, 120)
    held = x[80:], y[80:]
    snapshots: list[list[np.ndarray]] = []
    model = network(20, 64, 2)

    def keep(event: Event) -> None:
        if event.kind == "best":
            snapshots.append(weights(model))

    trainer = Trainer(
        model, "cross_entropy", optim.Adam(model.parameters(), lr=0.01), callbacks=[keep]
    )
    history = trainer.fit((x[:80], y[:80]), held, epochs=200, batch_size=16, patience=4)
    losses = history["validation_loss"]
    assert history.status == "stopped early" and len(history) < 200
    assert history.best_epoch == int(np.argmin(losses)) + 1
    assert len(history) == history.best_epoch + 4
    for kept, now in zip(snapshots[-1], weights(model), strict=True):
        np.testing.assert_array_equal(kept, now)
    assert trainer.evaluate(held)["loss"] == pytest.approx(min(losses), rel=1e-6)


def test_A27_a_smaller_network_has_fewer_parameters_and_a_smaller_gap(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(size=(160, 20)).astype(np.float32)
    y = (x[:, 0] + 1.5 * rng.normal(size=160) > 0).astype(np.int64)
    gaps, sizes = [], []
    for widths in ((20, 128, 128, 2), (20, 2, 2)):
        model = network(*widths)
        trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.01))
        trainer.fit((x[:80], y[:80]), epochs=40, batch_size=16)
        gaps.append(
            trainer.evaluate((x[80:], y[80:]))["loss"] - trainer.evaluate((x[:80], y[:80]))["loss"]
        )
        sizes.append(sum(p.numel() for p in model.parameters()))
    assert sizes[1] < sizes[0] / 100
    assert gaps[1] < gaps[0] / 2


def test_A30_dropout_is_off_when_predicting_and_drops_its_share_when_training() -> None:
    layer = nn.Dropout(0.3)
    x = pellucid.ones(20000)
    dropped = layer(x).numpy()
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    assert_same(layer.eval()(x), x, rtol=0, atol=0)


# ---- the same bits -----------------------------------------------------------------------------


def trained(
    rng_data: tuple[np.ndarray, np.ndarray], compile: bool, seed: int = 3
) -> list[np.ndarray]:
    model = network(4, 32, 16, 3, dropout=0.2)
    pellucid.manual_seed(9)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    trainer = Trainer(model, "cross_entropy", optimizer, compile=compile, seed=seed)
    trainer.fit(rng_data, (rng_data[0][:60], rng_data[1][:60]), epochs=4, batch_size=48)
    return weights(model)


def test_runs_with_one_and_two_threads_give_the_same_bits(rng: np.random.Generator) -> None:
    data = blobs(rng, 500)
    before = get_num_threads()
    try:
        results = []
        for threads in (1, 2, 2):
            set_num_threads(threads)
            results.append(trained(data, True))
    finally:
        set_num_threads(before)
    for one, two, again in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(two, again)
    other = trained(data, True, seed=4)
    assert any((a != b).any() for a, b in zip(results[0], other, strict=True))


def test_native_and_eager_training_agree(rng: np.random.Generator) -> None:
    """The same order of rows and the same dropout masks; only the rounding differs."""
    data = blobs(rng, 300)
    for native, eager in zip(trained(data, True), trained(data, False), strict=True):
        np.testing.assert_allclose(native, eager, rtol=2e-3, atol=2e-4)


def test_batches_from_a_loader_train_like_arrays(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 100)
    results = []
    for source in ((x, y), DataLoader(TensorDataset(x, y), batch_size=32)):
        model = network(4, 8, 3)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        trainer = Trainer(model, "cross_entropy", optimizer)
        history = trainer.fit(source, epochs=3, batch_size=32, shuffle=False)
        results.append((weights(model), history["loss"]))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-5)


def test_schedules_and_clipping_take_part_in_compiled_steps(rng: np.random.Generator) -> None:
    """Against the same loop written out by hand, eagerly."""
    x, y = blobs(rng, 64)
    model = network(4, 8, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    trainer = Trainer(model, "cross_entropy", optimizer, schedule=schedule, clip_norm=0.1)
    history = trainer.fit((x, y), epochs=4, batch_size=64, shuffle=False)
    assert history["learning_rate"] == pytest.approx([0.5, 0.25, 0.125, 0.0625])

    twin = network(4, 8, 3)
    xs, ys = pellucid.as_tensor(x), pellucid.as_tensor(y)
    for rate in history["learning_rate"]:
        twin.zero_grad()
        nn.functional.cross_entropy(twin(xs), ys).backward()
        norm = np.sqrt(sum(np.square(p.grad.numpy()).sum() for p in twin.parameters()))
        factor = min(1.0, 0.1 / (norm + 1e-6))
        with pellucid.no_grad():
            for p in twin.parameters():
                p -= p.grad * (rate * factor)
    for a, b in zip(weights(model), weights(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_l1_drives_weights_to_zero(rng: np.random.Generator) -> None:
    x, y = blobs(rng)
    sizes = []
    for l1 in (0.0, 0.05):
        model = network(4, 16, 3)
        optimizer = optim.SGD(model.parameters(), lr=0.1, l1=l1)
        Trainer(model, "cross_entropy", optimizer).fit((x, y), epochs=10)
        sizes.append(sum(np.abs(w).sum() for w in weights(model)))
    assert sizes[1] < sizes[0] / 2


# ---- what is refused ---------------------------------------------------------------------------


def test_wrong_arguments_are_refused(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 20)
    trainer = Trainer(network(4, 3), "cross_entropy")
    with pytest.raises(ArgumentError, match="epochs=0"):
        trainer.fit((x, y), epochs=0)
    with pytest.raises(ArgumentError, match="patience=3 without validation"):
        trainer.fit((x, y), epochs=1, patience=3)
    with pytest.raises(DataError, match="same number of rows"):
        trainer.fit((x, y[:-1]))
    with pytest.raises(DataError, match="no training rows"):
        trainer.fit([])
    with pytest.raises(ArgumentError, match="There is no loss 'entropy'"):
        Trainer(network(4, 3), "entropy")
    with pytest.raises(DataError, match="not a pair"):
        trainer.fit([np.zeros((2, 4), np.float32)], epochs=1)


# ---- accumulated gradients and averaged weights ------------------------------------------------


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
@pytest.mark.parametrize("rows", [96, 110])
def test_accumulated_batches_make_the_update_of_one_large_batch(
    rng: np.random.Generator, compile: bool, clip_norm: float, rows: int
) -> None:
    data = blobs(rng, rows)
    outcomes = []
    for size, accumulate in ((32, 1), (8, 4)):
        model = network(4, 8, 3)
        trainer = Trainer(
            model,
            "cross_entropy",
            optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            clip_norm=clip_norm,
            accumulate=accumulate,
            compile=compile,
        )
        history = trainer.fit(data, epochs=2, batch_size=size)
        outcomes.append((weights(model), [e.loss for e in history.epochs], history.steps))
        assert accumulate == 1 or all(p.grad is None for p in model.parameters())
    for one, other in zip(outcomes[0][0], outcomes[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(outcomes[0][1], outcomes[1][1], rtol=1e-5)
    assert outcomes[0][2] == outcomes[1][2] == 2 * -(-rows // 32)


def test_batches_of_a_loader_are_accumulated(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 100)
    outcomes = []
    for size, accumulate in ((30, 1), (10, 3)):
        model = network(4, 8, 3)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        loader = DataLoader(TensorDataset(x, y), batch_size=size)
        trainer = Trainer(model, "cross_entropy", optimizer, accumulate=accumulate)
        trainer.fit(loader, epochs=2)
        outcomes.append(weights(model))
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compile", [True, False])
def test_the_average_is_validated_and_kept(rng: np.random.Generator, compile: bool) -> None:
    train, held = blobs(rng, 90), blobs(rng, 40)
    model = network(4, 8, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    seen: list[list[np.ndarray]] = []

    def keep(event: Event) -> None:
        if event.kind == "steps":
            seen.append(weights(model))

    trainer = Trainer(
        model, "cross_entropy", optimizer, ema_decay=0.8, callbacks=[keep], compile=False
    )
    history = trainer.fit(train, epochs=2, batch_size=30)
    expected = seen[0]
    for step in seen[1:]:
        expected = [0.8 * e + 0.2 * s for e, s in zip(expected, step, strict=True)]
    for one, other in zip(weights(model), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    again = network(4, 8, 3)
    second = Trainer(
        again,
        "cross_entropy",
        optim.SGD(again.parameters(), lr=0.1),
        ema_decay=0.8,
        compile=compile,
    )
    history = second.fit(train, held, epochs=2, batch_size=30)
    best = history.epochs[history.best_epoch - 1].validation_loss
    assert second.evaluate(held)["loss"] == pytest.approx(best, rel=1e-5)


def test_the_average_survives_a_step_that_is_not_finite(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 90)
    x[70] = np.inf
    model = network(4, 8, 3)
    trainer = Trainer(model, "cross_entropy", ema_decay=0.9, accumulate=2)
    with pytest.raises(pellucid.base.errors.NonFiniteError, match=r"step 4 .*row: 70"):
        trainer.fit((x, y), epochs=2, batch_size=10, shuffle=False)
    assert all(np.isfinite(w).all() for w in weights(model))
    # The weights and their average are those after the three steps before.
    for decay, left in ((0.0, model), (0.9, trainer.average.module)):
        other = network(4, 8, 3)
        short = Trainer(other, "cross_entropy", ema_decay=decay, accumulate=2)
        short.fit((x[:60], y[:60]), epochs=1, batch_size=10, shuffle=False)
        for one, wanted in zip(weights(left), weights(other), strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-6)


def test_accumulation_and_averages_check_their_settings() -> None:
    with pytest.raises(ArgumentError, match="accumulate=0"):
        Trainer(network(4, 3), "cross_entropy", accumulate=0)
    with pytest.raises(ArgumentError, match=r"ema_decay=1\.0"):
        Trainer(network(4, 3), "cross_entropy", ema_decay=1.0)


def test_the_rows_with_the_largest_loss_are_told() -> None:
    pellucid.manual_seed(0)
    x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    y = (x[:, 0] > 0).astype(np.int64)
    y[[3, 31]] = 1 - y[[3, 31]]  # two wrong labels
    model = nn.Linear(1, 2)
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.1))
    trainer.fit((x, y), epochs=60, progress=False)
    rows, losses = trainer.top_losses((x, y), k=2)
    assert set(rows.tolist()) == {3, 31}
    scores = trainer.predict(x).numpy().astype(np.float64)
    each = np.log(np.exp(scores).sum(1)) - scores[np.arange(40), y]
    assert losses == pytest.approx(np.sort(each)[::-1][:2], rel=1e-4)
    everything, all_losses = trainer.top_losses((x, y), k=100)
    assert sorted(everything.tolist()) == list(range(40))
    assert all_losses.mean() == pytest.approx(trainer.evaluate((x, y))["loss"], rel=1e-4)
    with pytest.raises(ArgumentError, match="k"):
        trainer.top_losses((x, y), k=0)
