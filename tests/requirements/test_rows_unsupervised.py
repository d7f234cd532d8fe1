"""Rows about learning with answers, without answers, and from rewards."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from examples.programs import load
from models.learning import accuracy, digits, fit, fit_classes
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.data.digit_images import Labelled, digit_images
from pellucid.models import Autoencoder, kmeans, mlp, principal_components
from pellucid.rl import Bandit, play_bandit


def points(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds of 60 points in the plane, and which cloud each belongs to."""
    centres = np.array([[0.0, 0.0], [6.0, 1.0], [2.0, 7.0]])
    labels = np.repeat(np.arange(3), 60)
    return centres[labels] + rng.normal(size=(180, 2)), labels


def test_D23_three_kinds_of_learning(rng: np.random.Generator) -> None:
    """With the right answers; without any; from rewards for what was tried."""
    train, held = digits()
    supervised = nn.Sequential(nn.Flatten(), *mlp(64, (32,), 10))
    fit_classes(supervised, optim.Adam(supervised.parameters(), lr=5e-3), train, 8, 50)
    assert accuracy(supervised, held) > 0.9

    x, labels = points(rng)
    groups = kmeans(x, 3).labels  # sees the points alone
    assert all(len(set(groups[labels == cloud])) == 1 for cloud in range(3))
    assert len(set(groups)) == 3

    rewards, values = play_bandit(Bandit([0.2, 0.8, 0.5]), 1000, rng)
    assert values.argmax() == 1  # nobody said which machine is the best
    assert rewards[500:].mean() > 0.65


def test_D24_clustering_groups_points_around_their_means(rng: np.random.Generator) -> None:
    x, _ = points(rng)
    found = kmeans(x, 3)
    for number, centre in enumerate(found.centres):
        np.testing.assert_allclose(centre, x[found.labels == number].mean(0), rtol=1e-9)
    distances = ((x[:, None] - found.centres) ** 2).sum(2)
    assert (distances.argmin(1) == found.labels).all() and (found.predict(x) == found.labels).all()
    assert found.spread == pytest.approx(distances.min(1).sum())
    spreads = [kmeans(x, count).spread for count in (1, 2, 3, 4)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] == pytest.approx(((x - x.mean(0)) ** 2).sum())
    assert kmeans(x, 3, seed=4).labels.tolist() == kmeans(x, 3, seed=4).labels.tolist()


def test_k_means_is_as_good_as_scikit_learns() -> None:
    from sklearn.cluster import KMeans

    x = load_digits().data
    theirs = KMeans(10, n_init=8, random_state=0).fit(x)
    assert kmeans(x, 10, seed=1).spread <= 1.01 * theirs.inertia_


def test_k_means_with_copies_of_one_point() -> None:
    found = kmeans(np.ones((5, 2)), 3)
    assert found.spread == 0 and found.labels.shape == (5,)


def test_D24_principal_components_are_the_directions_of_largest_variance(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(size=(400, 5)) * [5, 1, 3, 0.5, 2] @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    found = principal_components(x, 3)
    variances, vectors = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(found.shares, variances[::-1][:3] / variances.sum(), rtol=1e-9)
    for direction, vector in zip(found.directions, vectors.T[::-1], strict=False):
        assert abs(direction @ vector) == pytest.approx(1)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(3), atol=1e-12)
    whole = principal_components(x, 5)
    np.testing.assert_allclose(whole.inverse(whole.transform(x)), x, atol=1e-9)
    assert whole.shares.sum() == pytest.approx(1)


def test_D24_an_autoencoder_finds_features_by_itself() -> None:
    """A linear one does no better than principal components; a bent one does."""
    (images, _), (held, _) = digits()
    images, held = images.reshape(-1, 64), held.reshape(-1, 64)
    components = principal_components(images, 3)
    linear_limit = ((components.inverse(components.transform(held)) - held) ** 2).mean()
    own_limit = ((components.inverse(components.transform(images)) - images) ** 2).mean()
    errors = {}
    for name, hidden, epochs in (("linear", None, 60), ("bent", 64, 60)):
        pellucid.manual_seed(0)
        model = Autoencoder(64, 3, hidden)

        def loss(x: pellucid.Tensor, model: Autoencoder = model) -> pellucid.Tensor:
            return F.mse_loss(model(x), x)

        losses = fit(model, loss, optim.Adam(model.parameters(), lr=4e-3), (images,), epochs, 50)
        errors[name] = losses[-1]
    assert own_limit < errors["linear"] < 1.1 * own_limit
    with pellucid.no_grad():
        found = float(loss(pellucid.tensor(held)))
    assert errors["bent"] < 0.85 * own_limit and found < 0.95 * linear_limit
    assert model.encode(pellucid.tensor(held)).shape == (297, 3)


