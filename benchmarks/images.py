"""What the default network for images reaches on MNIST, and in which time.

    python benchmarks/images.py [FOLDER] [--seeds 3] [--threads 2] [--markdown]

FOLDER holds MNIST's four idx files (default: ``mnist`` in the folder that PELLUCID_TEST_DATA
names).  Nothing is set but the seed, as in ``pellucid train FOLDER``: 55,000 images are learned
from, 5,000 choose the epoch, and the 10,000 of the test part are looked at once.  The seconds are
those of training and compiling.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from measuring import table, use_cores

GOAL, SECONDS = 0.994, 60.0


def main() -> None:
    known = os.environ.get("PELLUCID_TEST_DATA")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=known and str(Path(known) / "mnist"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if not options.folder:
        parser.error("name the folder with MNIST's files")
    use_cores(options.threads)

    from pellucid.training.run import train

    rows, reached = [], []
    with tempfile.TemporaryDirectory() as place:
        for seed in range(options.seeds):
            outcome = train(
                options.folder, output=Path(place) / str(seed), seed=seed, threads=options.threads
            )
            result = outcome.result
            accuracy = result.figures["test"].values["accuracy"]
            spent = result.seconds["training"] + result.seconds["compilation"]
            reached.append((accuracy, spent))
            rows.append([str(seed), f"{accuracy:.2%}", f"{spent:.1f}", str(len(result.history))])
    accuracies, seconds = zip(*reached, strict=True)
    rows.append(
        [
            "mean",
            f"{statistics.mean(accuracies):.2%}",
            f"{statistics.mean(seconds):.1f}",
            f"goal {GOAL:.1%} in {SECONDS:.0f} s",
        ]
    )
    print(table(["seed", "test accuracy", "seconds", "epochs"], rows, options.markdown))


if __name__ == "__main__":
    main()
