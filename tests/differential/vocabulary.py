"""The public vocabulary as rows: how an operation is written, and to what it applies.

A row is a line of Python over placeholders.  ``x`` is a tensor of the program, ``y`` and ``z`` are
tensors that broadcast with it, ``s`` has its shape, ``i`` holds whole numbers, ``c`` truth values;
``d`` and ``e`` are two different axes of ``x``, ``k`` a small number of Python.  ``L`` is the
library and ``F`` its ``nn.functional``, so that the same text runs in ours and in PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One way to write an operation.

    ``least`` and ``most`` bound the number of axes of ``x``.  ``square`` rows want the last two
    extents equal.  ``exact`` rows jump (rounding, comparison, choice), so that they are only
    applied to values that every library holds with the same bits.
    """

    text: str
    least: int = 0
    most: int = 4
    square: bool = False
    exact: bool = False

    @property
    def name(self) -> str:
        """The operation's name, for the coverage of the vocabulary."""
        head = self.text.split("(")[0]
        return head.rsplit(".", 1)[-1] if "." in head else self.text


def rows(texts: str, **settings: object) -> list[Row]:
    """A row for each line."""
    return [Row(line.strip(), **settings) for line in texts.strip().splitlines()]  # type: ignore[arg-type]


def methods(names: str, arguments: str = "", **settings: object) -> list[Row]:
    """``x.name(arguments)`` for each name."""
    return [Row(f"x.{name}({arguments})", **settings) for name in names.split()]  # type: ignore[arg-type]


ELEMENTWISE = [
    *methods(
        "abs acos acosh asin asinh atan atanh cos cosh deg2rad digamma erf erfc erfinv exp exp2 "
        "expm1 lgamma log log10 log1p log2 neg positive rad2deg reciprocal relu rsqrt sigmoid sin "
        "sinc sinh sqrt square tan tanh i0 nan_to_num clone contiguous"
    ),
    *methods("ceil floor frac round sgn sign trunc fix signbit isnan isinf isfinite isposinf "
             "isneginf isreal logical_not", exact=True),
    *rows("""
        x ** 2
        x ** 3
        x ** 0.5
        x ** -1
        x ** 0
        x ** 1.5
        2.0 ** x
        x * 3
        x * k
        x + k
        x - k
        k - x
        x / 3
        k / x
        -x
        +x
        abs(x)
        x.pow(k)
        x.logit(1e-3)
        x.logit()
        x.clamp(-0.5, 0.5)
        x.clamp(min=0.0)
        x.clamp(max=0)
        x.clamp(min=y)
        x.clip(y, z)
        x.nan_to_num(1.0, 2.0, -2.0)
        x.mvlgamma(1)
        x.polygamma(1)
        x.float_power(2)
        F.celu(x)
        F.elu(x, 0.5)
        F.gelu(x)
        F.gelu(x, approximate='tanh')
        F.hardshrink(x)
        F.hardsigmoid(x)
        F.hardswish(x)
        F.hardtanh(x)
        F.leaky_relu(x, 0.1)
        F.logsigmoid(x)
        F.mish(x)
        F.relu(x)
        F.relu6(x)
        F.selu(x)
        F.silu(x)
        F.softplus(x)
        F.softplus(x, 2.0, 1.0)
        F.softshrink(x)
        F.softsign(x)
        F.tanhshrink(x)
        F.threshold(x, 0.1, -1.0)
        F.sigmoid(x)
        F.tanh(x)
        F.dropout(x, 0.5, training=False)
    """),
    *rows("""
        x + y
        x - y
        x * y
        x / y
        x ** y
        x.add(y, alpha=2)
        x.sub(y, alpha=k)
        x.addcmul(y, z, value=0.5)
        x.addcdiv(y, z, value=0.5)
        x.atan2(y)
        x.hypot(y)
        x.maximum(y)
        x.minimum(y)
        x.fmax(y)
        x.fmin(y)
        x.copysign(y)
        x.logaddexp(y)
        x.logaddexp2(y)
        x.xlogy(y)
        x.lerp(y, 0.3)
        x.lerp(y, z)
        x.rsub(y)
        x.ldexp(i)
        x.where(c, y)
        L.where(c, x, y)
        L.where(c, x, 0.0)
        L.where(x > 0, x, y)
        L.where(x > 0, x.sqrt(), 0)
        F.mse_loss(x, s)
        F.l1_loss(x, s)
        F.smooth_l1_loss(x, s)
        F.huber_loss(x, s, delta=0.5)
        F.kl_div(x, s.sigmoid(), reduction='sum')
        F.binary_cross_entropy_with_logits(x, s.sigmoid())
        F.binary_cross_entropy(x.sigmoid(), s.sigmoid())
        F.soft_margin_loss(x, s.sign())
        F.poisson_nll_loss(x, s.abs())
        F.gaussian_nll_loss(x, s, s.abs() + 0.1)
        F.hinge_embedding_loss(x, s.sign())
        F.margin_ranking_loss(x, s, s.sign())
        F.prelu(x, L.full((1,), 0.3, dtype=x.dtype))
    """),
    *rows("""
        x.fmod(y)
        x.remainder(y)
        x % 0.7
        x // y
        x.floor_divide(0.3)
        x.div(y, rounding_mode='trunc')
        x.div(y, rounding_mode='floor')
        x.heaviside(y)
        x == y
        x != y
        x < y
        x <= y
        x > y
        x >= y
        x.isclose(y)
        x.isin(s)
        x.masked_fill(c, -1.0)
        x.masked_fill(x > 0, 0)
    """, exact=True),
]  # fmt: skip

