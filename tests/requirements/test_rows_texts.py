"""Rows about applications, on real data."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from pellucid import optim
from pellucid.data.splits import split_indices
from pellucid.models import mlp
from pellucid.training.trainer import Trainer


def test_B17_texts_are_classified(data_folder: Path) -> None:
    """Chinese reviews of deliveries, praise or complaint, from which characters occur in them."""
    with open(data_folder / "text" / "waimai_10k.csv", encoding="utf-8", newline="") as file:
        rows = [(row["review"], int(row["label"])) for row in csv.DictReader(file)]
    random = np.random.default_rng(7)
    rows = [rows[i] for i in random.permutation(len(rows))[:4000]]
    labels = np.array([label for _, label in rows])
    train, held, new = split_indices(len(rows), (0.7, 0.15, 0.15), seed=1, stratify=labels)
    counts = Counter(character for i in train for character in set(rows[i][0]))
    place = {character: i for i, (character, _) in enumerate(counts.most_common(800))}
    features = np.zeros((len(rows), len(place)), np.float32)
    for row, (text, _) in enumerate(rows):
        features[row, [place[c] for c in set(text) if c in place]] = 1.0
    targets = labels.astype(np.float32)[:, None]
    model = mlp(len(place), (32,), 1, dropout=0.5)
    optimizer = optim.AdamW(model.parameters(), lr=2e-3)
    trainer = Trainer(model, "binary_cross_entropy_with_logits", optimizer)
    parts = [(features[part], targets[part]) for part in (train, held)]
    trainer.fit(*parts, epochs=12, batch_size=50, patience=3)
    right = (trainer.predict_class(features[new]).numpy() == labels[new]).mean()
    assert right > 0.83 > max(labels.mean(), 1 - labels.mean()) + 0.1
