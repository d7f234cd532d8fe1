"""The networks of ``networks.py``, each written once for Pellucid and PyTorch.

Every ``build`` function receives the library, ``pellucid`` or ``torch``, and sizes, and returns a
:class:`Task`.  Not a line asks which of the two it is: what is written for PyTorch runs here with
its import changed.  Every ``flop`` function counts, by hand, the multiplications and additions of
the matrix products and convolutions of one step, each as two; what is left out (activations,
norms, pooling, the optimizer) is named as work nobody can measure by formula alone.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


def library(name: str) -> Any:
    """``pellucid`` or ``torch``, with the parts that the networks use."""
    for part in ("nn", "nn.functional", "optim"):
        importlib.import_module(f"{name}.{part}")
    return importlib.import_module(name)


@dataclass
class Task:
    """A network and what is done with it: ``loss(*batch)``, and with an optimizer its gradients
    and an update; ``after`` follows each update.  Without, ``loss`` is a prediction."""

    model: Any
    optimizer: Any
    loss: Callable[..., Any]
    after: Callable[[], None] | None = None

    def step(self, compiled: Callable[..., Any] = lambda function: function) -> Callable[..., Any]:
        """One step over a batch, its loss as result; ``compiled`` wraps the loss."""
        loss_of, optimizer, after = compiled(self.loss), self.optimizer, self.after
        if optimizer is None:
            return loss_of

        def step(*batch: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_of(*batch)
            loss.backward()
            optimizer.step()
            if after is not None:
                after()
            return loss.detach()

        return step


def starting_values(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A state dict to begin with, the same for every library.

    Weights are normal with deviation 1/√inputs, drawn by their name alone; norms begin as
    identities and biases at 0.
    """
    found = {}
    for name, shape in shapes.items():
        last = name.rsplit(".", 1)[-1]
        if len(shape) > 1:
            random = np.random.default_rng(zlib.crc32(name.encode()))
            deviation = np.prod(shape[1:]) ** -0.5
            found[name] = (deviation * random.standard_normal(shape)).astype(np.float32)
        elif last == "num_batches_tracked":
            found[name] = np.zeros(shape, np.int64)
        else:
            found[name] = np.full(shape, float(last in ("weight", "running_var")), np.float32)
    return found


def classification(lib: Any, model: Any, optimizer: Any) -> Task:
    """Cross-entropy of images or sequences and their classes."""

    def loss(x: Any, y: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(x), y)

    return Task(model, optimizer, loss)


def prediction(model: Any) -> Task:
    """The scores alone, with the model in evaluation mode."""
    model.eval()
    return Task(model, None, model)


# ---- images -------------------------------------------------------------------------------------


