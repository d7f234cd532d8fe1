"""Looking inside while training: where gradients vanish in a deep network.

    python examples/observe.py

Ten layers with sigmoids, and the same with ReLU and He initialization.  What is observed becomes
part of the compiled step: the norm of each weight's gradient, and which share of the outputs is
zero.  The table shows the first step.
"""

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim

DEPTH = 10


def network(activation: type[nn.Module]) -> nn.Sequential:
    """Ten hidden layers of 32 units and two outputs."""
    layers = []
    for number in range(DEPTH):
        linear = nn.Linear(8 if number == 0 else 32, 32)
        if activation is nn.ReLU:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        else:
            nn.init.xavier_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers, nn.Linear(32, 2))


def watch(activation: type[nn.Module]) -> float:
    """Train; print the first record; return first over last hidden gradient norm."""
    pellucid.manual_seed(0)
    model = network(activation)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    x = pellucid.randn(128, 8)
    y = (x[:, 0] * x[:, 1] > 0).long()

    @pellucid.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    watched, statistics = ["output", "parameter_gradient"], ["norm", "zero_fraction"]
    with model.observe(of=watched, statistics=statistics) as seen:
        losses = [step(x, y).item() for _ in range(200)]
    record = seen.records[0]
    print(f"{activation.__name__}: loss {losses[0]:.3f} at first, {losses[-1]:.3f} after 200 steps")
    print("layer  norm of the weight's gradient  outputs that are zero")
    norms = []
    for number in range(DEPTH):
        norms.append(record["parameter_gradient"][f"{2 * number}.weight"]["norm"])
        zero = record["output"][f"{2 * number + 1}"]["zero_fraction"]
        print(f"{number + 1:5d}  {norms[-1]:29.2e}  {zero:21.0%}")
    return norms[0] / norms[-1]


def main() -> tuple[float, float]:
    """Both networks; return how much of the gradient reaches the first layer in each."""
    ratios = watch(nn.Sigmoid), watch(nn.ReLU)
    print(
        "first layer's gradient over the tenth's: " + "sigmoid {:.1e}, ReLU {:.1e}".format(*ratios)
    )
    return ratios


if __name__ == "__main__":
    main()
