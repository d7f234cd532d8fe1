"""What all agents with networks have in common: playing, learning in rounds, and their state."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

import pellucid
from pellucid import Generator, Tensor, nn
from pellucid.base.errors import ArgumentError
from pellucid.rl.evaluation import Evaluation, evaluate
from pellucid.rl.health import Finding, find_reasons
from pellucid.rl.worlds import Played, Tally, World, bounded

Array = npt.NDArray[Any]


class AgentSettings(Protocol):
    """What the settings of every algorithm say."""

    copies: int
    """How many environments are played side by side."""
    normalize: bool
    """States minus their mean, by their deviation, as seen so far."""


@dataclass(frozen=True)
class Progress:
    """What is told while an agent learns."""

    steps: int
    """Steps of all environments so far."""
    until: int
    """Steps at which learning ends."""
    episodes: int
    """Episodes that ended."""
    recent: float
    """Mean sum of rewards of the last 100 episodes; NaN before the first has ended."""
    seconds: float
    """Seconds since ``learn`` was called."""
    figures: dict[str, float] = field(default_factory=dict)
    """What the algorithm says of its last updates: losses, entropy, values."""

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


Watch = Callable[[Progress], bool | None]


class Agent:
    """An agent that learns by playing; ``PPO``, ``A2C``, ``REINFORCE``, ``DQN``, ``SAC``, ``TD3``.

    A subclass builds its networks in ``_build`` and plays and updates in ``_round``.
    """

    algorithm: ClassVar[str] = ""

    def __init__(self, environment: Any, settings: Any, seed: int) -> None:
        check_settings(settings)
        self.environment, self.settings, self.seed = environment, settings, seed
        self.generator = Generator().manual_seed(seed)
        self.random = np.random.default_rng(seed)
        self.world = World(environment, settings.copies, self.generator, seed)
        self.tally = Tally(self.world.count)
        self.steps = 0
        self.until = 0
        self.progress: list[Progress] = []
        """What was told, a hundred times in the course of ``learn``."""
        self.evaluations: list[tuple[int, Evaluation]] = []
        """Steps and results of the evaluations on the way."""
        self.best: Evaluation | None = None
        self._best_weights: dict[str, Tensor] | None = None
        self._build()
        self._act = pellucid.compile(self._best_actions)

    # ---- what each algorithm says -------------------------------------------------------------

    def _build(self) -> None:
        """Makes networks, optimizers and programs."""
        raise NotImplementedError

    def _round(self, limit: int) -> dict[str, float]:
        """Plays some steps (``limit`` at most are wanted) and learns from them."""
        raise NotImplementedError

    def _best(self, states: Tensor) -> Tensor:
        """The best actions for states (N, states), as the networks know actions."""
        raise NotImplementedError

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by their names."""
        raise NotImplementedError

    @property
    def optimizers(self) -> dict[str, Any]:
        """The optimizers by their names."""
        raise NotImplementedError

    scaled: ClassVar[bool] = False
    """Whether the networks' actions are from −1 to 1."""

    # ---- playing ------------------------------------------------------------------------------

    def act(self, states: npt.ArrayLike) -> Array:
        """The best actions, without exploring: one for a state (states,), or N for (N, states)."""
        given = np.asarray(states, np.float32)
        rows = given.reshape(-1, self.world.states)
        with pellucid.no_grad():
            actions: Array = self._act(pellucid.from_numpy(rows)).numpy()
        return actions[0] if given.ndim == 1 else actions

    def _best_actions(self, states: Tensor) -> Tensor:
        return bounded(self.world.bounds, self.scaled)(self._best(states))

    def evaluate(self, episodes: int = 20, seed: int = 10_000) -> Evaluation:
        """Whole episodes without exploring, on fresh environments: see ``evaluate``."""
        return evaluate(self.act, self.environment, episodes, seed)

    # ---- learning -----------------------------------------------------------------------------

    def learn(
        self,
        steps: int,
        *,
        evaluate_every: int = 0,
        evaluation_episodes: int = 10,
        watch: Watch | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Agent:
        """Plays about ``steps`` more steps and learns from them.

        With ``evaluate_every`` it is evaluated after so many steps each, and the best weights are
        kept and are those at the end.  ``watch`` sees the progress about a hundred times, and ends
        the learning by returning True; ``stop`` is asked after every round and ends it, too, and
        the weights are then the newest.
        """
        if steps < 1:
            raise ArgumentError(f"learn got steps={steps}", "use at least 1")
        began, start = time.monotonic(), self.steps
        self.until = start + steps
        told = start
        while self.steps < self.until:
            before = self.steps
            figures = self._round(self.until - self.steps)
            if stop is not None and stop():
                return self
            if self.steps >= min(told + steps // 100, self.until):
                told = self.steps
                self.progress.append(self._told(time.monotonic() - began, figures))
                if watch is not None and watch(self.progress[-1]):
                    break
            if evaluate_every and (
                self.steps // evaluate_every > before // evaluate_every or self.steps >= self.until
            ):
                self._judge(evaluation_episodes)
        if evaluate_every:
            self.use_best()
        return self

    def _told(self, seconds: float, figures: dict[str, float]) -> Progress:
        last = self.tally.sums[-100:]
        recent = float(np.mean(last)) if last else float("nan")
        return Progress(self.steps, self.until, len(self.tally.sums), recent, seconds, figures)

    def _judge(self, episodes: int) -> None:
        found = self.evaluate(episodes)
        self.evaluations.append((self.steps, found))
        if self.best is None or found.mean >= self.best.mean:
            self.best = found
            self._best_weights = {name: value.clone() for name, value in self._weights().items()}

    def use_best(self) -> None:
        """Goes back to the weights that did best in an evaluation."""
        if self._best_weights is not None:
            self._overwrite(self._weights(), self._best_weights)

    def why_not(self) -> list[Finding]:
        """Reasons why it does not learn, if it does not: see ``find_reasons``."""
        return find_reasons(self)

    # ---- state --------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """All that learning goes on from, by names: weights, optimizers, random numbers, and the
        positions of our own environments (others begin new episodes)."""
        found = self._weights()
        for name, optimizer in self.optimizers.items():
            for number, slots in optimizer.state_dict()["state"].items():
                for slot, value in slots.items():
                    if isinstance(value, Tensor):
                        found[f"optimizer.{name}.{number}.{slot}"] = value
        found.update({f"world.{name}": value for name, value in self.world.position().items()})
        found.update({f"kept.{name}": value for name, value in self._kept().items()})
        found["generator"] = self.generator.get_state()
        return found

    def restore(self, state: dict[str, Tensor], steps: int) -> None:
        """Goes on from a state of an agent of the same settings, after so many ``steps``."""
        for name, optimizer in self.optimizers.items():
            self._restore_optimizer(name, optimizer, state)
        own = self.state()
        wrong = sorted(
            name for name in own if name not in state or state[name].shape != own[name].shape
        )
        if wrong:
            raise ArgumentError(
                f"the state does not fit: {', '.join(wrong[:3])}",
                "make the agent with the environment and settings that it was saved with",
            )
        self.generator.set_state(state["generator"])
        own.pop("generator")
        self._overwrite(own, state)
        self.steps = steps
        self._restored()

    def _kept(self) -> dict[str, Tensor]:
        """What else belongs to the state."""
        return {}

    def _restored(self) -> None:
        """Called when the state has been put back."""

    def _weights(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, network in self.networks.items()
            for key, value in network.state_dict().items()
        }

    @staticmethod
    def _overwrite(own: dict[str, Tensor], given: dict[str, Tensor]) -> None:
        with pellucid.no_grad():
            for name, value in own.items():
                value.copy_(given[name])

    @staticmethod
    def _restore_optimizer(name: str, optimizer: Any, state: dict[str, Tensor]) -> None:
        whole = optimizer.state_dict()
        prefix = f"optimizer.{name}."
        slots: dict[int, dict[str, Any]] = {}
        for key, value in state.items():
            if key.startswith(prefix):
                number, _, slot = key.removeprefix(prefix).partition(".")
                slots.setdefault(int(number), {})[slot] = copy.deepcopy(value)
        optimizer.load_state_dict({**whole, "state": slots})


def check_settings(settings: Any) -> None:
    """Refuses settings that make no sense, by the names that they have."""
    for name, value in asdict(settings).items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        share = name in ("discount", "trace", "priority", "soft", "explore_share", "explore_least")
        if (share and not 0 <= value <= 1) or value < 0 or value != value:
            raise ArgumentError(
                f"{name}={value}", "use a number from 0 to 1" if share else "use at least 0"
            )
        if name in _AT_LEAST_ONE and value < 1:
            raise ArgumentError(f"{name}={value}", "use at least 1")


_AT_LEAST_ONE = ("copies", "steps", "batch", "epochs", "horizon", "memory", "every", "updates")


def linear(start: float, end: float, share: float) -> float:
    """From ``start`` to ``end`` while ``share`` goes from 0 to 1."""
    return start + (end - start) * min(max(share, 0.0), 1.0)


def flat(array: Array) -> Tensor:
    """(T, N, …) → a tensor (T · N, …)."""
    return pellucid.from_numpy(np.ascontiguousarray(array.reshape(-1, *array.shape[2:])))


class RewardScale:
    """Divides rewards by the deviation of the discounted sums of rewards so far, cut to ±10."""

    def __init__(self, count: int, discount: float, use: bool) -> None:
        self.use, self.discount = use, discount
        self.running = np.zeros(count)
        self.mean, self.variance, self.seen = 0.0, 1.0, 1e-4

    def scaled(self, played: Played) -> Array:
        """The rewards (T, N), scaled."""
        if not self.use:
            return played.rewards
        sums = np.empty(played.rewards.shape)
        done = played.done
        for step, rewards in enumerate(played.rewards):
            self.running = self.running * self.discount + rewards
            sums[step] = self.running
            self.running = self.running * (1 - done[step])
        total = self.seen + sums.size
        apart = sums.mean() - self.mean
        spread = self.variance * self.seen + sums.var() * sums.size
        self.variance = (spread + apart**2 * self.seen * sums.size / total) / total
        self.mean += apart * sums.size / total
        self.seen = total
        scaled: Array = played.rewards / np.sqrt(self.variance + 1e-8)
        return np.clip(scaled, -10, 10).astype(np.float32)
