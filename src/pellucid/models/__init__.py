"""Ready networks, each written as simply as possible: perceptrons, networks for images, a GPT, an
encoder-decoder Transformer, recurrent networks for text, a variational autoencoder, a pair that
draws images, and networks that learn from rewards.

The files are written as for PyTorch: most run there when their imports are changed.
"""

from pellucid import nn
from pellucid.models.actor_critic import ActorCritic as ActorCritic
from pellucid.models.alexnet import AlexNet as AlexNet
from pellucid.models.alexnet import alexnet as alexnet
from pellucid.models.autoencoder import Autoencoder as Autoencoder
from pellucid.models.autoencoder import reconstruction_error as reconstruction_error
from pellucid.models.clustering import Clusters as Clusters
from pellucid.models.clustering import Components as Components
from pellucid.models.clustering import kmeans as kmeans
from pellucid.models.clustering import principal_components as principal_components
from pellucid.models.cnn import DeepConvNet as DeepConvNet
from pellucid.models.cnn import LeNet as LeNet
from pellucid.models.cnn import SimpleConvNet as SimpleConvNet
from pellucid.models.coverage import Coverage as Coverage
from pellucid.models.coverage import mode_coverage as mode_coverage
from pellucid.models.dcgan import Discriminator as Discriminator
from pellucid.models.dcgan import Generator as Generator
from pellucid.models.dcgan import gan_step as gan_step
from pellucid.models.densenet import DenseNet as DenseNet
from pellucid.models.densenet import densenet121 as densenet121
from pellucid.models.densenet import densenet161 as densenet161
from pellucid.models.densenet import densenet169 as densenet169
from pellucid.models.densenet import densenet201 as densenet201
from pellucid.models.dqn import DQN as DQN
from pellucid.models.efficientnet import EfficientNet as EfficientNet
from pellucid.models.efficientnet import efficientnet_b0 as efficientnet_b0
from pellucid.models.efficientnet import efficientnet_b1 as efficientnet_b1
from pellucid.models.efficientnet import efficientnet_b2 as efficientnet_b2
from pellucid.models.efficientnet import efficientnet_b3 as efficientnet_b3
from pellucid.models.efficientnet import efficientnet_b4 as efficientnet_b4
from pellucid.models.efficientnet import efficientnet_b5 as efficientnet_b5
from pellucid.models.efficientnet import efficientnet_b6 as efficientnet_b6
from pellucid.models.efficientnet import efficientnet_b7 as efficientnet_b7
from pellucid.models.encoder_decoder import EncoderDecoder as EncoderDecoder
from pellucid.models.gpt import GPT as GPT
from pellucid.models.gpt import GPTConfig as GPTConfig
from pellucid.models.inception import GoogLeNet as GoogLeNet
from pellucid.models.inception import GoogLeNetOutputs as GoogLeNetOutputs
from pellucid.models.inception import Inception3 as Inception3
from pellucid.models.inception import InceptionOutputs as InceptionOutputs
from pellucid.models.inception import googlenet as googlenet
from pellucid.models.inception import inception_v3 as inception_v3
from pellucid.models.lstm_language_model import LSTMLanguageModel as LSTMLanguageModel
from pellucid.models.lstm_language_model import RecurrentLanguageModel as RecurrentLanguageModel
from pellucid.models.mixer import MLPMixer as MLPMixer
from pellucid.models.mlp import mlp as mlp
from pellucid.models.mlp_language_model import MLPLanguageModel as MLPLanguageModel
from pellucid.models.mobilenet import MobileNetV2 as MobileNetV2
from pellucid.models.mobilenet import MobileNetV3 as MobileNetV3
from pellucid.models.mobilenet import mobilenet_v2 as mobilenet_v2
from pellucid.models.mobilenet import mobilenet_v3_large as mobilenet_v3_large
from pellucid.models.mobilenet import mobilenet_v3_small as mobilenet_v3_small
from pellucid.models.perceptron import Perceptron as Perceptron
from pellucid.models.resnet import ResNet as ResNet
from pellucid.models.resnet import resnet18 as resnet18
from pellucid.models.resnet import resnet34 as resnet34
from pellucid.models.resnet import resnet50 as resnet50
from pellucid.models.resnet import resnet101 as resnet101
from pellucid.models.resnet import resnet152 as resnet152
from pellucid.models.resnet import resnext50_32x4d as resnext50_32x4d
from pellucid.models.resnet import resnext101_32x8d as resnext101_32x8d
from pellucid.models.resnet import wide_resnet50_2 as wide_resnet50_2
from pellucid.models.resnet import wide_resnet101_2 as wide_resnet101_2
from pellucid.models.seq2seq import Seq2Seq as Seq2Seq
from pellucid.models.squeezenet import SqueezeNet as SqueezeNet
from pellucid.models.squeezenet import squeezenet1_0 as squeezenet1_0
from pellucid.models.squeezenet import squeezenet1_1 as squeezenet1_1
from pellucid.models.unet import UNet as UNet
from pellucid.models.untrained import Weights as Weights
from pellucid.models.untrained import unknown as _unknown
from pellucid.models.untrained import weights_named as _weights_named
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
    "AlexNet",
    "Autoencoder",
    "Clusters",
    "Components",
    "Coverage",
    "DQN",
    "DeepConvNet",
    "DenseNet",
    "Discriminator",
    "EfficientNet",
    "EncoderDecoder",
    "GPT",
    "GPTConfig",
    "Generator",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "Inception3",
    "InceptionOutputs",
    "LSTMLanguageModel",
    "LeNet",
    "MLPLanguageModel",
    "MLPMixer",
    "MobileNetV2",
    "MobileNetV3",
    "Perceptron",
    "RecurrentLanguageModel",
    "ResNet",
    "Seq2Seq",
    "SimpleConvNet",
    "SqueezeNet",
    "UNet",
    "VAE",
    "VGG",
    "ViT",
    "Weights",
    "alexnet",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "gan_step",
    "get_model",
    "googlenet",
    "inception_v3",
    "kmeans",
    "list_models",
    "mlp",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "mode_coverage",
    "negative_elbo",
    "principal_components",
    "reconstruction_error",
    "reparametrize",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext101_32x8d",
    "resnext50_32x4d",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet101_2",
    "wide_resnet50_2",
]


def list_models() -> list[str]:
    """The names of the networks for images that :func:`get_model` makes."""
    known = "alexnet dense efficient google inception_ mobile resn squeeze vgg wide_".split()
    return sorted(name for name in __all__ if name.startswith(tuple(known)))


def get_model(name: str, **config: object) -> nn.Module:
    """The network of that name, such as ``"resnet18"``; ``config`` goes to its function.

    Raises :class:`~pellucid.base.errors.NamingError` for one that is not here.
    """
    if name not in list_models():
        raise _unknown(name)
    made: nn.Module = globals()[name](**config)
    return made


def __getattr__(name: str) -> object:
    # Names of trained weights are enumerations that are made when a program asks for one.
    if name.endswith("_Weights"):
        return _weights_named(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