INTEGERS = [
    *rows("""
        i + i
        i * k
        i - y
        i * y
        i / 2
        i // 2
        i % 3
        i ** 2
        -i
        i.abs()
        i.sign()
        i.sum()
        i.float().mean()
        i.prod()
        i.max()
        i.min()
        i.cumsum(0)
        i & 3
        i | 1
        i ^ 5
        i << 1
        i >> 1
        ~i
        ~c
        c & c
        c | c
        c ^ c
        c.sum()
        c.any()
        c.all()
        c * x
        i.gcd(i + 1)
        i.lcm(i + 2)
        i.bitwise_and(6)
        i.bitwise_or(6)
        i.bitwise_xor(6)
        i.bitwise_not()
        i.bitwise_left_shift(1)
        i.bitwise_right_shift(1)
        i.to(x.dtype)
        i.double()
        c.double()
        x.bool()
        x.ne(0)
        x.eq(0).sum()
        c.logical_and(c)
        c.logical_or(c)
        c.logical_xor(c)
        i.clamp(0, 2)
        i.fmod(2)
        i.remainder(2)
        i.true_divide(3)
        i.floor_divide(2)
        i == 1
    """, exact=True),
]  # fmt: skip

SHAPING = [
    *rows("""
        x.t()
        x.T
        x.mT
        x.adjoint()
        x.tril()
        x.triu(1)
        x.diagonal()
        x.fliplr()
        x.rot90()
        x[:, 0]
        x[:, -1:]
        x[..., None]
        x[1:, :-1]
        x[::2]
        x.transpose(0, 1)
    """, least=2, most=2),
    *rows("""
        x.transpose(d, e)
        x.swapaxes(d, e)
        x.swapdims(d, e)
        x.movedim(d, e)
        x.moveaxis(d, e)
        x.flatten(0, 1)
        x.diagonal(0, d, e)
        x.select(d, 0).select(0, 0)
        x.rot90(1, (d, e))
        x.cov() if x.dim() == 2 else x.mT
        x.flatten(-2)
    """, least=2),
    *rows("""
        x[0]
        x[-1]
        x[0:1]
        x[1:]
        x[:-1]
        x[...]
        x[None]
        x[..., 0]
        x[[0]]
        x[::2]
        x.unsqueeze(d)
        x.squeeze(d)
        x.select(d, 0)
        x.narrow(d, 0, 1)
        x.flip(d)
        x.roll(1, d)
        x.flipud()
        x.repeat_interleave(2, d)
        x.unflatten(d, (1, -1))
        x.unfold(d, 1, 1)
        x.split(1, d)[0]
        x.chunk(2, d)[0]
        x.tensor_split(2, d)[1]
        x.unbind(d)[0]
        x.index_select(d, L.tensor([0, 0]))
        x.take_along_dim(L.zeros_like(x, dtype=L.int64), d)
        x.gather(d, L.zeros_like(x, dtype=L.int64))
        x.scatter(d, L.zeros_like(x, dtype=L.int64), 1.5)
        x.scatter_add(d, L.zeros_like(x, dtype=L.int64), s)
        x.index_add(d, L.tensor([0]), x.narrow(d, 0, 1))
        x.index_fill(d, L.tensor([0]), 2.0)
        x.index_copy(d, L.tensor([0]), x.narrow(d, 0, 1))
        x.slice_scatter(s.narrow(d, 0, 1), d, 0, 1)
        x.select_scatter(s.select(d, 0), d, 0)
        L.cat([x, s], d)
        L.cat([x, s, x], dim=-1)
        L.stack([x, s], d)
        L.stack([x, s, x], -1)
        x.diff(dim=d)
        x.diag_embed()
        x.msort()
        x.split_with_sizes([1, x.shape[0] - 1])[1]
    """, least=1),
    *rows("""
        x.reshape(-1)
        x.view(-1)
        x.ravel()
        x.flatten()
        x.unsqueeze(0)
        x.unsqueeze(-1)
        x.squeeze()
        x.expand(2, *x.shape)
        x.broadcast_to((2, *x.shape))
        x.repeat(2, *[1] * x.dim())
        x.tile((2,))
        x.reshape(x.shape)
        x.permute(*range(x.dim())[::-1])
        x.contiguous()
        x.clone()
        x.detach()
        x.detach() * x
        x.view_as(s)
        x.reshape_as(s)
        x.expand_as(s)
        x.take(L.zeros(2, dtype=L.int64)) if x.numel() else x
        x.to(L.float32).to(x.dtype)
        x.double()
        L.zeros_like(x) + x
        L.ones_like(x) * x
        L.full_like(x, 2.0) * x
        L.atleast_2d(x)
        x.new_zeros(x.shape) + x
        x.new_ones(2)
        x.sum_to_size(x.shape)
    """),
    *rows("""
        F.pad(x, (1, 0))
        F.pad(x, (1, 2), value=0.5)
        F.normalize(x, dim=d)
        F.normalize(x, p=1, dim=d)
        F.glu(L.cat([x, s], -1))
    """, least=1),
]  # fmt: skip

