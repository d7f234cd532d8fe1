"""Typical wrong answers to lesson 25, and the hint that each must get."""

from tests.course.wrong import Wrong

_BEST = "def best_discriminator(p, q):\n    return {}"
_LOSS = "import numpy as np\ndef generator_loss(logits):\n    return {}"
_MODES = (
    "import numpy as np\n"
    "def modes_covered(made, centres, radius, least):\n"
    "    distances = np.linalg.norm(made[:, None] - centres[None], axis=2)\n"
    "    return {}"
)
_TURN = (
    "import pellucid\n"
    "import pellucid.nn.functional as F\n"
    "def discriminator_loss(discriminator, real, made):\n"
    "    on_real, on_made = discriminator(real), discriminator({})\n"
    "    loss = F.binary_cross_entropy_with_logits(on_real, pellucid.ones_like(on_real))\n"
    "    made_loss = F.binary_cross_entropy_with_logits(on_made, pellucid.{}_like(on_made))\n"
    "    return {}"
)

WRONG = [
    Wrong("25.1", _BEST.format("q / (p + q)"), "1 means real"),
    Wrong("25.1", _BEST.format("p / (q + 1e-12 * (q == 0))"), "between 0 and 1"),
    Wrong("25.1", _BEST.format("p - q"), "which share"),
    Wrong("25.2", _LOSS.format("np.log(1 - 1 / (1 + np.exp(-logits))).mean()"), "flat where"),
    Wrong("25.2", _LOSS.format("np.logaddexp(0, logits).mean()"), "want to hear"),
    Wrong("25.2", _LOSS.format("np.logaddexp(0, -logits).sum()"), "not the sum"),
    Wrong("25.2", _LOSS.format("-np.log(1 / (1 + np.exp(-logits))).mean()"), "too large"),
    Wrong("25.3", _MODES.format("(distances <= radius).any(axis=0).sum()"), "stray points"),
    Wrong("25.3", _MODES.format("((distances <= radius).sum(axis=0) > least).sum()"), "includes"),
    Wrong(
        "25.3",
        _MODES.format("(np.bincount(distances.argmin(axis=1), minlength=4) >= least).sum()"),
        "still too far",
    ),
    Wrong("25.4", _TURN.format("made", "ones", "loss + made_loss"), "call forgeries real"),
    Wrong("25.4", _TURN.format("made", "zeros", "loss + made_loss"), "way back be cut"),
    Wrong(
        "25.4",
        _TURN.format("made", "zeros", "(loss + made_loss).detach()"),
        "nothing can learn",
    ),
]
