"""Agents with networks: formulas against their definitions, whole trainings, state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError
from pellucid.rl import (
    A2C,
    DQN,
    PPO,
    REINFORCE,
    SAC,
    TD3,
    A2CSettings,
    CartPole,
    DQNSettings,
    GridWorld,
    Pendulum,
    PPOSettings,
    SACSettings,
    Several,
    TD3Settings,
    agent_for,
    evaluate,
    play,
    recipe,
)
from pellucid.rl.agent import RewardScale
from pellucid.rl.networks import Normalizer, SquashedActor
from pellucid.rl.worlds import Played, Tally

SMALL = PPOSettings(copies=4, steps=64, batch=64, epochs=4)


def played(rewards: Any, terminated: Any, truncated: Any, states: int = 2) -> Played:
    """Steps with these rewards and ends; states are random."""
    shape = np.shape(rewards)
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, *shape, states)).astype(np.float32)
    ends, cuts = (np.asarray(a, np.float32) for a in (terminated, truncated))
    return Played(first, np.zeros(shape, np.int64), np.asarray(rewards, np.float32), ends, cuts,
                  second, ())  # fmt: skip


@pytest.mark.parametrize("make", [CartPole, Pendulum, GridWorld])
@pytest.mark.parametrize("outside", [False, True])
def test_D25_what_is_played_inside_of_a_program_follows_the_rules(make: Any, outside: bool) -> None:
    """Every step, played again by a single environment from the state it began in; ends, limits
    and new beginnings included."""
    copies: Any = Several([make(limit=30) for _ in range(3)]) if outside else make(limit=30)
    agent = PPO(copies, PPOSettings(copies=3, steps=16))
    found = agent._play(70)
    assert (agent.world.traced is None) == outside
    single = make(limit=30)
    ages = np.zeros(3, int)
    for step in range(70):
        for i in range(3):
            single.put(numbers_of(single, found.states[step, i]))
            single._steps = int(ages[i])
            own = single.step(found.actions[step, i])
            np.testing.assert_allclose(found.reached[step, i], own.state, rtol=1e-4, atol=1e-4)
            assert found.rewards[step, i] == pytest.approx(own.reward, rel=1e-3, abs=1e-3)
            ended, cut = found.terminated[step, i] > 0, found.truncated[step, i] > 0
            assert (ended, cut) == (own.terminated, own.truncated)
            ages[i] = 0 if own.done else ages[i] + 1
            if step + 1 < 70:
                after = found.states[step + 1, i]
                if own.done:
                    lowest = single.observe_bounds() if hasattr(single, "observe_bounds") else None
                    assert lowest is None and (make is GridWorld or not (after == own.state).all())
                else:
                    assert (after == found.reached[step, i]).all()
    assert found.done.sum() >= 3


def numbers_of(environment: Any, state: np.ndarray) -> tuple[float, ...]:
    if isinstance(environment, Pendulum):
        return float(np.arctan2(state[1], state[0])), float(state[2])
    if isinstance(environment, GridWorld):
        return (float(state.argmax()),)
    return tuple(float(x) for x in state)


def test_advantages_stop_at_ends_and_continue_over_limits() -> None:
    """Against the definition A = Σ (γλ)ⁱ δ, step by step."""
    agent = PPO(CartPole(), PPOSettings(copies=2, discount=0.9))
    random = np.random.default_rng(1)
    ends = random.random((12, 2)) < 0.2
    cuts = (random.random((12, 2)) < 0.2) & ~ends
    steps = played(random.normal(size=(12, 2)), ends, cuts, states=4)
    values = random.normal(size=(12, 2)).astype(np.float32)
    steps = steps._replace(more=(steps.states, values, values))
    advantages, returns = agent._back(steps, steps.rewards, 0.8)
    follows = agent.network.value(pellucid.tensor(steps.reached.reshape(-1, 4)))
    follows = follows.detach().numpy().reshape(12, 2)
    for i in range(2):
        after = 0.0
        for t in reversed(range(12)):
            value = 0.0 if ends[t, i] else follows[t, i]
            error = steps.rewards[t, i] + 0.9 * value - values[t, i]
            after = error + (0.0 if ends[t, i] or cuts[t, i] else 0.9 * 0.8 * after)
            assert advantages[t, i] == pytest.approx(after, rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(returns, advantages + values, rtol=1e-5, atol=1e-5)


def test_ppos_gradient_is_zero_beyond_the_clip() -> None:
    """The loss by its definition in NumPy; actions whose ratio went too far the good way count
    nothing."""
    agent = PPO(CartPole(), PPOSettings(copies=2, critic=0.0, gradient=1e9, lr=0.0))
    random = np.random.default_rng(2)
    inputs = random.normal(size=(6, 4)).astype(np.float32)
    actions = random.integers(0, 2, 6)
    logs = agent.network.judge(pellucid.tensor(inputs), pellucid.tensor(actions))[0]
    now = logs.detach().numpy()
    before = (now + np.array([0.5, -0.5, 0.5, -0.5, 0.05, -0.05])).astype(np.float32)
    advantages = np.array([1, 1, -1, -1, 1, -1], np.float32)
    normal = (advantages - advantages.mean()) / (advantages.std(ddof=1) + 1e-8)
    ratio = np.exp(now - before)
    expected = -np.minimum(ratio * normal, np.clip(ratio, 0.8, 1.2) * normal).mean()
    tensors = map(pellucid.tensor, (inputs, actions, before, advantages, np.zeros(6, np.float32)))
    loss, entropy, divergence, clipped = agent._learn(*tensors)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(clipped) == pytest.approx(4 / 6)
    assert float(divergence) == pytest.approx((ratio - 1 - np.log(ratio)).mean(), rel=1e-3)
    assert 0 < float(entropy) <= np.log(2) + 1e-6


def test_squashed_actions_have_the_density_that_is_said(rng: np.random.Generator) -> None:
    """log π(a) by the change of variables, numerically."""
    actor = SquashedActor(3, 2, (8,), pellucid.Generator().manual_seed(0))
    states = pellucid.tensor(rng.normal(size=(5, 3)).astype(np.float32))
    actions, logs = actor.draw(states)
    answers = actor.layers(states).detach().numpy().astype(np.float64)
    mean, deviation = answers[:, :2], np.exp(answers[:, 2:])
    a = actions.detach().numpy().astype(np.float64)
    z = np.arctanh(a)
    normal = np.exp(-((z - mean) ** 2) / (2 * deviation**2)) / (deviation * np.sqrt(2 * np.pi))
    expected = np.log(normal / (1 - a**2)).sum(1)
    np.testing.assert_allclose(logs.detach().numpy(), expected, rtol=2e-3, atol=2e-3)


def test_states_are_normalized_by_all_that_was_seen(rng: np.random.Generator) -> None:
    normalizer = Normalizer(3, True)
    batches = [rng.normal(2, 3, (n, 3)).astype(np.float32) for n in (5, 40, 7)]
    for batch in batches:
        normalizer.learn(pellucid.tensor(batch))
    whole = np.concatenate(batches)
    assert_close(normalizer.mean, whole.mean(0), 1e-4, 1e-5)
    assert_close(normalizer.variance, whole.var(0), 1e-4, 1e-5)
    scaled = normalizer(pellucid.tensor(whole)).numpy()
    np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-3)


def test_rewards_are_scaled_by_the_deviation_of_their_sums(rng: np.random.Generator) -> None:
    scale = RewardScale(2, 0.9, True)
    none = np.zeros((400, 2))
    steps = played(100 * rng.normal(size=(400, 2)), none, none)
    sums, open_sums = [], np.zeros(2)
    for rewards in steps.rewards:
        open_sums = 0.9 * open_sums + rewards
        sums.append(open_sums)
    np.testing.assert_allclose(
        scale.scaled(steps), steps.rewards / np.std(sums), rtol=1e-2, atol=1e-3
    )


def test_episodes_are_summed_up_over_pieces() -> None:
    tally = Tally(2)
    ends = np.zeros((6, 2))
    ends[1, 0] = ends[4, 1] = 1
    whole = played(np.arange(12).reshape(6, 2), ends, np.zeros((6, 2)))
    for part in (slice(0, 3), slice(3, 6)):
        tally.add(Played(*(a[part] for a in whole[:6]), ()))  # type: ignore[arg-type]
    assert (tally.sums, tally.lengths) == ([0 + 2, 1 + 3 + 5 + 7 + 9], [2, 5])
    assert tally._open.tolist() == [4 + 6 + 8 + 10, 11] and tally._ages.tolist() == [4, 1]


def test_D28_ppo_balances_the_pole() -> None:
    agent = agent_for("ppo", "CartPole-v1", seed=0)
    before = agent.evaluate(10)
    agent.learn(40_000, evaluate_every=10_000)
    found = agent.evaluate(20)
    assert before.mean < 100 and found.mean == 500 and found.truncated == 20
    assert agent.best is not None and agent.best.mean == 500
    assert len(agent.evaluations) == 4 and agent.why_not() == []


def test_D28_a2c_and_reinforce_balance_the_pole() -> None:
    actor = A2C("CartPole-v1", A2CSettings(copies=8, lr=2e-3), seed=1).learn(60_000)
    assert actor.evaluate(10).mean > 300
    whole = REINFORCE("CartPole-v0", seed=0).learn(80_000, evaluate_every=10_000)
    assert whole.evaluate(20).mean > 195  # 200 are all there are


def test_D28_greedy_play_after_deep_q_learning_stands_for_200_of_200() -> None:
    agent = agent_for("dqn", "CartPole-v0", recipe("dqn", "CartPole-v1").settings, seed=0)
    agent.learn(10_000, evaluate_every=256, evaluation_episodes=20)
    assert agent.best is not None and agent.best.mean > 190
    assert agent.evaluate(20, seed=1).mean > 190


@pytest.mark.parametrize(
    "changes",
    [{}, {"double": False, "dueling": True}, {"priority": 0.6, "horizon": 3}],
    ids=["double", "dueling", "priority"],
)
def test_D28_deep_q_learning_balances_the_pole(changes: dict[str, Any]) -> None:
    settings = DQNSettings(
        lr=2.3e-3, batch=64, memory=20_000, warmup=500, target=10, every=64, updates=32,
        explore_share=0.3, explore_least=0.04, **changes,
    )  # fmt: skip
    agent = DQN("CartPole-v0", settings, seed=0)
    before = agent.evaluate(10).mean
    agent.learn(12_000, evaluate_every=1_500)
    assert before < 60 and agent.best is not None and agent.best.mean > 110


def test_D28_a_q_network_finds_the_way_through_the_grid() -> None:
    """With a slower network that becomes equal to the network now and then."""
    settings = DQNSettings(
        lr=2e-3, memory=10_000, warmup=100, target=60, every=1, batch=32, discount=0.9,
        explore_share=0.5, explore_least=0.1, widths=(32, 32),
    )  # fmt: skip
    agent = DQN(GridWorld(limit=100), settings, seed=0).learn(2_000)
    way = play(GridWorld(limit=100), lambda state: int(agent.act(state[None])[0]))
    assert len(way) == 5 and way[-1].terminated


@pytest.mark.parametrize(
    "make",
    [
        lambda: SAC(Pendulum(), SACSettings(lr=3e-3, batch=64, widths=(48, 48), every=2)),
        lambda: TD3(Pendulum(), TD3Settings(lr=3e-3, batch=64, widths=(48, 48), every=4)),
    ],
    ids=["sac", "td3"],
)
def test_D28_a_pendulum_is_swung_up(make: Any) -> None:
    agent = make()
    before = agent.evaluate(10).mean
    agent.learn(8_000, evaluate_every=2_000)
    assert before < -900 and agent.best.mean > -350


def test_any_environment_of_gymnasium_can_be_learned() -> None:
    gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed")
    agent = PPO("gymnasium:CartPole-v1", SMALL)
    agent.learn(512)
    assert agent.world.traced is None and len(agent.tally.sums) > 5
    lake = PPO(lambda: gymnasium.make("FrozenLake-v1"), SMALL)
    assert lake.learn(256).evaluate(3).lengths
    arms = SAC("gymnasium:Pendulum-v1", SACSettings(widths=(16,), batch=16))
    assert arms.learn(120).steps == 120


def test_equal_seeds_give_equal_agents_and_a_state_goes_on_to_the_same_bits() -> None:
    def weights(agent: Any) -> dict[str, np.ndarray]:
        return {name: value.numpy().copy() for name, value in agent._weights().items()}

    for make in (
        lambda: PPO("CartPole-v1", SMALL, seed=3),
        lambda: DQN("CartPole-v1", DQNSettings(memory=400, warmup=32, priority=0.5), seed=3),
        lambda: SAC("Pendulum-v1", SACSettings(memory=400, widths=(8,), batch=16), seed=3),
    ):
        whole = make().learn(512).learn(512)
        first = make().learn(512)
        state = {name: value.clone() for name, value in first.state().items()}
        other = make()
        other.restore(state, first.steps)
        other.random = first.random
        other.learn(512)
        for name, value in weights(whole).items():
            assert (value == weights(other)[name]).all(), name
    with pytest.raises(ArgumentError, match="the state does not fit"):
        PPO("CartPole-v1", PPOSettings(copies=3)).restore(state, 5)


def test_watching_can_end_the_learning_and_sees_figures() -> None:
    seen = []

    def watch(progress: Any) -> bool:
        seen.append(progress)
        return len(seen) == 3

    agent = PPO("CartPole-v1", SMALL).learn(100_000, watch=watch)
    assert agent.steps == seen[-1].steps < 10_000 and seen[-1].to_json()["until"] == 100_000
    assert {"loss", "entropy", "kl", "clipped", "explained"} == set(seen[0].figures)
    few = A2C("CartPole-v1").learn(3_000).progress[-1].figures
    assert 0 < few["entropy"] <= np.log(2) + 1e-6


def test_a_smaller_last_batch_is_learned_from() -> None:
    """90 steps in batches of 64: two programs, and weights that both have changed."""
    uneven = PPO("CartPole-v1", PPOSettings(copies=3, steps=30, batch=64, epochs=1), seed=0)
    even = PPO("CartPole-v1", PPOSettings(copies=3, steps=30, batch=64, epochs=1), seed=0)
    even._epoch = (
        lambda mixed, rows, batch: PPO._epoch(  # type: ignore[method-assign]
            even, [part[:batch] for part in mixed], batch, batch
        )
    )
    one, two = (agent.learn(90)._weights() for agent in (uneven, even))
    assert any((one[name].numpy() != two[name].numpy()).any() for name in one)


def test_an_evaluation_says_how_sure_it_is() -> None:
    def lean(states: np.ndarray) -> np.ndarray:
        return (states[:, 2] > 0).astype(int)

    found = evaluate(lean, "CartPole-v1", 60, seed=1)
    low, high = found.interval()
    standard = found.deviation / np.sqrt(60)
    assert found.mean - 2.6 * standard < low < found.mean - 1.4 * standard
    assert found.mean + 1.4 * standard < high < found.mean + 2.6 * standard
    assert evaluate(lean, "CartPole-v1", 60, seed=1) == found
    several = evaluate(lean, Several([CartPole(), CartPole()]), 7)
    assert len(several.sums) == 7 and several.truncated == 0
    with pytest.raises(ArgumentError, match="episodes=0"):
        evaluate(lean, "CartPole-v1", 0)


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"discount": 2.0}, {"copies": 0}, {"lr": -1.0}, {"trace": 1.5}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            PPO("CartPole-v1", PPOSettings(**wrong))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="numbered actions"):
        DQN("Pendulum-v1")
    with pytest.raises(ArgumentError, match="actions that are arrays"):
        SAC("CartPole-v1")
    with pytest.raises(ArgumentError, match="multiple of delay"):
        TD3("Pendulum-v1", TD3Settings(updates=3))
    with pytest.raises(ArgumentError, match="use one of"):
        agent_for("sarsa", "CartPole-v1")
    with pytest.raises(ArgumentError, match="ppo has no setting speed"):
        agent_for("ppo", "CartPole-v1", speed=3)
    with pytest.raises(ArgumentError, match="steps=0"):
        PPO("CartPole-v1", SMALL).learn(0)
    with pytest.raises(ArgumentError, match="more steps of each environment"):
        DQN("CartPole-v1", DQNSettings(memory=2, horizon=3))