def images(
    count: int, batch: int, channels: int, side: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Noise (count, batch, channels, side, side) and classes (count, batch)."""
    random = np.random.default_rng(1)
    x = random.standard_normal((count, batch, channels, side, side)).astype(np.float32)
    return x, random.integers(0, classes, (count, batch))


def convolution_flop(
    batch: int, side: int, inputs: int, outputs: int, kernel: int, groups: int = 1
) -> int:
    """Forward pass of a convolution with ``side``² results an image."""
    return 2 * batch * side * side * outputs * (inputs // groups) * kernel * kernel


def cnn_network(lib: Any, side: int, filters: int, hidden: int) -> Any:
    """Two convolutions, max-pooling, two linear layers."""
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, filters, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(filters, 2 * filters, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * filters * (side // 2) ** 2, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def build_cnn(lib: Any, batch: int, side: int, filters: int, hidden: int) -> Task:
    """Training by Adam."""
    model = cnn_network(lib, side, filters, hidden)
    return classification(lib, model, lib.optim.Adam(model.parameters(), lr=1e-3, fused=True))


def predict_cnn(lib: Any, batch: int, side: int, filters: int, hidden: int) -> Task:
    """Prediction."""
    return prediction(cnn_network(lib, side, filters, hidden))


def cnn_forward_flop(batch: int, side: int, filters: int, hidden: int) -> int:
    """Both convolutions at full resolution, both linear layers."""
    first = convolution_flop(batch, side, 1, filters, 3)
    second = convolution_flop(batch, side, filters, 2 * filters, 3)
    flat = 2 * filters * (side // 2) ** 2
    return first + second + 2 * batch * (flat * hidden + hidden * 10)


def cnn_flop(batch: int, side: int, filters: int, hidden: int) -> int:
    """Forward pass times three, but images need no gradient."""
    first = convolution_flop(batch, side, 1, filters, 3)
    return 3 * cnn_forward_flop(batch, side, filters, hidden) - first


def build_resnet(lib: Any, batch: int, side: int, width: int) -> Task:
    """ResNet-18 for small images: a 3×3 stem, four groups of two blocks (He et al., 2015)."""
    nn = lib.nn

    class BasicBlock(nn.Module):
        def __init__(self, inputs: int, channels: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.downsample = None
            if stride != 1 or inputs != channels:
                shortcut = nn.Conv2d(inputs, channels, 1, stride=stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

        def forward(self, x: Any) -> Any:
            shortcut = x if self.downsample is None else self.downsample(x)
            out = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(out)) + shortcut)

    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for inputs, channels, stride in resnet_groups(width):
        layers += [BasicBlock(inputs, channels, stride), BasicBlock(channels, channels, 1)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, 10)]
    model = nn.Sequential(*layers)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    return classification(lib, model, optimizer)


def resnet_groups(width: int) -> list[tuple[int, int, int]]:
    """(channels before, channels, stride) of each group of two blocks."""
    wide = [width, width, 2 * width, 4 * width, 8 * width]
    return [(wide[i], wide[i + 1], 1 if i == 0 else 2) for i in range(4)]


def resnet_flop(batch: int, side: int, width: int) -> int:
    """Forward pass times three, but images need no gradient; a group is four 3×3 convolutions
    and, where it changes the shape, one of 1×1."""
    stem = convolution_flop(batch, side, 3, width, 3)
    forward = stem + 2 * batch * 8 * width * 10
    for inputs, channels, stride in resnet_groups(width):
        side = -(-side // stride)
        forward += convolution_flop(batch, side, inputs, channels, 3)
        forward += 3 * convolution_flop(batch, side, channels, channels, 3)
        if stride != 1:
            forward += convolution_flop(batch, side, inputs, channels, 1)
    return 3 * forward - stem


def build_depthwise(lib: Any, batch: int, side: int, width: int) -> Task:
    """A stem and ten separable blocks: a 3×3 filter for each channel, then a 1×1 convolution, each
    with batch norm and ReLU (after Howard et al., "MobileNets", 2017)."""
    nn = lib.nn
    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for inputs, channels, stride in depthwise_blocks(width):
        each = nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False)
        layers += [each, nn.BatchNorm2d(inputs), nn.ReLU()]
        mixing = nn.Conv2d(inputs, channels, 1, bias=False)
        layers += [mixing, nn.BatchNorm2d(channels), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, 10)]
    model = nn.Sequential(*layers)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    return classification(lib, model, optimizer)


def depthwise_blocks(width: int) -> list[tuple[int, int, int]]:
    """(channels before, channels, stride) of each block."""
    a, b, c, d = width, 2 * width, 4 * width, 8 * width
    return [(a, b, 1), (b, b, 1), (b, c, 2), (c, c, 1), (c, c, 1), (c, d, 2)] + 4 * [(d, d, 1)]


def depthwise_flop(batch: int, side: int, width: int) -> int:
    """Forward pass times three, but images need no gradient."""
    stem = convolution_flop(batch, side, 3, width, 3)
    forward = stem + 2 * batch * 8 * width * 10
    for inputs, channels, stride in depthwise_blocks(width):
        side = -(-side // stride)
        forward += convolution_flop(batch, side, inputs, inputs, 3, groups=inputs)
        forward += convolution_flop(batch, side, inputs, channels, 1)
    return 3 * forward - stem


# ---- sequences ----------------------------------------------------------------------------------


def text(count: int, shape: tuple[int, int], tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """Random token ids (count, *shape) int64, and as many to be predicted."""
    random = np.random.default_rng(1)
    return random.integers(0, tokens, (count, *shape)), random.integers(0, tokens, (count, *shape))


def build_lstm(lib: Any, words: int, features: int, length: int, batch: int) -> Task:
    """A language model of two LSTM layers, time first; plain SGD (after Zaremba et al., 2014)."""
    nn = lib.nn

    class LanguageModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(words, features)
            self.lstm = nn.LSTM(features, features, num_layers=2)
            self.scores = nn.Linear(features, words)

        def forward(self, ids: Any) -> Any:
            return self.scores(self.lstm(self.embedding(ids))[0])

    model = LanguageModel()

    def loss(x: Any, y: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(x).reshape(-1, words), y.reshape(-1))

    return Task(model, lib.optim.SGD(model.parameters(), lr=0.5, fused=True), loss)


def lstm_flop(words: int, features: int, length: int, batch: int) -> int:
    """Two layers of four gates over input and state, and the scores; forward pass times three."""
    rows = length * batch
    layer = 2 * rows * 2 * features * 4 * features
    return 3 * (2 * layer + 2 * rows * features * words)


def build_gru(lib: Any, inputs: int, features: int, length: int, batch: int) -> Task:
    """Two GRU layers, time first; the last state is classified; SGD."""
    nn = lib.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(inputs, features, num_layers=2)
            self.scores = nn.Linear(features, 10)

        def forward(self, x: Any) -> Any:
            return self.scores(self.gru(x)[0][-1])

    model = Classifier()
    optimizer = lib.optim.SGD(model.parameters(), lr=0.1, fused=True)
    return classification(lib, model, optimizer)


def gru_batches(
    count: int, inputs: int, features: int, length: int, batch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Noise (count, length, batch, inputs) and classes (count, batch)."""
    random = np.random.default_rng(1)
    x = random.standard_normal((count, length, batch, inputs)).astype(np.float32)
    return x, random.integers(0, 10, (count, batch))


def gru_flop(inputs: int, features: int, length: int, batch: int) -> int:
    """Three gates over input and state in each layer; forward pass times three, but what comes in
    needs no gradient."""
    rows, gates = length * batch, 3 * features
    first = 2 * rows * inputs * gates
    recurrent = 2 * rows * features * gates
    return 3 * (first + 3 * recurrent + 2 * batch * features * 10) - first


class Growing:
    """Keys and values of one layer, longer with every token."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib
        self.past: Any = None

    def add(self, k: Any, v: Any, position: Any) -> tuple[Any, Any, Any]:
        """All keys and values (N, H, positions so far, E/H), and no mask."""
        if self.past is not None:
            k = self.lib.cat([self.past[0], k], 2)
            v = self.lib.cat([self.past[1], v], 2)
        self.past = k, v
        return k, v, None


class Fixed:
    """Keys and values of one layer, with place for all positions, so that no shape changes."""

    def __init__(self, lib: Any, heads: int, length: int, width: int) -> None:
        self.k, self.v = (lib.zeros(1, heads, length, width) for _ in range(2))
        self.positions = lib.arange(length)

    def add(self, k: Any, v: Any, position: Any) -> tuple[Any, Any, Any]:
        """All keys and values (N, H, length, E/H), and which of them there are (1, length)."""
        self.k.index_copy_(2, position, k)
        self.v.index_copy_(2, position, v)
        return self.k, self.v, (self.positions <= position).unsqueeze(0)


def gpt_network(lib: Any, layers: int, heads: int, width: int, context: int, tokens: int) -> Any:
    """A GPT with nanoGPT's names (Radford et al., 2019; Karpathy, 2022)."""
    nn, functional = lib.nn, lib.nn.functional

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x: Any, cache: Any, position: Any) -> Any:
            n, t, e = x.shape
            q, k, v = (
                p.reshape(n, t, heads, -1).transpose(1, 2) for p in self.c_attn(x).split(e, 2)
            )
            attend = functional.scaled_dot_product_attention
            if cache is None:
                y = attend(q, k, v, is_causal=True)
            else:
                k, v, mask = cache.add(k, v, position)
                y = attend(q, k, v, attn_mask=mask)
            return self.c_proj(y.transpose(1, 2).reshape(n, t, e))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(width), Attention()
            self.ln_2 = nn.LayerNorm(width)
            self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any, cache: Any, position: Any) -> Any:
            x = x + self.attn(self.ln_1(x), cache, position)
            return x + self.c_proj(functional.gelu(self.c_fc(self.ln_2(x))))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(tokens, width), nn.Embedding(context, width)
            self.h = nn.ModuleList([Block() for _ in range(layers)])
            self.ln_f = nn.LayerNorm(width)

        def forward(self, ids: Any, caches: Any = None, position: Any = None) -> Any:
            where = self.wpe.weight if position is None else self.wpe(position)
            x = self.wte(ids) + where
            for i, block in enumerate(self.h):
                x = block(x, None if caches is None else caches[i], position)
            return functional.linear(self.ln_f(x), self.wte.weight)

    return GPT()