REDUCING = [
    *methods("sum mean prod std var norm amax amin max min median nansum nanmean nanmedian"),
    *rows("""
        x.sum(d)
        x.sum(d, keepdim=True)
        x.mean(d)
        x.mean(d, keepdim=True)
        x.prod(d)
        x.std(d)
        x.std(d, unbiased=False)
        x.var(d)
        x.var(d, correction=0)
        L.var_mean(x, d)[0]
        L.std_mean(x, d)[0]
        L.std_mean(x, d)[1]
        x.norm(dim=d)
        x.norm(1, d)
        x.norm(3, d)
        x.norm(float('inf'), d)
        x.norm(0.5, d)
        L.linalg.norm(x, dim=d)
        L.linalg.vector_norm(x, 2, d)
        L.linalg.vector_norm(x, 3)
        x.amax(d)
        x.amin(d)
        x.max(d)[0]
        x.min(d)[0]
        x.median(d)[0]
        x.nanmedian(d)[0]
        x.mode(d)[0]
        x.kthvalue(1, d)[0]
        x.sort(d)[0]
        x.sort(d, descending=True)[0]
        x.topk(1, d)[0]
        x.logsumexp(d)
        x.logcumsumexp(d)
        x.cumsum(d)
        x.cumprod(d)
        x.cummax(d)[0]
        x.cummin(d)[0]
        x.aminmax(dim=d)[0]
        x.softmax(d)
        x.log_softmax(d)
        F.softmin(x, d)
        F.cosine_similarity(x, s, dim=d)
        F.layer_norm(x, x.shape[-1:])
        F.rms_norm(x, x.shape[-1:])
        x.renorm(2, d, 1.0) if x.dim() > 1 else x
        x.nansum(d)
        x.nanmean(d)
        x.quantile(0.5, d)
        x.nanquantile(0.3, d)
        x.dist(s)
        L.trapezoid(x)
        x.sum((0, -1)) if x.dim() > 1 else x.sum(0)
        x.mean((0, -1), keepdim=True) if x.dim() > 1 else x.mean(0)
        x.var((0, 1)) if x.dim() > 1 else x.var(0)
        x.scatter_reduce(d, L.zeros_like(x, dtype=L.int64), s, 'amax')
        x.scatter_reduce(d, L.zeros_like(x, dtype=L.int64), s, 'mean')
        x.scatter_reduce(d, L.zeros_like(x, dtype=L.int64), s, 'prod')
    """, least=1),
    *rows("""
        x.argmax(d)
        x.argmin(d)
        x.argmax()
        x.argsort(d, stable=True)
        x.sort(d, stable=True)[1]
        x.topk(1, d)[1]
        x.max(d)[1]
        x.median(d)[1]
        x.count_nonzero(d)
        (x > 0).any(d)
        (x > 0).all(d)
        (x > 0).sum(d)
        x.cummax(d)[1]
        x.bucketize(L.tensor([-1.0, 0.0, 1.0], dtype=x.dtype))
    """, least=1, exact=True),
]  # fmt: skip

