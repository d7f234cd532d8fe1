"""Ready networks: perceptrons, a GPT, an encoder-decoder Transformer."""

from pellucid.models.encoder_decoder import EncoderDecoder as EncoderDecoder
from pellucid.models.gpt import GPT as GPT
from pellucid.models.gpt import GPTConfig as GPTConfig
from pellucid.models.mlp import mlp as mlp
from pellucid.models.perceptron import Perceptron as Perceptron
