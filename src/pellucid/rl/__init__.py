"""Learning from rewards: environments, policies, exact solutions, tables, and networks."""

from pellucid.rl.actor_critic import A2CLoss as A2CLoss
from pellucid.rl.actor_critic import a2c_loss as a2c_loss
from pellucid.rl.actor_critic import train_a2c as train_a2c
from pellucid.rl.bandits import UCB as UCB
from pellucid.rl.bandits import Bandit as Bandit
from pellucid.rl.bandits import BanditPlayer as BanditPlayer
from pellucid.rl.bandits import EpsilonGreedy as EpsilonGreedy
from pellucid.rl.bandits import GaussianBandit as GaussianBandit
from pellucid.rl.bandits import GradientBandit as GradientBandit
from pellucid.rl.bandits import ThompsonSampling as ThompsonSampling
from pellucid.rl.bandits import bandit_curve as bandit_curve
from pellucid.rl.bandits import play_bandit as play_bandit
from pellucid.rl.dqn import DQNLearner as DQNLearner
from pellucid.rl.dqn import soft_update as soft_update
from pellucid.rl.dqn import td_loss as td_loss
from pellucid.rl.dqn import train_dqn as train_dqn
from pellucid.rl.environments import CartPole as CartPole
from pellucid.rl.environments import Environment as Environment
from pellucid.rl.environments import GridWorld as GridWorld
from pellucid.rl.environments import Gymnasium as Gymnasium
from pellucid.rl.environments import Step as Step
from pellucid.rl.exact import MDP as MDP
from pellucid.rl.exact import Solution as Solution
from pellucid.rl.exact import evaluate_policy as evaluate_policy
from pellucid.rl.exact import iterate_policy as iterate_policy
from pellucid.rl.exact import iterate_values as iterate_values
from pellucid.rl.exact import solve_policy as solve_policy
from pellucid.rl.monte_carlo import importance_moments as importance_moments
from pellucid.rl.monte_carlo import importance_sampling as importance_sampling
from pellucid.rl.monte_carlo import monte_carlo_control as monte_carlo_control
from pellucid.rl.monte_carlo import monte_carlo_off_policy as monte_carlo_off_policy
from pellucid.rl.monte_carlo import (
    monte_carlo_off_policy_control as monte_carlo_off_policy_control,
)
from pellucid.rl.monte_carlo import monte_carlo_values as monte_carlo_values
from pellucid.rl.playing import Transition as Transition
from pellucid.rl.playing import play as play
from pellucid.rl.policies import epsilon_greedy as epsilon_greedy
from pellucid.rl.policies import epsilon_greedy_probabilities as epsilon_greedy_probabilities
from pellucid.rl.policies import greedy as greedy
from pellucid.rl.replay import Batch as Batch
from pellucid.rl.replay import ReplayBuffer as ReplayBuffer
from pellucid.rl.tables import double_q_learning as double_q_learning
from pellucid.rl.tables import expected_sarsa as expected_sarsa
from pellucid.rl.tables import q_learning as q_learning
from pellucid.rl.tables import sarsa as sarsa
from pellucid.rl.tables import td_values as td_values

__all__ = [
    "A2CLoss",
    "Bandit",
    "BanditPlayer",
    "Batch",
    "CartPole",
    "DQNLearner",
    "Environment",
    "EpsilonGreedy",
    "GaussianBandit",
    "GradientBandit",
    "GridWorld",
    "Gymnasium",
    "MDP",
    "ReplayBuffer",
    "Solution",
    "Step",
    "ThompsonSampling",
    "Transition",
    "UCB",
    "a2c_loss",
    "bandit_curve",
    "double_q_learning",
    "epsilon_greedy",
    "epsilon_greedy_probabilities",
    "evaluate_policy",
    "expected_sarsa",
    "greedy",
    "importance_moments",
    "importance_sampling",
    "iterate_policy",
    "iterate_values",
    "monte_carlo_control",
    "monte_carlo_off_policy",
    "monte_carlo_off_policy_control",
    "monte_carlo_values",
    "play",
    "play_bandit",
    "q_learning",
    "sarsa",
    "soft_update",
    "solve_policy",
    "td_loss",
    "td_values",
    "train_a2c",
    "train_dqn",
]


def __dir__() -> list[str]:
    return sorted(__all__)
