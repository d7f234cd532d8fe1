"""A training step as in the README, compiled, and what a type checker says about it."""

import pellucid
import pellucid.nn.functional as F
from pellucid import Tensor, nn, optim


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return F.relu(self.linear(x)) * scale + x


class Net(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(4, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(2)])
        self.out = nn.Linear(width, classes)
        self.register_buffer("offset", pellucid.zeros(classes))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.first(x)
        for block in self.blocks:
            hidden = block(hidden, scale=0.5)
        return self.out(hidden) + self.offset, hidden


net = Net(8, 3)
x, y = pellucid.randn(5, 4), pellucid.randint(0, 3, (5,))
optimizer = optim.AdamW(net.parameters(), lr=1e-3)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
criterion = nn.CrossEntropyLoss()

reveal_type(net.first(x))  # Tensor
reveal_type(net(x))  # tuple[Tensor, Tensor]
reveal_type(net.blocks[0])  # Block
reveal_type(net.offset)  # Tensor
reveal_type(net.first.weight)  # Parameter
reveal_type(net.double())  # Net
reveal_type(net.to("cpu", pellucid.float64))  # Net
reveal_type(net.state_dict())  # OrderedDict[str, Tensor]
reveal_type(list(net.parameters()))  # list[Parameter]
reveal_type(list(net.named_parameters()))  # list[tuple[str, Parameter]]


@pellucid.compile
def step(x: Tensor, y: Tensor, weight: float = 1.0) -> Tensor:
    optimizer.zero_grad()
    scores, _ = net(x)
    loss = criterion(scores, y) * weight
    reveal_type(loss)  # Tensor
    loss.backward()
    optimizer.step()
    return loss


reveal_type(step(x, y))  # Tensor
reveal_type(step(x, y, weight=2.0).item())  # int | float
reveal_type(pellucid.compile(net)(x))  # tuple[Tensor, Tensor]
reveal_type(optimizer.step())  # None
reveal_type(optimizer.step(lambda: 0.5))  # float
reveal_type(schedule.get_last_lr())  # list[float]
reveal_type(optimizer.param_groups[0])  # ParameterGroup
reveal_type(nn.utils.clip_grad_norm_(net.parameters(), 1.0))  # Tensor


@pellucid.no_grad()
def mean(x: Tensor, count: int) -> float:
    return float(net(x)[0].mean())


@pellucid.no_grad
def largest(x: Tensor, count: int) -> float:
    return float(net(x)[0].amax())


reveal_type(mean(x, count=2))  # float
reveal_type(largest(x, count=2))  # float

with pellucid.no_grad():
    reveal_type(net(x)[0])  # Tensor


def apply(model: nn.Module, x: Tensor) -> Tensor:
    reveal_type(model(x))  # Tensor
    for layer in nn.Sequential(nn.Linear(2, 3), nn.ReLU()):
        reveal_type(layer)  # Module
        x = layer(x)
    return nn.Sequential(model, nn.Tanh())(x)


reveal_type(nn.LSTM(2, 3)(x))  # tuple[Tensor, tuple[Tensor, Tensor]]
reveal_type(nn.GRU(2, 3)(x))  # tuple[Tensor, Tensor]
reveal_type(nn.MultiheadAttention(4, 2)(x, x, x))  # tuple[Tensor, Tensor | None]
reveal_type(nn.Embedding(4, 2)(y))  # Tensor
reveal_type(F.max_pool2d(x, 2))  # Tensor
reveal_type(F.max_pool2d(x, 2, return_indices=True))  # tuple[Tensor, Tensor]
reveal_type(F.cross_entropy(x, y))  # Tensor
