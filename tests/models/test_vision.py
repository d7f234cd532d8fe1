"""Models for images learn, trained natively, and say what is wrong with their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from models.learning import accuracy, digits, fit, fit_classes, mnist
from pellucid import optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.models import (
    VAE,
    VGG,
    Discriminator,
    Generator,
    LeNet,
    MLPMixer,
    UNet,
    ViT,
    gan_step,
    negative_elbo,
    reparametrize,
    resnet18,
    resnet50,
    vgg11,
    vgg13,
    vgg16,
    vgg19,
)


def test_resnet_learns_digits() -> None:
    train, held = digits()
    model = resnet18(10, widths=(8, 8, 16, 16), channels=1, small_images=True)
    optimizer = optim.SGD(model.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-4)
    losses = fit_classes(model, optimizer, train, epochs=9, batch=50)
    assert losses[-1] < 0.2 < 1 < losses[0]
    assert accuracy(model, held) > 0.9


def test_vgg_learns_digits() -> None:
    train, held = digits()
    model = VGG((16, "M", 32, 32, "M"), 10, channels=1, pooled=2, hidden=64, dropout=0.2)
    losses = fit_classes(model, optim.Adam(model.parameters(), lr=2e-3), train, 6, 50)
    assert losses[-1] < 0.2 < 1 < losses[0]
    assert accuracy(model, held) > 0.95


def test_vit_learns_digits() -> None:
    train, held = digits()
    model = ViT(8, 2, features=32, heads=4, layers=2, hidden=64, num_classes=10, channels=1)
    losses = fit_classes(model, optim.AdamW(model.parameters(), lr=3e-3), train, 12, 50)
    assert losses[-1] < 0.2 < 1 < losses[0]
    assert accuracy(model, held) > 0.87


def test_mixer_learns_digits() -> None:
    train, held = digits()
    model = MLPMixer(8, 2, 32, 2, num_classes=10, channels=1)
    losses = fit_classes(model, optim.AdamW(model.parameters(), lr=3e-3), train, 10, 50)
    assert losses[-1] < 0.1 < 1 < losses[0]
    assert accuracy(model, held) > 0.95


def test_lenet_learns_mnist(data_folder: Path) -> None:
    train, held = mnist(data_folder, 5_000, 2_000)
    model = LeNet()
    losses = fit_classes(model, optim.Adam(model.parameters(), lr=2e-3), train, 3, 50)
    assert losses[-1] < 0.25 < 0.5 < losses[0]
    assert accuracy(model, held) > 0.91


def discs(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images (N, 1, 32, 32) with a bright disc and a bright square each, and masks of the
    discs: to tell them apart takes more than brightness."""
    row, column = np.mgrid[:32, :32]
    images, masks = [], []
    for _ in range(count):
        y, x, v, u = rng.integers(6, 26, 4)
        radius = rng.integers(4, 7)
        disc = (row - y) ** 2 + (column - x) ** 2 <= radius**2
        square = (abs(row - v) <= 4) & (abs(column - u) <= 4) & ~disc
        images.append(disc * 0.8 + square * 0.8 + rng.normal(0, 0.15, (32, 32)))
        masks.append(disc)
    return np.array(images, np.float32)[:, None], np.array(masks, np.float32)[:, None]


def test_unet_finds_discs_among_squares(rng: np.random.Generator) -> None:
    x, wanted = discs(rng, 400)
    model = UNet(1, 1, (8, 16, 24))

    def loss(images: pellucid.Tensor, masks: pellucid.Tensor) -> pellucid.Tensor:
        return F.binary_cross_entropy_with_logits(model(images), masks)

    losses = fit(model, loss, optim.Adam(model.parameters(), lr=5e-3), (x, wanted), 8, 20)
    new, masks = discs(rng, 50)
    model.eval()
    with pellucid.no_grad():
        found = model(pellucid.tensor(new)).numpy() > 0
    overlap = (found & (masks > 0)).sum() / (found | (masks > 0)).sum()
    assert losses[-1] < 0.1 < 0.3 < losses[0]
    assert overlap > 0.75


def test_vae_draws_digits() -> None:
    """It needs fewer nats for an unseen image than the best model of independent pixels."""
    (train, _), (held, _) = digits()
    train, held = train.reshape(-1, 64), held.reshape(-1, 64)
    model = VAE(64, 128, 8)

    def loss(images: pellucid.Tensor) -> pellucid.Tensor:
        logits, mean, log_variance = model(images)
        error, divergence = negative_elbo(logits, images, mean, log_variance)
        return error + divergence

    losses = fit(model, loss, optim.Adam(model.parameters(), lr=2e-3), (train,), 25, 50)
    share = train.mean(0).clip(1e-3, 1 - 1e-3)
    independent = -(held * np.log(share) + (1 - held) * np.log(1 - share)).sum(1).mean()
    with pellucid.no_grad():
        own = float(loss(pellucid.tensor(held)))
        drawn = model.decode(pellucid.randn(300, 8)).sigmoid().numpy()
    assert own < independent - 2 and losses[-1] < losses[0] - 10
    assert np.abs(drawn.mean(0) - train.mean(0)).mean() < 0.1  # by pixel; alike on the average
    assert drawn.std(0).mean() > 0.5 * train.std(0).mean()  # and not all the same


def test_the_cloud_of_a_vae_has_the_deviation_it_says() -> None:
    """exp(½ log variance) is the deviation; mean and log variance have gradients."""
    mean = pellucid.tensor([1.0, -2.0], requires_grad=True)
    log_variance = pellucid.tensor([0.0, np.log(9.0)], requires_grad=True)
    points = reparametrize(mean.expand(20_000, 2), log_variance.expand(20_000, 2))
    np.testing.assert_allclose(points.detach().numpy().mean(0), [1, -2], atol=0.08)
    np.testing.assert_allclose(points.detach().numpy().std(0), [1, 3], rtol=0.03)
    points.sum().backward()
    np.testing.assert_allclose(mean.grad.numpy(), 20_000)
    assert np.isfinite(log_variance.grad.numpy()).all()


