"""Random numbers: the same for the same seed, and distributed as they should be.

The seeds are fixed, so these tests never fail by chance; the bounds are 4 to 5 standard errors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError, PellucidError

COUNT = 200_000


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's statistic, in standard deviations above its mean (Wilson and Hilferty, 1931)."""
    freedom = len(counts) - 1
    statistic = float(((counts - expected) ** 2 / expected).sum())
    spread = 2 / (9 * freedom)
    return ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


@pytest.mark.parametrize("dtype", [pellucid.float32, pellucid.float64])
def test_uniform_numbers_are_uniform(dtype: Any) -> None:
    pellucid.manual_seed(7)
    u = pellucid.rand(COUNT, dtype=dtype)
    x = u.double().numpy()
    assert u.dtype is dtype and x.min() >= 0 and x.max() < 1
    counts = np.bincount((x * 100).astype(int), minlength=100)
    assert abs(chi_square(counts, np.full(100, COUNT / 100))) < 4
    assert abs(x.mean() - 0.5) < 5 / math.sqrt(12 * COUNT)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / math.sqrt(COUNT)
    pairs = np.bincount((x[::2] * 10).astype(int) * 10 + (x[1::2] * 10).astype(int), minlength=100)
    assert abs(chi_square(pairs, np.full(100, COUNT / 200))) < 4


@pytest.mark.parametrize("dtype", [pellucid.float32, pellucid.float64])
def test_normal_numbers_are_normal(dtype: Any) -> None:
    pellucid.manual_seed(8)
    x = pellucid.randn(COUNT, dtype=dtype).double().numpy()
    assert np.isfinite(x).all()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - moment) < 5 * math.sqrt(variance / COUNT), power
    edges = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    below = np.array([0.5 * math.erfc(-e / math.sqrt(2)) for e in edges])
    share = np.diff(np.concatenate([[0.0], below, [1.0]]))
    counts = np.bincount(np.searchsorted(edges, x), minlength=8)
    assert abs(chi_square(counts, share * COUNT)) < 4
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / math.sqrt(COUNT)


def test_normal_with_mean_and_deviation() -> None:
    x = pellucid.normal(3.0, 0.5, (COUNT,)).numpy()
    assert abs(x.mean() - 3) < 0.01 and abs(x.std() - 0.5) < 0.01
    mean = pellucid.tensor([0.0, 100.0])
    assert_close(pellucid.normal(mean, pellucid.tensor([0.0, 0.0])), mean)


def test_the_same_seed_gives_the_same_numbers() -> None:
    def draw() -> list[np.ndarray]:
        pellucid.manual_seed(123)
        made = [
            pellucid.rand(5),
            pellucid.randn(3, 4),
            pellucid.randint(0, 10, (6,)),
            pellucid.randperm(9),
        ]
        return [t.numpy() for t in made]

    for first, second in zip(draw(), draw(), strict=True):
        np.testing.assert_array_equal(first, second)
    pellucid.manual_seed(124)
    assert not np.array_equal(pellucid.rand(5).numpy(), draw()[0])


def test_the_seed_is_what_was_given() -> None:
    generator = pellucid.manual_seed(99)
    assert pellucid.initial_seed() == generator.initial_seed() == 99
    for seed in (-1, 2**63, 2**64 - 1, 0):
        pellucid.manual_seed(seed)
        assert np.isfinite(pellucid.rand(3).numpy()).all()
    pellucid.manual_seed(-1)
    first = pellucid.rand(3).numpy()
    pellucid.manual_seed(2**64 - 1)
    np.testing.assert_array_equal(first, pellucid.rand(3).numpy())


