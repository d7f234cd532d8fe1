"""Programs as people write them: compiled, trained a few steps, against PyTorch's losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array

STEPS = 6


def _network(library: Any, *sizes: int) -> Any:
    """Linear layers with tanh between, of the same weights in every library."""
    layers: list[Any] = []
    random = np.random.default_rng(5)
    for a, b in zip(sizes, sizes[1:], strict=False):
        layer = library.nn.Linear(a, b)
        with library.no_grad():
            layer.weight.copy_(library.tensor(random.normal(0, a**-0.5, (b, a)).astype("float32")))
            layer.bias.zero_()
        layers += [layer, library.nn.Tanh()]
    return library.nn.Sequential(*layers[:-1])


def _losses(library: Any, parameters: list[Any], loss_of: Callable[..., Any], data: Any) -> Any:
    optimizer = library.optim.Adam(parameters, lr=1e-2)

    def step(*batch: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = pellucid.compile(step) if library is pellucid else step
    return [float(as_array(run(*(library.tensor(x) for x in batch)))) for batch in data]


def _batches(*shapes: tuple[int, ...], seed: int = 3) -> list[list[np.ndarray]]:
    random = np.random.default_rng(seed)
    return [[random.normal(size=s).astype("float32") for s in shapes] for _ in range(STEPS)]


def _both(program: Callable[[Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = program(pellucid), program(torch)
    assert np.isfinite(ours).all()
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5), (ours, theirs)


@pytest.mark.parity
def test_actor_critic() -> None:
    def program(m: Any) -> Any:
        actor, critic = _network(m, 4, 16, 3), _network(m, 4, 16, 1)

        def loss(states: Any, scores: Any, returns: Any) -> Any:
            policy = m.distributions.Categorical(logits=actor(states))
            actions = scores.argmax(-1)
            value = critic(states).squeeze(-1)
            advantage = (returns - value).detach()
            gain = (policy.log_prob(actions) * advantage).mean() + 0.01 * policy.entropy().mean()
            return (returns - value).pow(2).mean() - gain

        parameters = [*actor.parameters(), *critic.parameters()]
        return _losses(m, parameters, loss, _batches((8, 4), (8, 3), (8,)))

    _both(program)


@pytest.mark.parity
def test_proximal_policy() -> None:
    """The clipped ratio of Schulman and others (2017), with a diagonal normal policy."""

    def program(m: Any) -> Any:
        actor = _network(m, 4, 16, 2)
        spread = m.nn.Parameter(m.zeros(2))

        def loss(states: Any, actions: Any, advantage: Any) -> Any:
            normal = m.distributions.Normal(actor(states), spread.exp())
            policy = m.distributions.Independent(normal, 1)
            old = policy.log_prob(actions).detach() - 0.1
            ratio = (policy.log_prob(actions) - old).exp()
            clipped = ratio.clamp(0.8, 1.2)
            return -m.min(ratio * advantage, clipped * advantage).mean() - policy.entropy().mean()

        return _losses(m, [*actor.parameters(), spread], loss, _batches((8, 4), (8, 2), (8,)))

    _both(program)


@pytest.mark.parity
def test_soft_actor_critic() -> None:
    """A squashed normal policy, with given noise.  (Haarnoja and others, 2018.)"""

    def program(m: Any) -> Any:
        actor, critic = _network(m, 4, 16, 4), _network(m, 6, 16, 1)

        def loss(states: Any, noise: Any) -> Any:
            mean, log_std = actor(states).chunk(2, -1)
            std = log_std.clamp(-5, 2).exp()
            normal = m.distributions.Normal(mean, std)
            squash = m.distributions.TanhTransform(cache_size=1)
            policy = m.distributions.TransformedDistribution(normal, [squash])
            action = squash(mean + std * noise)
            score = policy.log_prob(action).sum(-1)
            return (0.2 * score - critic(m.cat([states, action], -1)).squeeze(-1)).mean()

        return _losses(m, list(actor.parameters()), loss, _batches((8, 4), (8, 2)))

    _both(program)


@pytest.mark.parity
def test_variational_autoencoder() -> None:
    def program(m: Any) -> Any:
        encoder, decoder = _network(m, 12, 16, 6), _network(m, 3, 16, 12)
        D = m.distributions  # noqa: N806

        def loss(x: Any, noise: Any) -> Any:
            mean, raw = encoder(x).chunk(2, -1)
            posterior = D.Normal(mean, m.nn.functional.softplus(raw) + 1e-3)
            z = posterior.mean + posterior.stddev * noise
            pixels = D.Independent(D.Bernoulli(logits=decoder(z)), 1)
            divergence = D.kl_divergence(posterior, D.Normal(m.zeros(3), m.ones(3))).sum(-1)
            return (divergence - pixels.log_prob((x > 0).float())).mean()

        parameters = [*encoder.parameters(), *decoder.parameters()]
        return _losses(m, parameters, loss, _batches((8, 12), (8, 3)))

    _both(program)


@pytest.mark.parity
def test_mixture_of_normals() -> None:
    def program(m: Any) -> Any:
        D = m.distributions  # noqa: N806
        weights = m.nn.Parameter(m.zeros(3))
        means = m.nn.Parameter(m.tensor([[-1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]))
        spreads = m.nn.Parameter(m.zeros(3, 2))

        def loss(x: Any) -> Any:
            parts = D.Independent(D.Normal(means, spreads.exp()), 1)
            mixture = D.MixtureSameFamily(D.Categorical(logits=weights), parts)
            return -mixture.log_prob(x * 2 + 0.5).mean()

        return _losses(m, [weights, means, spreads], loss, _batches((64, 2)))

    _both(program)


@pytest.mark.parity
def test_regression_with_a_gamma_likelihood() -> None:
    def program(m: Any) -> Any:
        net = _network(m, 3, 16, 2)

        def loss(x: Any, y: Any) -> Any:
            shape, rate = m.nn.functional.softplus(net(x)).unbind(-1)
            return -m.distributions.Gamma(shape, rate).log_prob(y.abs() + 0.1).mean()

        return _losses(m, list(net.parameters()), loss, _batches((16, 3), (16,)))

    _both(program)


@pytest.mark.parametrize("family", ["normal", "beta", "squashed"])
def test_compiled_steps_that_draw_learn(family: str) -> None:
    """E (a − 0.3)² over the policy's draws falls, by gradients through them."""
    pellucid.manual_seed(0)
    raw = pellucid.nn.Parameter(pellucid.tensor([1.0, 0.0]))
    optimizer = pellucid.optim.Adam([raw], lr=5e-2)
    D = pellucid.distributions  # noqa: N806

    def policy() -> Any:
        first, second = raw.unbind()
        if family == "normal":
            return D.Normal(first, second.exp())
        if family == "beta":
            return D.Beta(first.exp(), second.exp())
        return D.TransformedDistribution(D.Normal(first, second.exp()), [D.TanhTransform()])

    @pellucid.compile
    def step() -> Any:
        optimizer.zero_grad()
        loss = (policy().rsample((32,)) - 0.3).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = [step().item() for _ in range(200)]
    assert len(set(losses)) > 190  # new numbers at each call
    assert np.mean(losses[-20:]) < 0.3 * np.mean(losses[:20])


def test_a_game_is_learned_by_the_score_function() -> None:
    """REINFORCE (Williams, 1992) on a bandit of four arms; draws inside the compiled step."""
    pellucid.manual_seed(1)
    logits = pellucid.nn.Parameter(pellucid.zeros(4))
    optimizer = pellucid.optim.Adam([logits], lr=0.1)
    rewards = pellucid.tensor([0.1, 0.5, 0.9, 0.2])

    @pellucid.compile
    def step() -> Any:
        policy = pellucid.distributions.Categorical(logits=logits)
        actions = policy.sample((64,))
        reward = rewards[actions]
        optimizer.zero_grad()
        loss = -(policy.log_prob(actions) * (reward - reward.mean())).mean()
        loss.backward()
        optimizer.step()
        return reward.mean()

    gained = [step().item() for _ in range(120)]
    assert gained[0] < 0.6 and gained[-1] > 0.85
