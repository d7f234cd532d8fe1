"""Networks that say which class a row belongs to, or which labels it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.base.extras import needs
from pellucid.data.tasks import Task
from pellucid.estimators.base import NetEstimator

with needs("sklearn", "pellucid.estimators"):
    from sklearn.base import ClassifierMixin
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils import compute_sample_weight
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils.validation import column_or_1d

Probabilities: TypeAlias = npt.NDArray[np.float64] | list[npt.NDArray[np.float64]]
"""(rows, classes) or (rows, labels), or one such array for each column of classes."""
Sets: TypeAlias = npt.NDArray[np.bool_] | list[npt.NDArray[np.bool_]]
"""(rows, classes) or (rows, labels, 2), or one such array for each column of classes."""


class NetClassifier(ClassifierMixin, NetEstimator):  # type: ignore[misc]
    """A network as a scikit-learn classifier.

    It is the network of ``pellucid train``, with the same defaults, and takes the same settings
    (:class:`pellucid.training.TrainingConfig` says what each is for).  Numbers are standardized,
    categories become 0/1 features, missing values are filled in and marked: nothing has to be
    scaled before.  A share of the rows is held out, and training ends when the loss on them has
    stopped falling; the network is then trained once more on all rows, for as many epochs.

    Args:
        widths, activation, dropout: hidden layers of the multi-layer perceptron.
        model: ``"mlp"``, ``"cnn"`` (for images, with ``channels`` and ``normalization`` of its
            convolutions), or ``"auto"``: what suits the data, as all settings that are None do.
        text: how prose becomes numbers: ``"bag"`` averages vectors of words, ``"transformer"``
            reads them in their order.
        initialization, start: how weights begin; ``start="auto"`` begins small tables at the
            solution of logistic regression.
        loss, l1, l2: what is minimized, and penalties on weights (``l2=None`` is 1 for AdamW).
        optimizer, learning_rate, momentum, schedule, clip_norm, ema_decay: how.
        ensemble: so many networks, whose probabilities are averaged.
        batch_size, accumulate: rows in each update.
        shift: images are moved at random by up to so many pixels.
        epochs: most passes over the rows; None for 100, and more of few rows (2,000 updates).
        patience: epochs without a better loss on the rows held out before the end; None for 10,
            and more of few rows; 0 switches this off.
        validation_fraction: the share of the rows held out (0.15); none of fewer than 20.
        class_weight: class → weight of its rows, or ``"balanced"``.
        warm_start: ``fit`` goes on from the weights of the last one.
        random_state: a number makes fits repeatable, bit for bit, on any number of threads.
        compile: run steps as native programs.

    ``y`` holds classes (rows,), 0/1 labels (rows, labels), or several columns of classes, each of
    which gets a network of its own.

    After ``fit``: ``classes_`` (one array for each column where there are several), ``n_iter_``
    epochs, of which ``best_iter_`` gave the weights that are kept, ``loss_curve_``,
    ``validation_loss_curve_``, ``n_features_in_``, ``feature_names_in_``.

    >>> from pellucid.estimators import NetClassifier
    >>> X = [[0.0], [0.1], [0.2], [0.3], [0.7], [0.8], [0.9], [1.0]]
    >>> y = ["low", "low", "low", "low", "high", "high", "high", "high"]
    >>> NetClassifier(random_state=0).fit(X, y).predict([[0.05], [0.95]])
    array(['low', 'high'], dtype='<U4')
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] | None = None,
        activation: str = "relu",
        dropout: float = 0.0,
        model: str = "auto",
        text: str = "bag",
        channels: Sequence[int] | None = None,
        normalization: str | None = None,
        initialization: str = "he_normal",
        start: str = "auto",
        loss: str = "auto",
        l1: float = 0.0,
        l2: float | None = None,
        optimizer: str = "adamw",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        schedule: str | None = None,
        clip_norm: float = 0.0,
        ema_decay: float = 0.0,
        ensemble: int = 1,
        batch_size: int | None = None,
        accumulate: int = 1,
        epochs: int | None = None,
        patience: int | None = None,
        shift: int | None = None,
        validation_fraction: float = 0.15,
        class_weight: Mapping[Any, float] | str | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        compile: bool = True,
    ) -> None:
        super().__init__(
            widths=widths,
            activation=activation,
            dropout=dropout,
            model=model,
            text=text,
            channels=channels,
            normalization=normalization,
            initialization=initialization,
            start=start,
            loss=loss,
            l1=l1,
            l2=l2,
            optimizer=optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            schedule=schedule,
            clip_norm=clip_norm,
            ema_decay=ema_decay,
            ensemble=ensemble,
            batch_size=batch_size,
            accumulate=accumulate,
            epochs=epochs,
            patience=patience,
            shift=shift,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            random_state=random_state,
            compile=compile,
        )
        self.class_weight = class_weight

    # ---- classes -----------------------------------------------------------------------------

    def _read_targets(self, y: Any, known: Any = None) -> tuple[list[Task], list[Any]]:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            self._is_multilabel = True
            names = tuple(f"label {position}" for position in range(y.shape[1]))
            self.classes_: Any = np.arange(np.shape(y)[1])
            return [Task("multilabel", names, names, "0/1 columns")], [np.asarray(y, np.float32)]
        self._is_multilabel = False
        several = kind.endswith("multioutput")
        columns = list(np.asarray(y).T) if several else [column_or_1d(y, warn=True)]
        given = known if several and known is not None else [known] * len(columns)
        found = [_classes_of(c, k) for c, k in zip(columns, given, strict=True)]
        listed = [classes for classes, _ in found]
        self.classes_ = listed if several else listed[0]
        self.n_outputs_ = len(columns)
        tasks = [_task(len(classes), f"y{i}") for i, (classes, _) in enumerate(found)]
        return tasks, [numbers for _, numbers in found]

    def _row_weights(self, y: Any, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.class_weight is None:
            return weights
        flat = y if self._is_multilabel or np.ndim(y) == 2 and np.shape(y)[1] > 1 else np.ravel(y)
        if self.class_weight == "balanced" or not isinstance(self.class_weight, str):
            rows = np.flatnonzero(weights > 0)
            shares = np.zeros(len(weights))
            shares[rows] = compute_sample_weight(self.class_weight, flat[rows])
            return np.asarray(weights * shares)
        raise ArgumentError(
            f"class_weight={self.class_weight!r}", 'Give a dict, "balanced", or None.'
        )

    def _known(self) -> Any:
        return None if self._is_multilabel else self.classes_

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One pass over these rows, from where the last call ended.

        ``classes`` of the first call lists all classes that will come, also those that these rows
        lack; unless given, they are those of the first call's rows.  What columns mean (scales,
        categories) is learned from the first call's rows, too.  Nothing is held out.
        """
        if classes is not None and not hasattr(self, "_networks"):
            classes = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(
                f"classes={classes!r} is not the same as on the last call to partial_fit, "
                f"{self.classes_!r}",
                "Leave it out, or name all classes in the first call.",
            )
        return self._partial(X, y, sample_weight, classes)

    # ---- afterwards --------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> Probabilities:
        """The calibrated probability of each class: float64 (rows, classes), in the order of
        ``classes_``; of each label: (rows, labels); for several columns of classes a list of such
        arrays.

        The scores of the network are divided by the temperature that the rows held out in ``fit``
        ask for (see :mod:`pellucid.training.calibration`).
        """
        found = self._predictions(X)
        if self._is_multilabel:
            return found[0]
        both = [
            np.concatenate([1.0 - p, p], axis=1)
            if n.task.kind == "binary" and n.task.classes[1:]
            else p
            for n, p in zip(self._networks, found, strict=True)
        ]
        return both if isinstance(self.classes_, list) else both[0]

    def predict_log_proba(self, X: Any) -> Probabilities:
        """The logarithm of :meth:`predict_proba`."""
        found = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(p) for p in found] if isinstance(found, list) else np.log(found)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable class of each row (rows,), the labels above one half (rows, labels), or
        a class for each column (rows, outputs)."""
        found = self.predict_proba(X)
        if isinstance(found, list):
            chosen = [c[p.argmax(axis=1)] for c, p in zip(self.classes_, found, strict=True)]
            return np.stack(chosen, axis=1)
        if self._is_multilabel:
            return np.asarray(found > 0.5).astype(np.int64)
        return np.asarray(self.classes_[found.argmax(axis=1)])

    def predict_set(self, X: Any, coverage: float = 0.9) -> Sets:
        """The classes among which the true one of each row is, in the share ``coverage`` of rows:
        bool (rows, classes), in the order of ``classes_``; for several columns of classes a list of
        such arrays.  Of several labels (rows, labels, 2): no and yes, for each label by itself.

        The most probable class is always in the set.  How large it has to be comes from the rows
        held out in ``fit`` (split conformal prediction, see :mod:`pellucid.training.calibration`).
        Raises ``DataError`` where none were, and ``ArgumentError`` for a coverage that so few
        cannot promise.

        >>> import numpy as np
        >>> from pellucid.estimators import NetClassifier
        >>> X = np.linspace(-1, 1, 100)[:, None]
        >>> model = NetClassifier(random_state=0).fit(X, X[:, 0] > 0)
        >>> model.predict_set([[-0.9], [0.9]]).tolist()
        [[True, False], [False, True]]
        """
        found = [
            np.ones((len(p), 1), np.bool_)
            if len(n.task.classes) == 1
            else n.calibrated().sets(n.task, p, coverage)
            for n, p in zip(self._networks, self._predictions(X), strict=True)
        ]
        return found if isinstance(self.classes_, list) else found[0]

    def __sklearn_tags__(self) -> Any:
        """What kinds of data are taken."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _task(classes: int, name: str) -> Task:
    """A task of so many classes, which go by their numbers."""
    kind: Any = "multiclass" if classes > 2 else "binary"
    return Task(kind, (name,), tuple(range(classes)), f"{classes} classes")


def _classes_of(column: npt.NDArray[Any], known: Any) -> tuple[Any, npt.NDArray[np.int64]]:
    """The classes, sorted, and the number of each row's; ``known`` ones stay as they are."""
    classes, numbers = np.unique(column, return_inverse=True)
    if known is None:
        return classes, numbers.reshape(-1).astype(np.int64)
    strange = np.setdiff1d(classes, known)
    if strange.size:
        raise ArgumentError(
            f"y holds the classes {strange.tolist()[:10]}, which are not among the known ones "
            f"{np.asarray(known).tolist()[:10]}",
            "Name all classes in the first call of partial_fit.",
        )
    return known, np.searchsorted(known, column).astype(np.int64)
