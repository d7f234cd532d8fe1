"""The GPT: causal, the same with and without cache, and it learns to write letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import optim
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.models.gpt import GPT, Decoder, GPTConfig

SMALL = GPTConfig(vocab_size=11, block_size=12, n_layer=2, n_head=2, n_embd=16)


def ids(rng: np.random.Generator, *shape: int) -> Any:
    return pellucid.tensor(rng.integers(0, 11, shape))


def test_later_tokens_change_nothing_before_them(rng) -> None:
    model, x = GPT(SMALL), ids(rng, 2, 8)
    changed = x.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 11
    a, b = model(x), model(changed)
    assert_close(a[:, :5], b[:, :5], 1e-6, 1e-6)
    assert not np.allclose(a[:, 5:].detach().numpy(), b[:, 5:].detach().numpy())


def test_weights_are_tied_and_named_as_in_checkpoints() -> None:
    model = GPT(SMALL)
    assert model.lm_head.weight is model.transformer["wte"].weight
    assert len(list(model.parameters())) == 2 + 2 * 12 + 2
    keys = set(model.state_dict())
    assert {"transformer.wte.weight", "transformer.h.1.attn.c_attn.bias", "lm_head.weight",
            "transformer.h.0.mlp.c_fc.weight", "transformer.ln_f.bias"} <= keys  # fmt: skip


def test_a_cache_changes_no_scores(rng) -> None:
    model, x = GPT(SMALL).eval(), ids(rng, 2, 9)
    cache: list = []
    for begin, end in ((0, 3), (3, 4), (4, 7), (7, 9)):
        scores, cache = model.step(x[:, begin:end], cache)
        assert_close(scores, model(x[:, :end])[:, -1], 1e-5, 1e-6, f"after {end}")


@pytest.mark.parametrize("options", [{"temperature": 0}, {}, {"temperature": 0.7, "top_k": 3}])
def test_generated_texts_are_the_same_with_and_without_cache(options: dict, rng) -> None:
    model, x = GPT(SMALL), ids(rng, 2, 3)
    texts = []
    for use_cache in (True, False):
        generator = pellucid.Generator().manual_seed(4)
        texts.append(model.generate(x, 14, **options, generator=generator, use_cache=use_cache))
    assert texts[0].shape == (2, 17)
    assert (texts[0] == texts[1]).all().item() and (texts[0][:, :3] == x).all().item()
    assert model.training


def test_errors_say_what_is_too_long(rng) -> None:
    with pytest.raises(ShapeError, match=r"\(1, 13\) after 0 positions(.|\n)*block_size=12"):
        GPT(SMALL)(ids(rng, 1, 13))
    with pytest.raises(ArgumentError, match="n_embd=16, n_head=3"):
        GPTConfig(n_embd=16, n_head=3)
    with pytest.raises(ArgumentError, match="n_layer=0"):
        GPTConfig(n_layer=0)
    with pytest.raises(ArgumentError, match="temperature=-1"):
        GPT(SMALL).generate(ids(rng, 1, 2), 1, temperature=-1)


def train(model: Any, batches: list, compiled: bool) -> list[float]:
    """The loss of each step."""
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = model.loss(x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = pellucid.compile(step) if compiled else step
    return [float(run(x, y).item()) for x, y in batches]


def test_D22_a_character_model_learns_from_a_text(data_folder: Path, rng) -> None:
    """Multi-head causal self-attention, positions, layer norm and GELU: the loss falls, and the
    compiled steps are those of the eager ones."""
    file = data_folder / "text" / "tinyshakespeare.txt"
    if not file.exists():
        pytest.skip(f"{file} does not exist")
    text = file.read_text(encoding="utf-8")
    letters = {c: i for i, c in enumerate(sorted(set(text)))}
    codes = np.array([letters[c] for c in text[:100_000]])
    config = GPTConfig(len(letters), block_size=32, n_layer=2, n_head=2, n_embd=32)
    batches = []
    for _ in range(120):
        starts = rng.integers(0, len(codes) - 33, 16)
        rows = np.stack([codes[s : s + 33] for s in starts])
        batches.append((pellucid.tensor(rows[:, :-1]), pellucid.tensor(rows[:, 1:])))
    model, twin = GPT(config), GPT(config)
    twin.load_state_dict(model.state_dict())
    losses = train(model, batches, compiled=True)
    np.testing.assert_allclose(train(twin, batches[:6], compiled=False), losses[:6], rtol=1e-4)
    assert abs(losses[0] - np.log(len(letters))) < 0.1  # at first every letter is as likely
    assert np.mean(losses[-10:]) < 2.75 < 3.25 < losses[5]


def test_one_program_serves_every_length_of_a_text(rng) -> None:
    model = GPT(SMALL)
    decoder = Decoder.of(model, 2)
    model.generate(ids(rng, 2, 1), 10, temperature=0)
    model.generate(ids(rng, 2, 4), 8, temperature=0)
    assert Decoder.of(model, 2) is decoder and len(decoder._advance.signatures) == 1
    # Keys and values are written into their place: no kernel moves a whole array of them.
    kernels = decoder._advance.explain(calls=1).kernels
    moved = {"copy", "slice", "transpose", "reshape"}
    whole = 2 * SMALL.block_size * SMALL.n_embd * 4
    assert not [k for k in kernels if set(k.operations) <= moved and k.written_bytes >= whole]


def test_a_text_does_not_depend_on_the_one_before(rng) -> None:
    model, x = GPT(SMALL), ids(rng, 1, 2)
    first = model.generate(x, 9, temperature=0)
    for store in (*Decoder.of(model, 1).keys, *Decoder.of(model, 1).values):
        store.fill_(float("nan"))
    assert (model.generate(x, 9, temperature=0) == first).all().item()
    with pellucid.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-3.0)
    changed = model.generate(x, 9, temperature=0)
    assert (model.generate(x, 9, temperature=0, use_cache=False) == changed).all().item()
