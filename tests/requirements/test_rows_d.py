"""Text D (深度学习基础入门备忘), the rows that no other folder shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.data.sequences import pad_sequences
from pellucid.graph.show import to_dot
from pellucid.models import Perceptron, mlp
from pellucid.tensor.gradcheck import gradcheck
from requirements.fitting import XOR, XOR_ROWS, accuracy, graph_of, train

LOGISTIC = F.binary_cross_entropy_with_logits


def test_D2_a_rule_finds_the_weights() -> None:
    """Rosenblatt's rule ends on AND, and never on exclusive or."""
    unit = Perceptron(2)
    assert unit.learn(XOR_ROWS, [0, 0, 0, 1]) <= 10
    assert unit(pellucid.tensor(XOR_ROWS)).tolist() == [0, 0, 0, 1]
    assert Perceptron(2).learn(XOR_ROWS, XOR[:, 0], epochs=50) == 51


def test_D5_loss_and_gradient_together_find_parameters() -> None:
    """Without a rule of its own: descent along the gradient of a loss learns AND as well."""
    unit = nn.Linear(2, 1)
    wanted = np.array([[0], [0], [0], [1]], np.float32)
    losses = train(unit, LOGISTIC, XOR_ROWS, wanted, optim.SGD(unit.parameters(), lr=1.0), 300)
    assert losses[-1] < 0.1 < losses[0] and accuracy(unit, XOR_ROWS, wanted) == 1


