"""What the default settings reach, beside three kinds of models of scikit-learn.

    python benchmarks/accuracy.py [--seeds 5] [--only wine digits] [--markdown] [--write FILE …]

Every seed draws another test part (a quarter of the rows; generated sets are generated anew), which
all models share; none is tuned.  Accuracy for classes, R² for numbers: mean ± deviation over the
seeds, and the median seconds of a fit.  Numbers are standardized for scikit-learn's MLP and linear
model; ours and the boosted trees take them as they are.  ``titanic`` (without the columns that tell
the answer), ``penguins``, ``mpg`` and ``waimai`` (reviews in Chinese) come from the folder that
``PELLUCID_TEST_DATA`` names and are left out without it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measuring import table, write_between

MODELS = ("ours", "MLP", "linear", "boosting")


@dataclass(frozen=True)
class DataSet:
    """``draw(seed)`` gives X and y."""

    name: str
    draw: Callable[[int], tuple[Any, Any]]
    classes: bool


def generated() -> Iterator[DataSet]:
    from sklearn import datasets as sets

    def loader(load: Any) -> Any:
        return lambda seed: load(return_X_y=True)

    yield DataSet("breast cancer", loader(sets.load_breast_cancer), True)
    yield DataSet("wine", loader(sets.load_wine), True)
    yield DataSet("digits", loader(sets.load_digits), True)
    yield DataSet("diabetes", loader(sets.load_diabetes), False)
    yield DataSet(
        "friedman1", lambda seed: sets.make_friedman1(1000, 10, noise=1, random_state=seed), False
    )
    yield DataSet("moons", lambda seed: sets.make_moons(1000, noise=0.25, random_state=seed), True)
    yield DataSet(
        "50 useless features",
        lambda seed: sets.make_classification(
            2000, 60, n_informative=8, n_redundant=2, flip_y=0.02, random_state=seed
        ),
        True,
    )
    yield DataSet("20 categories of 1,000 levels", many_levels, True)


def many_levels(seed: int) -> tuple[Any, Any]:
    """6,000 rows of 20 categories with up to 1,000 levels, of which three columns matter."""
    import pandas

    random = np.random.default_rng(seed)
    levels = (1000 * random.random((6000, 20)) ** 3).astype(int)
    effects = random.normal(size=(3, 1000))
    score = sum(effects[column, levels[:, column]] for column in range(3))
    y = (score + 0.5 * random.normal(size=6000) > 0).astype(int)
    frame = pandas.DataFrame({f"c{i}": [f"v{v}" for v in levels[:, i]] for i in range(20)})
    return frame, y


def from_files(folder: Path) -> Iterator[DataSet]:
    """The sets of the folder that are there."""
    import pandas

    def frame(path: Path, target: str, drop: tuple[str, ...]) -> Any:
        read = pandas.read_csv(path).dropna(subset=[target])
        return lambda seed: (read.drop(columns=[target, *drop]), read[target].to_numpy())

    def reviews(path: Path) -> Any:
        read = pandas.read_csv(path).dropna()

        def draw(seed: int) -> tuple[Any, Any]:
            some = read.sample(4000, random_state=seed)
            return some["review"].to_numpy(object), some["label"].to_numpy()

        return draw

    listed = (
        ("titanic", "titanic.csv", "survived", ("alive",), True),
        ("penguins", "penguins.csv", "species", (), True),
        ("mpg", "mpg.csv", "mpg", ("name",), False),
    )
    for name, file, target, drop, classes in listed:
        for path in sorted(folder.rglob(file))[:1]:
            yield DataSet(name, frame(path, target, drop), classes)
    for path in sorted(folder.rglob("waimai_10k.csv"))[:1]:
        yield DataSet("waimai", reviews(path), True)


def contestants(data: DataSet, X: Any, seed: int) -> dict[str, Callable[[], Any]]:
    """Untrained models by name."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    from pellucid.estimators import NetClassifier, NetRegressor

    if data.classes:
        linear: Any = LogisticRegression(max_iter=1000)
        mlp: Any = MLPClassifier(random_state=seed)
        trees: Any = HistGradientBoostingClassifier(random_state=seed)
        ours: Any = NetClassifier(random_state=seed)
    else:
        linear, mlp = Ridge(), MLPRegressor(random_state=seed)
        trees = HistGradientBoostingRegressor(random_state=seed)
        ours = NetRegressor(random_state=seed)
    return {
        "ours": lambda: ours,
        "MLP": lambda: prepared(X, mlp),
        "linear": lambda: prepared(X, linear),
        "boosting": lambda: for_trees(X, trees),
    }