def test_the_numbers_of_a_seed_never_change() -> None:
    """Golden values: a seed written down today means the same in every later version."""
    pellucid.manual_seed(0)
    golden = pellucid.rand(4).numpy()
    from pellucid.base.philox import philox_numpy

    word = philox_numpy(0, np.arange(4), 0)[0]
    np.testing.assert_array_equal(
        golden, (word >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
    )


def test_a_part_of_a_draw_is_the_draw_of_a_part() -> None:
    """Each element depends on seed, draw and position alone: shapes and sizes do not matter."""
    pellucid.manual_seed(5)
    long = pellucid.rand(100).numpy()
    pellucid.manual_seed(5)
    np.testing.assert_array_equal(pellucid.rand(3, 4).numpy().reshape(-1), long[:12])


def test_draws_and_seeds_are_independent() -> None:
    pellucid.manual_seed(1)
    a, b = pellucid.rand(COUNT).numpy(), pellucid.rand(COUNT).numpy()
    pellucid.manual_seed(2)
    c = pellucid.rand(COUNT).numpy()
    for x, y in ((a, b), (a, c), (b, c)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 5 / math.sqrt(COUNT)


def test_a_state_can_be_kept_and_continued() -> None:
    pellucid.manual_seed(3)
    pellucid.rand(10)
    state = pellucid.get_rng_state()
    first = pellucid.rand(5).numpy()
    pellucid.rand(7)
    pellucid.set_rng_state(state)
    np.testing.assert_array_equal(pellucid.rand(5).numpy(), first)


def test_generators_do_not_disturb_each_other() -> None:
    one, two = pellucid.Generator().manual_seed(1), pellucid.Generator().manual_seed(1)
    first = pellucid.rand(4, generator=one).numpy()
    pellucid.rand(4)
    np.testing.assert_array_equal(pellucid.rand(4, generator=two).numpy(), first)
    assert not np.array_equal(pellucid.rand(4, generator=one).numpy(), first)
    pellucid.manual_seed(1)
    np.testing.assert_array_equal(pellucid.rand(4).numpy(), first)
    assert one.seed() == one.initial_seed()


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-5, 5), (3, 4), (0, 2**40), (-(2**31), 2**31)])
def test_integers_stay_in_their_range(low: int, high: int) -> None:
    x = pellucid.randint(low, high, (COUNT // 10,))
    values = x.numpy()
    assert x.dtype is pellucid.int64
    assert values.min() >= low and values.max() < high
    if high - low <= 10:
        assert set(values.tolist()) == set(range(low, high))
    assert abs(values.mean() - (low + high - 1) / 2) < (high - low) * 5 / math.sqrt(12 * COUNT / 10)


def test_integers_are_uniform() -> None:
    values = pellucid.randint(0, 7, (COUNT,)).numpy()
    assert abs(chi_square(np.bincount(values), np.full(7, COUNT / 7))) < 4
    assert tuple(pellucid.randint(5, (2, 3)).shape) == (2, 3)
    assert pellucid.randint(0, 5, (2,), dtype=pellucid.int32).dtype is pellucid.int32
    with pytest.raises(ArgumentError, match=r"randint got the empty range \[3, 3\)"):
        pellucid.randint(3, 3, (2,))


@pytest.mark.parametrize("n", [0, 1, 2, 10, 1000])
def test_permutations_hold_every_number_once(n: int) -> None:
    np.testing.assert_array_equal(np.sort(pellucid.randperm(n).numpy()), np.arange(n))


def test_all_permutations_come_equally_often() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        key = tuple(pellucid.randperm(3).tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 6
    assert abs(chi_square(np.array(list(counts.values())), np.full(6, 1000.0))) < 4


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_bernoulli_hits_with_its_probability(p: float) -> None:
    x = pellucid.bernoulli(pellucid.full((COUNT,), p)).numpy()
    assert set(np.unique(x)) <= {0.0, 1.0}
    assert abs(x.mean() - p) <= 5 * math.sqrt(p * (1 - p) / COUNT)
    y = pellucid.zeros(COUNT).bernoulli_(p).numpy()
    assert abs(y.mean() - p) <= 5 * math.sqrt(p * (1 - p) / COUNT)


def test_multinomial_frequencies_with_replacement() -> None:
    weights = np.array([1.0, 2.0, 0.0, 5.0, 2.0])
    x = pellucid.multinomial(pellucid.tensor(weights), COUNT, replacement=True).numpy()
    counts = np.bincount(x, minlength=5)
    assert counts[2] == 0
    keep = weights > 0
    assert abs(chi_square(counts[keep], weights[keep] / 10 * COUNT)) < 4


def test_multinomial_without_replacement() -> None:
    weights = pellucid.tensor([[1.0, 1.0, 1.0, 3.0]]).expand(30_000, 4)
    x = pellucid.multinomial(weights, 2).numpy()
    assert x.shape == (30_000, 2) and (x[:, 0] != x[:, 1]).all()
    first = np.bincount(x[:, 0], minlength=4)
    assert abs(chi_square(first, np.array([1, 1, 1, 3]) / 6 * 30_000)) < 4
    second = np.bincount(x[x[:, 0] == 3, 1], minlength=4)[:3]
    assert abs(chi_square(second, np.full(3, second.sum() / 3))) < 4


def test_multinomial_never_picks_what_has_no_weight() -> None:
    weights = pellucid.tensor([0.0, 1.0, 0.0, 1.0])
    for _ in range(50):
        assert set(pellucid.multinomial(weights, 2).tolist()) == {1, 3}
    with pytest.raises(ArgumentError, match=r"num_samples=5 for 4 categories without replacement"):
        pellucid.multinomial(weights, 5)


def test_filling_in_place() -> None:
    x = pellucid.empty(COUNT)
    memory = x.numpy()
    u = x.uniform_(-2, 3).numpy()
    assert u is memory or np.shares_memory(u, memory)
    assert u.min() >= -2 and u.max() < 3 and abs(u.mean() - 0.5) < 0.02
    n = x.normal_(1.0, 2.0).numpy()
    assert abs(n.mean() - 1) < 0.03 and abs(n.std() - 2) < 0.03
    e = x.exponential_(2.0).numpy()
    assert e.min() >= 0 and abs(e.mean() - 0.5) < 0.01


def test_shapes_dtypes_and_leaves() -> None:
    made = []
    for extents in ((2, 3), ((2, 3),)):
        pellucid.manual_seed(11)
        made.append(pellucid.rand(*extents))
    assert tuple(made[0].shape) == (2, 3) and made[0].tolist() == made[1].tolist()
    assert pellucid.rand(()).shape == () and pellucid.randn(0, 4).numel() == 0
    like = pellucid.zeros(2, 3, dtype=pellucid.float64)
    for made in (pellucid.rand_like(like), pellucid.randn_like(like)):
        assert made.dtype is pellucid.float64 and tuple(made.shape) == (2, 3)
    w = pellucid.randn(3, requires_grad=True)
    assert w.is_leaf and w.requires_grad
    with pytest.raises(PellucidError, match="must not be negative"):
        pellucid.rand(-1)


def test_box_muller_reaches_the_tails_without_infinity() -> None:
    """u lies in (0, 1], so ln u is finite; 24 bits reach √(2 · 24 · ln 2) = 5.77 deviations."""
    x = np.abs(pellucid.randn(2_000_000).numpy())
    assert np.isfinite(x).all() and 4.5 < x.max() <= 5.77 + 1e-3


def test_randint_takes_its_bounds_by_place_and_by_name() -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((3, (50,)), {}),
        ((0, 3, (50,)), {}),
        ((3,), {"size": (50,)}),
        ((0, 3), {"size": (50,)}),
        ((), {"high": 3, "size": (50,)}),
        ((), {"low": 0, "high": 3, "size": [50]}),
        ((np.int64(0), np.int64(3), (50,)), {}),
    ]
    for args, named in calls:
        pellucid.manual_seed(0)
        drawn = pellucid.randint(*args, **named)
        assert drawn.shape == (50,) and set(drawn.tolist()) == {0, 1, 2}, (args, named)
    with pytest.raises(ArgumentError, match="randint"):
        pellucid.randint(size=(3,))
    with pytest.raises(ArgumentError, match="randint"):
        pellucid.randint(3)
