"""Parts that networks for images share: a convolution with norm and activation, attention over
channels, layers that are skipped at random."""

from __future__ import annotations

import pellucid
from pellucid import Tensor, nn
from pellucid.base.errors import ArgumentError


def divisible(channels: float, by: int = 8) -> int:
    """The multiple of ``by`` nearest to ``channels``, not below nine tenths of it."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def normed(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> nn.Sequential:
    """A convolution that keeps the resolution (but for its stride), batch norm and activation."""
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
    )
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs, eps=eps, momentum=momentum)]
    if activation is not None:
        layers.append(activation(inplace=True))  # type: ignore[call-arg]
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    """Each channel times a gate from 0 to 1, made of the means of all channels.

    (N, C, H, W) → the same.  Hu, Shen and Sun, "Squeeze-and-Excitation Networks" (2018).
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: type[nn.Module] = nn.ReLU,
        scale_activation: type[nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        gate = self.fc2(self.activation(self.fc1(self.avgpool(x))))  # (N, C, 1, 1)
        return self.scale_activation(gate) * x


class StochasticDepth(nn.Module):
    """Zero instead of the input with probability ``p``, for each row of a batch ("row") or for
    all of it ("batch"); what stays is divided by 1 − p.  Only while training.

    Huang, Sun, Liu, Sedra and Weinberger, "Deep Networks with Stochastic Depth" (2016).
    """

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        if not 0 <= p <= 1 or mode not in ("row", "batch"):
            raise ArgumentError(
                f"StochasticDepth got p={p} and mode={mode!r}",
                'give a probability, and "row" or "batch"',
            )
        self.p, self.mode = p, mode

    def forward(self, x: Tensor) -> Tensor:
        """Any shape with rows first → the same."""
        if not self.training or self.p == 0:
            return x
        rows = x.shape[0] if self.mode == "row" else 1
        shape = (rows, *[1] * (len(x.shape) - 1))
        keep = 1 - self.p
        noise = pellucid.empty(shape, dtype=x.dtype).bernoulli_(keep)
        return x * (noise / keep if keep else noise)


def start_by_he(module: nn.Module, linear_std: float | None = 0.01) -> None:
    """He's normal initialization over the outputs for convolutions, 0 for biases; linear layers
    normal with ``linear_std``, unless that is None."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear) and linear_std is not None:
            nn.init.normal_(part.weight, 0.0, linear_std)
            nn.init.zeros_(part.bias)
