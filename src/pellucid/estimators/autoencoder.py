"""Networks that learn from rows without targets: autoencoders, and how strange a row is.

>>> from pellucid.estimators import AnomalyDetector
>>> import numpy as np
>>> usual = np.random.default_rng(0).normal(size=(300, 1)) @ np.ones((1, 4))  # all columns alike
>>> detector = AnomalyDetector(latent=1, epochs=30, random_state=0).fit(usual)
>>> detector.predict([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0]])
array([ 1, -1])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.data.splits import split_indices
from pellucid.estimators.fitted import LEAST_ROWS, own_random_numbers
from pellucid.nn import functional
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import manual_seed, randn_like
from pellucid.tensor.shaping import cat
from pellucid.training.config import ACTIVATIONS
from pellucid.training.inference import Scorer
from pellucid.training.trainer import Trainer

with needs("sklearn", "pellucid.estimators"):
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        OutlierMixin,
        TransformerMixin,
    )
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils import check_random_state
with needs("sklearn", "pellucid.estimators"):
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data

Floats = npt.NDArray[np.float64]
_BLOCK = 256


class _Code(nn.Module):
    """Encoder and decoder; (N, features) → (N, features + 2 · latent): the rows again, and mean and
    logarithm of the variance of each row's cloud, the latter empty for a plain autoencoder."""

    def __init__(
        self, features: int, latent: int, widths: Sequence[int], activation: str, cloud: bool
    ) -> None:
        super().__init__()
        self.latent, self.cloud = latent, cloud
        outputs = 2 * latent if cloud else latent
        self.encoder = _layers([features, *widths, outputs], activation)
        self.decoder = _layers([latent, *reversed(widths), features], activation)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features) → (N, features + what describes the cloud)."""
        code = self.encoder(x)
        if not self.cloud:
            return self.decoder(code)
        mean, log_variance = code[:, : self.latent], code[:, self.latent :]
        point = mean
        if self.training:
            point = mean + (0.5 * log_variance).exp() * randn_like(mean)
        return cat([self.decoder(point), mean, log_variance], 1)


def _layers(sizes: Sequence[int], activation: str) -> nn.Sequential:
    parts: list[Any] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        parts += [nn.Linear(before, after), getattr(nn, ACTIVATIONS[activation])()]
    return nn.Sequential(*parts[:-1])


class _Unsupervised(BaseEstimator):  # type: ignore[misc]
    """Settings, training and what is kept: arrays alone."""

    def __init__(
        self,
        *,
        latent: int = 2,
        widths: Sequence[int] = (64,),
        activation: str = "relu",
        variational: bool = False,
        beta: float = 1.0,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        epochs: int = 100,
        patience: int = 10,
        validation_fraction: float = 0.15,
        random_state: Any = None,
    ) -> None:
        self.latent = latent
        self.widths = widths
        self.activation = activation
        self.variational = variational
        self.beta = beta
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _learn(self, X: Any) -> Floats:
        """Trains on the rows of X; returns them as an array."""
        self._check()
        rows: Floats = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self._mean, spread = rows.mean(axis=0), rows.std(axis=0)
        self._scale = np.where(spread > 1e-12 * np.abs(self._mean), spread, 1.0)
        scaled = self._scaled(rows)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        train, held = np.arange(len(rows)), np.empty(0, np.int64)
        if self.validation_fraction and len(rows) >= LEAST_ROWS:
            shares = (1.0 - self.validation_fraction, self.validation_fraction, 0.0)
            train, held, _ = split_indices(len(rows), shares, seed, None)
        with own_random_numbers():
            manual_seed(seed)
            model = self._network(rows.shape[1])
            optimizer = optim.AdamW(model.parameters(), lr=self.learning_rate, weight_decay=0.0)
            trainer = Trainer(model, self._loss, optimizer, seed=seed)
            pairs = [(scaled[part], scaled[part]) for part in (train, held)]
            history = trainer.fit(
                pairs[0],
                pairs[1] if len(held) else None,
                epochs=self.epochs,
                batch_size=self.batch_size,
                patience=self.patience if len(held) else 0,
                progress=False,
            )
        self._arrays = {n: np.array(t.detach().numpy()) for n, t in model.state_dict().items()}
        self._made: dict[str, Scorer] = {}
        self.n_iter_ = max(1, len(history))
        self.loss_curve_ = [record.loss for record in history]
        return rows

    def _check(self) -> None:
        """The settings; ``ArgumentError`` for one that is not allowed."""
        whole = {"latent": self.latent, "batch_size": self.batch_size, "epochs": self.epochs}
        for name, value in whole.items():
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ArgumentError(f"{name}={value!r}", "Give a whole number from 1 up.")
        if self.activation not in ACTIVATIONS:
            raise ArgumentError(
                f"activation={self.activation!r} is unknown",
                f"Use one of {', '.join(ACTIVATIONS)}.",
            )
        if not 0.0 <= self.validation_fraction < 1.0:
            raise ArgumentError(
                f"validation_fraction={self.validation_fraction!r}",
                "Give a share from 0 (nothing is held out, no early stopping) to below 1.",
            )

    def _network(self, features: int) -> _Code:
        return _Code(
            features, int(self.latent), tuple(self.widths), self.activation, bool(self.variational)
        )

    def _loss(self, found: Tensor, x: Tensor) -> Tensor:
        """Mean squared error; for clouds also β times their divergence from a standard normal one,
        −½ Σ (1 + log σ² − μ² − σ²), for each feature."""
        features = x.shape[1]
        error = functional.mse_loss(found[:, :features], x)
        if not self.variational:
            return error
        mean = found[:, features : features + self.latent]
        log_variance = found[:, features + self.latent :]
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return error + 2 * self.beta * divergence / features

    def _scaled(self, rows: Floats) -> npt.NDArray[np.float32]:
        return np.asarray((rows - self._mean) / self._scale, np.float32)

    def _run(self, half: str, rows: npt.NDArray[np.float32]) -> Floats:
        """One half of the network, in blocks of one size, so that rows do not depend on others."""
        if half not in self._made:
            with own_random_numbers():
                model = self._network(len(self._mean))
            model.load_state_dict({n: as_tensor(v) for n, v in self._arrays.items()})
            self._made[half] = Scorer(getattr(model, half), block=_BLOCK)
        return np.asarray(self._made[half](rows), np.float64)

    def _codes(self, X: Any) -> tuple[npt.NDArray[np.float32], Floats]:
        """X standardized, and its codes."""
        check_is_fitted(self, "_arrays")
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        scaled = self._scaled(rows)
        return scaled, self._run("encoder", scaled)[:, : self.latent]

    def _errors(self, X: Any) -> Floats:
        scaled, codes = self._codes(X)
        again = self._run("decoder", codes.astype(np.float32))
        return np.asarray(np.square(again - scaled).mean(axis=1))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return {**state, "_made": {}} if "_made" in state else state

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to apply."""
        return hasattr(self, "_arrays")


class NetAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Unsupervised):  # type: ignore[misc]
    """A network that describes each row by ``latent`` numbers and makes the row of them again.

    ``transform`` gives the numbers, ``inverse_transform`` rows of numbers: to look at data in two
    dimensions, to move through what the network holds possible, to feed another model.  Columns are
    standardized before.  With ``variational=True`` each row is a cloud (its middle is what
    ``transform`` gives), clouds are kept near the standard normal distribution, ``beta`` times as
    strongly as rows are made again, and :meth:`sample` draws new rows.  (Hinton and Salakhutdinov,
    2006; Kingma and Welling, 2013; Higgins and others, "beta-VAE", 2017.)

    Args:
        latent: numbers that describe a row.
        widths: units of the encoder's hidden layers; the decoder has them in reverse order.
        activation: the function after them.
        variational, beta: clouds instead of points, and how near they stay to the normal one.
        learning_rate, batch_size, epochs: of AdamW; the most passes over the rows.
        patience: epochs without a better loss on the rows held out before the end.
        validation_fraction: the share held out; none of fewer than 20 rows.
        random_state: a number makes fits repeatable, bit for bit.

    ``X`` holds finite numbers (rows, features).  After ``fit``: ``n_iter_``, ``loss_curve_``,
    ``n_features_in_``, ``feature_names_in_``.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of ``X``; ``y`` is not used."""
        self._learn(X)
        return self

    def transform(self, X: Any) -> Floats:
        """The numbers that describe each row: float64 (rows, latent)."""
        return self._codes(X)[1]

    def inverse_transform(self, X: Any) -> Floats:
        """The rows (rows, features), in the units of the data, of numbers (rows, latent)."""
        check_is_fitted(self, "_arrays")
        codes = check_array(X, dtype=np.float32)
        if codes.shape[1] != self.latent:
            raise DataError(
                f"inverse_transform got {codes.shape[1]} numbers a row", f"Give {self.latent}."
            )
        return np.asarray(self._run("decoder", codes) * self._scale + self._mean)

    def reconstruction_error(self, X: Any) -> Floats:
        """The mean squared difference between each row and what is made of its numbers, both
        standardized: float64 (rows,)."""
        return self._errors(X)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Floats:
        """New rows (n_samples, features), in the units of the data, of normal numbers."""
        check_is_fitted(self, "_arrays")
        if not self.variational:
            raise ArgumentError(
                "Only a variational autoencoder draws new rows", "Fit with variational=True."
            )
        points = check_random_state(random_state).normal(size=(n_samples, self.latent))
        return self.inverse_transform(points)

    @property
    def _n_features_out(self) -> int:
        return int(self.latent)


class AnomalyDetector(OutlierMixin, _Unsupervised):  # type: ignore[misc]
    """Finds rows that are unlike the rest: those that an autoencoder cannot make again.

    The settings are those of :class:`NetAutoencoder`, and ``contamination``, the share of the rows
    of ``fit`` that are taken for strange.  ``predict`` gives 1 for usual rows and −1 for strange
    ones, ``score_samples`` minus the error (higher is more usual), ``decision_function`` the same
    less ``offset_`` (below 0 is strange), as scikit-learn's detectors do.

    (Sakurada and Yairi, "Anomaly detection using autoencoders with nonlinear dimensionality
    reduction", 2014.)
    """

    def __init__(
        self,
        *,
        contamination: float = 0.1,
        latent: int = 2,
        widths: Sequence[int] = (64,),
        activation: str = "relu",
        variational: bool = False,
        beta: float = 1.0,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        epochs: int = 100,
        patience: int = 10,
        validation_fraction: float = 0.15,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            latent=latent,
            widths=widths,
            activation=activation,
            variational=variational,
            beta=beta,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            patience=patience,
            validation_fraction=validation_fraction,
            random_state=random_state,
        )
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of ``X`` what is usual; ``y`` is not used."""
        if not 0.0 < self.contamination <= 0.5:
            raise ArgumentError(
                f"contamination={self.contamination!r}", "Give a share above 0, up to 0.5."
            )
        rows = self._learn(X)
        self.offset_ = float(np.percentile(self.score_samples(rows), 100.0 * self.contamination))
        return self

    def score_samples(self, X: Any) -> Floats:
        """How usual each row is, minus its error: float64 (rows,)."""
        return -self._errors(X)

    def decision_function(self, X: Any) -> Floats:
        """``score_samples`` less ``offset_``: float64 (rows,), below 0 for strange rows."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """1 for usual rows, −1 for strange ones: int64 (rows,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)
