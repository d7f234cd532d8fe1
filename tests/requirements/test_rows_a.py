"""Text A (深度学习基础与直观理解), the rows that no other folder shows; ids stand in the names."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn, optim
from pellucid.data.idx import read_mnist_folder
from pellucid.data.splits import split_indices
from pellucid.insight.diagnosis import diagnose_curves
from pellucid.models import mlp
from pellucid.tensor.gradcheck import gradcheck, numerical_grad
from pellucid.training.trainer import Trainer
from requirements.fitting import graph_of


@pytest.fixture(scope="module")
def digits() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Training and held-out rows of the 8×8 digits, pixels 0 … 1."""
    images, labels = load_digits(return_X_y=True)
    rows = split_indices(len(images), (0.7, 0.15, 0.15), seed=1, stratify=labels)
    pixels = (images / 16).astype(np.float32)
    return tuple((pixels[part], labels[part].astype(np.int64)) for part in rows)


def test_A1_a_map_is_learned_that_holds_for_unseen_inputs(rng: np.random.Generator) -> None:
    x = rng.uniform(-3, 3, (400, 1)).astype(np.float32)
    unseen = np.linspace(-2.9, 2.9, 83, dtype=np.float32)[:, None]
    model = mlp(1, (32, 32), 1, activation="tanh", initialization="xavier_normal")
    trainer = Trainer(model, "mse_loss", optim.Adam(model.parameters(), lr=1e-2))
    trainer.fit((x, np.sin(x)), epochs=60, batch_size=50)
    assert np.abs(trainer.predict(unseen).numpy() - np.sin(unseen)).max() < 0.1
    # One path: predict is the model itself in evaluation mode.
    assert_close(trainer.predict(unseen), model(pellucid.as_tensor(unseen)), 1e-5, 1e-6)


def test_A2_is_this_an_eight_or_not(digits) -> None:
    (x, labels), (held, held_labels), (new, new_labels) = digits
    model = mlp(64, (32,), 1)
    trainer = Trainer(model, "binary_cross_entropy_with_logits")
    target, held_target = (
        (part == 8).astype(np.float32)[:, None] for part in (labels, held_labels)
    )
    trainer.fit((x, target), (held, held_target), epochs=60, batch_size=32)
    answers = trainer.predict_class(new).numpy()
    eights = new_labels == 8
    assert (answers == eights).mean() > 0.96 > 1 - eights.mean() + 0.05
    assert answers[eights].mean() > 0.75 and answers[~eights].mean() < 0.03


def test_A10_hooks_show_what_every_layer_makes_of_an_input() -> None:
    model = mlp(64, (32, 16), 10)
    seen: dict[str, tuple[int, ...]] = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(
            lambda module, args, output, name=name: seen.update({name: tuple(output.shape)})
        )
    model(pellucid.zeros(7, 64))
    shapes = [(7, 32), (7, 32), (7, 16), (7, 16), (7, 10)]
    assert list(seen.items()) == list(zip("01234", shapes, strict=True))


def test_A16_moving_a_parameter_moves_the_loss_by_its_gradient() -> None:
    x = pellucid.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=pellucid.float64)
    y = pellucid.tensor([1.0, 0.0], dtype=pellucid.float64)

    def loss(w: pellucid.Tensor) -> pellucid.Tensor:
        return ((x @ w - y) ** 2).sum()

    w = pellucid.tensor([0.5, -0.25], dtype=pellucid.float64, requires_grad=True)
    by_hand = 2 * x.numpy().T @ (x.numpy() @ w.detach().numpy() - y.numpy())
    assert_close(numerical_grad(loss, w.detach()), by_hand, rtol=1e-8)
    assert gradcheck(loss, (w,))
    step = pellucid.tensor([1e-4, -2e-4], dtype=pellucid.float64)
    moved = (loss(w.detach() + step) - loss(w.detach())).item()
    assert moved == pytest.approx(float(by_hand @ step.numpy()), rel=1e-2)


def test_A21_C10_layers_compute_from_input_to_output() -> None:
    model = mlp(3, (4, 5), 2, activation="tanh")
    order: list[str] = []
    for name, layer in model.named_children():
        layer.register_forward_pre_hook(lambda module, args, name=name: order.append(name))
    x = pellucid.randn(2, 3)
    model(x)
    assert order == ["0", "1", "2", "3", "4"]
    with pellucid.no_grad():  # nothing is kept for a backward pass
        graph = graph_of(lambda features: model(features), x)
    layers = [n.origin.layer for n in graph.nodes() if n.origin.layer and n.inputs]
    assert [name for name, _ in itertools.groupby(layers)] == ["0", "1", "2", "3", "4"]


