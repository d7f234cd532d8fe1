"""Learning from rewards: environments, policies, exact solutions, tables, and networks."""

from pellucid.rl.actor_critic import A2CLoss as A2CLoss
from pellucid.rl.actor_critic import a2c_loss as a2c_loss
from pellucid.rl.actor_critic import train_a2c as train_a2c
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
from pellucid.rl.playing import Transition as Transition
from pellucid.rl.playing import play as play
from pellucid.rl.policies import epsilon_greedy as epsilon_greedy
from pellucid.rl.policies import epsilon_greedy_probabilities as epsilon_greedy_probabilities
from pellucid.rl.policies import greedy as greedy
from pellucid.rl.replay import Batch as Batch
from pellucid.rl.replay import ReplayBuffer as ReplayBuffer
from pellucid.rl.tables import Bandit as Bandit
from pellucid.rl.tables import play_bandit as play_bandit
from pellucid.rl.tables import q_learning as q_learning
from pellucid.rl.tables import sarsa as sarsa

__all__ = [
    "A2CLoss",
    "Bandit",
    "Batch",
    "CartPole",
    "DQNLearner",
    "Environment",
    "GridWorld",
    "Gymnasium",
    "MDP",
    "ReplayBuffer",
    "Solution",
    "Step",
    "Transition",
    "a2c_loss",
    "epsilon_greedy",
    "epsilon_greedy_probabilities",
    "evaluate_policy",
    "greedy",
    "iterate_policy",
    "iterate_values",
    "play",
    "play_bandit",
    "q_learning",
    "sarsa",
    "soft_update",
    "solve_policy",
    "td_loss",
    "train_a2c",
    "train_dqn",
]


def __dir__() -> list[str]:
    return sorted(__all__)