def prepared(X: Any, model: Any) -> Any:
    """Standardized numbers, and 0/1 columns for categories, in front of a model."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if np.ndim(X) == 1:
        return make_pipeline(of_texts(), model)
    if not hasattr(X, "columns"):
        return make_pipeline(StandardScaler(), model)
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2)
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (encoder, others),
        ),
        model,
    )


def of_texts() -> Any:
    """Counts of characters and pairs of them, weighted by rarity."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char", ngram_range=(1, 2), max_features=4000)


def for_trees(X: Any, model: Any) -> Any:
    """Boosted trees take missing values as they are, and categories as numbers."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.decomposition import TruncatedSVD
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    if np.ndim(X) == 1:
        return make_pipeline(of_texts(), TruncatedSVD(100, random_state=0), model)
    if not hasattr(X, "columns"):
        return model
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    others = make_column_selector(dtype_exclude="number")
    return make_pipeline(make_column_transformer((encoder, others), remainder="passthrough"), model)


def measured(data: DataSet, seeds: int) -> dict[str, list[tuple[float, float]]]:
    """Score and seconds of every model for every seed."""
    from sklearn.model_selection import train_test_split

    found: dict[str, list[tuple[float, float]]] = {name: [] for name in MODELS}
    for seed in range(seeds):
        X, y = data.draw(seed)
        stratify = y if data.classes else None
        parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=stratify)
        for name, make in contestants(data, X, seed).items():
            start = time.perf_counter()
            model = make().fit(parts[0], parts[2])
            seconds = time.perf_counter() - start
            found[name].append((float(model.score(parts[1], parts[3])), seconds))
    return found


def row(data: DataSet, found: dict[str, list[tuple[float, float]]]) -> list[str]:
    """The table's line of a data set; a model worse than ours beyond ours' deviation has no mark,
    one that is better beyond the larger of both deviations has a *."""
    cells = [data.name, "accuracy" if data.classes else "R²"]
    scores = {name: [score for score, _ in found[name]] for name in MODELS}
    spread = {n: statistics.stdev(s) if len(s) > 1 else 0.0 for n, s in scores.items()}
    own = statistics.fmean(scores["ours"])
    for name in MODELS:
        mean = statistics.fmean(scores[name])
        mark = "*" if mean - own > max(spread[name], spread["ours"]) else ""
        seconds = statistics.median(s for _, s in found[name])
        cells.append(f"{mean:.3f} ± {spread[name]:.3f}{mark}, {seconds:.2g} s")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="names of data sets")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", type=Path, nargs="*", default=[], help="documents to write into")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # scikit-learn's MLP says that it has not converged
    sets = list(generated())
    if folder := os.environ.get("PELLUCID_TEST_DATA"):
        sets += from_files(Path(folder))
    head = ["data", "measure", *MODELS]
    rows = []
    for data in sets:
        if options.only and data.name not in options.only:
            continue
        rows.append(row(data, measured(data, options.seeds)))
        print(" | ".join(rows[-1]), flush=True)
    print()
    print(table(head, rows, options.markdown))
    for path in options.write:
        write_between(path, "accuracy table", table(head, rows, True) + "\n")


if __name__ == "__main__":
    main()