def test_A22_C16_gradients_arrive_from_the_output_backwards_each_node_once() -> None:
    """In the diamond x → (a, b) → c, c's gradient is complete before a and b, x comes last."""
    order: list[str] = []
    x = pellucid.tensor([2.0], requires_grad=True)
    a, b = x * 3, x.exp()
    c = a * b
    out = c * c + c
    for name, node in {"x": x, "a": a, "b": b, "c": c}.items():
        node.register_hook(lambda gradient, name=name: order.append(name))
    out.sum().backward()
    assert sorted(order) == ["a", "b", "c", "x"] and order[0] == "c" and order[-1] == "x"
    value = 6 * np.exp(2.0)
    slope = (2 * value + 1) * (3 * np.exp(2.0) + 6 * np.exp(2.0))
    assert x.grad.item() == pytest.approx(slope, rel=1e-6)


def test_A23_one_backward_gives_what_two_evaluations_a_parameter_give() -> None:
    model = mlp(3, (4,), 2, activation="tanh").double()
    x, y = pellucid.randn(6, 3).double(), pellucid.tensor([0, 1, 1, 0, 1, 0])
    F.cross_entropy(model(x), y).backward()
    evaluations = 0
    for parameter in model.parameters():
        start = parameter.detach().clone()

        def loss(values: pellucid.Tensor, parameter=parameter) -> pellucid.Tensor:
            nonlocal evaluations
            evaluations += 1
            with pellucid.no_grad():
                parameter.copy_(values)
                return F.cross_entropy(model(x), y)

        numeric = numerical_grad(loss, start, eps=1e-5)
        with pellucid.no_grad():
            parameter.copy_(start)
        assert_close(parameter.grad, numeric, rtol=1e-6, atol=1e-9)
    assert evaluations == 2 * sum(p.numel() for p in model.parameters()) == 52


def test_A31_a_batch_gives_what_a_loop_over_its_rows_gives() -> None:
    model = mlp(5, (7, 6), 3)
    x = pellucid.randn(11, 5)
    rows = pellucid.stack([model(row) for row in x])
    assert_close(model(x), rows, rtol=1e-5, atol=1e-6)
    model(x).sum().backward()
    together = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    for row in x:
        model(row).sum().backward()
    for batched, looped in zip(together, model.parameters(), strict=True):
        assert_close(looped.grad, batched, rtol=1e-4, atol=1e-5)


def test_A24_E6_three_hundred_images_are_learned_by_heart(data_folder: Path) -> None:
    """784-100×6-10 on 300 images of MNIST: (nearly) all of them right, but not the new ones."""
    mnist = read_mnist_folder(data_folder / "mnist")

    def part(images: np.ndarray, labels: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
        pixels = images[:rows].reshape(rows, -1).astype(np.float32) / 255
        return pixels, labels[:rows]

    few = part(mnist.train_images, mnist.train_labels, 300)
    new = part(mnist.test_images, mnist.test_labels, 2000)
    model = mlp(784, (100,) * 6, 10)
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    held = part(mnist.train_images[300:], mnist.train_labels[300:], 1000)
    history = trainer.fit(few, held, epochs=100, batch_size=100)
    right = [(trainer.predict_class(x).numpy() == y).mean() for x, y in (few, new)]
    assert right[0] > 0.9 and right[1] < right[0] - 0.1
    assert diagnose_curves(history).what == "overfitting"


def test_A28_stopping_early_keeps_the_weights_of_the_best_epoch(rng: np.random.Generator) -> None:
    """Labels without any rule: the validation loss rises, and training ends after `patience`."""
    x = rng.normal(size=(120, 8)).astype(np.float32)
    y = rng.integers(0, 2, 120)
    model = mlp(8, (64, 64), 2)
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=1e-2))
    history = trainer.fit((x[:60], y[:60]), (x[60:], y[60:]), epochs=200, batch_size=20, patience=5)
    assert history.status == "stopped early"
    assert len(history) == history.best_epoch + 5 < 60
    best = min(history["validation_loss"])
    assert trainer.evaluate((x[60:], y[60:]))["loss"] == pytest.approx(best, rel=1e-5)
    assert diagnose_curves(history).what == "overfitting"


def test_A29_weights_shrink_as_the_penalty_grows() -> None:
    """‖W‖ of a line fit falls as the penalty grows."""
    x = pellucid.linspace(-1, 1, 20).unsqueeze(1)
    y = 3 * x
    norms = []
    for decay in (0.0, 0.1, 1.0):
        layer = nn.Linear(1, 1)
        optimizer = optim.SGD(layer.parameters(), lr=0.3, weight_decay=decay)
        for _ in range(60):
            optimizer.zero_grad()
            F.mse_loss(layer(x), y).backward()
            optimizer.step()
        norms.append(abs(layer.weight.item()))
    assert norms[0] == pytest.approx(3, abs=1e-2) and norms[0] > norms[1] > norms[2] > 0
