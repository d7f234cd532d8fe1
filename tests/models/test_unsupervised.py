"""The bound of a VAE, errors of reconstruction, and whether generated images are various."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.data.digit_images import digit_images
from pellucid.models import (
    VAE,
    Autoencoder,
    mode_coverage,
    negative_elbo,
    principal_components,
    reconstruction_error,
)


def log_normal(z: np.ndarray, mean: float = 0.0, deviation: float = 1.0) -> np.ndarray:
    return np.asarray(norm(mean, deviation).logpdf(z))


def test_the_elbo_lies_below_the_likelihood_by_the_divergence_from_the_posterior() -> None:
    """log p(x) = ELBO + KL(q ‖ p(z|x)), all three by sums over a fine grid of one latent number;
    p(x|z) and q come from the weights by NumPy."""
    pellucid.manual_seed(3)
    model = VAE(pixels=6, hidden=5, latent=1).double()
    with pellucid.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)  # far from linear
        model.fc22.bias.fill_(-1.0)
    image = np.array([[0.0, 1, 1, 0, 1, 0]])
    x = pellucid.tensor(image)
    z = np.linspace(-12, 12, 2001)
    step = z[1] - z[0]
    with pellucid.no_grad():
        logits = model.decode(pellucid.tensor(z[:, None])).numpy()
        mean, log_variance = (float(part) for part in model.encode(x))
        noise = pellucid.tensor(z[:, None])
        drawn, means, logs = model(x.expand(len(z), 6), noise)
    likelihood = (image * logits - np.logaddexp(0, logits)).sum(1)  # log p(x|z)
    joint = likelihood + log_normal(z)
    evidence = np.log((np.exp(joint) * step).sum())
    deviation = np.exp(0.5 * log_variance)
    q = np.exp(log_normal(z, mean, deviation))
    assert q.sum() * step == pytest.approx(1, abs=1e-8)  # the grid is wide enough
    gap = (q * (log_normal(z, mean, deviation) - (joint - evidence)) * step).sum()

    bounds = []
    for row in range(len(z)):
        parts = negative_elbo(drawn[row : row + 1], x, means[row : row + 1], logs[row : row + 1])
        bounds.append(-float(parts[0] + parts[1]))
    elbo = (np.array(bounds) * np.exp(log_normal(z)) * step).sum()
    assert elbo < evidence - 0.01
    assert elbo + gap == pytest.approx(evidence, abs=1e-6)


def test_the_manifold_shows_equal_shares_of_the_plane() -> None:
    model = VAE(pixels=4, hidden=3, latent=3)
    found = model.manifold(5).numpy()
    places = norm.ppf((np.arange(5) + 0.5) / 5)
    first = np.array([[right, -down, 0.0] for down in places for right in places], np.float32)
    with pellucid.no_grad():
        expected = model.decode(pellucid.tensor(first)).sigmoid().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for bad in (lambda: model.manifold(0), lambda: VAE(4, 3, 1).manifold()):
        with pytest.raises(ArgumentError, match="manifold"):
            bad()


def test_reconstruction_errors_are_those_of_each_row() -> None:
    x = pellucid.rand(7, 12)
    model = nn.Sequential(Autoencoder(12, 3, 8), nn.Dropout(0.5))
    with pellucid.no_grad():
        expected = ((model[0](x) - x) ** 2).numpy().mean(1)
    np.testing.assert_allclose(reconstruction_error(model, x, batch=3).numpy(), expected, rtol=1e-5)
    assert model.training
    vae = VAE(12, 6, 2)
    assert reconstruction_error(vae, x).shape == (7,)
    with pytest.raises(ShapeError, match=r"makes \(7, 3\) of inputs \(7, 12\)"):
        reconstruction_error(nn.Linear(12, 3), x)


def test_a_linear_autoencoders_errors_are_those_of_principal_components() -> None:
    """Where the weights are the directions themselves."""
    (images, _), _ = digit_images()
    rows = images.reshape(len(images), -1)
    found = principal_components(rows, 5)
    model = Autoencoder(64, 5, None)
    with pellucid.no_grad():
        directions = pellucid.tensor(found.directions, dtype=pellucid.float32)
        mean = pellucid.tensor(found.mean, dtype=pellucid.float32)
        model.encoder.weight.copy_(directions)
        model.encoder.bias.copy_(-(directions @ mean))
        model.decoder.weight.copy_(directions.T)
        model.decoder.bias.copy_(mean)
    expected = ((found.inverse(found.transform(rows)) - rows) ** 2).mean(1)
    errors = reconstruction_error(model, pellucid.tensor(rows)).numpy()
    np.testing.assert_allclose(errors, expected, rtol=1e-3, atol=1e-6)


def test_other_real_images_cover_all_groups_and_copies_of_few_do_not() -> None:
    (images, classes), _ = digit_images()
    same = mode_coverage(images[:1000], images[1000:])
    assert not same.collapsed and same.different < 0.2 and same.missed < 0.05
    assert same.spread == pytest.approx(1, abs=0.1)
    assert same.real.sum() == pytest.approx(1) and same.made.sum() == pytest.approx(1)

    three = mode_coverage(images[:1000], images[np.isin(classes, (0, 1, 6))])
    assert three.collapsed and 0.5 < three.missed < 0.9 and three.different > 0.5
    copies = images[[5] * 200] + 0.02 * np.random.default_rng(0).normal(size=(200, 1, 8, 8))
    one = mode_coverage(images[:1000], copies)
    assert one.collapsed and one.spread < 0.2 and one.missed > 0.8
    assert str(one).startswith("collapsed: ")


def test_rows_that_cannot_be_compared_are_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6))
    with pytest.raises(ShapeError, match="6 numbers, the made ones 5"):
        mode_coverage(rows, rows[:, :5])
    with pytest.raises(ArgumentError, match="bins=26 for 50"):
        mode_coverage(rows, rows, bins=26)
    with pytest.raises(ArgumentError, match="NaN"):
        mode_coverage(rows, np.full((10, 6), np.nan))
    with pytest.raises(ShapeError, match=r"shape \(50,\)"):
        mode_coverage(rows[:, 0], rows)
