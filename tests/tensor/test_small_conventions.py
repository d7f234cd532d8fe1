"""Small things that programs written for PyTorch rely on."""

from __future__ import annotations

import pytest

import pellucid
from pellucid.base.errors import DTypeError, InPlaceError, NumberRangeError


def test_casts_take_a_memory_format() -> None:
    x = pellucid.tensor([0.0, 2.0])
    for name in "float double bfloat16 half long int short char byte bool".split():
        cast = getattr(x, name)
        found = cast(memory_format=pellucid.preserve_format)
        assert found.dtype is cast().dtype and found.tolist() == cast().tolist()
    drawn = pellucid.normal(0.0, 1.0, (3,), layout=pellucid.strided)
    assert drawn.shape == (3,)


def test_contiguous_is_what_the_strides_say() -> None:
    x = pellucid.ones(2, 3)
    assert x.is_contiguous() and x[1:].is_contiguous() and x[:, :1][:1].is_contiguous()
    assert not x.t().is_contiguous() and not x[:, ::2].is_contiguous()
    assert not pellucid.ones(3).expand(2, 3).is_contiguous()
    assert x.t().contiguous().is_contiguous() and pellucid.ones(1, 3).t().is_contiguous()
    assert pellucid.ones(2, 0, 3).transpose(0, 2).is_contiguous()


def test_negative_numbers_as_bytes_count_from_the_back() -> None:
    assert pellucid.tensor([-5, 255, 0], dtype=pellucid.uint8).tolist() == [251, 255, 0]
    assert pellucid.full((2,), -1, dtype=pellucid.uint8).tolist() == [255, 255]
    for number in (256, -256):
        with pytest.raises(NumberRangeError):
            pellucid.full((2,), number, dtype=pellucid.uint8)


def test_out_of_functions_that_read_elsewhere_lies_apart_and_has_their_dtype() -> None:
    x = pellucid.arange(6.0)
    places, empty = pellucid.tensor([2, 1, 0, 5, 4, 3]), pellucid.empty(0)
    for call in (
        lambda: pellucid.gather(x, 0, places, out=x),
        lambda: pellucid.take(x, places, out=x),
        lambda: pellucid.index_select(x, 0, places, out=x),
        lambda: pellucid.masked_select(x, x > 2, out=x[:3]),
        lambda: pellucid.gather(input=x, dim=0, index=places, out=x),
        lambda: pellucid.take_along_dim(x, places, out=x),
        lambda: pellucid.stack([x[:3], x[3:]], out=x.reshape(2, 3)),
        lambda: pellucid.hstack([x[:3], x[3:]], out=x),
        lambda: pellucid.linalg.cross(x[:3], x[3:], out=x[3:]),
        lambda: pellucid.cat([empty, x], out=empty),
    ):
        with pytest.raises(InPlaceError, match="shares memory"):
            call()
    with pytest.raises(DTypeError, match="expected out tensor to have dtype float32"):
        pellucid.gather(x, 0, places, out=pellucid.zeros(6, dtype=pellucid.float64))
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_logit_of_bools_and_fill_with_a_gradient_of_nothing() -> None:
    assert pellucid.logit(pellucid.tensor([False, True])).tolist() == [-float("inf"), float("inf")]
    x = pellucid.ones(2, requires_grad=True)
    value = pellucid.tensor(3.0, requires_grad=True)
    found = pellucid.fill(x, value)
    slopes = pellucid.grad(found.sum(), [x, value])
    assert found.tolist() == [3.0, 3.0]
    assert [g.tolist() for g in slopes] == [[0.0, 0.0], 2.0]


def test_the_median_of_nothing_keeps_the_dtype() -> None:
    least = {"bool": True, "uint8": 0, "int8": 0, "int32": -(2**31), "int64": -(2**63)}
    for name, expected in least.items():
        x = pellucid.zeros(0).to(getattr(pellucid, name))
        for found in (x.median(), x.nanmedian(), pellucid.compile(lambda x: x.median())(x)):
            assert found.dtype is x.dtype and found.item() == expected
    assert pellucid.zeros(0).half().median().isnan()
