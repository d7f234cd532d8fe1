"""A training run in a process of its own, to be killed and gone on with.

``python killed_run.py MODEL FOLDER THREADS`` trains one of four networks for a few epochs with
checkpoints in FOLDER, going on from those that are there, prints ``step N`` now and then, and in
the end ``done`` and a hash of all weights, buffers, optimizer slots and losses.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import pellucid
from pellucid import nn, optim
from pellucid.backends.cpu.threads import set_num_threads
from pellucid.models.gpt import GPT, GPTConfig
from pellucid.training import Checkpoints, Trainer
from pellucid.training.history import Event
from pellucid.utils.data import DataLoader, Dataset

EPOCHS = 4
Parts = tuple[nn.Module, Any, Any, dict[str, Any]]
"""Network, optimizer, data, and further arguments of the Trainer."""


class Noisy(Dataset):
    """Rows with noise that is drawn anew each time, from two generators."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        noise = pellucid.randn(self.x.shape[1]) * 0.1 + float(np.random.normal(0, 0.1))
        return pellucid.as_tensor(self.x[index]) + noise, self.y[index]


def mlp(generator: np.random.Generator) -> Parts:
    """A perceptron on a loader whose rows are noisy, with a schedule of steps and an average."""
    x = generator.normal(size=(600, 12)).astype(np.float32)
    y = generator.integers(0, 3, 600)
    model = nn.Sequential(nn.Linear(12, 48), nn.Tanh(), nn.Dropout(0.2), nn.Linear(48, 3))
    loader = DataLoader(Noisy(x, y), batch_size=20, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.03, total_steps=EPOCHS * 30)
    return model, optimizer, loader, {"schedule": schedule, "ema_decay": 0.9}


def cnn(generator: np.random.Generator) -> Parts:
    """Convolution, batch normalization and dropout."""
    x = generator.normal(size=(500, 1, 10, 10)).astype(np.float32)
    y = generator.integers(0, 4, 500)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.3), nn.Flatten(), nn.Linear(200, 4),
    )  # fmt: skip
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    return model, optimizer, (x, y), {"schedule": schedule, "clip_norm": 1.0}


class Last(nn.Module):
    """Scores from the last step of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(5, 24, batch_first=True)
        self.head = nn.Linear(24, 3)

    def forward(self, x: Any) -> Any:
        """(rows, time, 5) → (rows, 3)."""
        return self.head(self.cells(x)[0][:, -1])


def lstm(generator: np.random.Generator) -> Parts:
    """A recurrent network whose gradients are gathered over batches."""
    x = generator.normal(size=(300, 9, 5)).astype(np.float32)
    model = Last()
    optimizer = optim.RMSprop(model.parameters(), lr=0.003, momentum=0.5)
    return model, optimizer, (x, generator.integers(0, 3, 300)), {"accumulate": 2}


class Letters(nn.Module):
    """Scores of the next letter as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.gpt = GPT(
            GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.1)
        )

    def forward(self, x: Any) -> Any:
        """(rows, time) → (rows, 11, time)."""
        return self.gpt(x).transpose(1, 2)


def gpt(generator: np.random.Generator) -> Parts:
    """A small transformer with dropout."""
    text = generator.integers(0, 11, (240, 9))
    model = Letters()
    optimizer = optim.NAdam(model.parameters(), lr=0.003)
    return model, optimizer, (text[:, :-1].copy(), text[:, 1:].copy()), {}


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt": gpt}


def everything(trainer: Trainer) -> Iterator[np.ndarray]:
    """All that should be the same bits."""
    for tensor in trainer.model.state_dict().values():
        yield tensor.detach().numpy()
    for slots in trainer.optimizer.state_dict()["state"].values():
        yield from (s.detach().numpy() for s in slots.values() if hasattr(s, "detach"))
    for name in ("loss", "validation_loss", "learning_rate"):
        yield np.array(trainer.history[name], np.float64)


def run(name: str, folder: str | None, threads: int, tell: Any = lambda event: None) -> str:
    """Trains, from a checkpoint where there is one; returns the hash."""
    set_num_threads(threads)
    pellucid.manual_seed(1)
    np.random.seed(5)
    model, optimizer, data, extra = MODELS[name](np.random.default_rng(3))
    checkpoint = None
    if folder is not None:
        checkpoint = Checkpoints(folder, every_steps=3, keep=2)
    trainer = Trainer(
        model, "cross_entropy", optimizer, seed=4, checkpoint=checkpoint, callbacks=[tell], **extra
    )
    if folder is not None:
        trainer.resume()
    validation = data if isinstance(data, tuple) else (data.dataset.x[:50], data.dataset.y[:50])
    trainer.fit(data, validation, epochs=EPOCHS, batch_size=16)
    found = hashlib.sha256()
    for array in everything(trainer):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def tell(event: Event) -> None:
    """Says where the run is."""
    if event.kind == "steps":
        print("step", event.step, flush=True)
        time.sleep(0.01)  # so that there is time to be killed


if __name__ == "__main__":
    print("done", run(sys.argv[1], sys.argv[2], int(sys.argv[3]), tell), flush=True)