PRODUCTS = [
    *rows("""
        x @ x.mT
        x.mT @ x
        x.matmul(s.mT)
        L.einsum('...ij,...kj->...ik', x, s)
        L.einsum('...ij->...ji', x)
        L.einsum('...ij->...i', x)
        F.linear(x, x.reshape(-1, x.shape[-1])[:2])
        F.scaled_dot_product_attention(x, s, s)
        F.scaled_dot_product_attention(x, s, x + s)
        F.scaled_dot_product_attention(x, x, x, is_causal=True)
        L.tensordot(x, s, dims=([0], [0]))
        L.cdist(x, s)
        L.cdist(x, s, p=1.0)
    """, least=2),
    *rows("""
        x.mm(s.t())
        x.addmm(x, s.t() @ s) if x.shape[0] == x.shape[1] else x @ s.t()
        x.mv(x[0])
        x.trace()
        F.bilinear(x, s, x.new_ones(2, x.shape[1], x.shape[1]))
        F.pairwise_distance(x, s)
        F.cross_entropy(x, L.zeros(x.shape[0], dtype=L.int64))
        F.cross_entropy(x, s.softmax(1))
        F.cross_entropy(x, L.zeros(x.shape[0], dtype=L.int64), reduction='sum', label_smoothing=0.1)
        F.nll_loss(x.log_softmax(1), L.zeros(x.shape[0], dtype=L.int64))
        F.multi_margin_loss(x, L.zeros(x.shape[0], dtype=L.int64))
        F.multilabel_soft_margin_loss(x, s.sigmoid().round())
        F.triplet_margin_loss(x, s, x.flip(0))
        F.cosine_embedding_loss(x, s, x.new_ones(x.shape[0]))
        F.batch_norm(x, None, None, training=True)
        F.embedding(L.zeros(3, dtype=L.int64), x)
        F.embedding(L.tensor([[0, 0]]), x)
        F.embedding_bag(L.zeros(2, 2, dtype=L.int64), x)
        x.outer(x[0]) if x.dim() == 1 else x.t().reshape(-1).outer(x[0])
        x.kron(s)
        x @ s.t() @ x
        F.pdist(x)
        F.gumbel_softmax(x, 1.0) * 0
        x.corrcoef() * 0
        F.local_response_norm(x[None], 2)
    """, least=2, most=2),
    *rows("""
        x.bmm(s.mT)
        x.baddbmm(x, s.mT @ s) if x.shape[1] == x.shape[2] else x.bmm(s.mT)
        F.conv1d(x, x.new_ones(2, x.shape[1], 1))
        F.conv1d(x, x.new_ones(2, x.shape[1], 2) * 0.5, padding=1)
        F.conv_transpose1d(x, x.new_ones(x.shape[1], 2, 2) * 0.5)
        F.max_pool1d(x, 2, 1, 1)
        F.avg_pool1d(x, 2, 1, 1)
        F.lp_pool1d(x, 2.0, 2, 1)
        F.adaptive_avg_pool1d(x, 2)
        F.adaptive_max_pool1d(x, 1)
        F.instance_norm(x)
        F.group_norm(x, 1)
        F.batch_norm(x, None, None, training=True)
        F.interpolate(x, scale_factor=2)
        F.interpolate(x, scale_factor=2, mode='linear')
        F.pad(x, (1, 1), 'reflect')
        F.pad(x, (1, 0), 'replicate')
        F.pad(x, (0, 1), 'circular')
        F.channel_shuffle(x, 1)
        L.cross(x, s, dim=1) if x.shape[1] == 3 else x
    """, least=3, most=3),
    *rows("""
        F.conv2d(x, x.new_ones(2, x.shape[1], 1, 1))
        F.conv2d(x, x.new_ones(2, x.shape[1], 2, 2) * 0.5, padding=1, stride=2)
        F.conv_transpose2d(x, x.new_ones(x.shape[1], 2, 2, 2) * 0.5, stride=2)
        F.max_pool2d(x, 2, 1, 1)
        F.avg_pool2d(x, 2, 1, 1)
        F.avg_pool2d(x, 2, 1, 1, count_include_pad=False)
        F.lp_pool2d(x, 2.0, 1)
        F.adaptive_avg_pool2d(x, 1)
        F.adaptive_max_pool2d(x, (1, 2))
        F.instance_norm(x)
        F.group_norm(x, x.shape[1])
        F.batch_norm(x, None, None, training=True)
        F.interpolate(x, scale_factor=2, mode='bilinear')
        F.interpolate(x, size=(2, 3), mode='nearest')
        F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2)
        F.pixel_unshuffle(x.repeat(1, 1, 2, 2), 2)
        F.unfold(x, 1)
        F.fold(F.unfold(x, 1), x.shape[2:], 1)
        F.pad(x, (1, 1, 0, 1), 'replicate')
        F.scaled_dot_product_attention(x, s, s, scale=0.3)
        F.local_response_norm(x, 2)
        F.dropout2d(x, 0.5, training=False)
    """, least=4, most=4),
    *rows("""
        L.linalg.det(x)
        x.det()
        x.logdet()
        x.slogdet()[1]
        x.inverse()
        L.linalg.inv(x)
        L.linalg.solve(x, s)
        x.matrix_power(2)
        x.matrix_exp()
        L.linalg.matrix_norm(x)
        L.linalg.cholesky(x @ x.mT + L.eye(x.shape[-1], dtype=x.dtype))
        (x @ x.mT + L.eye(x.shape[-1], dtype=x.dtype)).cholesky()
        x.pinverse() if x.dim() == 2 else x.mT
    """, least=2, square=True),
    *rows("""
        x.dot(s)
        x.inner(s)
        x.outer(s)
        x.ger(s)
        x.vdot(s)
        x.diag()
        x.diagflat()
        L.meshgrid(x, s, indexing='ij')[0]
        L.cumsum(x, 0).flip(0)
        L.tensor([0, 0]) * 0 + x[:1].long()
    """, least=1, most=1),
]  # fmt: skip

