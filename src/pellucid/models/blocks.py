"""Parts that networks for images share: a convolution with norm and activation, attention over
channels."""

from __future__ import annotations

from pellucid import Tensor, nn


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
