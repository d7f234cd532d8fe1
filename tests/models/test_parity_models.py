"""Each model beside its PyTorch twin, made from the same text: names, bits, values, gradients,
training steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import pellucid  # noqa: E402
from helpers import assert_close  # noqa: E402
from models.twins import (  # noqa: E402
    compare_gradients,
    compare_state,
    load_both_ways,
    train_both,
    twin_of,
)
from pellucid import optim  # noqa: E402
from pellucid.models import (  # noqa: E402
    actor_critic,
    cnn,
    dcgan,
    dqn,
    encoder_decoder,
    gpt,
    mixer,
    resnet,
    unet,
    vae,
    vgg,
    vit,
)
from pellucid.rl import Batch  # noqa: E402
from pellucid.rl import actor_critic as rl_actor_critic  # noqa: E402
from pellucid.rl import dqn as rl_dqn  # noqa: E402

pytestmark = pytest.mark.parity

Case = tuple[ModuleType, Callable[[Any], Any], tuple[int, ...], int]

CASES: dict[str, Case] = {
    # name: (module, how to build, input shape, classes)
    "resnet18": (resnet, lambda m: m.resnet18(10, widths=(4, 6, 8, 10)), (2, 3, 40, 33), 10),
    "resnet18-small": (
        resnet,
        lambda m: m.resnet18(5, widths=(4, 4, 8, 8), small_images=True, channels=1),
        (3, 1, 16, 16),
        5,
    ),
    "resnet-bottleneck": (
        resnet,
        lambda m: m.ResNet((1, 1, 2, 1), 6, (4, 6, 8, 10), block=m.Bottleneck),
        (3, 3, 40, 33),
        6,
    ),
    "vgg": (
        vgg,
        lambda m: m.VGG((4, "M", 6, 6, "M", 8, "M"), 7, hidden=12, pooled=2, dropout=0.0),
        (3, 3, 17, 16),
        7,
    ),
    "vit": (
        vit,
        lambda m: m.ViT(8, 2, features=12, heads=3, layers=2, hidden=20, num_classes=6),
        (3, 3, 8, 8),
        6,
    ),
    "mixer": (
        mixer,
        lambda m: m.MLPMixer(8, 2, features=12, layers=2, num_classes=4, channels=1),
        (3, 1, 8, 8),
        4,
    ),
    "lenet": (cnn, lambda m: m.LeNet(10), (4, 1, 28, 28), 10),
    "dqn": (dqn, lambda m: m.DQN(4, 3, hidden=16), (6, 4), 3),
}


@pytest.mark.parametrize("name", CASES)
def test_classifiers(name: str, rng: np.random.Generator) -> None:
    module, build, shape, classes = CASES[name]
    torch.manual_seed(1)
    ours, theirs = build(module), build(twin_of(module))
    load_both_ways(ours, theirs)
    x = rng.normal(0, 1, shape).astype(np.float32)
    labels = rng.integers(0, classes, shape[0])

    def loss(library: Any, model: Any) -> Any:
        scores = model(library.tensor(x))
        return library.nn.functional.cross_entropy(scores, library.tensor(labels))

    for library, model in ((pellucid, ours), (torch, theirs)):
        loss(library, model).backward()
    compare_gradients(ours, theirs, 2e-3, 2e-4)
    compare_state(ours, theirs, 1e-5, 1e-6)  # running statistics
    found, expected = train_both(ours, theirs, loss, momentum, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    compare_state(ours, theirs, 1e-3, 1e-4)
    ours.eval()
    theirs.eval()
    with pellucid.no_grad(), torch.no_grad():
        assert_close(ours(pellucid.tensor(x)), theirs(torch.tensor(x)), 1e-3, 1e-3)


def momentum(library: Any, model: Any) -> Any:
    return library.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)


def adam(library: Any, model: Any) -> Any:
    return library.optim.Adam(model.parameters(), lr=1e-3)


@pytest.mark.parametrize("bilinear", [False, True])
def test_unet(bilinear: bool, rng: np.random.Generator) -> None:
    ours, theirs = (m.UNet(1, 1, (4, 6, 8), bilinear) for m in (unet, twin_of(unet)))
    load_both_ways(ours, theirs)
    x = rng.normal(0, 1, (2, 1, 12, 16)).astype(np.float32)
    wanted = (rng.random((2, 1, 12, 16)) < 0.3).astype(np.float32)

    def loss(library: Any, model: Any) -> Any:
        binary_cross_entropy = library.nn.functional.binary_cross_entropy_with_logits
        return binary_cross_entropy(model(library.tensor(x)), library.tensor(wanted))

    for library, model in ((pellucid, ours), (torch, theirs)):
        loss(library, model).backward()
    compare_gradients(ours, theirs, 2e-3, 2e-4)
    found, expected = train_both(ours, theirs, loss, adam, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_vae(rng: np.random.Generator) -> None:
    twin = twin_of(vae)
    ours, theirs = (m.VAE(20, 16, 3) for m in (vae, twin))
    load_both_ways(ours, theirs)
    x = rng.random((5, 20)).astype(np.float32)
    noise = rng.normal(0, 1, (5, 3)).astype(np.float32)

    def loss(library: Any, model: Any) -> Any:
        source = vae if library is pellucid else twin
        image = library.tensor(x)
        logits, mean, log_variance = model(image, library.tensor(noise))
        error, divergence = source.negative_elbo(logits, image, mean, log_variance)
        return error + divergence

    for library, model in ((pellucid, ours), (torch, theirs)):
        loss(library, model).backward()
    compare_gradients(ours, theirs, 1e-4, 1e-5)
    found, expected = train_both(ours, theirs, loss, adam, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    compare_state(ours, theirs, 1e-3, 1e-5)


def test_dcgan_alternates_as_in_pytorch(rng: np.random.Generator) -> None:
    twin = twin_of(dcgan)
    libraries = ((pellucid, dcgan), (torch, twin))
    pairs = [(m.Generator(6, 4, 1, 16), m.Discriminator(4, 1, 16)) for _, m in libraries]
    for part in (0, 1):
        load_both_ways(pairs[0][part], pairs[1][part])
    optimizers = [
        [library.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in pair]
        for (library, _), pair in zip(libraries, pairs, strict=True)
    ]
    compiled = pellucid.compile(lambda r, z: dcgan.gan_step(*pairs[0], *optimizers[0], r, z))
    for _ in range(3):
        real = rng.uniform(-1, 1, (4, 1, 16, 16)).astype(np.float32)
        noise = rng.normal(0, 1, (4, 6, 1, 1)).astype(np.float32)
        found = compiled(pellucid.tensor(real), pellucid.tensor(noise))
        expected = twin.gan_step(*pairs[1], *optimizers[1], torch.tensor(real), torch.tensor(noise))
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, 1e-4, 1e-6)
    for part in (0, 1):
        compare_state(pairs[0][part], pairs[1][part], 1e-2, 5e-4)


def test_first_weights_are_spread_as_in_pytorch() -> None:
    """Means and deviations of the freshly made parameters agree, within what chance allows."""
    builds = {
        resnet: lambda m: m.resnet18(10, widths=(16, 32, 32, 64)),
        vgg: lambda m: m.VGG((16, "M", 32, "M"), 10, hidden=64, pooled=2),
        vit: lambda m: m.ViT(16, 4, 32, 4, 2, num_classes=10),
        mixer: lambda m: m.MLPMixer(16, 4, 32, 2, num_classes=10),
        dcgan: lambda m: m.Generator(32, 16, 3, 16),
        vae: lambda m: m.VAE(64, 64, 8),
    }
    torch.manual_seed(0)
    for module, build in builds.items():
        ours, theirs = build(module), build(twin_of(module))
        pairs = zip(ours.named_parameters(), theirs.parameters(), strict=True)
        for (key, a), b in pairs:
            mine, other = a.detach().numpy(), b.detach().numpy()
            if mine.size < 2 or mine.std() == other.std():
                assert_close(mine, other)
                continue
            error = 5 * other.std() / np.sqrt(mine.size)
            assert abs(mine.mean() - other.mean()) < 1.5 * error, key
            assert abs(mine.std() - other.std()) < 1.5 * error, key


def test_numbers_of_parameters_are_those_of_the_papers() -> None:
    counts = {
        resnet.resnet18(): 11_689_512,  # torchvision's
        resnet.resnet50(): 25_557_032,
        resnet.resnet18(10, small_images=True): 11_173_962,  # the usual CIFAR variant
        vit.ViT(224, 16, 192, 3, 12): 5_717_416,  # DeiT-Ti (Touvron and others, 2020)
        mixer.MLPMixer(): 18_528_264,  # timm's mixer_s16_224
        cnn.LeNet(): 61_706,
        dcgan.Generator(): 3_576_704,  # PyTorch's example
        dcgan.Discriminator(): 2_765_568,
    }
    for model, count in counts.items():
        assert sum(p.numel() for p in model.parameters()) == count, type(model).__name__


@pytest.mark.parametrize("double", [False, True])
def test_dqn_learns_as_in_pytorch(double: bool, rng: np.random.Generator) -> None:
    """The loss with its target network, Adam, and a soft update: some steps of both."""
    rule = twin_of(rl_dqn)
    network, other = (m.DQN(4, 2, 16) for m in (dqn, twin_of(dqn)))
    load_both_ways(network, other)
    learner = rl_dqn.DQNLearner(
        network, optim.Adam(network.parameters(), lr=1e-3), 0.9, 0.05, double
    )
    target = copy.deepcopy(other)
    optimizer = torch.optim.Adam(other.parameters(), lr=1e-3)
    for _ in range(5):
        states, after = rng.normal(size=(2, 8, 4)).astype(np.float32)
        ends = (rng.random(8) < 0.2).astype(np.float32)
        arrays = [states, rng.integers(0, 2, 8), rng.random(8).astype(np.float32), after, ends]
        found = learner.learn(Batch(*map(pellucid.tensor, arrays)))
        optimizer.zero_grad()
        loss = rule.td_loss(other, target, *map(torch.tensor, arrays), 0.9, double)
        loss.backward()
        optimizer.step()
        rule.soft_update(target, other, 0.05)
        assert_close(found, loss, 1e-4, 1e-6)
    compare_state(network, other, 1e-4, 1e-6)
    compare_state(learner.target, target, 1e-4, 1e-6)


def test_actor_critic_learns_as_in_pytorch(rng: np.random.Generator) -> None:
    rule = twin_of(rl_actor_critic)
    ours, theirs = (m.ActorCritic(4, 3, 16) for m in (actor_critic, twin_of(actor_critic)))
    load_both_ways(ours, theirs)
    states = rng.normal(size=(10, 4)).astype(np.float32)
    actions, returns = rng.integers(0, 3, 10), rng.normal(size=10).astype(np.float32)

    def loss(library: Any, model: Any) -> Any:
        source = rl_actor_critic if library is pellucid else rule
        logits, values = model(library.tensor(states))
        return source.a2c_loss(
            logits, values, library.tensor(actions), library.tensor(returns)
        ).total

    found, expected = train_both(ours, theirs, loss, adam, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    compare_state(ours, theirs, 1e-3, 1e-5)


def test_gpt(rng: np.random.Generator) -> None:
    """Tied weights, and generation too."""
    twin = twin_of(gpt)
    ours, theirs = (m.GPT(m.GPTConfig(11, 12, 2, 2, 16)) for m in (gpt, twin))
    load_both_ways(ours, theirs)
    ids, targets = rng.integers(0, 11, (2, 3, 8))
    targets[0, :2] = -1

    def loss(library: Any, model: Any) -> Any:
        return model.loss(library.tensor(ids), library.tensor(targets))

    for library, model in ((pellucid, ours), (torch, theirs)):
        loss(library, model).backward()
    compare_gradients(ours, theirs, 1e-3, 1e-4)
    found, expected = train_both(
        ours, theirs, loss, lambda lib, m: lib.optim.AdamW(m.parameters(), lr=1e-3), 4
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    texts = [
        model.generate(library.tensor(ids), 6, temperature=0, use_cache=False).numpy()
        for library, model in ((pellucid, ours), (torch, theirs))
    ]
    np.testing.assert_array_equal(*texts)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_encoder_and_decoder_of_attention(rng: np.random.Generator) -> None:
    """Scores, gradients and training steps, and what is read off: texts and attention."""
    twin = twin_of(encoder_decoder)
    ours, theirs = (m.EncoderDecoder(11, 12, 3, 2, longest=9) for m in (encoder_decoder, twin))
    load_both_ways(ours, theirs)
    assert "positions" not in ours.state_dict()
    assert_close(ours.positions, theirs.positions, 0, 0)
    source, target = rng.integers(0, 11, (4, 9)), rng.integers(0, 11, (4, 6))

    def loss(library: Any, model: Any) -> Any:
        return model.loss(library.tensor(source), library.tensor(target))

    for library, model in ((pellucid, ours), (torch, theirs)):
        loss(library, model).backward()
    compare_gradients(ours, theirs, 1e-3, 1e-4)
    found, expected = train_both(ours, theirs, loss, adam, 6)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert found[-1] < found[0]
    results = [
        (
            model(library.tensor(source), library.tensor(target)),
            model.translate(library.tensor(source), 3, 5),
            *model.attention(library.tensor(source), library.tensor(target)),
        )
        for library, model in ((pellucid, ours), (torch, theirs))
    ]
    for a, b in zip(*results, strict=True):
        assert_close(a, b, 1e-3, 1e-4)