WRITES = rows("""
    x.add_(y)
    x.add_(1)
    x.sub_(0.5)
    x.mul_(y)
    x.mul_(2.0)
    x.div_(2)
    x.neg_()
    x.exp_()
    x.tanh_()
    x.sigmoid_()
    x.relu_()
    x.abs_()
    x.clamp_(-1, 1)
    x.pow_(2)
    x.sqrt_()
    x.fill_(0.5)
    x.zero_()
    x.copy_(y)
    x.masked_fill_(c, 0.0)
    x.addcmul_(y, y, value=0.1)
    x.lerp_(y, 0.5)
    x += y
    x *= 2
    x -= 0.25
    x /= 2
    x **= 2
    x[...] = 0.5
    F.relu(x, inplace=True)
    x.square_()
    x.sin_()
""") + rows("""
    x[0] = 1.0
    x[0] = x[-1] * 2
    x[-1:] = y
    x[::2] *= 3
    x[0].mul_(2)
    x.select(d, 0).zero_()
    x.narrow(d, 0, 1).add_(1)
    x.unsqueeze(0).mul_(2)
    x.view(-1).mul_(3)
    x.t().mul_(2)
    x.index_fill_(d, L.tensor([0]), 1.0)
    x.index_add_(d, L.tensor([0]), x.narrow(d, 0, 1).clone())
    x.scatter_(d, L.zeros_like(x, dtype=L.int64), 0.5)
    x[x > 0] = 0.0
    x[c] = 2.0
    x.detach().mul_(2)
    x.data.mul_(2)
    x.flatten().add_(1)
    x.transpose(d, e).mul_(2)
    x.diagonal().add_(1)
    x.split(1, d)[0].mul_(2)
    x.unbind(d)[0].mul_(2)
    x.expand(2, *x.shape).add_(1)
""", least=1)  # fmt: skip
"""Statements that change ``x`` in place."""

