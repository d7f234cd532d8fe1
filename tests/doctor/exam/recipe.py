"""What a program of the exam is made of, so that an operator can change one thing of it.

A :class:`Recipe` is a healthy program (``bases``) in knobs: data, network, loss, optimizer,
budget, and the way in which it is trained.  ``ready`` makes the parts that a training has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pellucid
from doctor.exam.data import Parts
from pellucid import nn, optim

WAYS = ("trainer", "eager", "loop", "compiled")


@dataclass
class Recipe:
    """A program in knobs; what an operator does not touch is as in the healthy one.

    ``kind`` is what the targets are: ``classes`` (numbers of classes), ``binary`` (0 or 1 for one
    unit), ``numbers``, ``labels`` (several of 0 or 1), ``tokens`` (a class for each place).
    ``end`` are the modules after the last layer; ``threshold`` is where an answer means 1.
    """

    kind: str
    data: Parts
    network: Callable[[Recipe], nn.Module]
    outputs: int
    loss: Any
    hidden: Callable[[], nn.Module] = nn.ReLU
    end: tuple[Callable[[], nn.Module], ...] = ()
    width: int = 32
    depth: int = 2
    kernel: int = 3
    recurrent: str = "LSTM"
    extra: Callable[[int], nn.Module] | None = None
    """What stands after each hidden activation (a dropout, a normalization), given its width."""
    batch_first: bool = True
    optimizer: str = "Adam"
    rate: float = 0.01
    options: dict[str, Any] = field(default_factory=dict)
    epochs: int = 20
    batch: int = 32
    shuffle: bool = True
    validate: bool = True
    way: str = "trainer"
    trainer: dict[str, Any] = field(default_factory=dict)
    schedule: Callable[[Any], Any] | None = None
    loop: Callable[[Any, Any], None] | None = None
    touch: list[Callable[[Any], None]] = field(default_factory=list)
    """What is done to the network before it is trained."""
    learned: Callable[[nn.Module], Any] = lambda model: model.parameters()
    loader: Callable[[Any, Any], Any] | None = None
    threshold: float = 0.0
    supervised: bool = True
    """Whether its rows are what the network is given: not those of a GAN, nor of an agent."""
    score: Callable[[Setup], float] | None = None

    def ready(self, seed: int) -> Setup:
        """The parts of a training, the network's weights drawn from ``seed``."""
        pellucid.manual_seed(seed)
        model = self.network(self)
        for change in self.touch:
            change(model)
        make = getattr(optim, self.optimizer)
        optimizer = make(self.learned(model), lr=self.rate, **self.options)
        return Setup(self, model, self.loss, optimizer, seed)


@dataclass
class Setup:
    """What a training has: the recipe, its network, loss and optimizer."""

    recipe: Recipe
    model: nn.Module
    loss: Any
    optimizer: Any
    seed: int

    @property
    def train(self) -> Any:
        """Features and targets to learn from."""
        return self.recipe.data.train

    @property
    def validation(self) -> Any:
        """Features and targets to validate on, None where the program has none."""
        return self.recipe.data.validation if self.recipe.validate else None

    @property
    def steps(self) -> int:
        """Updates in the whole budget."""
        return self.recipe.epochs * -(-len(self.train[0]) // self.recipe.batch)


def chain(recipe: Recipe, *named: tuple[str, nn.Module]) -> nn.Sequential:
    """Named layers one after the other, then what the recipe puts at the end."""
    ends = [(f"end{i or ''}", make()) for i, make in enumerate(recipe.end)]
    return nn.Sequential(OrderedDict([*named, *ends]))


def hidden(recipe: Recipe, number: int, width: int) -> list[tuple[str, nn.Module]]:
    """The activation after hidden layer ``number`` and what the recipe has after it."""
    found: list[tuple[str, nn.Module]] = [(f"act{number}", recipe.hidden())]
    if recipe.extra is not None:
        found.append((f"extra{number}", recipe.extra(width)))
    return found


def answer(setup: Setup, x: Any) -> np.ndarray:
    """The network's answers in evaluation mode, as an array."""
    model = setup.model
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with pellucid.no_grad():
        given = model(pellucid.tensor(x)).numpy()
    for module, mode in modes:
        module.training = mode
    return np.asarray(given, np.float64)


def score(setup: Setup) -> float:
    """How good the network is on rows that it never saw: accuracy, or R² (at least -1)."""
    if setup.recipe.score is not None:
        return setup.recipe.score(setup)
    x, y = setup.recipe.data.test
    with np.errstate(all="ignore"):
        given = answer(setup, x)
        return _score(setup.recipe, given, np.asarray(y)) if np.isfinite(given).all() else -1.0


def _score(recipe: Recipe, given: np.ndarray, y: np.ndarray) -> float:
    if recipe.kind == "numbers":
        y = y.reshape(len(y), -1)
        given = given.reshape(len(given), -1)
        rest = ((given - y) ** 2).sum(0) / np.maximum(((y - y.mean(0)) ** 2).sum(0), 1e-12)
        return float(max(-1.0, 1.0 - rest.mean()))
    if recipe.kind == "labels":
        said = np.broadcast_to(given > recipe.threshold, y.shape)
        return float(np.mean([_balanced(said[:, k], y[:, k] > 0.5) for k in range(y.shape[1])]))
    if recipe.kind == "binary":
        return _balanced(given.reshape(-1) > recipe.threshold, y.reshape(-1) > 0.5)
    if recipe.kind == "tokens":
        said, counted = given.argmax(-1), y > 0
        return float((said == y)[counted].mean())
    single_unit = given.ndim == 1 or given.shape[-1] == 1
    said = np.rint(given.reshape(-1)) if single_unit else given.argmax(-1)
    classes = np.unique(y)
    return float(np.mean([(said == y)[y == c].mean() for c in classes]))


def _balanced(said: np.ndarray, true: np.ndarray) -> float:
    """The mean of what is right among the rows with and those without a label."""
    shares = [(said == true)[true == value].mean() for value in (False, True)
              if (true == value).any()]  # fmt: skip
    return float(np.mean(shares))
