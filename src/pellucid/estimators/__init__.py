"""Networks as scikit-learn estimators.

>>> from pellucid.estimators import NetClassifier
>>> model = NetClassifier(random_state=0)
>>> model.fit(X, y).predict_proba(X_new)  # doctest: +SKIP
"""

from pellucid.estimators.autoencoder import AnomalyDetector, NetAutoencoder
from pellucid.estimators.classifier import NetClassifier
from pellucid.estimators.regressor import NetRegressor

__all__ = ["AnomalyDetector", "NetAutoencoder", "NetClassifier", "NetRegressor"]


def __dir__() -> list[str]:
    return sorted(__all__)
