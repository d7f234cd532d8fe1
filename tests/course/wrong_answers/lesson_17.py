"""Typical wrong answers to lesson 17, and the hint that each must get."""

from course.wrong import Wrong

_PARTS = """
import numpy as np

def parts(images, labels):
    order = np.random.default_rng(0).permutation(len(images))
    cut = len(images) // 4
    test, train = order[:cut], order[cut:]
    {}
"""

WRONG = [
    Wrong(
        "17.1",
        "import numpy as np\n"
        "def shift(image, down, right):\n    return np.roll(image, (down, right), axis=(0, 1))",
        "came back",
    ),
    Wrong(
        "17.1",
        "import numpy as np\n"
        "def shift(image, down, right):\n"
        "    height, width = image.shape\n"
        "    room = np.pad(image, ((height, height), (width, width)))\n"
        "    return room[height + down : 2 * height + down, width + right : 2 * width + right]",
        "moved up",
    ),
    Wrong(
        "17.1",
        "import numpy as np\n"
        "def shift(image, down, right):\n"
        "    moved = np.zeros_like(image)\n"
        "    height, width = image.shape\n"
        "    moved[down:, max(right, 0):] = image[: height - down, : width - max(right, 0)]\n"
        "    return moved",
        "negative",
    ),
    Wrong("17.2", "half_turn = {0: 0, 1: 1, 6: 6, 8: 8, 9: 9}", "Turn a 6"),
    Wrong("17.2", "half_turn = {0: 0, 1: 1, 8: 8}", "still a digit"),
    Wrong("17.2", "half_turn = {0: 0, 2: 2, 5: 5, 6: 9, 8: 8, 9: 6}", "turn the sheet"),
    Wrong("17.2", "half_turn = {0: 0, 6: 9, 8: 8, 9: 6}", "all ten"),
    Wrong(
        "17.3",
        "def parameter_groups(body, head, rate):\n"
        "    return [{'params': list(head.parameters()), 'lr': rate / 10},\n"
        "            {'params': list(body.parameters()), 'lr': rate}]",
        "other way round",
    ),
    Wrong(
        "17.3",
        "def parameter_groups(body, head, rate):\n"
        "    return [{'params': list(head.parameters())},\n"
        "            {'params': list(body.parameters()), 'lr': rate / 10}]",
        "own rate",
    ),
    Wrong(
        "17.3",
        "def parameter_groups(body, head, rate):\n"
        "    return [head.parameters(), body.parameters()]",
        "dictionaries",
    ),
    Wrong(
        "17.4",
        "import numpy as np\n"
        "def parts(images, labels):\n"
        "    images = np.concatenate([images, images[:, :, ::-1]])\n"
        "    labels = np.concatenate([labels, labels])\n"
        "    cut = len(images) // 4\n"
        "    return (images[cut:], labels[cut:]), (images[:cut], labels[:cut])",
        "come first",
    ),
    Wrong(
        "17.4",
        _PARTS.format("return (images[train], labels[train]), (images[test], labels[test])"),
        "Where are the mirrored copies",
    ),
    Wrong(
        "17.4",
        _PARTS.format(
            "return (np.concatenate([images[train], images[train][:, :, ::-1]]),"
            " np.repeat(labels[train], 2)), (images[test], labels[test])"
        ),
        "label of another",
    ),
    Wrong(
        "17.4",
        _PARTS.format(
            "flip = lambda x: np.concatenate([x, x[:, :, ::-1]]); twice = lambda y: np.tile(y, 2);"
            " return (flip(images[train]), twice(labels[train])),"
            " (flip(images[test]), twice(labels[test]))"
        ),
        "as they were collected",
    ),
]
