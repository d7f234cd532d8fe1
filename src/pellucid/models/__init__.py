"""Ready networks: the multi-layer perceptron of any depth, and the perceptron it comes from."""

from pellucid.models.mlp import mlp as mlp
from pellucid.models.perceptron import Perceptron as Perceptron
