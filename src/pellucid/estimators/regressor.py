"""Networks that predict numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pellucid.base.extras import needs
from pellucid.data.tasks import Task
from pellucid.estimators.base import NetEstimator

with needs("sklearn", "pellucid.estimators"):
    from sklearn.base import RegressorMixin
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils.validation import column_or_1d


class NetRegressor(RegressorMixin, NetEstimator):  # type: ignore[misc]
    """A network as a scikit-learn regressor, of one number or of several.

    Settings, inputs and what is known after ``fit`` are those of :class:`NetClassifier`, except
    for ``class_weight`` and ``classes_``.  Targets are standardized for training and predictions
    are in the units of ``y``; ``start="auto"`` begins small tables at the solution of ridge
    regression.

    ``y`` holds numbers (rows,) or (rows, outputs).

    >>> import numpy as np
    >>> from pellucid.estimators import NetRegressor
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> model = NetRegressor(random_state=0).fit(X, 3 * X[:, 0] + 1)
    >>> round(float(model.predict([[0.5]])[0]), 1)
    2.5
    """

    def _read_targets(self, y: Any, known: Any = None) -> tuple[list[Task], list[Any]]:
        if np.ndim(y) == 2 and np.shape(y)[1] == 1:
            y = column_or_1d(y, warn=True)
        values = np.asarray(y, np.float64)
        self._is_flat = values.ndim == 1
        columns = values.reshape(len(values), -1)
        self.n_outputs_ = columns.shape[1]
        names = tuple(f"y{position}" for position in range(columns.shape[1]))
        return [Task("regression", names, (), "numbers")], [columns]

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One pass over these rows, from where the last call ended.

        What columns mean (scales, categories) and the scale of the targets are learned from the
        rows of the first call.  Nothing is held out.  Otherwise as ``fit``.
        """
        return self._partial(X, y, sample_weight, None)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Predicted numbers in the units of ``y``: float64 (rows,), or (rows, outputs)."""
        found = self._predictions(X)[0]
        return found[:, 0] if self._is_flat else found

    def predict_interval(self, X: Any, coverage: float = 0.9) -> npt.NDArray[np.float64]:
        """Between which numbers the truth of each row is, in the share ``coverage`` of rows: low
        and high, float64 (rows, 2), or (rows, outputs, 2), where the promise is for each output by
        itself.

        The middle is :meth:`predict`, the width comes from the errors on the rows held out in
        ``fit`` (split conformal prediction, see :mod:`pellucid.training.calibration`).  Raises
        ``DataError`` where none were, and ``ArgumentError`` for a coverage that so few cannot
        promise.

        >>> import numpy as np
        >>> from pellucid.estimators import NetRegressor
        >>> X = np.linspace(-1, 1, 100)[:, None]
        >>> y = 3 * X[:, 0] + np.random.default_rng(0).normal(size=100)
        >>> low, high = NetRegressor(random_state=0).fit(X, y).predict_interval([[0.5]])[0]
        >>> bool(low < 1.5 < high)
        True
        """
        middle = self._predictions(X)[0]
        ends = self._networks[0].calibrated().intervals(middle, coverage)
        found = np.stack(ends, axis=-1)
        return found[:, 0] if self._is_flat else found
