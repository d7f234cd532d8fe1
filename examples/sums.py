"""A network that learns to add: it reads "16+75" backwards and writes "91".

    python examples/sums.py

It never sees a tenth of the sums, and yet nearly all of them come out right.
"""

from pellucid.text import train_sequences
from pellucid.text.sequences import PairParts


def main() -> float:
    """Trains, prints some answers, and returns the share of unseen sums that are exactly right."""
    pairs = [(f"{a}+{b}", str(a + b)) for a in range(100) for b in range(100)]
    model, history = train_sequences(
        pairs, attention="peek", hidden=64, features=16, epochs=14, batch_size=64,
        learning_rate=0.01, train_share=0.85, test_share=0.1, progress=False,
    )  # fmt: skip
    unseen = PairParts.of(pairs, model.config).test
    for source, _ in unseen[:5]:
        print(f"{source} = {model.translate([source])[0]}")
    exact = model.exact_match(unseen)
    print(f"{exact:.1%} of {len(unseen):,} unseen sums are right after {history.seconds:.0f} s")
    return exact


if __name__ == "__main__":
    main()
