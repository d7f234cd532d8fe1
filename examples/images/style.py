"""Style transfer: one picture's shapes in the texture of another.

    python examples/images/style.py [CONTENT STYLE]

CONTENT and STYLE are pictures in files; without them a ring and stripes are drawn.  Not a network
but the pixels are learned (Gatys, Ecker and Bethge, "Image style transfer using convolutional
neural networks", 2016): features of the content are kept, and the means of products of features,
the Gram matrices, become those of the style.  The filters are random ones of several sizes, which
tell textures apart as well as trained ones do (Ustyuzhaninov and others, "What does it take to
generate natural textures?", 2017).  Writes style.png: content, style and what was made of them.
"""

import sys
from pathlib import Path

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim
from pellucid.vision.utils import save_image


class Filters(nn.Module):
    """Random filters of several sizes: (1, 3, H, W) -> a list of features (1, C, H, W)."""

    def __init__(self, count=24, sizes=(3, 7, 11)):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv2d(3, count, size, padding=size // 2, padding_mode="reflect") for size in sizes]
        )
        self.requires_grad_(False)

    def forward(self, picture):
        """Features of (1, 3, H, W) from 0 to 1."""
        return [F.relu(layer(picture - 0.5)) for layer in self.layers]


def gram(features):
    """Means of the products of channels: (1, C, H, W) -> (C, C)."""
    flat = features.flatten(2)[0]  # (C, H·W)
    return flat @ flat.t() / flat.shape[1]


def distance(found, wanted):
    """Of Gram matrices, as a share of the wanted ones' size."""
    pairs = zip(found, wanted, strict=True)
    return sum(((a - b) ** 2).sum() / (b**2).sum() for a, b in pairs) / len(wanted)


def ring(side=64):
    """A dark ring on a light ground, (1, 3, side, side)."""
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    radius = np.hypot(x, y)
    inside = 1 / (1 + np.exp(40 * (np.abs(radius - 0.6) - 0.18)))
    picture = np.array([0.9, 0.85, 0.8])[:, None, None] - 0.7 * inside
    return pellucid.tensor(picture[None].astype(np.float32))


def stripes(side=64):
    """Orange and blue stripes from corner to corner, (1, 3, side, side)."""
    y, x = np.mgrid[:side, :side]
    wave = 0.5 + 0.5 * np.sin((x + y) * 2 * np.pi / 8)
    colours = np.array([[0.95, 0.55, 0.1], [0.1, 0.25, 0.7]])
    picture = colours[0][:, None, None] * wave + colours[1][:, None, None] * (1 - wave)
    return pellucid.tensor(picture[None].astype(np.float32))


def read(path, side=128):
    """A picture in a file, (1, 3, side, side)."""
    from PIL import Image

    pixels = np.asarray(Image.open(path).convert("RGB").resize((side, side)), np.float32) / 255
    return pellucid.tensor(pixels.transpose(2, 0, 1)[None].copy())


def transfer(content, style, steps=200, weight=0.3, seed=0):
    """The picture, and the distance of its Gram matrices from the style's before and after."""
    pellucid.manual_seed(seed)
    filters = Filters()
    with pellucid.no_grad():
        kept, wanted = filters(content), [gram(f) for f in filters(style)]
        before = float(distance([gram(f) for f in kept], wanted))
    picture = content.clone().requires_grad_()
    optimizer = optim.Adam([picture], lr=0.02)

    @pellucid.compile
    def step():
        optimizer.zero_grad()
        features = filters(picture)
        texture = distance([gram(f) for f in features], wanted)
        pairs = zip(features, kept, strict=True)
        shape = sum(((a - b) ** 2).mean() / (b**2).mean() for a, b in pairs) / len(kept)
        (texture + weight * shape).backward()
        optimizer.step()
        with pellucid.no_grad():
            picture.clamp_(0, 1)
        return texture

    for _ in range(steps):
        after = step()
    return picture.detach(), before, float(after)


def main(folder=".", content=None, style=None, steps=200):
    """Make, write and measure it."""
    shown = read(content) if content else ring()
    texture = read(style) if style else stripes()
    made, before, after = transfer(shown, texture, steps)
    save_image(pellucid.cat([shown, texture, made]), Path(folder) / "style.png", nrow=3)
    print(f"distance from the style's texture: {before:.3f}, then {after:.3f}")
    return shown.numpy(), made.numpy(), before, after


if __name__ == "__main__":
    main(".", *sys.argv[1:3])
