"""A folder of colour pictures, one command's worth of training, and what the network looks at.

    python examples/images/shapes.py

Draws pictures into a folder, a class a folder: a circle, a square or a triangle, and beside it a
cross that says nothing, in bright colours on dark ground, of any size and at any place.  Trains as
``pellucid train FOLDER --epochs 20 --batch-size 16`` does; then covers a square of each picture,
place by place.  The score falls most where the shape is, and not at the cross: nobody told the
network which of the two matters.  Writes shapes.png and place.png, a picture with the places where
its score falls.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pellucid import nn
from pellucid.insight.explain import occlusion
from pellucid.insight.pictures import draw_heat
from pellucid.training.run import train

SIDE = 32
KINDS = ("circle", "square", "triangle")


def colours(random):
    """A dark colour for the ground, bright ones for the shape and the cross."""
    ground, ink, other = random.integers(0, 70, 3), *random.integers(60, 256, (2, 3))
    for bright in (ink, other):
        bright[random.integers(0, 3)] = 255
    return [tuple(map(int, colour)) for colour in (ground, ink, other)]


def picture_of(kind, random):
    """A picture, and the centres (row, column) of its shape and its cross."""
    ground, ink, other = colours(random)
    picture = Image.new("RGB", (SIDE, SIDE), ground)
    draw, radius = ImageDraw.Draw(picture), int(random.integers(4, 7))
    while True:
        (y, x), (v, u) = random.integers(radius + 1, SIDE - radius - 1, (2, 2)).tolist()
        if max(abs(y - v), abs(x - u)) > 2 * radius + 1:
            break
    box = (x - radius, y - radius, x + radius, y + radius)
    if kind == "circle":
        draw.ellipse(box, ink)
    elif kind == "square":
        draw.rectangle(box, ink)
    else:
        draw.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], ink)
    draw.rectangle((u - radius, v - 1, u + radius, v + 1), other)
    draw.rectangle((u - 1, v - radius, u + 1, v + radius), other)
    noisy = np.asarray(picture) + random.normal(0, 8, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), (y, x), (v, u)


def draw_folder(place, count, seed=0):
    """``count`` pictures of each kind; the centres of shapes and crosses (pictures, 2, 2), in the
    order of the files."""
    random, centres = np.random.default_rng(seed), []
    for kind in KINDS:
        (place / kind).mkdir(parents=True)
        for number in range(count):
            picture, *found = picture_of(kind, random)
            picture.save(place / kind / f"{number:04d}.png")
            centres.append(found)
    return np.array(centres)


class Channels(nn.Module):
    """The network of a run, which takes rows of numbers, for pictures (N, C, H, W)."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        """(N, C, H, W) → (N, classes)."""
        return self.network(x.permute(0, 2, 3, 1).flatten(1))


def looked_at(result, centres, rows=60, size=9, stride=3):
    """Share of the pictures of the test part whose score falls most by a square nearer to the shape
    than to the cross; the first picture (C, H, W) and where its score falls."""
    test = result.prepared.test
    pictures = test.features[:rows].reshape(-1, SIDE, SIDE, 3).transpose(0, 3, 1, 2)
    model = Channels(result.model)
    falls = occlusion(model, pictures, list(map(int, test.targets[:rows])), size, stride)
    strongest = falls.reshape(len(falls), -1).argmax(1)
    lines = np.stack(np.unravel_index(strongest, falls.shape[1:]), axis=1) * stride + size // 2
    away = np.linalg.norm(centres[test.indices[:rows]] - lines[:, None], axis=2)  # (rows, 2)
    return float((away[:, 0] < away[:, 1]).mean()), pictures[0], falls[0]


def main(folder=".", count=200, epochs=20, batch_size=16):
    """Draw, train, look; return the test accuracy and how often the shape was looked at."""
    with tempfile.TemporaryDirectory() as place:
        pictures = Path(place) / "shapes"
        centres = draw_folder(pictures, count)
        outcome = train(pictures, output=Path(place) / "run", epochs=epochs, batch_size=batch_size)
        right = outcome.result.figures["test"].values["accuracy"]
        sheet = Image.new("RGB", (10 * SIDE, 3 * SIDE))
        for line, kind in enumerate(KINDS):
            for column in range(10):
                picture = Image.open(pictures / kind / f"{column:04d}.png")
                sheet.paste(picture, (column * SIDE, line * SIDE))
        sheet.save(Path(folder) / "shapes.png")
    share, shown, falls = looked_at(outcome.result, centres)
    draw_heat(shown, falls, Path(folder) / "place.png")
    print(f"{right:.1%} of new pictures are right; the square that matters most is nearer to the "
          f"shape than to the cross in {share:.0%}")  # fmt: skip
    return right, share


if __name__ == "__main__":
    main(*sys.argv[1:2])
