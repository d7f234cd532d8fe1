"""Records of a training for TensorBoard, under PyTorch's names.

>>> from pellucid.utils.tensorboard import SummaryWriter           # doctest: +SKIP
>>> with SummaryWriter("runs/first") as writer:                    # doctest: +SKIP
...     writer.add_scalar("loss", loss, step)

Needs the extra ``tensorboard``; ``tensorboard --logdir runs`` (a package of its own) shows them.
"""

from pellucid.utils.tensorboard.writer import SummaryWriter

__all__ = ["SummaryWriter"]


def __dir__() -> list[str]:
    return sorted(__all__)