def build_gpt(
    lib: Any, layers: int, heads: int, width: int, context: int, tokens: int, batch: int
) -> Task:
    """Training by AdamW."""
    model = gpt_network(lib, layers, heads, width, context, tokens)

    def loss(x: Any, y: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(x).reshape(-1, tokens), y.reshape(-1))

    return Task(model, lib.optim.AdamW(model.parameters(), lr=1e-3, fused=True), loss)


def gpt_forward_flop(
    layers: int, heads: int, width: int, context: int, tokens: int, batch: int
) -> int:
    """Twelve width² products a token and layer, scores and mixtures over the whole context (half
    of which the causal mask throws away), and the scores of the tokens."""
    rows = batch * context
    block = 2 * rows * 12 * width * width + 2 * 2 * rows * context * width
    return layers * block + 2 * rows * width * tokens


def gpt_flop(layers: int, heads: int, width: int, context: int, tokens: int, batch: int) -> int:
    """Forward pass times three."""
    return 3 * gpt_forward_flop(layers, heads, width, context, tokens, batch)


def build_encdec(
    lib: Any, tokens: int, width: int, heads: int, layers: int, length: int, batch: int
) -> Task:
    """An encoder-decoder with attention, layer norms last (Vaswani et al., 2017); learned
    positions; SGD with momentum."""
    nn, functional = lib.nn, lib.nn.functional

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.positions = nn.Embedding(tokens, width), nn.Embedding(length, width)
            self.transformer = nn.Transformer(
                width, heads, layers, layers, 4 * width, dropout=0.0, batch_first=True
            )
            self.scores = nn.Linear(width, tokens)

        def forward(self, source: Any, target: Any) -> Any:
            x, y = (self.tokens(ids) + self.positions.weight for ids in (source, target))
            return self.scores(self.transformer(x, y, tgt_mask=mask, tgt_is_causal=True))

    mask = nn.Transformer.generate_square_subsequent_mask(length)
    model = Translator()

    def loss(source: Any, target: Any) -> Any:
        scores = model(source, target)
        return functional.cross_entropy(scores.reshape(-1, tokens), target.reshape(-1))

    optimizer = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    return Task(model, optimizer, loss)


