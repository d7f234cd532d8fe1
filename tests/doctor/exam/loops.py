"""Loops that are not supervised learning: a generator against a critic, and learning by playing."""

from __future__ import annotations

from typing import Any

import numpy as np

import pellucid
from doctor.exam.data import Parts, single
from doctor.exam.recipe import Recipe, Setup, answer
from pellucid import nn, optim
from pellucid.nn import functional as F


class Pair(nn.Module):
    """A generator of points from noise, and a critic that tells them from real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
                                       nn.Linear(32, 2))  # fmt: skip
        self.critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32),
                                    nn.LeakyReLU(0.2), nn.Linear(32, 1))  # fmt: skip

    def forward(self, noise: Any) -> Any:
        return self.generator(noise)


def real_points(random: np.random.Generator, rows: int) -> np.ndarray:
    """Points around a ring of four groups."""
    group = random.integers(0, 4, rows)
    centers = np.stack([np.cos(group * np.pi / 2), np.sin(group * np.pi / 2)], 1)
    return single(1.5 * centers + 0.2 * random.normal(size=(rows, 2)))


def gan(recipe: Recipe, *, generator_rate: float = 0.001, critic_rate: float = 0.001) -> None:
    """Makes the recipe a generator and a critic, with a loop of its own."""
    points = real_points(np.random.default_rng(0), 512)
    targets = np.ones((512, 1), np.float32)
    recipe.data = Parts((points, targets), (points, targets), (points, targets))
    recipe.network, recipe.supervised = lambda _: Pair(), False
    recipe.rate, recipe.batch, recipe.epochs, recipe.validate = generator_rate, 64, 100, False
    recipe.options, recipe.learned = {"betas": (0.5, 0.999)}, lambda m: m.generator.parameters()
    recipe.score = lambda setup: modes(setup)

    def loop(setup: Setup, watch: Any) -> None:
        _play_gan(setup, watch, critic_rate)

    recipe.loop = loop


def _play_gan(setup: Setup, watch: Any, critic_rate: float) -> None:
    model: Any = setup.model
    critic_steps = optim.Adam(model.critic.parameters(), lr=critic_rate, betas=(0.5, 0.999))
    random = np.random.default_rng(setup.seed)
    ones, zeros = pellucid.ones(64, 1), pellucid.zeros(64, 1)
    loss = F.binary_cross_entropy_with_logits
    for _ in range(setup.steps):
        with watch.step():
            real = pellucid.tensor(real_points(random, 64))
            made = model.generator(pellucid.randn(64, 4))
            critic_steps.zero_grad()
            found = loss(model.critic(real), ones) + loss(model.critic(made.detach()), zeros)
            found.backward()
            critic_steps.step()
            setup.optimizer.zero_grad()
            loss(model.critic(made), ones).backward()
            setup.optimizer.step()


def modes(setup: Setup) -> float:
    """The share of the four groups around which at least one in twenty points is made."""
    noise = np.random.default_rng(9).normal(size=(400, 4))
    made = answer(setup, single(noise))
    centers = 1.5 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    distance = np.linalg.norm(made[:, None] - centers[None], axis=2)
    near = np.bincount(distance.argmin(1)[distance.min(1) < 0.7], minlength=4)
    return float((near >= 20).mean())


def dqn(recipe: Recipe) -> None:
    """Makes the recipe a walk of seven places, of which the last one pays; learned by playing."""
    places = np.eye(7, dtype=np.float32)
    best = np.zeros(7, np.int64) + 1
    recipe.data = Parts((places, best), (places, best), (places, best))
    recipe.network = lambda _: nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 2))
    recipe.rate, recipe.batch, recipe.epochs, recipe.validate = 0.003, 32, 500, False
    recipe.loop, recipe.score, recipe.supervised = _play_dqn, _moves_right, False


def _moves_right(setup: Setup) -> float:
    return float((answer(setup, setup.recipe.data.test[0])[:6].argmax(1) == 1).mean())


def _play_dqn(setup: Setup, watch: Any) -> None:
    model, random = setup.model, np.random.default_rng(setup.seed)
    target = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 2))
    target.load_state_dict(model.state_dict())
    memory: list[tuple[int, int, float, int, float]] = []
    place = 3
    for number in range(1500):
        if random.random() < max(0.1, 1 - number / 800):
            action = int(random.integers(2))
        else:
            action = int(answer(setup, np.eye(7, dtype=np.float32)[[place]]).argmax())
        after = max(0, place + (1 if action else -1))
        ended = after == 6
        memory.append((place, action, float(ended), after, float(ended)))
        place = int(random.integers(6)) if ended else after
        if len(memory) >= 64 and number % 3 == 0:
            with watch.step():
                _learn(setup, target, [memory[i] for i in random.integers(len(memory), size=32)])
        if number % 60 == 0:
            target.load_state_dict(model.state_dict())


def _learn(setup: Setup, target: nn.Module, rows: list[Any]) -> None:
    place, action, reward, after, ended = (np.array(column) for column in zip(*rows, strict=True))
    eye = np.eye(7, dtype=np.float32)
    with pellucid.no_grad():
        best = target(pellucid.tensor(eye[after])).max(1).values
    wanted = pellucid.tensor(single(reward)) + 0.9 * (1 - pellucid.tensor(single(ended))) * best
    values = setup.model(pellucid.tensor(eye[place]))
    taken = values.gather(1, pellucid.tensor(action)[:, None]).squeeze(1)
    setup.optimizer.zero_grad()
    F.mse_loss(taken, wanted).backward()
    setup.optimizer.step()
