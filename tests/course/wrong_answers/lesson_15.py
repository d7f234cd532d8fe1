"""Typical wrong answers to lesson 15, and the hint that each must get."""

from course.wrong import Wrong

WRONG = [
    Wrong(
        "15.1",
        "def output_size(n, kernel, stride=1, padding=0):\n"
        "    return (n + 2 * padding - kernel) // stride",
        "where it starts",
    ),
    Wrong(
        "15.1",
        "def output_size(n, kernel, stride=1, padding=0):\n"
        "    return (n + padding - kernel) // stride + 1",
        "both sides",
    ),
    Wrong(
        "15.1",
        "def output_size(n, kernel, stride=1, padding=0):\n"
        "    return (n + 2 * padding - kernel) / stride + 1",
        "whole number",
    ),
    Wrong("15.2", "kernel = [[0, 0, 0], [1, 0, 0], [0, 0, 0]]", "to the right"),
    Wrong("15.2", "kernel = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]", "as it is"),
    Wrong("15.2", "kernel = [[0, 0, 0], [0, -1, 1], [0, 0, 0]]", "One weight"),
    Wrong(
        "15.3",
        "import numpy as np\n"
        "def max_pool(image, size):\n"
        "    return np.lib.stride_tricks.sliding_window_view(image, (size, size)).max((2, 3))",
        "do not overlap",
    ),
    Wrong(
        "15.3",
        "import numpy as np\n"
        "def max_pool(image, size):\n"
        "    h, w = image.shape[0] // size, image.shape[1] // size\n"
        "    result = np.zeros((h, w))\n"
        "    for i in range(h * size):\n"
        "        for j in range(w * size):\n"
        "            at = i // size, j // size\n"
        "            result[at] = max(result[at], image[i, j])\n"
        "    return result",
        "negative",
    ),
    Wrong(
        "15.3",
        "def max_pool(image, size):\n"
        "    h, w = image.shape[0] // size, image.shape[1] // size\n"
        "    return image[: h * size, : w * size].reshape(h, size, w, size).mean((1, 3))",
        "the mean",
    ),
    Wrong(
        "15.4",
        "def parameters(inputs, outputs, kernel):\n    return inputs * outputs * kernel**2",
        "What else",
    ),
    Wrong(
        "15.4",
        "def parameters(inputs, outputs, kernel):\n    return outputs * (kernel**2 + 1)",
        "all input channels",
    ),
    Wrong(
        "15.5",
        "import numpy as np\n"
        "def convolve(image, kernel, stride):\n"
        "    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)\n"
        "    turned = kernel[::-1, ::-1]\n"
        "    return (windows[::stride, ::stride] * turned).sum((2, 3))",
        "which weight",
    ),
    Wrong(
        "15.5",
        "import numpy as np\n"
        "def convolve(image, kernel, stride):\n"
        "    k = len(kernel)\n"
        "    h = (image.shape[0] - k) // stride + 1\n"
        "    w = (image.shape[1] - k) // stride + 1\n"
        "    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)\n"
        "    return (windows[:h, :w] * kernel).sum((2, 3))",
        "Stride 2",
    ),
]