def test_D6_noise_of_small_batches_leaves_a_shallow_minimum() -> None:
    """200 runs from the bottom of the shallow valley of a tilted double well.

    The cost is the mean of eight samples' costs F(θ) + cᵢθ with Σcᵢ = 0: whole batches see F
    alone and stay; batches of one sample are pushed about, and some of them cross the hill.
    """
    runs, rate, steps = 200, 0.05, 600
    pushes = np.array([-3.0, 3, -2.5, 2.5, -2, 2, -1, 1])
    random = np.random.default_rng(12)

    def well(theta: Any) -> Any:
        return theta**4 / 4 - theta**2 / 2 - 0.2 * theta

    start = min(np.roots([1, 0, -1, -0.2]).real)  # the left, shallow valley
    right = max(np.roots([1, 0, -1, -0.2]).real)
    assert well(right) < well(start) - 0.3
    escaped = {}
    for batch in ("one sample", "all samples"):
        theta = pellucid.full((runs,), float(start), requires_grad=True)
        optimizer = optim.SGD([theta], lr=rate)

        @pellucid.compile
        def step(push: Any, theta: Any = theta, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            (well(theta) + push * theta).sum().backward()
            optimizer.step()

        for _ in range(steps):
            drawn = random.choice(pushes, runs) if batch == "one sample" else np.zeros(runs)
            step(pellucid.tensor(drawn.astype(np.float32)))
        escaped[batch] = int((theta.detach().numpy() > 0.3).sum())
    assert escaped["all samples"] == 0 and escaped["one sample"] > 50, escaped


def test_D34_sequences_are_padded_and_cut_to_one_length() -> None:
    ids, mask = pad_sequences([[5, 6, 7], [8], [1, 2, 3, 4, 9]], max_len=4)
    assert ids.tolist() == [[5, 6, 7, 0], [8, 0, 0, 0], [1, 2, 3, 4]]
    assert mask.tolist() == [[True, True, True, False], [True] + [False] * 3, [True] * 4]
    assert ids.dtype == np.int64 and mask.dtype == np.bool_
    assert pad_sequences([[5, 6, 7], [8]])[0].shape == (2, 3)
    assert pad_sequences([[1, 2, 3]], 2, keep="end")[0].tolist() == [[2, 3]]
    assert pad_sequences([[1], []], 2, value=-1)[0].tolist() == [[1, -1], [-1, -1]]
    with pytest.raises(ArgumentError, match="max_len"):
        pad_sequences([[1]], 0)
    with pytest.raises(ArgumentError, match="keep"):
        pad_sequences([[1]], 1, keep="middle")


def test_D34_padded_positions_have_no_loss_and_no_attention() -> None:
    """Ids that only fill up have no gradient, and no other position of a layer sees them."""
    ids, mask = pad_sequences([[3, 1, 2], [2]], max_len=4, value=-100)
    scores = pellucid.randn(2, 4, 5, requires_grad=True)
    loss = F.cross_entropy(scores.reshape(8, 5), pellucid.tensor(ids).reshape(8))
    loss.backward()
    has_gradient = scores.grad.numpy().any(-1)
    np.testing.assert_array_equal(has_gradient, mask)
    logs = F.log_softmax(scores.detach(), dim=-1).numpy()
    listed = [-logs[0, 0, 3], -logs[0, 1, 1], -logs[0, 2, 2], -logs[1, 0, 2]]
    assert loss.item() == pytest.approx(np.mean(listed), rel=1e-5)
    layer = nn.MultiheadAttention(6, 2, batch_first=True)
    x, hidden = pellucid.randn(2, 4, 6), pellucid.tensor(~mask)
    attended, weights = layer(x, x, x, key_padding_mask=hidden)
    shares = weights.detach().numpy()
    assert not shares.transpose(0, 2, 1)[~mask].any()
    assert (shares.transpose(0, 2, 1)[mask] > 0).all()
    assert_close(shares.sum(-1), np.ones((2, 4), np.float32), 1e-6)
    other = x.masked_fill(hidden[:, :, None], 50.0)
    again = layer(x, other, other, key_padding_mask=hidden)[0]
    assert_close(again, attended, 1e-6, 1e-7)
    short = x[1:, :1]
    assert_close(layer(x[1:], short, short)[0], attended[1:], 1e-5, 1e-6)


def test_D42_the_gradient_is_the_product_of_the_links() -> None:
    """A long composition against the chain rule written out; tests/ops checks every link alone."""
    x = pellucid.tensor([0.3, 0.7], dtype=pellucid.float64, requires_grad=True)

    def chain(v: Any) -> Any:
        return ((v.sin() * 2).exp() + v.sqrt()).log().tanh()

    assert gradcheck(chain, (x,))
    chain(x).sum().backward()
    v = x.detach().numpy()
    inner = np.exp(2 * np.sin(v)) + np.sqrt(v)
    links = (1 - np.tanh(np.log(inner)) ** 2) / inner
    links = links * (np.exp(2 * np.sin(v)) * 2 * np.cos(v) + 0.5 / np.sqrt(v))
    assert_close(x.grad, links, 1e-10)


def test_D43_the_graph_of_a_compiled_function_is_open(tmp_path: Path) -> None:
    """Known operations, edges and a file, by public names alone."""
    function = pellucid.compile(lambda x, w: (x @ w).tanh().sum())
    for ask in (function.graph, lambda: function.draw(tmp_path / "early.dot")):
        with pytest.raises(ArgumentError, match="nothing has been compiled yet"):
            ask()
    function(pellucid.ones(5, 3), pellucid.ones(3, 2))
    graph = function.graph()
    shown = [(n.op.name, n.shape, [m.op.name for m in n.inputs]) for n in graph.nodes()]
    assert shown[-3:] == [
        ("matmul", (5, 2), ["input", "input"]),
        ("tanh", (5, 2), ["matmul"]),
        ("sum", (), ["tanh"]),
    ]
    function(pellucid.ones(7, 3), pellucid.ones(3, 2))
    assert function.graph().inputs[0].shape == (7, 3), "the program that was used last"
    function(pellucid.ones(5, 3), pellucid.ones(3, 2))
    text = function.draw(tmp_path / "step.dot")
    assert (
        (tmp_path / "step.dot").read_text(encoding="utf-8") == text + "\n" == to_dot(graph) + "\n"
    )
    assert text.count("->") == 4 and all(f'label="{op}\\n' in text for op in ("matmul", "tanh"))
    with pytest.raises(ArgumentError, match=r"DOT language only\n.*dot -Tsvg") as caught:
        function.draw(tmp_path / "step.svg")
    assert isinstance(caught.value, ValueError) and not (tmp_path / "step.svg").exists()


def test_D43_data_flow_and_gradient_flow_are_drawn() -> None:
    model = mlp(3, (4,), 2, activation="tanh")
    x = pellucid.randn(5, 3)
    forward = graph_of(lambda features: model(features).sum(), x)

    def slopes(features: Any) -> Any:
        return pellucid.grad(model(features).sum(), [model[0].weight])[0]

    backward = graph_of(slopes, x)
    text = to_dot(forward, backward)
    assert text.startswith("digraph {") and text.rstrip().endswith("}")
    assert "color=black" in text and "color=red" in text and "tanh" in text
    assert text.count("->") > 5 and text.count("[label=") > 5


def test_D29_C13_no_line_separates_exclusive_or() -> None:
    """The best linear fit is w = 0, b = ½ with MSE ¼ and, for logistic loss, ln 2."""
    x, y = XOR_ROWS.astype(np.float64), XOR.astype(np.float64)
    exact, *_ = np.linalg.lstsq(np.hstack([x, np.ones((4, 1))]), y, rcond=None)
    for loss, golden, bias in ((F.mse_loss, 0.25, 0.5), (LOGISTIC, np.log(2), 0.0)):
        line = nn.Linear(2, 1).double()
        losses = train(line, loss, x, y, optim.SGD(line.parameters(), lr=0.5), 1500)
        assert losses[-1] == pytest.approx(golden, abs=1e-7)
        assert_close(line.weight, np.zeros((1, 2)), atol=1e-3)
        assert line.bias.item() == pytest.approx(bias, abs=1e-3)
    assert_close(exact[:, 0], [0, 0, 0.5], atol=1e-12)
    net = mlp(2, (4,), 1, activation="tanh", initialization="xavier_normal")
    train(net, LOGISTIC, XOR_ROWS, XOR, optim.Adam(net.parameters(), lr=0.05), 400)
    assert accuracy(net, XOR_ROWS, XOR) == 1
