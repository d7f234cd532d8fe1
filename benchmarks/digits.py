"""A whole small job: 20 epochs of digits, from arrays to a trained network and its accuracy.

    python benchmarks/digits.py [--markdown] [--repeats 7]

1,500 real 8×8 images (297 for the test) of scikit-learn's digits through 64 → 64 → 10, ReLU,
cross-entropy, Adam with learning rate 0.001, batches of 64, shuffled every epoch.  The time runs
from the arrays in memory to the end of training, after the libraries were imported: building,
compiling and training included.  "first" is the first job of a process, with our code cache empty
or full; "again" is the median of further jobs in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from typing import Any

import numpy as np
from measuring import table, use_cores

EPOCHS, BATCH, TRAINING_ROWS = 20, 64, 1500


def data() -> tuple[np.ndarray, ...]:
    """Features float32 in [0, 1] and classes int64: training, then test."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    features = (images[order] / 16).astype(np.float32)
    classes = classes[order].astype(np.int64)
    cut = TRAINING_ROWS
    return features[:cut], classes[:cut], features[cut:], classes[cut:]


def trainer_job(threads: int) -> Any:
    """Pellucid with its Trainer."""
    import pellucid
    from pellucid import Trainer, nn, optim
    from pellucid.backends.cpu import engine  # noqa: F401 (loads LLVM)

    pellucid.set_num_threads(threads)

    def job(x: np.ndarray, y: np.ndarray, seed: int) -> Any:
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = optim.Adam(model.parameters(), lr=1e-3)
        trainer = Trainer(model, "cross_entropy", optimizer, seed=seed)
        trainer.fit((x, y), epochs=EPOCHS, batch_size=BATCH)
        return lambda features: trainer.predict_class(features).numpy()

    return job


def loop_job(threads: int) -> Any:
    """Pellucid with a loop of one's own: the compiled step picks its rows; an epoch is a call."""
    import pellucid
    import pellucid.nn.functional as F
    from pellucid import nn, optim
    from pellucid.backends.cpu import engine  # noqa: F401 (loads LLVM)

    pellucid.set_num_threads(threads)

    def job(x: np.ndarray, y: np.ndarray, seed: int) -> Any:
        features, classes = pellucid.from_numpy(x), pellucid.from_numpy(y)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = optim.Adam(model.parameters(), lr=1e-3)

        @pellucid.compile
        def step(rows: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(features[rows]), classes[rows])
            loss.backward()
            optimizer.step()
            return loss.detach()

        random = np.random.default_rng(seed)
        full = len(x) // BATCH
        for _ in range(EPOCHS):
            order = random.permutation(len(x))
            step.many(full, pellucid.from_numpy(order[: full * BATCH].reshape(full, BATCH)))
            if len(x) % BATCH:
                step(pellucid.from_numpy(order[full * BATCH :]))

        def predict(images: np.ndarray) -> np.ndarray:
            with pellucid.no_grad():
                return model(pellucid.from_numpy(images)).argmax(dim=1).numpy()

        return predict

    return job


def sklearn_job(threads: int) -> Any:
    """scikit-learn's MLPClassifier."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    def job(x: np.ndarray, y: np.ndarray, seed: int) -> Any:
        network = MLPClassifier(
            (64,), alpha=0.0, batch_size=BATCH, max_iter=EPOCHS, tol=0.0, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(x, y)
        return network.predict

    return job


def torch_job(threads: int) -> Any:
    """PyTorch with DataLoader and fused Adam, written the usual way."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(threads)

    def job(x: np.ndarray, y: np.ndarray, seed: int) -> Any:
        torch.manual_seed(seed)
        model = torch.nn.Sequential(
            torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        rows = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        for _ in range(EPOCHS):
            for features, classes in DataLoader(rows, batch_size=BATCH, shuffle=True):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(features), classes).backward()
                optimizer.step()

        def predict(images: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return model(torch.from_numpy(images)).argmax(dim=1).numpy()

        return predict

    return job


JOBS = {
    "ours, Trainer": trainer_job,
    "ours, own loop": loop_job,
    "scikit-learn MLPClassifier": sklearn_job,
    "PyTorch with DataLoader": torch_job,
}


def child(name: str, threads: int, repeats: int) -> None:
    """Several jobs of one contestant: seconds of each, test accuracies."""
    x, y, test_x, test_y = data()
    try:
        job = JOBS[name](threads)
    except ImportError as reason:
        print(json.dumps({"skipped": str(reason)}))
        return
    seconds, accuracy = [], []
    for seed in range(repeats + 1):
        start = time.perf_counter()
        predict = job(x, y, seed)
        seconds.append(time.perf_counter() - start)
        accuracy.append(float((predict(test_x) == test_y).mean()))
    print(json.dumps({"seconds": seconds, "accuracy": statistics.mean(accuracy)}))


def run(name: str, options: argparse.Namespace, cache: str) -> dict[str, Any]:
    """One contestant in a process of its own."""
    command = [sys.executable, __file__, "--child", name, "--repeats", str(options.repeats)]
    done = subprocess.run(
        [*command, "--threads", str(options.threads)],
        capture_output=True,
        text=True,
        env=os.environ | {"PELLUCID_CACHE": cache},
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--child", choices=tuple(JOBS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.threads, options.repeats)
        return
    options.threads = use_cores(options.threads)
    rows, again = [], {}
    with tempfile.TemporaryDirectory() as cache:
        for name in [list(JOBS)[0], *JOBS]:  # the first fills the code cache of the others
            found = run(name, options, cache)
            label = name if rows or not name.startswith("ours") else f"{name} (empty cache)"
            if "skipped" in found:
                rows.append([name, found["skipped"], "-", "-", "-"])
                continue
            first, *rest = found["seconds"]
            again[label] = statistics.median(rest)
            cells = [f"{first:.3f}", f"{again[label]:.4f}", f"{found['accuracy']:.3f}"]
            rows.append([label, *cells])
    best = min(seconds for name, seconds in again.items() if name.startswith("ours"))
    for row in rows:
        if row[0] in again:
            row.append(f"{again[row[0]] / best:.1f}×")
    head = [f"digits, {EPOCHS} epochs", "first, s", "again, s", "test accuracy", "× best of ours"]
    print(table(head, rows, options.markdown))


if __name__ == "__main__":
    main()
