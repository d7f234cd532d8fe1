"""The same training step, written the usual way for each library.

A contestant is built for one workload from the same NumPy weights and batches as all others and
then asked to ``run(turns)``: that many steps, one after the other, finished when it returns.
Nobody waits for a result between steps, as nobody does in a training loop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from measuring import Skipped, need_cxx

LEARNING_RATE = 1e-3
BATCHES = 8
"""Different batches that the steps take turns with."""


@dataclass(frozen=True)
class Workload:
    """An MLP with ReLU and cross-entropy, trained by Adam in float32."""

    name: str
    widths: tuple[int, ...]
    batch: int

    @property
    def parameters(self) -> int:
        """Numbers in all weights and biases."""
        return sum(i * o + o for i, o in zip(self.widths, self.widths[1:], strict=False))

    @property
    def flop(self) -> int:
        """Multiplications and additions of the matrix products of one step.

        Forward, weight gradient and input gradient take 2·batch·in·out each; the first layer has
        no input gradient.
        """
        sizes = [i * o for i, o in zip(self.widths, self.widths[1:], strict=False)]
        return 2 * self.batch * (3 * sum(sizes) - sizes[0])

    @property
    def bytes(self) -> int:
        """Memory traffic that Adam alone cannot avoid: the parameter and its two averages read
        and written, the gradient read."""
        return 28 * self.parameters

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """He-uniform weights (out, in) and zero biases (out,), the same for everyone."""
        random = np.random.default_rng(0)
        return [
            (
                random.uniform(-1, 1, (o, i)).astype(np.float32) * np.float32((6 / i) ** 0.5),
                np.zeros(o, np.float32),
            )
            for i, o in zip(self.widths, self.widths[1:], strict=False)
        ]

    def batches(self, count: int = BATCHES) -> tuple[np.ndarray, np.ndarray]:
        """Features (count, batch, inputs) float32 and classes (count, batch) int64."""
        random = np.random.default_rng(1)
        features = random.standard_normal((count, self.batch, self.widths[0])).astype(np.float32)
        return features, random.integers(0, self.widths[-1], (count, self.batch))


WORKLOADS = {
    w.name: w
    for w in (
        Workload("tiny", (2, 8, 8, 2), 32),
        Workload("tab", (30, 128, 64, 2), 64),
        Workload("mnist", (784, 256, 128, 10), 64),
        Workload("mlpbig", (1024, 2048, 2048, 1000), 256),
    )
}


class Ours:
    """Pellucid's compiled step, called from Python once a step."""

    def __init__(self, workload: Workload, threads: int) -> None:
        import pellucid
        import pellucid.nn.functional as F
        from pellucid import nn, optim
        from pellucid.backends.cpu.engine import load_kernels  # noqa: F401 (loads LLVM)

        pellucid.set_num_threads(threads)
        layers: list[Any] = []
        for weight, bias in workload.weights():
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.load_state_dict({"weight": weight, "bias": bias})
            layers += [linear, nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

        @pellucid.compile
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        self.step = step
        self.features, self.classes = map(pellucid.from_numpy, workload.batches())
        self.pairs = [(self.features[i], self.classes[i]) for i in range(BATCHES)]

    def run(self, turns: int) -> float:
        """So many steps; the last loss."""
        step, pairs = self.step, self.pairs
        for turn in range(turns):
            loss = step(*pairs[turn % BATCHES])
        return float(loss.item())


MOST_BYTES = 1 << 25
MOST_STEPS = 2048
"""Of the stacked batches of one native call."""


class OursMany(Ours):
    """The same step; many steps over stacked batches in one native call.

    The batches are stacked once: whoever measures shall not measure that.
    """

    def __init__(self, workload: Workload, threads: int) -> None:
        super().__init__(workload, threads)
        each = 4 * workload.batch * workload.widths[0]
        self.at_once = min(MOST_STEPS, max(BATCHES, MOST_BYTES // each))
        chosen = np.arange(self.at_once) % BATCHES
        self.arrays = [t.numpy()[chosen] for t in (self.features, self.classes)]
        self.stacked: dict[int, list[Any]] = {}

    def run(self, turns: int) -> float:
        """So many steps; the last loss."""
        import pellucid

        while turns > 0:
            now = min(turns, self.at_once)
            if now not in self.stacked:
                self.stacked[now] = [pellucid.from_numpy(array[:now]) for array in self.arrays]
            losses = self.step.many(now, *self.stacked[now])
            turns -= now
        return float(losses[-1].item())


class TorchEager:
    """PyTorch, operation by operation, with its fused Adam."""

    def __init__(self, workload: Workload, threads: int) -> None:
        try:
            import torch
        except ImportError:
            raise Skipped("PyTorch is not installed") from None
        torch.set_num_threads(threads)
        layers: list[Any] = []
        for weight, bias in workload.weights():
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight))
                linear.bias.copy_(torch.from_numpy(bias))
            layers += [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

        def loss_of(x: Any, y: Any) -> Any:
            return torch.nn.functional.cross_entropy(model(x), y)

        self.loss_of = self.prepare(loss_of)
        features, classes = map(torch.from_numpy, workload.batches())
        self.pairs = list(zip(features, classes, strict=True))

    def prepare(self, loss_of: Any) -> Any:
        """The function that gives the loss of a batch."""
        return loss_of

    def run(self, turns: int) -> float:
        """So many steps; the last loss."""
        optimizer, loss_of, pairs = self.optimizer, self.loss_of, self.pairs
        for turn in range(turns):
            optimizer.zero_grad()
            loss = loss_of(*pairs[turn % BATCHES])
            loss.backward()
            optimizer.step()
        return float(loss.item())


class TorchCompile(TorchEager):
    """PyTorch with forward and backward compiled by torch.compile, and its fused Adam."""

    def prepare(self, loss_of: Any) -> Any:
        """The compiled function."""
        import torch

        need_cxx()
        return torch.compile(loss_of)


class Jax:
    """JAX: the whole step, with Adam written by hand, as one jitted function that reuses the
    buffers of parameters and averages."""

    def __init__(self, workload: Workload, threads: int) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        try:
            import jax
            import jax.numpy as jnp
        except ImportError:
            raise Skipped("JAX is not installed") from None
        rate, beta1, beta2, epsilon = LEARNING_RATE, 0.9, 0.999, 1e-8

        def loss_of(parameters: Any, x: Any, y: Any) -> Any:
            for weight, bias in parameters[:-1]:
                x = jax.nn.relu(x @ weight + bias)
            weight, bias = parameters[-1]
            scores = jax.nn.log_softmax(x @ weight + bias)
            return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()

        def step(state: Any, x: Any, y: Any) -> Any:
            parameters, first, second, count = state
            loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
            count = count + 1
            tree_map = jax.tree_util.tree_map
            first = tree_map(lambda m, g: beta1 * m + (1 - beta1) * g, first, gradients)
            second = tree_map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, gradients)
            correct1, correct2 = 1 - beta1**count, 1 - beta2**count
            parameters = tree_map(
                lambda p, m, v: p - rate * (m / correct1) / (jnp.sqrt(v / correct2) + epsilon),
                parameters,
                first,
                second,
            )
            return (parameters, first, second, count), loss

        self.step = jax.jit(step, donate_argnums=0)
        parameters = [(jnp.array(w.T), jnp.array(b)) for w, b in workload.weights()]
        zeros = [[(jnp.zeros_like(w), jnp.zeros_like(b)) for w, b in parameters] for _ in range(2)]
        self.state = (parameters, *zeros, jnp.zeros((), jnp.float32))
        features, classes = workload.batches()
        self.pairs = [
            (jnp.array(x), jnp.array(y.astype(np.int32)))
            for x, y in zip(features, classes, strict=True)
        ]

    def run(self, turns: int) -> float:
        """So many steps; the last loss."""
        state, step, pairs = self.state, self.step, self.pairs
        for turn in range(turns):
            state, loss = step(state, *pairs[turn % BATCHES])
        self.state = state
        return float(loss)


CONTESTANTS: dict[str, Any] = {
    "ours": Ours,
    "ours, many": OursMany,
    "PyTorch eager": TorchEager,
    "torch.compile": TorchCompile,
    "JAX jit": Jax,
}
