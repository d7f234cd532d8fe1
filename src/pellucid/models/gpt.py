"""A GPT: predicts the next token of a text from all before it.

Token and position embeddings, blocks of causal self-attention and a two-layer network, each
behind a layer norm and added to its input, a last norm, and scores for every token by the
embedding table itself.  (Radford et al., 2019; names of layers as in Karpathy's nanoGPT, so
that its checkpoints fit.)
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import Any

import pellucid
import pellucid.nn.functional as F
from pellucid import Generator, Tensor, nn
from pellucid.base.caches import register_cache
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.models.sampling import check_sampling, sampled
from pellucid.nn.modes import evaluation
from pellucid.tensor.state import is_tracing

KeyValue = tuple[Tensor, Tensor]
"""Keys and values (N, heads, positions so far, E / heads) of one block."""


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a :class:`GPT`; the defaults are GPT-2's smallest."""

    vocab_size: int = 50304
    """Different tokens: 50257 in GPT-2, rounded up to a multiple of 64."""
    block_size: int = 1024
    """The longest context, in tokens: there is an embedding for each position."""
    n_layer: int = 12
    """Blocks."""
    n_head: int = 12
    """Attention heads of each block; divides ``n_embd``."""
    n_embd: int = 768
    """Features of a token."""
    dropout: float = 0.0
    """Of embeddings, attention weights and results; 0 is good for pre-training."""
    bias: bool = True
    """Whether linear layers and norms have biases; without is a little faster."""

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            size = getattr(self, name)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ArgumentError(f"GPTConfig got {name}={size!r}", "use a whole number from 1")
        if self.n_embd % self.n_head:
            raise ArgumentError(
                f"GPTConfig got n_embd={self.n_embd}, n_head={self.n_head}",
                "n_embd must be a multiple of n_head",
            )


class CausalSelfAttention(nn.Module):
    """Every position takes a mixture of what stands at it and before it.  (N, T, E) → the same."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head = config.n_head
        self.n_embd = config.n_embd
        self.dropout = config.dropout

    def heads(self, x: Tensor) -> Tensor:
        """(N, T, E) → (N, H, T, E / H)."""
        n, t, e = x.shape
        return x.reshape(n, t, self.n_head, e // self.n_head).transpose(1, 2)

    def forward(self, x: Tensor, past: KeyValue | None = None) -> tuple[Tensor, KeyValue]:
        """The mixture (N, T, E), and keys and values of all positions, those of ``past`` first."""
        n, t, e = x.shape
        packed = self.c_attn(x)  # (N, T, 3E)
        q, k, v = (self.heads(packed.narrow(2, i * e, e)) for i in range(3))
        if past is not None:
            k, v = pellucid.cat([past[0], k], 2), pellucid.cat([past[1], v], 2)
        drop = self.dropout if self.training else 0.0
        causal = past is None and t > 1
        mask = None
        if past is not None and t > 1:
            seen = past[0].shape[2]
            mask = pellucid.arange(seen + t) <= (pellucid.arange(t) + seen).unsqueeze(
                1
            )  # (T, S + T)
        y = F.scaled_dot_product_attention(q, k, v, mask, drop, causal)
        y = y.transpose(1, 2).reshape(n, t, e)  # (N, H, T, E/H) -> (N, T, E)
        return self.resid_dropout(self.c_proj(y)), (k, v)

    def advance(
        self, x: Tensor, place: Tensor, known: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        """The mixture (N, 1, E) at one more position, whose key and value are written down.

        ``place`` (1,) int64 is the position, ``known`` bool (S,) says which are known with it, and
        ``keys`` and ``values`` (N, S, E) hold all positions, and are changed.
        """
        n, _, e = x.shape
        packed = self.c_attn(x)  # (N, 1, 3E)
        for store, i in ((keys, 1), (values, 2)):
            store.copy_(store.index_copy(1, place, packed.narrow(2, i * e, e)))
        q = self.heads(packed.narrow(2, 0, e))
        mask = known.reshape(1, -1)  # (S,) -> (queries, S)
        y = F.scaled_dot_product_attention(q, self.heads(keys), self.heads(values), mask)
        return self.c_proj(y.transpose(1, 2).reshape(n, 1, e))  # (N, H, 1, E/H) -> (N, 1, E)


class MLP(nn.Module):
    """Four times as many features, GELU, and back, for each position.  (N, T, E) → the same."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) → (N, T, E)."""
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x))))


