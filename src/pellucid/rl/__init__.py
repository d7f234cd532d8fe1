"""Learning from rewards: environments, policies, exact solutions, tables, and networks."""

from pellucid.rl.a2c import A2C as A2C
from pellucid.rl.a2c import A2CSettings as A2CSettings
from pellucid.rl.actor_critic import A2CLoss as A2CLoss
from pellucid.rl.actor_critic import a2c_loss as a2c_loss
from pellucid.rl.agent import Agent as Agent
from pellucid.rl.agent import Progress as Progress
from pellucid.rl.bandits import UCB as UCB
from pellucid.rl.bandits import Bandit as Bandit
from pellucid.rl.bandits import BanditPlayer as BanditPlayer
from pellucid.rl.bandits import EpsilonGreedy as EpsilonGreedy
from pellucid.rl.bandits import GaussianBandit as GaussianBandit
from pellucid.rl.bandits import GradientBandit as GradientBandit
from pellucid.rl.bandits import ThompsonSampling as ThompsonSampling
from pellucid.rl.bandits import bandit_curve as bandit_curve
from pellucid.rl.bandits import play_bandit as play_bandit
from pellucid.rl.classic import Acrobot as Acrobot
from pellucid.rl.classic import CartPole as CartPole
from pellucid.rl.classic import MountainCar as MountainCar
from pellucid.rl.classic import MountainCarContinuous as MountainCarContinuous
from pellucid.rl.classic import Pendulum as Pendulum
from pellucid.rl.deep_q import DQN as DQN
from pellucid.rl.deep_q import DQNSettings as DQNSettings
from pellucid.rl.dqn import Batch as Batch
from pellucid.rl.dqn import DQNLearner as DQNLearner
from pellucid.rl.dqn import soft_update as soft_update
from pellucid.rl.dqn import td_loss as td_loss
from pellucid.rl.drawing import film as film
from pellucid.rl.drawing import frame as frame
from pellucid.rl.drawing import save_gif as save_gif
from pellucid.rl.environments import Environment as Environment
from pellucid.rl.environments import Simulated as Simulated
from pellucid.rl.environments import Step as Step
from pellucid.rl.evaluation import Evaluation as Evaluation
from pellucid.rl.evaluation import evaluate as evaluate
from pellucid.rl.exact import MDP as MDP
from pellucid.rl.exact import Solution as Solution
from pellucid.rl.exact import evaluate_policy as evaluate_policy
from pellucid.rl.exact import iterate_policy as iterate_policy
from pellucid.rl.exact import iterate_values as iterate_values
from pellucid.rl.exact import solve_policy as solve_policy
from pellucid.rl.grid_world import GridWorld as GridWorld
from pellucid.rl.grid_world import cliff_walking as cliff_walking
from pellucid.rl.health import Course as Course
from pellucid.rl.health import Finding as Finding
from pellucid.rl.health import find_reasons as find_reasons
from pellucid.rl.monte_carlo import importance_moments as importance_moments
from pellucid.rl.monte_carlo import importance_sampling as importance_sampling
from pellucid.rl.monte_carlo import monte_carlo_control as monte_carlo_control
from pellucid.rl.monte_carlo import monte_carlo_off_policy as monte_carlo_off_policy
from pellucid.rl.monte_carlo import (
    monte_carlo_off_policy_control as monte_carlo_off_policy_control,
)
from pellucid.rl.monte_carlo import monte_carlo_values as monte_carlo_values
from pellucid.rl.outside import Gymnasium as Gymnasium
from pellucid.rl.outside import as_gymnasium as as_gymnasium
from pellucid.rl.playing import Transition as Transition
from pellucid.rl.playing import play as play
from pellucid.rl.policies import epsilon_greedy as epsilon_greedy
from pellucid.rl.policies import epsilon_greedy_probabilities as epsilon_greedy_probabilities
from pellucid.rl.policies import greedy as greedy
from pellucid.rl.ppo import PPO as PPO
from pellucid.rl.ppo import PPOSettings as PPOSettings
from pellucid.rl.reinforce import REINFORCE as REINFORCE
from pellucid.rl.reinforce import REINFORCESettings as REINFORCESettings
from pellucid.rl.runs import AgentFacts as AgentFacts
from pellucid.rl.runs import agent_facts as agent_facts
from pellucid.rl.runs import list_agents as list_agents
from pellucid.rl.runs import load_agent as load_agent
from pellucid.rl.runs import save_agent as save_agent
from pellucid.rl.sac import SAC as SAC
from pellucid.rl.sac import SACSettings as SACSettings
from pellucid.rl.tables import double_q_learning as double_q_learning
from pellucid.rl.tables import expected_sarsa as expected_sarsa
from pellucid.rl.tables import q_learning as q_learning
from pellucid.rl.tables import sarsa as sarsa
from pellucid.rl.tables import td_values as td_values
from pellucid.rl.td3 import TD3 as TD3
from pellucid.rl.td3 import TD3Settings as TD3Settings
from pellucid.rl.tuned import agent_for as agent_for
from pellucid.rl.tuned import recipe as recipe
from pellucid.rl.vector import Several as Several
from pellucid.rl.vector import Simulations as Simulations
from pellucid.rl.vector import VectorEnvironment as VectorEnvironment
from pellucid.rl.vector import VectorStep as VectorStep
from pellucid.rl.vector import make as make
from pellucid.rl.vector import vectorized as vectorized

__all__ = [
    "A2C",
    "A2CLoss",
    "A2CSettings",
    "Acrobot",
    "Agent",
    "AgentFacts",
    "Bandit",
    "BanditPlayer",
    "Batch",
    "CartPole",
    "Course",
    "DQN",
    "DQNLearner",
    "DQNSettings",
    "Environment",
    "EpsilonGreedy",
    "Evaluation",
    "Finding",
    "GaussianBandit",
    "GradientBandit",
    "GridWorld",
    "Gymnasium",
    "MDP",
    "MountainCar",
    "MountainCarContinuous",
    "PPO",
    "PPOSettings",
    "Pendulum",
    "Progress",
    "REINFORCE",
    "REINFORCESettings",
    "SAC",
    "SACSettings",
    "Several",
    "Simulated",
    "Simulations",
    "Solution",
    "Step",
    "TD3",
    "TD3Settings",
    "ThompsonSampling",
    "Transition",
    "UCB",
    "VectorEnvironment",
    "VectorStep",
    "a2c_loss",
    "agent_facts",
    "agent_for",
    "as_gymnasium",
    "bandit_curve",
    "cliff_walking",
    "double_q_learning",
    "epsilon_greedy",
    "epsilon_greedy_probabilities",
    "evaluate",
    "evaluate_policy",
    "expected_sarsa",
    "film",
    "find_reasons",
    "frame",
    "greedy",
    "importance_moments",
    "importance_sampling",
    "iterate_policy",
    "iterate_values",
    "list_agents",
    "load_agent",
    "make",
    "monte_carlo_control",
    "monte_carlo_off_policy",
    "monte_carlo_off_policy_control",
    "monte_carlo_values",
    "play",
    "play_bandit",
    "q_learning",
    "recipe",
    "sarsa",
    "save_agent",
    "save_gif",
    "soft_update",
    "solve_policy",
    "td_loss",
    "td_values",
    "vectorized",
]


def __dir__() -> list[str]:
    return sorted(__all__)