def flat_digits() -> tuple[Labelled, Labelled, np.ndarray, np.ndarray]:
    """Both parts, and their images as rows."""
    train, test = digit_images()
    return train, test, train[0].reshape(-1, 64), test[0].reshape(-1, 64)


def test_D24_three_bent_numbers_keep_more_of_an_image_than_three_straight_ones() -> None:
    _, _, known, new = flat_digits()
    (straight, bent), _ = load("images/autoencoders").compression(known, new, 3, 40)
    assert bent < 0.75 * straight


def test_an_autoencoder_takes_noise_away_better_than_any_projection() -> None:
    _, _, known, new = flat_digits()
    (dirty, projected, cleaned), _ = load("images/autoencoders").denoising(known, new, 12, 20)
    assert cleaned < 0.85 * projected < 0.85 * 0.5 * dirty


def test_a_digit_that_was_never_seen_is_made_worse_than_those_that_were() -> None:
    """0 and 5 left out; where that digit was learned as well, its errors say nothing."""
    program = load("images/autoencoders")
    train, test, known, new = flat_digits()
    for unknown, least in ((0, 0.95), (5, 0.75)):
        area, _ = program.anomalies(train, test, 3, 40, unknown)
        assert area > least, (unknown, area)
    everything = program.learned(known, known, 3, 40)
    errors = program.reconstruction_error(everything, pellucid.tensor(new)).numpy()
    zeros = test[1] == 0
    assert (errors[zeros][:, None] > errors[~zeros]).mean() < 0.7


def test_a_vae_lays_images_out_on_a_plane() -> None:
    """Fewer nats than with independent pixels, and the 15 × 15 places show most of the digits."""
    _, test, known, new = flat_digits()
    program = load("images/vae")
    model = program.learned(known, 128, 2, 60)
    error, divergence = program.nats(model, new)
    share = known.mean(0).clip(1e-3, 1 - 1e-3)
    independent = -(new * np.log(share) + (1 - new) * np.log(1 - share)).sum(1).mean()
    assert divergence > 1 and error + divergence < independent - 1.5
    judge = nn.Sequential(*mlp(64, (64,), 10))
    fit_classes(
        judge, optim.Adam(judge.parameters(), lr=5e-3), (known, digit_images()[0][1]), 15, 50
    )
    with pellucid.no_grad():
        shown = judge(model.manifold(15)).argmax(1).numpy()
    assert len(np.unique(shown)) >= 7


def test_a_gan_that_is_trained_makes_all_kinds_of_digits_and_an_untrained_one_does_not() -> None:
    program = load("images/dcgan")
    (images, _), _ = digit_images()
    real = (program.framed(images) + 1) / 2
    before = program.mode_coverage(real, program.made(program.Generator(62, 16, 1, 8), 600).numpy())
    assert before.collapsed
    generator, losses = program.train(images, 25, 16, 50, 1e-3)
    after = program.mode_coverage(real, program.made(generator, 600).numpy())
    assert not after.collapsed and after.missed < 0.2 and np.isfinite(losses).all()


def test_D24_groups_and_maps_of_digits_without_their_names() -> None:
    """Groups are of one digit mostly; a map that keeps neighbours keeps digits apart better than
    the two directions of largest variance."""
    program = load("images/clusters")
    (images, classes), _ = digit_images()
    points, classes = images[:400].reshape(400, -1), classes[:400]
    groups = kmeans(points, 20, starts=2)
    assert program.purity(groups.labels, classes) > 0.75
    assert program.purity(groups.labels, np.random.default_rng(0).permutation(classes)) < 0.35
    places = program.maps(points, ["t-SNE"])  # UMAP: tests/examples/test_images.py
    kept = {name: program.neighbour(place, classes) for name, place in places.items()}
    assert kept["t-SNE"] > 0.9 > kept["principal components"] > 0.4


def test_wrong_points_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"shape \(3,\)"):
        kmeans([1.0, 2, 3], 2)
    with pytest.raises(ArgumentError, match="NaN"):
        principal_components([[1.0, np.nan]], 1)
    for count in (0, 4):
        with pytest.raises(ArgumentError, match=f"3 points, clusters={count}"):
            kmeans(np.eye(3), count)
        with pytest.raises(ArgumentError, match=f"components={count}"):
            principal_components(np.eye(3), count)
