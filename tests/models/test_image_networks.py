"""Networks for images that have torchvision's names: sizes, keys, and what their weights are."""

from __future__ import annotations

import pytest

import pellucid
from pellucid import models, nn
from pellucid.base.errors import ArgumentError
from pellucid.models import resnet18, resnet50

COUNTS = {  # published numbers of parameters for 1000 classes
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "densenet121": 7_978_856,
    "efficientnet_b0": 5_288_548,
    "googlenet": 13_004_888,
    "inception_v3": 27_161_264,
    "resnext50_32x4d": 25_028_904,
}


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_of_parameters_are_the_published_ones(name: str) -> None:
    fast = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = models.get_model(name, weights=None, **fast)
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]


def test_keys_are_torchvisions() -> None:
    wanted = {
        "squeezenet1_1": ("features.3.squeeze.weight", "classifier.1.bias"),
        "mobilenet_v2": ("features.1.conv.0.0.weight", "features.18.1.running_mean"),
        "mobilenet_v3_small": ("features.1.block.1.fc1.weight", "classifier.3.bias"),
        "densenet121": ("features.denseblock2.denselayer3.norm1.weight", "features.norm5.bias"),
        "efficientnet_b0": ("features.1.0.block.1.fc2.bias", "features.8.0.weight"),
        "googlenet": ("inception4a.branch2.1.bn.running_var", "aux2.fc2.weight"),
        "inception_v3": ("Mixed_6b.branch7x7dbl_4.conv.weight", "AuxLogits.conv1.bn.bias"),
    }
    for name, keys in wanted.items():
        fast = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        state = models.get_model(name, num_classes=2, **fast).state_dict()
        assert not [key for key in keys if key not in state], name


def test_a_small_mobile_network_learns_and_auxiliary_ends_answer_while_training() -> None:
    pellucid.manual_seed(0)
    x, labels = pellucid.randn(8, 3, 32, 32), pellucid.arange(8) % 2
    for model in (
        models.mobilenet_v2(num_classes=2, width_mult=0.25, dropout=0.0),
        models.squeezenet1_1(num_classes=2, dropout=0.0),
    ):
        optimizer = pellucid.optim.Adam(model.parameters(), 2e-3)
        losses = []
        for _ in range(6):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]
    network = models.googlenet(num_classes=3, init_weights=False)
    image = pellucid.randn(2, 3, 64, 64)
    made = network(image)
    assert [tuple(scores.shape) for scores in made] == [(2, 3)] * 3
    assert made.logits is made[0] and made.aux_logits1 is made[2]
    assert network.eval()(image).shape == (2, 3)


def test_skipped_blocks_keep_the_mean() -> None:
    pellucid.manual_seed(1)
    layer = nn.StochasticDepth(0.25, "row")
    rows = layer(pellucid.ones(4000, 2))
    found = sorted(set(rows.flatten().tolist()))
    assert found == [0.0, pytest.approx(4 / 3)]
    assert rows[:, 0].tolist() == rows[:, 1].tolist()
    assert rows.mean().item() == pytest.approx(1, abs=0.05)
    assert layer.eval()(rows) is rows


def test_names_of_trained_weights_exist_and_say_that_files_are_not_fetched() -> None:
    weights = models.ResNet50_Weights.DEFAULT
    assert weights is models.ResNet50_Weights.IMAGENET1K_V1
    assert models.ResNet50_Weights is type(weights)
    for build in (resnet50, models.mobilenet_v2, models.vgg16):
        with pytest.raises(ArgumentError, match=r"weights=.*ResNet50_Weights.* are not fetched"):
            build(weights=weights)
    with pytest.raises(ArgumentError, match="not fetched"):
        resnet18(True)  # the older form: whether it is pretrained
    assert resnet18(False, widths=(4, 4, 4, 4)).fc.out_features == 1000
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = models.nope
    with pytest.raises(KeyError, match="no network 'nope'"):
        models.get_model("nope")