def encdec_flop(tokens: int, width: int, heads: int, layers: int, length: int, batch: int) -> int:
    """An encoder layer has 4 width² products of attention and 8 of its network, a decoder layer 4
    more; three attentions over the whole length in each pair; the scores; times three."""
    rows = batch * length
    pair = 2 * rows * (12 + 16) * width * width + 3 * 2 * 2 * rows * length * width
    return 3 * (layers * pair + 2 * rows * width * tokens)


# ---- reinforcement learning ---------------------------------------------------------------------


def build_dqn(lib: Any, states: int, hidden: int, actions: int, batch: int) -> Task:
    """A step of deep Q-learning with a target network that follows slowly (Mnih et al., 2015;
    Lillicrap et al., 2015)."""
    nn, functional = lib.nn, lib.nn.functional

    def values() -> Any:
        return nn.Sequential(
            nn.Linear(states, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, actions),
        )

    model = nn.ModuleDict({"online": values(), "target": values()})
    online, target = model["online"], model["target"]
    optimizer = lib.optim.Adam(online.parameters(), lr=1e-3, fused=True)

    def loss(state: Any, action: Any, reward: Any, following: Any, goes_on: Any) -> Any:
        with lib.no_grad():
            expected = reward + 0.99 * goes_on * target(following).amax(1)
        chosen = online(state).gather(1, action.unsqueeze(1)).squeeze(1)
        return functional.huber_loss(chosen, expected)

    def follow() -> None:
        with lib.no_grad():
            for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
                slow.lerp_(fast, 0.005)

    return Task(model, optimizer, loss, follow)


