"""Language models trained on a text: what is likely to come next, and texts written that way.

>>> model, history = train_language_model("to be or not to be " * 200, model="rnn", steps=20)
... # doctest: +SKIP
>>> model.generate("to be", 20, temperature=0.5, seed=1)             # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError, DataError
from pellucid.models import GPT, GPTConfig, MLPLanguageModel, RecurrentLanguageModel
from pellucid.models.sampling import check_sampling, sampled
from pellucid.nn.modes import evaluation
from pellucid.text.measures import perplexity
from pellucid.text.ngram import NGramModel, bits_per_character
from pellucid.text.packing import streams, windows_of
from pellucid.text.settings import LanguageModelConfig
from pellucid.text.tokenizer import END, PAD, SPECIAL, START, UNKNOWN, Tokenizer
from pellucid.training.checkpoints import Checkpoints
from pellucid.training.history import Callback, History
from pellucid.training.inference import Scorer
from pellucid.training.trainer import Trainer

Ids = npt.NDArray[np.int64]
IGNORED = -100
"""A target that does not count: what fills up a line."""
_SCORES = 1 << 23
"""Scores that are in memory at once while a network is measured."""
_LONG = 1024
_ORDERS = {"char": 6}
NEVER_WRITTEN = (PAD, START)


def build_network(config: LanguageModelConfig, tokens: int) -> nn.Module:
    """The network of the settings, with first weights."""
    if config.model == "gpt":
        sizes = GPTConfig(
            tokens, config.context, config.layers, config.heads, config.features, config.dropout,
            bias=False,
        )  # fmt: skip
        return GPT(sizes)
    if config.model == "mlp":
        return MLPLanguageModel(
            tokens, config.context, max(8, config.features // 8), config.features
        )
    return RecurrentLanguageModel(
        tokens, config.features, config.layers, config.dropout, config.model.upper()
    )


class TokenLosses(nn.Module):
    """−ln P of each token: ids (B, T) and targets (B, T), int64 → (B, T); 0 at targets of −100.

    A recurrent network that learns from batches of always ``batch`` rows goes on from the state in
    which the rows before ended (truncated back-propagation through time); where ``fresh`` (B,) is 1
    it begins anew.  With ``batch`` 0 all rows do, in batches of any size.
    """

    def __init__(self, network: nn.Module, batch: int = 0) -> None:
        super().__init__()
        self.network = network
        self.carries = batch > 0
        if isinstance(network, RecurrentLanguageModel) and self.carries:
            layers = network.layers
            shape = (layers.num_layers, batch, layers.hidden_size)
            for name in self._names:
                self.register_buffer(name, pellucid.zeros(*shape), persistent=True)

    @property
    def _names(self) -> tuple[str, ...]:
        """The parts of the state."""
        lstm = isinstance(getattr(self.network, "layers", None), nn.LSTM)
        return ("h", "c") if lstm else ("h",)

    def forward(self, ids: Tensor, targets: Tensor, fresh: Tensor) -> Tensor:
        """The losses (B, T)."""
        scores = self._scores(ids, fresh)
        flat = F.cross_entropy(
            scores.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return flat.reshape(ids.shape)

    def _scores(self, ids: Tensor, fresh: Tensor) -> Tensor:
        """(B, T, tokens)."""
        if not isinstance(self.network, RecurrentLanguageModel):
            found: Tensor = self.network(ids)
            return found
        if not self.training or not self.carries:
            return self.network(ids.t())[0].transpose(0, 1)
        kept = (1 - fresh).reshape(1, -1, 1)
        parts = tuple(getattr(self, name) * kept for name in self._names)
        scores, state = self.network(ids.t(), parts if len(parts) > 1 else parts[0])
        after = state if isinstance(state, tuple) else (state,)
        with pellucid.no_grad():
            for name, part in zip(self._names, after, strict=True):
                getattr(self, name).copy_(part.detach())
        return scores.transpose(0, 1)


def mean_loss(losses: Tensor, targets: Tensor) -> Tensor:
    """The mean of losses (B, T) over the targets that count."""
    return losses.sum() / (targets != IGNORED).sum().clamp(min=1)


@dataclass(eq=False)
class TextParts:
    """A text cut into a part to learn from, one to watch and one to test.

    Each is a list of texts: one, or the lines where each line is a text of its own.
    """

    train: list[str]
    validation: list[str]
    test: list[str]

    @classmethod
    def of(cls, text: str, config: LanguageModelConfig) -> TextParts:
        """Cuts by the shares of the settings: one text in its order, lines at random."""
        if not text.strip():
            raise DataError("the text is empty", "Give a text to learn from.")
        if not config.lines:
            first = int(len(text) * config.train_share)
            last = len(text) - int(len(text) * config.test_share)
            return cls(
                [text[:first]], [text[first:last]], [text[last:]] if last < len(text) else []
            )
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        order = np.random.default_rng(config.seed).permutation(len(lines))
        first = int(len(lines) * config.train_share)
        last = len(lines) - int(len(lines) * config.test_share)
        chosen = [lines[place] for place in order]
        parts = cls(chosen[:first], chosen[first:last], chosen[last:])
        if not parts.train or not parts.validation:
            raise DataError(f"the text has {len(lines)} lines", "Give more lines.")
        return parts


@dataclass(eq=False)
class LanguageModel:
    """A network, the tokenizer that its text was cut with, and its settings."""

    network: nn.Module
    tokenizer: Tokenizer
    config: LanguageModelConfig

    def log_probabilities(self, text: str) -> npt.NDArray[np.float64]:
        """ln P of each token of a text, after all before it; of the second one on, except where
        each line is a text, whose end is counted as well."""
        losses, targets = self._losses([text])
        found: npt.NDArray[np.float64] = -losses[targets != IGNORED].astype(np.float64)
        return found

    def perplexity(self, text: str) -> float:
        """exp(−mean ln P) over the tokens of a text."""
        return perplexity(-float(self.log_probabilities(text).mean()))

    def bits_per_character(self, text: str) -> float:
        """Bits that the text takes, divided by its characters."""
        return bits_per_character(-float(self.log_probabilities(text).sum()), len(text))

    def _losses(self, texts: Sequence[str]) -> tuple[npt.NDArray[Any], Ids]:
        rows = rows_of(texts, self.tokenizer, self.config, _length(self.config))
        scorer = scorer_of(TokenLosses(self.network), self.config, len(self.tokenizer))
        return scorer(rows), rows[1]

    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """``prompt`` and up to ``length`` tokens after it; the same seed gives the same text.

        Where each line is a text, it ends with the line.  See :meth:`pellucid.models.GPT.generate`
        for the other settings.
        """
        if length < 0:
            raise ArgumentError(f"generate got length={length}", "Give a number from 0 up.")
        check_sampling(temperature, top_k, top_p)
        known, config = self.tokenizer.ids, self.config
        ids = self.tokenizer.encode(prompt).tolist()
        begun = [known[START]] if config.lines else []
        if not begun and not ids:
            newline = known.get("\n")
            begun = [newline if newline is not None else len(self.tokenizer) - 1]
        generator = pellucid.Generator().manual_seed(seed)
        drawn = self._drawn([*begun, *ids], length, temperature, top_k, top_p, generator)
        return self.tokenizer.decode([*ids, *drawn])

    def _drawn(
        self,
        ids: list[int],
        length: int,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
        generator: pellucid.Generator,
    ) -> list[int]:
        known = self.tokenizer.ids
        never = [known[t] for t in (*NEVER_WRITTEN, UNKNOWN) if t in known]
        end = known.get(END)
        drawn: list[int] = []
        with evaluation(self.network), pellucid.no_grad():
            walk = _walk(self.network, ids, self.config)
            scores = next(walk)
            while len(drawn) < length:
                scores = scores.clone()
                scores[:, never] = -math.inf
                token = int(sampled(scores, temperature, top_k, top_p, generator).item())
                if token == end:
                    break
                drawn.append(token)
                scores = walk.send(token)
        return drawn


def _walk(
    network: nn.Module, ids: list[int], config: LanguageModelConfig
) -> Generator[Tensor, int, None]:
    """Scores (1, tokens) after ``ids``, and after each token that is sent."""
    if isinstance(network, RecurrentLanguageModel):
        scores, state = network(pellucid.tensor(ids).reshape(-1, 1))
        while True:
            token = yield scores[-1]
            scores, state = network(pellucid.tensor([[token]]), state)
    text = list(ids)
    cache: list[Any] = []
    while True:
        seen = text[-config.context :]
        if isinstance(network, GPT):
            if cache and len(text) <= config.context:
                scores, cache = network.step(pellucid.tensor([text[-1:]]), cache)
            else:
                scores, cache = network.step(pellucid.tensor([seen]), [])
        else:
            scores = network(pellucid.tensor([seen]))[:, -1]
        text.append((yield scores))


# ---- rows --------------------------------------------------------------------------------------

Rows = tuple[Ids, Ids, npt.NDArray[np.float32]]


def rows_of(
    texts: Sequence[str], tokenizer: Tokenizer, config: LanguageModelConfig, length: int
) -> Rows:
    """Rows that are read one by one: ids, targets (rows, length) and ones (rows,): all begin anew.

    One text is cut into runs of ``length``, lines are a row each.
    """
    if config.lines:
        made = [tokenizer.encode(text, ends=True)[: length + 1] for text in texts]
        longest = max(len(row) for row in made) - 1
        ids = np.full((len(made), longest), tokenizer.id_of(PAD), np.int64)
        targets = np.full((len(made), longest), IGNORED, np.int64)
        for place, row in enumerate(made):
            ids[place, : len(row) - 1] = row[:-1]
            targets[place, : len(row) - 1] = row[1:]
    else:
        text = np.concatenate([tokenizer.encode(text) for text in texts])
        if len(text) < 2:
            raise DataError(f"a text of {len(text)} tokens says nothing", "Give a longer text.")
        rows = -(-(len(text) - 1) // length)
        ids = np.zeros((rows, length), np.int64)
        targets = np.full((rows, length), IGNORED, np.int64)
        ids.reshape(-1)[: len(text) - 1] = text[:-1]
        targets.reshape(-1)[: len(text) - 1] = text[1:]
    return ids, targets, np.ones(len(ids), np.float32)


def _length(config: LanguageModelConfig) -> int:
    """How long rows are that a network is measured on."""
    if config.model == "gpt" or config.lines:
        return config.context
    return _LONG


class RandomRuns:
    """A loader: batches of runs that begin at random places of one text, ``steps`` of them.

    Each pass draws its places from one number of the default generator.
    """

    def __init__(self, ids: Ids, config: LanguageModelConfig, steps: int) -> None:
        self.inputs, self.targets = windows_of(ids, config.context)
        self.batch_size, self.steps = config.batch_size, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Any, Ids]]:
        drawn = np.random.default_rng(int(pellucid.randint(0, 2**31 - 1, (1,)).item()))
        fresh = np.ones(self.batch_size, np.float32)
        for _ in range(self.steps):
            places = drawn.integers(0, len(self.inputs), self.batch_size)
            targets = self.targets[places]
            yield (self.inputs[places], targets, fresh), targets


def scorer_of(losses: TokenLosses, config: LanguageModelConfig, tokens: int) -> Scorer:
    """What measures a network, in blocks whose scores fit into memory."""
    return Scorer(losses, block=max(1, min(1024, _SCORES // (tokens * _length(config)))))


# ---- training ----------------------------------------------------------------------------------


def train_language_model(
    text: str,
    config: LanguageModelConfig | None = None,
    *,
    checkpoint: Checkpoints | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
    **settings: Any,
) -> tuple[LanguageModel, History]:
    """Trains a network on a text; the model that was best on its validation part, and the history.

    ``settings`` are fields of :class:`LanguageModelConfig` in place of ``config``:
    ``model="gpt", level="bpe", steps=5000``.
    """
    if config is None:
        config = LanguageModelConfig.suited(**settings)
    parts = TextParts.of(text, config)
    tokenizer = fit_tokenizer(parts.train, config)
    pellucid.manual_seed(config.seed)
    model = LanguageModel(build_network(config, len(tokenizer)), tokenizer, config)
    _, fit = prepare(model, parts, checkpoint, callbacks)
    return model, fit(progress)


def fit_tokenizer(texts: Sequence[str], config: LanguageModelConfig) -> Tokenizer:
    """The tokens of the part that is learned from."""
    return Tokenizer.fit(
        texts,
        config.level,
        size=config.vocabulary or None,
        lower=config.lower,
        chinese=config.chinese,
        special=SPECIAL if config.lines else (UNKNOWN,),
    )


def prepare(
    model: LanguageModel,
    parts: TextParts,
    checkpoint: Checkpoints | None = None,
    callbacks: Sequence[Callback] = (),
) -> tuple[Trainer, Callable[[bool | None], History]]:
    """A Trainer for the model, and the function that runs it."""
    config, tokenizer = model.config, model.tokenizer
    data, batches, batch_size, steps = _training_rows(parts.train, tokenizer, config)
    losses = TokenLosses(model.network, 0 if config.lines else batch_size)
    epochs = max(1, round(steps / batches))
    optimizer = build_optimizer(model.network, config)
    schedule, interval = build_schedule(optimizer, config, epochs * batches)
    trainer = Trainer(
        losses,
        mean_loss,
        optimizer,
        schedule=schedule,
        schedule_interval=interval,
        clip_norm=config.clip_norm,
        callbacks=callbacks,
        seed=config.seed,
        checkpoint=checkpoint,
    )
    trainer.scorer = scorer_of(losses, config, len(tokenizer))
    held = rows_of(parts.validation, tokenizer, config, _length(config))

    def fit(progress: bool | None = None) -> History:
        return trainer.fit(
            data,
            (held, held[1]),
            epochs=epochs,
            batch_size=batch_size,
            shuffle=config.lines,
            patience=config.patience,
            max_minutes=config.max_minutes,
            progress=progress,
        )

    return trainer, fit


def _training_rows(
    texts: Sequence[str], tokenizer: Tokenizer, config: LanguageModelConfig
) -> tuple[Any, int, int, int]:
    """What the Trainer learns from, the batches of an epoch, the rows of a batch, and the steps of
    the whole run."""
    size = config.batch_size
    if config.lines:
        rows = rows_of(texts, tokenizer, config, config.context)
        batches = -(-len(rows[0]) // size)
        steps = config.epochs * batches or config.steps
        return (rows, rows[1]), batches, min(size, len(rows[0])), steps
    ids = tokenizer.encode(texts[0])
    if not config.recurrent:
        steps = config.epochs * max(1, len(ids) // (size * config.context)) or config.steps
        every = min(config.every, steps)
        return RandomRuns(ids, config, every), every, size, steps
    inputs, targets = streams(ids, size, config.context)
    fresh = np.zeros(inputs.shape[:2], np.float32)
    fresh[0] = 1.0  # (parts, batch): the first part of an epoch begins anew
    flat = targets.reshape(-1, config.context)
    rows = (inputs.reshape(-1, config.context), flat, fresh.reshape(-1))
    return (rows, flat), len(inputs), size, config.epochs * len(inputs) or config.steps


def build_optimizer(network: nn.Module, config: LanguageModelConfig) -> optim.Optimizer:
    """The optimizer; weights of matrices decay, biases and norms do not."""
    listed = list(network.parameters())
    if config.optimizer == "sgd":
        return optim.SGD(listed, lr=config.rate)
    groups = [
        {"params": [p for p in listed if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in listed if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.99))


def build_schedule(
    optimizer: optim.Optimizer, config: LanguageModelConfig, steps: int
) -> tuple[Any, str | None]:
    """The schedule of so many steps, and how often it is advanced."""
    if config.schedule == "constant":
        return None, None
    if config.schedule == "plateau":
        plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.25, patience=0)
        return plateau, "epoch"
    warmup = max(1, steps // 20)

    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return 0.1 + 0.45 * (1 + math.cos(math.pi * done))

    return optim.lr_scheduler.LambdaLR(optimizer, share), "step"


# ---- measuring ---------------------------------------------------------------------------------


def measure(model: LanguageModel, texts: Sequence[str]) -> dict[str, float]:
    """Loss in nats a token, perplexity and bits per character on texts."""
    losses, targets = model._losses(texts)
    counted = losses[targets != IGNORED].astype(np.float64)
    return _figures(float(counted.sum()), counted.size, texts)


def measure_ngrams(
    parts: TextParts, tokenizer: Tokenizer, config: LanguageModelConfig, texts: Sequence[str]
) -> tuple[dict[str, float], int]:
    """The same of the n-gram model that is counted on the training part, and its order."""
    order = config.order or _ORDERS.get(config.level, 3)
    ends = config.lines
    counted = [tokenizer.encode(text, ends=ends) for text in parts.train]
    ngrams = NGramModel(counted, len(tokenizer), order)
    logs = [ngrams.log_probabilities(tokenizer.encode(text, ends=ends))[1:] for text in texts]
    nats = -float(sum(log.sum() for log in logs))
    return _figures(nats, sum(log.size for log in logs), texts), order


def _figures(nats: float, tokens: int, texts: Sequence[str]) -> dict[str, float]:
    loss = nats / max(1, tokens)
    return {
        "loss": loss,
        "perplexity": perplexity(min(loss, 700.0)),
        "bits per character": bits_per_character(nats, sum(len(text) for text in texts)),
    }
