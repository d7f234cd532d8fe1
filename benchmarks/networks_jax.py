"""The networks of ``networks.py`` in JAX: the whole step as one jitted function.

Parameters come from the state dict of ``networks_source.py`` under the same names; matrices are
turned to (in, out) and filters to (height, width, in, out), images to (N, H, W, C), once.  What is
given to a step (parameters, optimizer slots, running statistics, caches) is donated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

State = dict[str, Any]
EMBEDDINGS = ("embedding", "wte", "wpe", "tokens", "positions")
"""Tables that are read row by row: they keep their shape."""


def turned(state: dict[str, np.ndarray], flat: tuple[str, int, int] | None = None) -> State:
    """The state dict with JAX's layouts; ``flat`` = (name, channels, side) is a linear layer
    behind a flattened image, whose columns must follow the new order."""
    found = {}
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        if flat is not None and name == flat[0]:
            shaped = value.reshape(-1, flat[1], flat[2], flat[2]).transpose(0, 2, 3, 1)
            value = shaped.reshape(value.shape)
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif value.ndim == 2 and name.split(".")[-2] not in EMBEDDINGS:
            value = value.T
        found[name] = jnp.array(value)
    return found


def given(batch: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    """A batch with images as (N, H, W, C) and ids as int32."""
    arrays = (a.transpose(0, 2, 3, 1) if a.ndim == 4 else a for a in batch)
    return tuple(jnp.array(a.astype(np.int32) if a.dtype == np.int64 else a) for a in arrays)


# ---- layers -------------------------------------------------------------------------------------


def linear(p: State, name: str, x: Any) -> Any:
    return x @ p[name + ".weight"] + p[name + ".bias"]


def convolution(p: State, name: str, x: Any, stride: int = 1) -> Any:
    weight = p[name + ".weight"]
    border = (weight.shape[0] // 2,) * 2
    return lax.conv_general_dilated(
        x,
        weight,
        (stride, stride),
        (border, border),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def depthwise_convolution(p: State, name: str, x: Any, stride: int) -> Any:
    """A 3×3 filter for each channel as nine shifted products: XLA's own grouped convolution takes
    four to six times as long here, in either layout."""
    weight, (height, width) = p[name + ".weight"], x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + height : stride, j : j + width : stride] * weight[i, j, 0]
        for i in range(3)
        for j in range(3)
    )


def batch_norm(p: State, name: str, x: Any, new: State) -> Any:
    """Also writes the new running statistics into ``new``."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    count = x.size // x.shape[-1]
    for what, now in (("mean", mean), ("var", variance * count / (count - 1))):
        key = f"{name}.running_{what}"
        new[key] = lax.stop_gradient(0.9 * p[key] + 0.1 * now)
    scale = p[name + ".weight"] * lax.rsqrt(variance + 1e-5)
    return (x - mean) * scale + p[name + ".bias"]


def layer_norm(p: State, name: str, x: Any) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p[name + ".weight"] + p[name + ".bias"]