VIEWS = rows("""
    x.view(-1)
    x.reshape(-1)
    x.flatten()
    x.unsqueeze(0)
    x.detach()
    x.view_as(s)
    x.squeeze()
    x.permute(*range(x.dim())[::-1])
    x.expand(2, *x.shape)
    x[...]
    x[None]
""") + rows("""
    x[0]
    x[0:1]
    x[1:]
    x[::2]
    x[..., 0]
    x[..., :1]
    x.narrow(d, 0, 1)
    x.select(d, 0)
    x.transpose(d, e)
    x.transpose(0, -1)
    x.movedim(0, -1)
    x.unflatten(d, (1, -1))
    x.unfold(d, 1, 1)
    x.split(1, d)[0]
    x.chunk(2, d)[-1]
    x.unbind(d)[0]
    list(x)[0]
    x.diagonal() if x.dim() > 1 else x[:1]
    x.mT if x.dim() > 1 else x[:1]
""", least=1)  # fmt: skip
"""Expressions that share the memory of ``x``."""

OVERLAPPING = [*VIEWS, *[Row("x.expand(2, *x.shape)")] * 8]
"""What arguments show of each other's memory: often one element at several places."""

VALUES: list[Row] = [*ELEMENTWISE, *INTEGERS, *SHAPING, *REDUCING, *PRODUCTS]
"""Every row that gives a new value."""

CASTS = methods("int long short byte bool char", exact=True)
"""Numbers as whole numbers; what is out of range is another number from one processor to another,
and the same one in all of ours."""

ELIMINATION = (
    "matrices with NaN or infinity: what is NaN and what is not depends on the order of steps"
)

