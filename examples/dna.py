"""A convolution that finds a pattern in DNA, and shows which.

python examples/dna.py

Half of the sequences (60 bases, made at random) hold TATAAT somewhere, the box that begins many
genes of bacteria, with one base in ten changed.  The network is told only which sequences do.
Afterwards the bases that its strongest filter looks for are read from the weights.  Real tasks of
genomics are of this kind: where proteins bind, where a gene is cut.
"""

import numpy as np

import pellucid
from pellucid import Trainer, nn, optim

BASES = "ACGT"
MOTIF = "TATAAT"


def sequences(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One-hot sequences, float32 (rows, 4, 60), and whether each holds the motif, (rows, 1)."""
    bases = rng.integers(0, 4, (rows, 60))
    holds = rng.random(rows) < 0.5
    for row in np.flatnonzero(holds):
        place = rng.integers(0, 60 - len(MOTIF))
        for offset, base in enumerate(MOTIF):
            if rng.random() < 0.9:
                bases[row, place + offset] = BASES.index(base)
    onehot = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1)
    return np.ascontiguousarray(onehot), holds.astype(np.float32)[:, None]


class MotifNetwork(nn.Module):
    """Filters of 8 bases along the sequence, the best place of each, and a weighted sum."""

    def __init__(self, filters: int = 8) -> None:
        super().__init__()
        self.scan = nn.Conv1d(4, filters, 8)
        self.answer = nn.Linear(filters, 1)

    def forward(self, x: pellucid.Tensor) -> pellucid.Tensor:
        """Scores (rows, 1) of sequences (rows, 4, length)."""
        return self.answer(self.scan(x).relu().amax(2))


def pattern(model: MotifNetwork) -> str:
    """What the filter that speaks most for the motif looks for, its best base at each place."""
    speaks = model.answer.weight[0].detach().numpy()
    weights = model.scan.weight.detach().numpy()
    strength = speaks * np.ptp(weights, axis=1).sum(axis=1)
    chosen = weights[strength.argmax()]
    return "".join(BASES[i] for i in chosen.argmax(axis=0))


def main() -> tuple[float, str]:
    """Train; return the share of new sequences told right, and the pattern that was found."""
    pellucid.manual_seed(0)
    rng = np.random.default_rng(0)
    train, test = sequences(2000, rng), sequences(1000, rng)
    model = MotifNetwork()
    trainer = Trainer(
        model, "binary_cross_entropy_with_logits", optim.Adam(model.parameters(), lr=0.01)
    )
    trainer.fit(train, epochs=20, batch_size=50)
    right = float((trainer.predict_class(test[0]).numpy() == test[1][:, 0]).mean())
    found = pattern(model)
    print(f"{right:.1%} of new sequences are told right; the filter reads {found}")
    return right, found


if __name__ == "__main__":
    main()
