"""Wrong labels found: the doctor's confident learning beside cleanlab's.

Labels of clean data sets are changed at random, a share of 5, 10 and 20 %, to another class.  Each
program ranks the rows; precision is the share of changed labels among the first k, k being how many
were changed.  Columns: ``doctor``, our probabilities and our ranking; ``cleanlab``, its usual way
(logistic regression, 5 folds, label quality scores); ``on ours``, its scores of our probabilities;
``count``, our estimate of how many labels are wrong as a multiple of the truth.  Needs scikit-learn
and cleanlab.

    python benchmarks/label_errors.py [--seeds 5]
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from cleanlab.rank import get_label_quality_scores
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler

from pellucid.data.memory import from_memory
from pellucid.insight.doctor.data import label_errors
from pellucid.insight.doctor.data.columns import feature_columns
from pellucid.insight.doctor.data.held_out import held_out_classes
from pellucid.training.job import one_blas_thread

SETS = ("iris", "wine", "breast_cancer", "digits")
SHARES = (0.05, 0.1, 0.2)


def changed(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is another class, and the rows that were changed."""
    random = np.random.default_rng(seed)
    classes, count = int(labels.max()) + 1, round(share * len(labels))
    rows = random.choice(len(labels), count, replace=False)
    noisy = labels.copy()
    noisy[rows] = (labels[rows] + random.integers(1, classes, count)) % classes
    return noisy, rows


def precision(order: np.ndarray, rows: np.ndarray) -> float:
    """The share of ``rows`` among as many first ones of an order."""
    return float(np.isin(order[: len(rows)], rows).mean())


def measure(name: str, share: float, seed: int) -> tuple[float, ...]:
    """Precisions of the three and the relative error of our count."""
    data = getattr(datasets, f"load_{name}")()
    noisy, rows = changed(data.target, share, seed)
    columns = feature_columns(from_memory(data.data))[0]
    with one_blas_thread():
        found = held_out_classes(columns, noisy, int(data.target.max()) + 1)
        ours = label_errors(found.probabilities, noisy)
        model = LogisticRegression(max_iter=2000)
        scaled = StandardScaler().fit_transform(data.data)
        theirs = cross_val_predict(model, scaled, noisy, cv=5, method="predict_proba")
    quality = get_label_quality_scores(noisy, theirs)
    on_ours = get_label_quality_scores(noisy, found.probabilities)
    return (
        precision(ours.order, rows), precision(np.argsort(quality, kind="stable"), rows),
        precision(np.argsort(on_ours, kind="stable"), rows), ours.count / len(rows),
    )  # fmt: skip


def main() -> None:
    """Prints a table: mean over the seeds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    warnings.simplefilter("ignore")
    print(f"{'data':14} {'share':>5} {'doctor':>7} {'cleanlab':>9} {'on ours':>8} {'count':>6}")
    began = time.perf_counter()
    for name in SETS:
        for share in SHARES:
            ours, theirs, on_ours, count = np.mean([measure(name, share, s) for s in seeds], axis=0)
            print(f"{name:14} {share:5.0%} {ours:7.3f} {theirs:9.3f} {on_ours:8.3f} {count:6.2f}")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
