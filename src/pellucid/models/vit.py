"""Vision Transformer: an image as a sequence of patches.

Dosovitskiy and others, "An Image is Worth 16x16 Words" (2020).  Layers have torchvision's names,
so that its weights fit.
"""

from __future__ import annotations

from collections import OrderedDict

import pellucid
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError, ShapeError


class EncoderBlock(nn.Module):
    """Self-attention, then a two-layer network on each position; each gets the norm of its input
    and is added to it.  (N, T, E) → the same."""

    def __init__(self, features: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(features, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(features, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(features, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(features, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, features),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) → (N, T, E)."""
        y = self.ln_1(x)
        y, _ = self.self_attention(y, y, y, need_weights=False)
        x = x + self.dropout(y)
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Adds a learned embedding of each position; ``layers`` blocks; a last norm."""

    def __init__(
        self, length: int, features: int, heads: int, layers: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(pellucid.empty(1, length, features).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            OrderedDict(
                (f"encoder_layer_{i}", EncoderBlock(features, heads, hidden, dropout))
                for i in range(layers)
            )
        )
        self.ln = nn.LayerNorm(features, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) → (N, T, E)."""
        return self.ln(self.layers(self.dropout(x + self.pos_embedding)))


class ViT(nn.Module):
    """Cuts an image into patches, embeds each, lets them attend to each other, and reads the
    classes from a token of its own.

    Images (N, channels, image_size, image_size) → scores (N, num_classes).  ``patch_size`` divides
    ``image_size``; ``hidden`` is four times ``features`` unless given.  ViT-B/16 is
    ``ViT(224, 16, 768, 12, 12)``, with 86,567,656 parameters.  The last layer starts at zero.

    >>> model = ViT(image_size=8, patch_size=2, features=16, heads=2, layers=2, num_classes=10)
    >>> model(pellucid.zeros(5, 3, 8, 8)).shape
    pellucid.Size([5, 10])
    """

    def __init__(
        self,
        image_size: int = 224,
        patch_size: int = 16,
        features: int = 768,
        heads: int = 12,
        layers: int = 12,
        hidden: int | None = None,
        num_classes: int = 1000,
        channels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ArgumentError(
                f"ViT got image_size={image_size}, patch_size={patch_size}",
                "image_size must be a multiple of patch_size",
            )
        self.image_size = image_size
        patches = (image_size // patch_size) ** 2
        self.conv_proj = nn.Conv2d(channels, features, patch_size, stride=patch_size)
        self.class_token = nn.Parameter(pellucid.zeros(1, 1, features))
        hidden = 4 * features if hidden is None else hidden
        self.encoder = Encoder(patches + 1, features, heads, layers, hidden, dropout)
        head = nn.Linear(features, num_classes)
        self.heads = nn.Sequential(OrderedDict(head=head))
        fan_in = channels * patch_size**2
        nn.init.trunc_normal_(self.conv_proj.weight, std=fan_in**-0.5)
        nn.init.zeros_(self.conv_proj.bias)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, image_size, image_size) → (N, num_classes)."""
        if tuple(x.shape[2:]) != (self.image_size, self.image_size):
            raise ShapeError(
                f"ViT for {self.image_size}×{self.image_size} got images of shape {tuple(x.shape)}",
                "resize them, or make a ViT of their size: each patch has its own position",
            )
        x = self.conv_proj(x)  # (N, E, rows of patches, columns of patches)
        x = x.flatten(2).transpose(1, 2)  # (N, patches, E)
        token = self.class_token.expand(x.shape[0], -1, -1)
        x = self.encoder(pellucid.cat([token, x], dim=1))
        return self.heads(x[:, 0])
