"""Libraries that programs use beside tensors: opt_einsum, tqdm, metrics written over NumPy."""

from __future__ import annotations

import io

import numpy as np
import opt_einsum
from tqdm import tqdm

import pellucid
from helpers import assert_close
from pellucid.utils.data import DataLoader, TensorDataset


def _operands(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(np.float32) for shape in ((4, 6), (6, 5), (5, 4))]


def test_opt_einsum_contracts_our_tensors_with_gradients() -> None:
    arrays = _operands(1)
    tensors = [pellucid.tensor(a, requires_grad=True) for a in arrays]
    text = "ij,jk,kl->il"
    result = opt_einsum.contract(text, *tensors)
    assert isinstance(result, pellucid.Tensor)
    assert_close(result, np.einsum(text, *arrays), rtol=1e-5, atol=1e-5)
    result.sum().backward()
    ones = np.ones((4, 4), np.float32)
    assert_close(tensors[0].grad, ones @ (arrays[1] @ arrays[2]).T, rtol=1e-5, atol=1e-5)


def test_opt_einsum_paths_and_expressions() -> None:
    arrays = _operands(2)
    path, facts = opt_einsum.contract_path("ij,jk,kl->", *map(pellucid.tensor, arrays))
    assert len(path) >= 2 and facts.opt_cost > 0
    expression = opt_einsum.contract_expression("ij,jk->ik", (4, 6), (6, 5))
    made = expression(pellucid.tensor(arrays[0]), pellucid.tensor(arrays[1]))
    assert_close(made, arrays[0] @ arrays[1], rtol=1e-5, atol=1e-5)


def test_opt_einsum_in_a_compiled_function() -> None:
    arrays = _operands(3)
    compiled = pellucid.compile(lambda a, b, c: opt_einsum.contract("ij,jk,kl->il", a, b, c))
    made = compiled(*map(pellucid.tensor, arrays))
    assert_close(made, arrays[0] @ arrays[1] @ arrays[2], rtol=1e-5, atol=1e-5)


def test_tqdm_counts_our_loaders_and_shows_our_numbers() -> None:
    loader = DataLoader(TensorDataset(pellucid.arange(10.0)), batch_size=4)
    shown = io.StringIO()
    seen = []
    with tqdm(loader, file=shown, mininterval=0) as bar:
        for (x,) in bar:
            loss = (x**2).mean()
            bar.set_postfix(loss=loss.item(), tensor=loss)
            seen.append(len(x))
    assert seen == [4, 4, 2] and bar.total == 3
    assert "3/3" in shown.getvalue() and "loss=72.5" in shown.getvalue()


def test_metrics_over_numpy_take_our_tensors() -> None:
    """A running metric as people write it: states are arrays, updates take whatever comes."""

    class Accuracy:
        def __init__(self) -> None:
            self.right, self.rows = np.zeros(()), 0

        def update(self, scores: object, targets: object) -> None:
            guessed = np.argmax(np.asarray(scores), axis=-1)
            self.right = self.right + np.sum(guessed == np.asarray(targets))
            self.rows += np.shape(targets)[0]

        def compute(self) -> float:
            return float(self.right / self.rows)

    metric = Accuracy()
    metric.update(pellucid.eye(4)[:, :3], pellucid.tensor([0, 1, 2, 1]))
    assert metric.compute() == 0.75
    confusion = np.zeros((2, 2), int)
    np.add.at(confusion, (pellucid.tensor([0, 1, 1]).numpy(), [1, 1, 0]), 1)
    assert confusion.tolist() == [[0, 1], [1, 1]]
    assert np.mean(pellucid.tensor([1.0, 3.0])) == 2.0
