"""Fine-tuning: a network that tells digits apart learns another question from 20 images.

    python examples/images/fine_tuning.py [FOLDER]

FOLDER holds MNIST's files; without it the 8×8 digits that come with Pellucid are learned.  The new
question is whether a digit is even.  Twenty images do not tell a new network what digits have in
common; one that has seen digits knows.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.data.digit_images import digit_images


def accuracy(scores, targets):
    """Share of images whose largest score is that of the right class."""
    return float((scores.argmax(axis=1) == targets).mean())


def network(size, classes):
    """Two convolutions with batch normalization, the body, and a linear layer, the head."""
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * (size // 4) ** 2, 64), nn.ReLU(),
    )  # fmt: skip
    return nn.Sequential(body, nn.Linear(64, classes))


def fit(model, groups, part, epochs, batch):
    """Adam with a learning rate for each group of parameters."""
    trainer = Trainer(model, "cross_entropy", optim.Adam(groups), metric=accuracy)
    trainer.fit(part, epochs=epochs, batch_size=batch)
    return trainer


def tuned(way, file, size, few, test, epochs=60):
    """Test accuracy of a network that learned from ``few`` images in one of three ways."""
    pellucid.manual_seed(1)
    model = network(size, 2)
    body, head = model
    if way == "from nothing":
        groups = [{"params": model.parameters(), "lr": 1e-3}]
    else:
        weights = pellucid.load(file)
        body.load_state_dict({n.removeprefix("0."): w for n, w in weights.items() if n[0] == "0"})
        groups = [{"params": head.parameters(), "lr": 1e-2}]
        if way == "head alone":
            body.requires_grad_(False)
        else:  # the body changes slowly, the new head fast
            groups.append({"params": body.parameters(), "lr": 1e-4})
    return fit(model, groups, few, epochs, 25).evaluate(test)["metric"]


def parts(source, shots=2, seed=0):
    """Digits to learn from; so many images of each with the answer to the new question, 1 for
    even digits; the test images with theirs."""
    known, (test, names) = digit_images(source)
    images, classes = known
    random = np.random.default_rng(seed)
    rows = [random.choice(np.flatnonzero(classes == n), shots, replace=False) for n in range(10)]
    few = np.concatenate(rows)
    return known, (images[few], 1 - classes[few] % 2), (test, 1 - names % 2)


WAYS = ("from nothing", "head alone", "all, the body slowly")


def main(source="digits", epochs=None, shots=2, seeds=3):
    """Train once, save, tune in three ways; return the mean test accuracies."""
    found = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "digits.safetensors"
        for seed in range(seeds):
            known, few, test = parts(source, shots, seed)
            size = known[0].shape[-1]
            if not seed:
                pellucid.manual_seed(0)
                model = network(size, 10)
                small = len(known[0]) < 10_000
                groups = [{"params": model.parameters(), "lr": 1e-3}]
                fit(model, groups, known, epochs or (15 if small else 2), 50)
                pellucid.save(model.state_dict(), file)
            for way in WAYS:
                found[way].append(tuned(way, file, size, few, test))
    means = {way: float(np.mean(values)) for way, values in found.items()}
    for way, value in means.items():
        print(f"{10 * shots} images, {way}: {value:.1%} right")
    return means


if __name__ == "__main__":
    main(*sys.argv[1:2])
