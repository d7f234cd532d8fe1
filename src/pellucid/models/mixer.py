"""MLP-Mixer: images without convolution or attention, by two-layer networks alone.

Tolstikhin and others, "MLP-Mixer: An all-MLP Architecture for Vision" (2021).  Layers have the
names of the timm library.
"""

from __future__ import annotations

from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError


class Mlp(nn.Module):
    """Linear, GELU, linear over the last axis: (…, features) → the same."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        """(…, features) → (…, features)."""
        return self.fc2(self.act(self.fc1(x)))


class MixerBlock(nn.Module):
    """Mixes the patches of each channel, then the channels of each patch; each gets the norm of
    its input and is added to it.  (N, patches, features) → the same."""

    def __init__(self, patches: int, features: int, token_hidden: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(features, eps=1e-6)
        self.mlp_tokens = Mlp(patches, token_hidden)
        self.norm2 = nn.LayerNorm(features, eps=1e-6)
        self.mlp_channels = Mlp(features, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(N, patches, features) → (N, patches, features)."""
        x = x + self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp_channels(self.norm2(x))


class PatchEmbedding(nn.Module):
    """Each patch as ``features`` numbers: (N, channels, H, W) → (N, patches, features)."""

    def __init__(self, patch_size: int, channels: int, features: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, features, patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, patches, features)."""
        return self.proj(x).flatten(2).transpose(1, 2)


class MLPMixer(nn.Module):
    """Patches, ``layers`` mixing blocks, a norm, the mean over the patches, and a linear layer.

    Images (N, channels, image_size, image_size) → scores (N, num_classes).  ``patch_size`` divides
    ``image_size``.  Unless given, ``token_hidden`` is half and ``hidden`` four times ``features``.
    Mixer-S/16 is ``MLPMixer(224, 16, 512, 8)``, with 18,528,264 parameters.

    >>> import pellucid
    >>> model = MLPMixer(image_size=8, patch_size=2, features=16, layers=2, num_classes=10)
    >>> model(pellucid.zeros(5, 3, 8, 8)).shape
    pellucid.Size([5, 10])
    """

    def __init__(
        self,
        image_size: int = 224,
        patch_size: int = 16,
        features: int = 512,
        layers: int = 8,
        token_hidden: int | None = None,
        hidden: int | None = None,
        num_classes: int = 1000,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ArgumentError(
                f"MLPMixer got image_size={image_size}, patch_size={patch_size}",
                "image_size must be a multiple of patch_size",
            )
        patches = (image_size // patch_size) ** 2
        token_hidden = features // 2 if token_hidden is None else token_hidden
        hidden = 4 * features if hidden is None else hidden
        self.stem = PatchEmbedding(patch_size, channels, features)
        self.blocks = nn.Sequential(
            *[MixerBlock(patches, features, token_hidden, hidden) for _ in range(layers)]
        )
        self.norm = nn.LayerNorm(features, eps=1e-6)
        self.head = nn.Linear(features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, image_size, image_size) → (N, num_classes)."""
        x = self.norm(self.blocks(self.stem(x)))  # (N, patches, features)
        return self.head(x.mean(dim=1))