def dqn_batches(
    count: int, states: int, hidden: int, actions: int, batch: int
) -> tuple[np.ndarray, ...]:
    """States, actions, rewards, following states, and 0 where an episode ended, otherwise 1."""
    random = np.random.default_rng(1)
    state, following = random.standard_normal((2, count, batch, states)).astype(np.float32)
    action = random.integers(0, actions, (count, batch))
    reward = random.standard_normal((count, batch)).astype(np.float32)
    return state, action, reward, following, (reward < 1).astype(np.float32)


def dqn_flop(states: int, hidden: int, actions: int, batch: int) -> int:
    """The target network forward, the other forward times three, but states need no gradient."""
    first = 2 * batch * states * hidden
    forward = first + 2 * batch * hidden * (hidden + actions)
    return 4 * forward - first


# ---- prediction ---------------------------------------------------------------------------------


def predict_mlp(lib: Any, inputs: int, first: int, second: int, batch: int) -> Task:
    """A network for digits, forward alone."""
    nn = lib.nn
    return prediction(
        nn.Sequential(
            nn.Linear(inputs, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, 10),
        )
    )


def predict_mlp_flop(inputs: int, first: int, second: int, batch: int) -> int:
    """Three linear layers."""
    return 2 * batch * (inputs * first + first * second + second * 10)


def predict_gpt(
    lib: Any,
    layers: int,
    heads: int,
    width: int,
    context: int,
    tokens: int,
    growing: bool = False,
) -> Task:
    """The likeliest next token, with keys and values of all earlier positions kept.

    ``loss(ids, position)`` takes one token (1, 1) and its position (1,); it returns the next token
    (1, 1) and the scores (1, tokens).
    """
    model = gpt_network(lib, layers, heads, width, context, tokens)
    model.eval()
    place = heads, context, width // heads
    caches = [Growing(lib) if growing else Fixed(lib, *place) for _ in range(layers)]

    def following(ids: Any, position: Any) -> tuple[Any, Any]:
        if growing and caches[0].past is not None and caches[0].past[0].shape[2] == context:
            for cache in caches:
                cache.past = None
        scores = model(ids, caches, position)[:, -1]
        return scores.argmax(-1, keepdim=True), scores

    return Task(model, None, following)


def predict_gpt_flop(layers: int, heads: int, width: int, context: int, tokens: int) -> int:
    """One position of a text that is on average half as long as the context."""
    return layers * (2 * 12 * width * width + 2 * 2 * context // 2 * width) + 2 * width * tokens
