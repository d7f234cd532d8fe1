"""A recurrent network learns to foretell a noisy sine, and goes on with a cosine.

    python examples/noisy_sine.py

The last experiment of "Deep Learning from Scratch 3" (Saitoh, 2020, steps 59 and 60): 1,000 points,
gradients through 30 steps with the state carried on, 100 epochs.  Nobody tells the network of
periods; it has to find them, and to see through the noise, from the values alone.
"""

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim

NOISE = 0.05  # noise is evenly spread over ± this
SPAN = 30


def waves(points=1001):
    """A noisy sine to learn from and a cosine without noise to be tested on, (points, 1) each."""
    angle = np.linspace(0, 25 * np.pi, points)
    noise = np.random.default_rng(0).uniform(-NOISE, NOISE, points)
    return [values.astype(np.float32)[:, None] for values in (np.sin(angle) + noise, np.cos(angle))]


class Foretelling(nn.Module):
    """A recurrent layer and a linear one: values (T, 1) → the next values (T, 1), and the state."""

    def __init__(self, kind, hidden=100):
        super().__init__()
        self.recurrent = kind(1, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x, state):
        """(T, 1) and the state before → (T, 1) and the state after."""
        h, state = self.recurrent(x, state)
        return self.linear(h), state

    def start(self):
        """The state before the first value: zeros."""
        zeros = pellucid.zeros(1, self.recurrent.hidden_size)
        return (zeros, zeros) if isinstance(self.recurrent, nn.LSTM) else zeros


def learned(kind, series, epochs):
    """The network, and the mean squared error of each epoch."""
    pellucid.manual_seed(0)
    model = Foretelling(kind)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    @pellucid.compile
    def step(x, y, state):
        optimizer.zero_grad()
        found, state = model(x, state)
        loss = F.mse_loss(found, y)
        loss.backward()
        optimizer.step()
        return loss.detach(), pellucid.utils.pytree.tree_map(lambda part: part.detach(), state)

    x, y = pellucid.from_numpy(series[:-1]), pellucid.from_numpy(series[1:])
    errors = []
    for _ in range(epochs):
        state, found = model.start(), []
        for begin in range(0, len(x) - SPAN + 1, SPAN):
            loss, state = step(x[begin : begin + SPAN], y[begin : begin + SPAN], state)
            found.append(float(loss))
        errors.append(float(np.mean(found)))
    return model, errors


def foretold(model, series):
    """What the network expects after each value (T - 1, 1)."""
    with pellucid.no_grad():
        return model(pellucid.from_numpy(series[:-1]), model.start())[0].numpy()


def main(epochs=100):
    """Train both kinds; return each one's error on the cosine, and that of the last value."""
    sine, cosine = waves()
    found = {"the last value": float(((cosine[1:] - cosine[:-1])[SPAN:] ** 2).mean())}
    for kind in (nn.RNN, nn.LSTM):
        model, errors = learned(kind, sine, epochs)
        gaps = (foretold(model, cosine) - cosine[1:])[SPAN:]
        found[kind.__name__] = float((gaps**2).mean())
        print(f"{kind.__name__}: error on the noisy sine {errors[0]:.3f} → {errors[-1]:.5f} "
              f"(the noise itself: {NOISE**2 / 3:.5f})")  # fmt: skip
    for name, error in found.items():
        print(f"error on the cosine, {name}: {error:.6f}")
    return found


if __name__ == "__main__":
    main()
