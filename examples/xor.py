"""XOR with a 2-4-1 network of sigmoids: the smallest problem that needs a hidden layer.

    python examples/xor.py

No straight line separates the four points, so one layer cannot do it; four hidden units can.
It is the repaired form of a program that is often printed with four faults (see "Common mistakes"
in docs/guide.md): here every layer is trained, by gradients that belong to one forward pass.
"""

import pellucid
from pellucid import nn, optim

pellucid.manual_seed(0)
inputs = pellucid.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = pellucid.tensor([[0.0], [1.0], [1.0], [0.0]])

model = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
loss_function = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=2.0)


@pellucid.compile
def step(x, y):
    """Forward, loss, backward, update."""
    optimizer.zero_grad()
    loss = loss_function(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()


def main() -> tuple[int, float]:
    """Train; return how many of the four answers are right, and the mean squared error."""
    for epoch in range(6001):
        loss = step(inputs, targets)
        if epoch % 1000 == 0:
            print(f"epoch {epoch:4d}  loss {loss.item():.6f}")
    with pellucid.no_grad():
        outputs = model(inputs)
    for x, output in zip(inputs.tolist(), outputs.tolist(), strict=True):
        print(f"{x[0]:.0f} xor {x[1]:.0f} = {output[0]:.3f}")
    right = int(((outputs > 0.5) == (targets > 0.5)).sum().item())
    error = loss_function(outputs, targets).item()
    print(f"{right} of 4 right, mean squared error {error:.5f}")
    return right, error


if __name__ == "__main__":
    main()