class Block(nn.Module):
    """Attention, then the network on each position, each of the norm and added to its input."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, past: KeyValue | None = None) -> tuple[Tensor, KeyValue]:
        """(N, T, E) → (N, T, E), and keys and values."""
        mixed, kept = self.attn(self.ln_1(x), past)
        x = x + mixed
        return x + self.mlp(self.ln_2(x)), kept


class GPT(nn.Module):
    """A causal language model; see the text at the top of this file.

    Token ids (N, T) int64, T ≤ ``block_size`` → scores (N, T, vocab_size) for the token after
    each.  Weights are normal with deviation 0.02, those that end in the residual sum 0.02 /
    √(2 · layers); ``lm_head.weight`` is ``transformer.wte.weight``.

    >>> import pellucid
    >>> model = GPT(GPTConfig(vocab_size=65, block_size=16, n_layer=2, n_head=2, n_embd=8))
    >>> model(pellucid.zeros(3, 16, dtype=pellucid.int64)).shape
    pellucid.Size([3, 16, 65])
    """

    transformer: nn.ModuleDict[Any]

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.transformer = nn.ModuleDict(
            {
                "wte": tokens,
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "drop": nn.Dropout(config.dropout),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = tokens.weight
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1:
                ends = name.endswith("c_proj.weight")
                nn.init.normal_(parameter, 0.0, 0.02 / math.sqrt(2 * config.n_layer if ends else 1))

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (N, T, vocab_size) of the tokens after each of ``ids`` (N, T)."""
        return self.lm_head(self._features(ids, [])[0])

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy, in nats, of ``targets`` (N, T) after ``ids``; −1 is left out."""
        scores = self(ids)
        flat = scores.reshape(-1, self.config.vocab_size)  # (N, T, V) -> (N·T, V)
        return F.cross_entropy(flat, targets.reshape(-1), ignore_index=-1)

    def step(self, ids: Tensor, cache: list[KeyValue]) -> tuple[Tensor, list[KeyValue]]:
        """Scores (N, vocab_size) after the last of ``ids`` (N, T), which follow those in ``cache``.

        Returns the cache grown by T positions; an empty list begins a text.
        """
        features, cache = self._features(ids, cache)
        return self.lm_head(features.select(1, features.shape[1] - 1)), cache

    def _features(self, ids: Tensor, cache: list[KeyValue]) -> tuple[Tensor, list[KeyValue]]:
        """(N, T) → (N, T, E) before the scores, and keys and values of every block."""
        start = cache[0][0].shape[2] if cache else 0
        if ids.dim() != 2 or start + ids.shape[1] > self.config.block_size:
            raise ShapeError(
                f"GPT got ids of shape {tuple(ids.shape)} after {start} positions",
                f"ids are (N, T), and block_size={self.config.block_size} is the longest context",
            )
        parts = self.transformer
        places = parts["wpe"].weight.narrow(0, start, ids.shape[1])
        x = parts["drop"](parts["wte"](ids) + places)  # (N, T, E) + (T, E)
        kept = []
        for number, block in enumerate(parts["h"]):
            x, pair = block(x, cache[number] if cache else None)
            kept.append(pair)
        return parts["ln_f"](x), kept

    def advance(
        self, ids: Tensor, place: Tensor, keys: list[Tensor], values: list[Tensor]
    ) -> Tensor:
        """Scores (N, vocab_size) after one more token of each text, in arrays of fixed size.

        ``ids`` (N, 1) stand at position ``place`` (1,) int64.  ``keys`` and ``values`` hold
        (N, block_size, E) for each block, filled before ``place``, and are changed.
        """
        parts = self.transformer
        known = pellucid.arange(self.config.block_size) <= place
        x = parts["wte"](ids) + parts["wpe"](place)  # (N, 1, E) + (1, E)
        for block, k, v in zip(parts["h"], keys, values, strict=True):
            x = x + block.attn.advance(block.ln_1(x), place, known, k, v)
            x = x + block.mlp(block.ln_2(x))
        return self.lm_head(parts["ln_f"](x).select(1, 0))

    def generate(
        self,
        ids: Tensor,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: Generator | None = None,
        use_cache: bool = True,
        top_p: float | None = None,
    ) -> Tensor:
        """``ids`` (N, T) and ``max_new_tokens`` more, each drawn by softmax(scores / temperature).

        ``temperature=0`` takes the likeliest token; ``top_k`` leaves all but the k likeliest out,
        ``top_p`` all but the fewest that have so much probability together.
        With ``use_cache`` keys and values of earlier positions are kept, so a token costs one
        position and not the whole text; the result is the same.  Beyond ``block_size`` positions
        the last ``block_size`` tokens count, and are computed anew for each token.
        Runs in evaluation mode, without gradients.
        """
        check_sampling(temperature, top_k, top_p)
        if max_new_tokens < 0:
            raise ArgumentError(
                f"generate got max_new_tokens={max_new_tokens}", "give a number from 0 up"
            )
        if is_tracing() or ids.dim() != 2 or ids.shape[1] < 1:
            raise ShapeError(
                f"generate got ids of shape {tuple(ids.shape)}",
                "give (N, T) with at least one token, outside of compiled functions",
            )
        with evaluation(self), pellucid.no_grad():
            choice = (temperature, top_k, top_p, generator)
            return self._continued(ids, max_new_tokens, choice, use_cache)

    def _continued(
        self,
        ids: Tensor,
        count: int,
        choice: tuple[float, int | None, float | None, Generator | None],
        use_cache: bool,
    ) -> Tensor:
        block = self.config.block_size
        decoder: Decoder | None = None
        for _ in range(count):
            length = ids.shape[1]
            if decoder is not None and length <= block:
                scores = decoder.scores(ids.narrow(1, length - 1, 1), length - 1)
            else:
                last = min(block, length)
                scores, cache = self.step(ids.narrow(1, length - last, last), [])
                if use_cache and length < block:
                    decoder = Decoder.of(self, ids.shape[0])
                    decoder.fill(cache)
            ids = pellucid.cat([ids, sampled(scores, *choice)], 1)
        return ids


class Decoder:
    """Keys and values of a batch of texts in arrays of fixed size, and the compiled step on them.

    A token costs one native call, whatever the number of positions before it: the arrays do not
    grow, so nothing is traced again, and positions to come are masked.
    """

    def __init__(self, model: GPT, batch: int) -> None:
        shape = (batch, model.config.block_size, model.config.n_embd)
        dtype = model.lm_head.weight.dtype
        self.keys = [pellucid.zeros(*shape, dtype=dtype) for _ in range(model.config.n_layer)]
        self.values = [pellucid.zeros(*shape, dtype=dtype) for _ in range(model.config.n_layer)]
        owner = weakref.ref(model)  # the table of decoders must not keep models alive

        def advance(ids: Tensor, place: Tensor) -> Tensor:
            return owner().advance(ids, place, self.keys, self.values)  # type: ignore[union-attr]

        self._advance = pellucid.compile(advance)

    @staticmethod
    def of(model: GPT, batch: int) -> Decoder:
        """The model's decoder for so many texts at once, made at first use."""
        known = _decoders.setdefault(model, {})
        found = known.get(batch)
        if found is None or found.keys[0].dtype is not model.lm_head.weight.dtype:
            found = known[batch] = Decoder(model, batch)
        return found

    def fill(self, cache: list[KeyValue]) -> None:
        """Take over keys and values (N, heads, T, E / heads) of the first T positions."""
        for pair, *stores in zip(cache, self.keys, self.values, strict=True):
            for given, store in zip(pair, stores, strict=True):
                n, _, length, _ = given.shape
                store.zero_()  # what an earlier text left may not be a number
                store[:, :length] = given.transpose(1, 2).reshape(n, length, -1)  # heads packed

    def scores(self, ids: Tensor, place: int) -> Tensor:
        """Scores (N, vocab_size) after ``ids`` (N, 1), which stand at position ``place``."""
        return self._advance(ids, pellucid.full((1,), place, dtype=pellucid.int64))


_decoders: weakref.WeakKeyDictionary[GPT, dict[int, Decoder]] = weakref.WeakKeyDictionary()
register_cache("decoders of language models", _decoders.clear)