def test_divergence_of_a_cloud_is_that_of_two_normal_distributions() -> None:
    """∫ q log(q/p) by sums over a fine grid, for one latent number."""
    mean, deviation = 0.7, 0.4
    z = np.linspace(-8, 8, 20_001)
    q = np.exp(-0.5 * ((z - mean) / deviation) ** 2) / deviation / np.sqrt(2 * np.pi)
    log_ratio = -0.5 * ((z - mean) / deviation) ** 2 - np.log(deviation) + 0.5 * z**2
    expected = (q * log_ratio).sum() * (z[1] - z[0])
    image = pellucid.zeros(1, 4)
    _, found = negative_elbo(
        image, image, pellucid.tensor([[mean]]), pellucid.tensor([[2 * np.log(deviation)]])
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_gan_learns_what_digits_look_like() -> None:
    """After some alternating steps the drawn images are on the average like the real ones, and
    differ from each other."""
    (images, _), _ = digits()
    generator, discriminator = Generator(16, 16, 1, 8), Discriminator(16, 1, 8)
    adam = {"lr": 1e-3, "betas": (0.5, 0.999)}
    optimizers = [optim.Adam(net.parameters(), **adam) for net in (generator, discriminator)]
    step = pellucid.compile(
        lambda real, noise: gan_step(generator, discriminator, *optimizers, real, noise)
    )
    real = pellucid.tensor(2 * images[:1472].reshape(23, 64, 1, 8, 8) - 1)

    def distance() -> float:
        with pellucid.no_grad():
            drawn = generator(pellucid.randn(256, 16, 1, 1)).numpy()
        return float(np.abs(drawn.mean(0) - (2 * images - 1).mean(0)).mean())

    before = distance()
    for _ in range(12):
        losses = step.many(23, real, pellucid.randn(23, 64, 16, 1, 1))
    with pellucid.no_grad():
        spread = generator(pellucid.randn(256, 16, 1, 1)).numpy().std(0).mean()
    assert distance() < 0.2 < 0.5 < before
    assert spread > 0.3
    assert all(np.isfinite(part.numpy()).all() for part in losses)


def test_gan_steps_change_one_network_at_a_time() -> None:
    """With a rate of 0 for one, that one stays, and the other learns."""
    for still in (0, 1):
        nets = [Generator(4, 4, 1, 8), Discriminator(4, 1, 8)]
        before = [[p.detach().numpy().copy() for p in net.parameters()] for net in nets]
        optimizers = [optim.SGD(n.parameters(), lr=0.0 if i == still else 0.1)
                      for i, n in enumerate(nets)]  # fmt: skip
        gan_step(*nets, *optimizers, pellucid.rand(8, 1, 8, 8), pellucid.randn(8, 4, 1, 1))
        for i, net in enumerate(nets):
            pairs = zip(net.parameters(), before[i], strict=True)
            moved = [not np.array_equal(p.detach().numpy(), old) for p, old in pairs]
            assert not any(moved) if i == still else all(moved)


def test_trained_weights_are_not_fetched_and_none_are_asked_for_by_none() -> None:
    model = resnet18(weights=None, progress=True, widths=(4, 4, 4, 4), num_classes=3)
    assert model(pellucid.zeros(2, 3, 40, 40)).shape == (2, 3)
    assert vgg11(pretrained=False, hidden=4).classifier[-1].out_features == 1000
    for asked in ({"weights": "DEFAULT"}, {"pretrained": True}, {"weights": "IMAGENET1K_V1"}):
        with pytest.raises(ArgumentError, match=r"resnet50 got .* not fetched\n.*load_state_dict"):
            resnet50(**asked)


@pytest.mark.parametrize(
    ("build", "count"),
    [(vgg11, 9_220_480), (vgg13, 9_404_992), (vgg16, 14_714_688), (vgg19, 20_024_384)],
)
def test_numbers_of_parameters_of_the_convolutions(build: Any, count: int) -> None:
    """Those of the paper's networks A, B, D and E without their linear layers."""
    features = build(hidden=4, pooled=1).features
    assert sum(p.numel() for p in features.parameters()) == count


def test_errors_say_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="image_size=8, patch_size=3"):
        ViT(8, 3)
    with pytest.raises(ArgumentError, match="image_size=10, patch_size=4"):
        MLPMixer(10, 4)
    for size in (4, 12, 0):
        with pytest.raises(ArgumentError, match=f"size {size}"):
            Generator(size=size)
    with pytest.raises(ArgumentError, match=r"widths=\(4, 4\)"):
        resnet18(10, widths=(4, 4))
    with pytest.raises(ArgumentError, match=r"UNet got widths=\(8,\)"):
        UNet(widths=(8,))
    with pytest.raises(ShapeError, match=r"\(1, 1, 30, 32\)(.|\n)*multiples of 4"):
        UNet(1, 1, (4, 8, 16))(pellucid.zeros(1, 1, 30, 32))
    with pytest.raises(ShapeError, match=r"ViT for 8×8 got images of shape \(2, 3, 16, 16\)"):
        ViT(8, 2, 16, 2, 1)(pellucid.zeros(2, 3, 16, 16))
    with pytest.raises(ShapeError, match=r"in layer fc1 (.|\n)*shapes: input"):
        LeNet()(pellucid.zeros(2, 1, 32, 32))
