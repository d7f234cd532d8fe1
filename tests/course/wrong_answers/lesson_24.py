"""Typical wrong answers to lesson 24, and the hint that each must get."""

from tests.course.wrong import Wrong

_KL = "import numpy as np\ndef kl(mean, log_variance):\n    return {}"
_CODE = "import numpy as np\ndef draw_code(mean, log_variance, noise):\n    return {}"
_SQUEEZE = (
    "import numpy as np\n"
    "def squeeze(images, count):\n"
    "    center = images.mean(axis=0)\n"
    "    _, _, v = np.linalg.svd(images - center, full_matrices=False)\n"
    "    return {}"
)
_LOSS = (
    "import pellucid.nn.functional as F\n"
    "def vae_loss(logits, x, mean, log_variance):\n"
    "    error = F.binary_cross_entropy_with_logits(logits, x{})\n"
    "    divergence = {}0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()\n"
    "    return {}"
)

WRONG = [
    Wrong(
        "24.1",
        _KL.format("0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum()"),
        "mind the sign",
    ),
    Wrong(
        "24.1",
        _KL.format("-0.5 * (1 + log_variance - mean**2 - np.exp(log_variance))"),
        "are added",
    ),
    Wrong("24.1", _KL.format("-0.5 * (1 + log_variance - mean**2 - log_variance).sum()"), "get σ²"),
    Wrong("24.2", _CODE.format("mean + np.exp(log_variance) * noise"), "That is the variance"),
    Wrong("24.2", _CODE.format("mean + log_variance * noise"), "undo it"),
    Wrong("24.3", _SQUEEZE.format("(images - center) @ v[:count].T"), "Decode them"),
    Wrong(
        "24.3",
        _SQUEEZE.format("(images - center) @ v[:count].T @ v[:count]"),
        "never put back",
    ),
    Wrong(
        "24.3",
        "import numpy as np\n"
        "def squeeze(images, count):\n"
        "    _, _, v = np.linalg.svd(images, full_matrices=False)\n"
        "    return images @ v[:count].T @ v[:count]",
        "around the mean",
    ),
    Wrong("24.4", _LOSS.format("", "", "error + divergence / len(x)"), "Should strange clouds"),
    Wrong("24.4", _LOSS.format("", "-", "error + divergence / len(x)"), "a whole image"),
    Wrong(
        "24.4",
        _LOSS.format(", reduction='sum'", "-", "error + divergence"),
        "mean over the images",
    ),
]