def attention(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    """(N, T, H, E) → (N, T, H, E)."""
    scores = jnp.einsum("nthe,nshe->nhts", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    return jnp.einsum("nhts,nshe->nthe", jax.nn.softmax(scores), v)


def cross_entropy(scores: Any, y: Any) -> Any:
    logs = jax.nn.log_softmax(scores)
    return -jnp.take_along_axis(logs, y[..., None], axis=-1).mean()


# ---- networks: loss(p, *batch) -> loss, new running statistics ----------------------------------


def cnn_scores(p: State, x: Any) -> Any:
    x = jax.nn.relu(convolution(p, "0", x) + p["0.bias"])
    x = jax.nn.relu(convolution(p, "2", x) + p["2.bias"])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(linear(p, "6", x.reshape(len(x), -1)))
    return linear(p, "8", x)


def cnn(p: State, x: Any, y: Any) -> tuple[Any, State]:
    return cross_entropy(cnn_scores(p, x), y), {}


def resnet(p: State, x: Any, y: Any) -> tuple[Any, State]:
    new: State = {}

    def block(x: Any, name: str, stride: int) -> Any:
        shortcut = x
        out = convolution(p, f"{name}.conv1", x, stride)
        out = jax.nn.relu(batch_norm(p, f"{name}.bn1", out, new))
        out = batch_norm(p, f"{name}.bn2", convolution(p, f"{name}.conv2", out), new)
        if f"{name}.downsample.0.weight" in p:
            shortcut = convolution(p, f"{name}.downsample.0", x, stride)
            shortcut = batch_norm(p, f"{name}.downsample.1", shortcut, new)
        return jax.nn.relu(out + shortcut)

    x = jax.nn.relu(batch_norm(p, "1", convolution(p, "0", x), new))
    for i in range(3, 11):
        x = block(x, str(i), 2 if i in (5, 7, 9) else 1)
    return cross_entropy(linear(p, "13", x.mean((1, 2))), y), new


def depthwise(p: State, x: Any, y: Any) -> tuple[Any, State]:
    new: State = {}

    def normalized(x: Any, i: int) -> Any:
        return jax.nn.relu(batch_norm(p, str(i + 1), x, new))

    x = normalized(convolution(p, "0", x), 0)
    for i in range(3, 63, 6):
        x = normalized(depthwise_convolution(p, str(i), x, 2 if i in (15, 33) else 1), i)
        x = normalized(convolution(p, str(i + 3), x), i + 3)
    return cross_entropy(linear(p, "65", x.mean((1, 2))), y), new


def recurrent(p: State, name: str, x: Any, cell: Callable[..., Any], states: int) -> Any:
    """One layer over (T, N, in): products with the input of all times at once, then a scan."""
    gates = x @ p[f"weight_ih_{name}"] + p[f"bias_ih_{name}"]
    weight, bias = p[f"weight_hh_{name}"], p[f"bias_hh_{name}"]

    def step(state: Any, now: Any) -> Any:
        state = cell(now, state[0] @ weight + bias, *state)
        return state, state[0]

    zeros = jnp.zeros((x.shape[1], weight.shape[0]), x.dtype)
    return lax.scan(step, (zeros,) * states, gates)[1]


def lstm_cell(now: Any, before: Any, h: Any, c: Any) -> tuple[Any, Any]:
    i, f, g, o = jnp.split(now + before, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_cell(now: Any, before: Any, h: Any) -> tuple[Any]:
    (ri, zi, ni), (rh, zh, nh) = jnp.split(now, 3, -1), jnp.split(before, 3, -1)
    z = jax.nn.sigmoid(zi + zh)
    n = jnp.tanh(ni + jax.nn.sigmoid(ri + rh) * nh)
    return ((1 - z) * n + z * h,)


def part(p: State, name: str) -> State:
    """The entries below a name, without it."""
    return {key[len(name) + 1 :]: value for key, value in p.items() if key.startswith(name + ".")}


def lstm(p: State, x: Any, y: Any) -> tuple[Any, State]:
    h = p["embedding.weight"][x]
    for name in ("l0", "l1"):
        h = recurrent(part(p, "lstm"), name, h, lstm_cell, 2)
    return cross_entropy(linear(p, "scores", h), y), {}


def gru(p: State, x: Any, y: Any) -> tuple[Any, State]:
    for name in ("l0", "l1"):
        x = recurrent(part(p, "gru"), name, x, gru_cell, 1)
    return cross_entropy(linear(p, "scores", x[-1]), y), {}


def gpt_blocks(p: State, x: Any, heads: int, attend: Callable[..., Any]) -> Any:
    """(N, T, E) → scores (N, T, tokens); ``attend(layer, q, k, v)`` mixes."""
    layers = 1 + max(int(name.split(".")[1]) for name in p if name.startswith("h."))
    for i in range(layers):
        here, n, t = part(p, f"h.{i}"), x.shape[0], x.shape[1]
        packed = linear(here, "attn.c_attn", layer_norm(here, "ln_1", x))
        q, k, v = (a.reshape(n, t, heads, -1) for a in jnp.split(packed, 3, -1))
        x = x + linear(here, "attn.c_proj", attend(i, q, k, v).reshape(x.shape))
        hidden = linear(here, "c_fc", layer_norm(here, "ln_2", x))
        x = x + linear(here, "c_proj", jax.nn.gelu(hidden, approximate=False))
    return layer_norm(p, "ln_f", x) @ p["wte.weight"].T


def gpt(heads: int) -> Callable[..., Any]:
    def loss(p: State, x: Any, y: Any) -> tuple[Any, State]:
        mask = jnp.tri(x.shape[1], dtype=bool)
        embedded = p["wte.weight"][x] + p["wpe.weight"]
        scores = gpt_blocks(p, embedded, heads, lambda i, q, k, v: attention(q, k, v, mask))
        return cross_entropy(scores, y), {}

    return loss


def encdec(heads: int, layers: int) -> Callable[..., Any]:
    def attend(p: State, name: str, x: Any, memory: Any, mask: Any = None) -> Any:
        weight, bias = p[f"{name}.in_proj_weight"], p[f"{name}.in_proj_bias"]
        width = x.shape[-1]
        packed = [
            source @ weight[:, i * width : (i + 1) * width] + bias[i * width : (i + 1) * width]
            for i, source in enumerate((x, memory, memory))
        ]
        q, k, v = (a.reshape(*a.shape[:2], heads, -1) for a in packed)
        return linear(p, f"{name}.out_proj", attention(q, k, v, mask).reshape(x.shape))

    def network(p: State, norm: str, x: Any) -> Any:
        return layer_norm(p, norm, x + linear(p, "linear2", jax.nn.relu(linear(p, "linear1", x))))

    def loss(p: State, source: Any, target: Any) -> tuple[Any, State]:
        x, y = (p["tokens.weight"][ids] + p["positions.weight"] for ids in (source, target))
        for i in range(layers):
            here = part(p, f"transformer.encoder.layers.{i}")
            x = network(
                here, "norm2", layer_norm(here, "norm1", x + attend(here, "self_attn", x, x))
            )
        x = layer_norm(p, "transformer.encoder.norm", x)
        mask = jnp.tri(y.shape[1], dtype=bool)
        for i in range(layers):
            here = part(p, f"transformer.decoder.layers.{i}")
            y = layer_norm(here, "norm1", y + attend(here, "self_attn", y, y, mask))
            y = layer_norm(here, "norm2", y + attend(here, "multihead_attn", y, x))
            y = network(here, "norm3", y)
        y = layer_norm(p, "transformer.decoder.norm", y)
        return cross_entropy(linear(p, "scores", y), target), {}

    return loss


def dqn(p: State, state: Any, action: Any, reward: Any, following: Any, goes_on: Any) -> Any:
    def values(name: str, x: Any) -> Any:
        for i in ("0", "2"):
            x = jax.nn.relu(linear(p, f"{name}.{i}", x))
        return linear(p, f"{name}.4", x)

    expected = lax.stop_gradient(reward + 0.99 * goes_on * values("target", following).max(1))
    chosen = jnp.take_along_axis(values("online", state), action[:, None], axis=1)[:, 0]
    far = jnp.abs(chosen - expected)
    return jnp.where(far < 1, 0.5 * far * far, far - 0.5).mean(), {}


def follow(state: State) -> State:
    """The target network comes a little nearer to the other."""
    near = {n: v + 0.005 * (state["online" + n[6:]] - v) for n, v in state.items() if n[0] == "t"}
    return state | near


# ---- optimizers: (update(parameter, gradient, slots, count) -> parameter, slots), slots ---------


def sgd(rate: float, momentum: float = 0.0) -> tuple[Callable[..., Any], int]:
    def update(w: Any, g: Any, slots: Any, count: Any) -> Any:
        if not momentum:
            return w - rate * g, ()
        velocity = momentum * slots[0] + g
        return w - rate * velocity, (velocity,)

    return update, int(momentum > 0)


def adam(rate: float, decay: float = 0.0) -> tuple[Callable[..., Any], int]:
    def update(w: Any, g: Any, slots: Any, count: Any) -> Any:
        first = 0.9 * slots[0] + 0.1 * g
        second = 0.999 * slots[1] + 0.001 * g * g
        root = jnp.sqrt(second / (1 - 0.999**count)) + 1e-8
        step = first / (1 - 0.9**count) / root
        return w * (1 - rate * decay) - rate * step, (first, second)

    return update, 2


# ---- steps --------------------------------------------------------------------------------------

Batches = Iterable[tuple[np.ndarray, ...]]


class Training:
    """A jitted step: loss, gradients, update."""

    def __init__(
        self,
        loss: Callable[..., Any],
        optimizer: tuple[Callable[..., Any], int],
        state: State,
        batches: Batches,
        after: Callable[[State], State] | None = None,
    ) -> None:
        update, slots = optimizer
        fixed = ("running_mean", "running_var")
        learned = [n for n in state if not n.endswith(fixed) and not n.startswith("target")]

        def step(state: State, kept: Any, count: Any, *batch: Any) -> Any:
            others = {n: v for n, v in state.items() if n not in learned}

            def of(p: State) -> Any:
                return loss(p | others, *batch)

            parameters = {n: state[n] for n in learned}
            (value, new), gradients = jax.value_and_grad(of, has_aux=True)(parameters)
            count, after_step = count + 1, {}
            for name in learned:
                state[name], after_step[name] = update(
                    state[name], gradients[name], kept[name], count
                )
            state = state | new
            return (after(state) if after else state), after_step, count, value

        self.step = jax.jit(step, donate_argnums=(0, 1, 2))
        kept = {n: tuple(jnp.zeros_like(state[n]) for _ in range(slots)) for n in learned}
        self.state: Any = (state, kept, jnp.zeros((), jnp.float32))
        self.batches = [given(batch) for batch in batches]

    def run(self, turns: int) -> float:
        """So many steps; the last loss."""
        state, step, batches = self.state, self.step, self.batches
        for turn in range(turns):
            *state, loss = step(*state, *batches[turn % len(batches)])
        self.state = state
        return float(loss)


class Prediction:
    """A jitted forward pass; the mean of squares of the scores stands for the loss."""

    def __init__(self, scores: Callable[..., Any], state: State, batches: Batches) -> None:
        self.scores, self.state = jax.jit(scores), state
        self.batches = [given(batch) for batch in batches]

    def run(self, turns: int) -> float:
        """So many predictions; of the last the mean of squares."""
        scores, state, batches = self.scores, self.state, self.batches
        for turn in range(turns):
            found = scores(state, *batches[turn % len(batches)])
            found.block_until_ready()
        return float((found * found).mean())


def mlp_scores(p: State, x: Any) -> Any:
    for i in ("0", "2"):
        x = jax.nn.relu(linear(p, i, x))
    return linear(p, "4", x)


class Writing:
    """A text token by token, one jitted call each, keys and values kept in donated arrays."""

    def __init__(self, state: State, layers: int, heads: int, width: int, context: int) -> None:
        shape = (layers, 2, 1, context, heads, width // heads)
        self.context, self.state = context, state

        def following(p: State, caches: Any, ids: Any, position: Any) -> Any:
            def attend(i: int, q: Any, k: Any, v: Any) -> Any:
                nonlocal caches
                both = jnp.stack([k, v])[None]
                caches = lax.dynamic_update_slice(caches, both, (i, 0, 0, position, 0, 0))
                mask = jnp.arange(context) <= position
                return attention(q, caches[i, 0], caches[i, 1], mask)

            x = p["wte.weight"][ids] + p["wpe.weight"][position]
            scores = gpt_blocks(p, x, heads, attend)[:, -1]
            return caches, scores.argmax(-1, keepdims=True).astype(jnp.int32), scores

        self.following = jax.jit(following, donate_argnums=1)
        self.caches = jnp.zeros(shape, jnp.float32)

    def run(self, turns: int) -> float:
        """So many texts; the mean of squares of the last scores."""
        for _ in range(turns):
            ids = jnp.zeros((1, 1), jnp.int32)
            for position in range(self.context):
                self.caches, ids, scores = self.following(self.state, self.caches, ids, position)
                int(ids[0, 0])
        return float((scores * scores).mean())


def contestant(name: str, sizes: dict[str, int], state: dict[str, np.ndarray], batches: Batches):  # type: ignore[no-untyped-def]
    """The JAX contestant of a network of ``networks.py``, or None where there is none."""
    if name in ("cnn", "predict-cnn"):
        state = turned(state, ("6.weight", 2 * sizes["filters"], sizes["side"] // 2))
    else:
        state = turned(state)
    momentum = sgd(0.01, 0.9)
    if name in ("nanogpt", "gpt256"):
        return Training(gpt(sizes["heads"]), adam(1e-3, 0.01), state, batches)
    if name == "encdec":
        loss = encdec(sizes["heads"], sizes["layers"])
        return Training(loss, momentum, state, batches)
    if name == "predict-gpt":
        return Writing(state, *(sizes[n] for n in ("layers", "heads", "width", "context")))
    if name in ("predict-cnn", "predict-mlp"):
        return Prediction(cnn_scores if name == "predict-cnn" else mlp_scores, state, batches)
    simple = {
        "cnn": (cnn, adam(1e-3)),
        "resnet18": (resnet, momentum),
        "depthwise": (depthwise, momentum),
        "lstm": (lstm, sgd(0.5)),
        "gru": (gru, sgd(0.1)),
        "dqn": (dqn, adam(1e-3)),
    }
    if name not in simple:
        return None
    return Training(*simple[name], state, batches, follow if name == "dqn" else None)
