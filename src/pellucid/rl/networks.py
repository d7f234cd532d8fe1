"""The networks of agents: from a state to an action, a value, or both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pellucid
import pellucid.nn.functional as F
from pellucid import Generator, Tensor, nn
from pellucid.rl.environments import Bounds

LEAST_LOG, MOST_LOG = -20.0, 2.0
"""Bounds of the logarithm of SAC's deviations."""


def perceptron(
    sizes: Sequence[int],
    activation: type[nn.Module],
    generator: Generator,
    last: float | None = None,
) -> nn.Sequential:
    """Linear layers of these widths with an activation between them.

    With ``last`` weights are orthogonal, √2 times as long in hidden layers and ``last`` times in
    the last one, biases 0: small first outputs of a policy keep it undecided.  Without it they
    begin as ``nn.Linear`` does.
    """
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        layer = nn.Linear(inputs, outputs)
        end = i == len(sizes) - 2
        if last is None:
            bound = 1 / math.sqrt(inputs)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        else:
            nn.init.orthogonal_(layer.weight, last if end else math.sqrt(2), generator=generator)
            nn.init.zeros_(layer.bias)
        layers += [layer] if end else [layer, activation()]
    return nn.Sequential(*layers)


class Normalizer(nn.Module):
    """States minus their mean, by their deviation, cut to ±10; of all states seen so far.

    Welford's sums, merged batch by batch (Chan, Golub and LeVeque, 1979).  ``use`` False leaves
    states as they are.
    """

    mean: Tensor
    variance: Tensor
    seen: Tensor

    def __init__(self, states: int, use: bool) -> None:
        super().__init__()
        self.use = use
        self.register_buffer("mean", pellucid.zeros(states))
        self.register_buffer("variance", pellucid.ones(states))
        self.register_buffer("seen", pellucid.zeros(1))

    def forward(self, states: Tensor) -> Tensor:
        """(N, states) → (N, states)."""
        if not self.use:
            return states
        scaled = (states - self.mean) / (self.variance + 1e-8).sqrt()
        return scaled.clamp(-10.0, 10.0)

    def learn(self, states: Tensor) -> None:
        """Takes note of a batch (N, states)."""
        if not self.use:
            return
        with pellucid.no_grad():
            count = float(states.shape[0])
            total = self.seen + count
            apart = states.mean(0) - self.mean
            spread = self.variance * self.seen + states.var(0, correction=0) * count
            self.variance.copy_((spread + apart**2 * (self.seen * count / total)) / total)
            self.mean.copy_(self.mean + apart * (count / total))
            self.seen.copy_(total)


