"""Ready networks, each written as simply as possible: perceptrons, networks for images, a GPT, an
encoder-decoder Transformer, recurrent networks for text, a variational autoencoder, a pair that
draws images, and networks that learn from rewards.

The files are written as for PyTorch: most run there when their imports are changed.
"""

from pellucid.models.actor_critic import ActorCritic as ActorCritic
from pellucid.models.autoencoder import Autoencoder as Autoencoder
from pellucid.models.clustering import Clusters as Clusters
from pellucid.models.clustering import Components as Components
from pellucid.models.clustering import kmeans as kmeans
from pellucid.models.clustering import principal_components as principal_components
from pellucid.models.cnn import LeNet as LeNet
from pellucid.models.dcgan import Discriminator as Discriminator
from pellucid.models.dcgan import Generator as Generator
from pellucid.models.dcgan import gan_step as gan_step
from pellucid.models.dqn import DQN as DQN
from pellucid.models.encoder_decoder import EncoderDecoder as EncoderDecoder
from pellucid.models.gpt import GPT as GPT
from pellucid.models.gpt import GPTConfig as GPTConfig
from pellucid.models.lstm_language_model import LSTMLanguageModel as LSTMLanguageModel
from pellucid.models.mixer import MLPMixer as MLPMixer
from pellucid.models.mlp import mlp as mlp
from pellucid.models.perceptron import Perceptron as Perceptron
from pellucid.models.resnet import ResNet as ResNet
from pellucid.models.resnet import resnet18 as resnet18
from pellucid.models.resnet import resnet34 as resnet34
from pellucid.models.resnet import resnet50 as resnet50
from pellucid.models.resnet import resnet101 as resnet101
from pellucid.models.resnet import resnet152 as resnet152
from pellucid.models.seq2seq import Seq2Seq as Seq2Seq
from pellucid.models.unet import UNet as UNet
from pellucid.models.vae import VAE as VAE
from pellucid.models.vae import negative_elbo as negative_elbo
from pellucid.models.vae import reparametrize as reparametrize
from pellucid.models.vgg import VGG as VGG
from pellucid.models.vgg import vgg11 as vgg11
from pellucid.models.vgg import vgg11_bn as vgg11_bn
from pellucid.models.vgg import vgg13 as vgg13
from pellucid.models.vgg import vgg13_bn as vgg13_bn
from pellucid.models.vgg import vgg16 as vgg16
from pellucid.models.vgg import vgg16_bn as vgg16_bn
from pellucid.models.vgg import vgg19 as vgg19
from pellucid.models.vgg import vgg19_bn as vgg19_bn
from pellucid.models.vit import ViT as ViT

__all__ = [
    "ActorCritic",
    "Autoencoder",
    "Clusters",
    "Components",
    "DQN",
    "Discriminator",
    "EncoderDecoder",
    "GPT",
    "GPTConfig",
    "Generator",
    "LSTMLanguageModel",
    "LeNet",
    "MLPMixer",
    "Perceptron",
    "ResNet",
    "Seq2Seq",
    "UNet",
    "VAE",
    "VGG",
    "ViT",
    "gan_step",
    "kmeans",
    "mlp",
    "negative_elbo",
    "principal_components",
    "reparametrize",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]


def __dir__() -> list[str]:
    return sorted(__all__)