ORDINARY_ONLY: dict[str, str] = {
    **dict.fromkeys(
        """x.nan_to_num()
        F.hardsigmoid(x)
        F.hardswish(x)
        F.celu(x)
        x.renorm(2, d, 1.0) if x.dim() > 1 else x
        x.clamp(-0.5, 0.5)
        x.clamp(min=0.0)
        x.clamp(max=0)
        F.softshrink(x)
        x.copysign(y)
        x.lerp(y, z)
        F.hinge_embedding_loss(x, s.sign())
        F.margin_ranking_loss(x, s, s.sign())
        F.binary_cross_entropy(x.sigmoid(), s.sigmoid())
        x.norm(1, d)
        x.norm(float('inf'), d)
        x.topk(1, d)[0]
        x.quantile(0.5, d)
        x.prod()
        x.prod(d)
        x.cumprod(d)
        L.trapezoid(x)
        x.scatter_reduce(d, L.zeros_like(x, dtype=L.int64), s, 'amax')
        x.scatter_reduce(d, L.zeros_like(x, dtype=L.int64), s, 'prod')
        L.cdist(x, s, p=1.0)
        F.triplet_margin_loss(x, s, x.flip(0))""".replace("        ", "").splitlines(),
        "slopes at NaN and infinity: PyTorch's differ from case to case",
    ),
    **dict.fromkeys(
        [row.text for row in VALUES if "scaled_dot_product_attention" in row.text],
        "a score that is NaN: in PyTorch's flash kernel a weight of 0",
    ),
    **dict.fromkeys(
        """x.logdet()
        x.inverse()
        L.linalg.inv(x)
        L.linalg.solve(x, s)
        x.matrix_exp()
        x.pinverse() if x.dim() == 2 else x.mT
        L.linalg.cholesky(x @ x.mT + L.eye(x.shape[-1], dtype=x.dtype))
        (x @ x.mT + L.eye(x.shape[-1], dtype=x.dtype)).cholesky()""".replace(
            "        ", ""
        ).splitlines(),
        ELIMINATION,
    ),
    **dict.fromkeys(
        """F.multi_margin_loss(x, L.zeros(x.shape[0], dtype=L.int64))
        F.conv1d(x, x.new_ones(2, x.shape[1], 1))
        F.conv1d(x, x.new_ones(2, x.shape[1], 2) * 0.5, padding=1)
        F.conv2d(x, x.new_ones(2, x.shape[1], 1, 1))
        F.conv2d(x, x.new_ones(2, x.shape[1], 2, 2) * 0.5, padding=1, stride=2)
        F.pixel_unshuffle(x.repeat(1, 1, 2, 2), 2)""".replace("        ", "").splitlines(),
        "no classes, channels or rows: PyTorch reads memory it has not written, or shapes differ",
    ),
}
"""Rows that are compared with PyTorch on finite numbers and without empty axes, and why."""

OURS_ONLY: dict[str, str] = {
    "x.sgn()": "PyTorch's gradient cannot be read as an array",
    "x.logit()": "outside of [0, 1] the value is NaN in both, the slope only in PyTorch",
    "x.xlogy(y)": "at x = y = 0 the slope is 0 here, NaN in PyTorch",
    "x.hypot(y)": "at x = y = 0 the slope is 0 here, NaN in PyTorch",
    "x.ldexp(i)": "PyTorch's slope for negative whole numbers is 0",
    "x.heaviside(y)": "PyTorch has no gradient",
    "x // y": "PyTorch has no gradient",
    "x.floor_divide(0.3)": "PyTorch has no gradient",
    "x.clip(y, z)": "where both bounds are equal, slopes of bounds that hold are 0 in PyTorch",
    "x.div(y, rounding_mode='trunc')": "at 0 / 0 the slope is NaN here, 0 in PyTorch",
    "x.det()": "of singular matrices PyTorch's slope is 0, here the adjugate",
    "L.linalg.det(x)": "of singular matrices PyTorch's slope is 0, here the adjugate",
    "x.slogdet()[1]": "at -0 the slope is inf here, -inf in PyTorch",
}
"""Rows that are not compared with PyTorch, and why."""