class PolicyNetwork(nn.Module):
    """An actor and a critic with layers of their own; numbered actions are drawn from a softmax,
    arrays from normal distributions whose deviations do not depend on the state."""

    def __init__(
        self,
        states: int,
        actions: int,
        bounds: Bounds | None,
        widths: Sequence[int],
        generator: Generator,
        activation: type[nn.Module] = nn.Tanh,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.numbered = bounds is None
        self.generator = generator
        self.normalizer = Normalizer(states, normalize)
        self.actor = perceptron((states, *widths, actions), activation, generator, 0.01)
        self.critic = perceptron((states, *widths, 1), activation, generator, 1.0)
        if not self.numbered:
            self.log_deviation = nn.Parameter(pellucid.zeros(actions))

    def value(self, inputs: Tensor) -> Tensor:
        """What normalized states (N, states) are worth: (N,)."""
        return self.critic(inputs).squeeze(-1)

    def draw(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Actions for normalized states and the logarithm of their probabilities (N,)."""
        answers = self.actor(inputs)
        if self.numbered:
            # The largest of logits plus Gumbel noise is a draw from their softmax.
            drawn = pellucid.rand(*answers.shape, generator=self.generator)
            noise = -(-(drawn + 1e-20).log() + 1e-20).log()
            action = (answers + noise).argmax(1)
        else:
            noise = pellucid.randn(*answers.shape, generator=self.generator)
            action = answers + self.log_deviation.exp() * noise
        return action, self._log_probability(answers, action)

    def judge(self, inputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithm of the probabilities of actions, and the entropies, (N,) both."""
        answers = self.actor(inputs)
        if self.numbered:
            logs = F.log_softmax(answers, dim=1)
            return self._log_probability(answers, actions), -(logs.exp() * logs).sum(1)
        entropy = (self.log_deviation + 0.5 * math.log(2 * math.pi * math.e)).sum()
        return self._log_probability(answers, actions), entropy.expand(answers.shape[0])

    def best(self, inputs: Tensor) -> Tensor:
        """The likeliest actions."""
        answers = self.actor(inputs)
        return answers.argmax(1) if self.numbered else answers

    def _log_probability(self, answers: Tensor, actions: Tensor) -> Tensor:
        if self.numbered:
            logs = F.log_softmax(answers, dim=1)
            return logs.gather(1, actions.unsqueeze(1)).squeeze(1)
        apart = (actions - answers) * (-self.log_deviation).exp()
        each = -0.5 * apart**2 - self.log_deviation - 0.5 * math.log(2 * math.pi)
        return each.sum(1)


class QNetwork(nn.Module):
    """A value for each action.  ``dueling``: the value of the state and the advantage of each
    action over the mean are learned apart and added (Wang and others, 2016)."""

    def __init__(
        self,
        states: int,
        actions: int,
        widths: Sequence[int],
        generator: Generator,
        dueling: bool = False,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.dueling = dueling
        self.normalizer = Normalizer(states, normalize)
        outputs = actions + 1 if dueling else actions
        self.layers = perceptron((states, *widths, outputs), nn.ReLU, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalized states (N, states) → (N, actions)."""
        answers = self.layers(inputs)
        if not self.dueling:
            return answers
        value, advantage = answers[:, :1], answers[:, 1:]
        return value + advantage - advantage.mean(1, keepdim=True)


class TwinCritics(nn.Module):
    """Two networks that value a state with an action; the lower one is believed, because errors
    that promise too much are sought out by the actor (Fujimoto, van Hoof and Meger, 2018)."""

    def __init__(
        self, states: int, actions: int, widths: Sequence[int], generator: Generator
    ) -> None:
        super().__init__()
        sizes = (states + actions, *widths, 1)
        self.first = perceptron(sizes, nn.ReLU, generator)
        self.second = perceptron(sizes, nn.ReLU, generator)

    def forward(self, inputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """States (N, states) and actions (N, actions) from −1 to 1 → two values (N,)."""
        both = pellucid.cat([inputs, actions], 1)
        return self.first(both).squeeze(1), self.second(both).squeeze(1)


class SquashedActor(nn.Module):
    """Actions from −1 to 1: tanh of normal numbers whose mean and deviation follow from the state
    (Haarnoja and others, 2018)."""

    def __init__(
        self, states: int, actions: int, widths: Sequence[int], generator: Generator
    ) -> None:
        super().__init__()
        self.actions, self.generator = actions, generator
        self.layers = perceptron((states, *widths, 2 * actions), nn.ReLU, generator)

    def draw(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Actions (N, actions) and the logarithm of their density (N,)."""
        answers = self.layers(inputs)
        mean, log = answers[:, : self.actions], answers[:, self.actions :]
        log = log.clamp(LEAST_LOG, MOST_LOG)
        noise = pellucid.randn(*mean.shape, generator=self.generator)
        plain = mean + log.exp() * noise
        each = -0.5 * noise**2 - log - 0.5 * math.log(2 * math.pi)
        # log(1 − tanh²x) = 2 (log 2 − x − softplus(−2x)), which does not overflow.
        squeezed = 2 * (math.log(2) - plain - F.softplus(-2 * plain))
        return plain.tanh(), (each - squeezed).sum(1)

    def best(self, inputs: Tensor) -> Tensor:
        """The actions of the means."""
        return self.layers(inputs)[:, : self.actions].tanh()


class PlainActor(nn.Module):
    """One action from −1 to 1 for each state (Lillicrap and others, 2015)."""

    def __init__(
        self, states: int, actions: int, widths: Sequence[int], generator: Generator
    ) -> None:
        super().__init__()
        self.layers = perceptron((states, *widths, actions), nn.ReLU, generator)

    def best(self, inputs: Tensor) -> Tensor:
        """(N, states) → (N, actions)."""
        return self.layers(inputs).tanh()
