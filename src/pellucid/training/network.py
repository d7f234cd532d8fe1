"""From settings and a task to the parts of a training run: network, loss, optimizer, schedule,
and the head that turns outputs into predictions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import Tensor, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.input_layout import InputLayout
from pellucid.data.tasks import Task, TaskKind
from pellucid.nn import functional
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import arange
from pellucid.tensor.random import rand
from pellucid.tensor.shaping import cat, stack
from pellucid.training.config import (
    ACTIVATIONS,
    DEFAULT_EPOCHS,
    DEFAULT_PATIENCE,
    OPTIMIZERS,
    TrainingConfig,
)
from pellucid.training.weighting import focal_loss
from pellucid.training.word_reader import WordReader, reader_shapes

# The gain by which an initialization allows for the activation after it (He and others, 2015;
# Klambauer and others, 2017, for SELU). Smooth relatives of ReLU take ReLU's gain.
_GAIN_NAMES = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "selu": "selu",
    "leaky_relu": "leaky_relu",
    "identity": "linear",
}


def build_network(
    shape: Sequence[int], config: TrainingConfig, outputs: int, kind: TaskKind | None = None
) -> nn.Module:
    """The network that ``config`` describes (see ``build_single``), or where there are several
    (``config.ensemble``), the network that averages theirs, for a task of this ``kind``."""
    if config.ensemble == 1:
        return build_single(shape, config, outputs)
    if kind is None:
        raise ArgumentError("An ensemble needs to know the task", "Give its kind.")
    networks = [build_single(shape, config, outputs) for _ in range(config.ensemble)]
    return Averaged(networks, kind)


class Averaged(nn.Module):
    """Several networks whose predictions are averaged: probabilities, or numbers in a regression.

    Input as of each network, output (rows, outputs): the scores whose probabilities are the means
    of theirs.  For one class of several log(mean of softmax), for yes or no the logit of the mean
    of sigmoids, each computed from logarithms, so that nothing overflows.
    """

    def __init__(self, networks: Sequence[nn.Module], kind: TaskKind) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """(rows, …) → (rows, outputs)."""
        scores = stack([network(x) for network in self.networks])  # (networks, rows, outputs)
        if self.kind == "regression":
            return scores.mean(0)
        if self.kind == "multiclass":
            shares = functional.log_softmax(scores, dim=-1)
            return shares.logsumexp(0) - math.log(len(self.networks))
        yes, no = functional.logsigmoid(scores), functional.logsigmoid(-scores)
        return yes.logsumexp(0) - no.logsumexp(0)

    def extra_repr(self) -> str:
        """What is averaged, for printing."""
        return f"kind={self.kind!r}"


def build_single(shape: Sequence[int], config: TrainingConfig, outputs: int) -> nn.Sequential:
    """The network that ``config`` describes, for rows that are ``shape``: (features,), or an
    image's (height, width) or (height, width, channels), flattened, or an ``InputLayout``, whose
    codes are looked up and whose pictures are seen first.

    Input (rows, features), output (rows, outputs): scores before sigmoid or softmax (see
    ``apply_head``).  Raises ``ArgumentError`` where a ``cnn`` is to see something else than images.
    """
    if config.model == "cnn":
        return build_cnn(shape, config, outputs)
    if isinstance(shape, InputLayout):
        return nn.Sequential(
            Lookups(shape, config), *_hidden(seen_width(shape, config), config, outputs)
        )
    return build_mlp(math.prod(shape), config, outputs)


def build_mlp(inputs: int, config: TrainingConfig, outputs: int) -> nn.Sequential:
    """A multi-layer perceptron: Linear, activation and dropout for each hidden layer, and a
    Linear output layer.

    Input (rows, inputs), output (rows, outputs).  Depth and widths are ``config.widths``; weights
    start by ``config.initialization`` from the default generator, biases at zero.
    """
    return nn.Sequential(*_hidden(inputs, config, outputs))


def build_cnn(shape: Sequence[int], config: TrainingConfig, outputs: int) -> nn.Sequential:
    """A convolutional network: 3×3 convolution, perhaps normalization, activation and 2×2 max
    pooling for each of ``config.channels``, then the layers of ``build_mlp``.

    Input (rows, pixels) of images (height, width) or (height, width, channels), output
    (rows, outputs).
    """
    sizes = image_sizes(shape, config)
    layers: list[Any] = [Images(shape)]
    if config.shift:
        layers.append(RandomShift(config.shift))
    layers += _convolutions(shape, config)
    inputs = _last_channels(shape, config) * math.prod(sizes[-1])
    return nn.Sequential(*layers, nn.Flatten(), *_hidden(inputs, config, outputs))


def _last_channels(shape: Sequence[int], config: TrainingConfig) -> int:
    """The channels after all convolutions, the image's own where there are none."""
    own = shape[2] if len(shape) == 3 else 1
    return config.channels[-1] if config.channels else own


def _convolutions(shape: Sequence[int], config: TrainingConfig) -> list[Any]:
    """The layers up to the last pooling."""
    layers: list[Any] = []
    before, normalized = shape[2] if len(shape) == 3 else 1, config.normalization == "batch"
    for channels in config.channels:
        with nn.init.values_later():
            convolution = nn.Conv2d(before, channels, 3, padding=1, bias=not normalized)
        initialize(convolution, config.initialization, config.activation)
        layers.append(convolution)
        if normalized:
            layers.append(nn.BatchNorm2d(channels))
        layers += [getattr(nn, ACTIVATIONS[config.activation])(), nn.MaxPool2d(2)]
        before = channels
    return layers


def image_sizes(shape: Sequence[int], config: TrainingConfig) -> list[tuple[int, int]]:
    """Height and width of the image, and after each convolution with its pooling.

    Raises ``ArgumentError`` for shapes that are no image's, and for more convolutions than the
    image can be halved.
    """
    if len(shape) not in (2, 3):
        raise ArgumentError(
            f"model='cnn' is for images, the rows have shape {tuple(shape)}",
            "Use the model mlp for tables.",
        )
    sizes = [(shape[0], shape[1])]
    for _ in config.channels:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    if min(sizes[-1]) < 1:
        most = min(shape[0], shape[1]).bit_length() - 1
        raise ArgumentError(
            f"channels={config.channels} has {len(config.channels)} convolutions, each of which "
            f"halves the image; {shape[0]}×{shape[1]} can be halved {most} times",
            f"Use at most {most} convolutions.",
        )
    return sizes


class Lookups(nn.Module):
    """Rows of numbers, codes and pixels as numbers alone: codes become vectors that are learned,
    pictures what a ``PictureReader`` of ``config`` sees.

    Input (N, entries) as ``layout`` says, output (N, ``seen_width(layout, config)``): the numbers,
    the vector of each category, for each text the mean of the vectors of its words, or what a
    ``WordReader`` makes of them where their order counts, and each picture's channels.  Vectors
    start small and normal; that of code 0, which stands for what training does not know, starts at
    zero.
    """

    def __init__(self, layout: InputLayout, config: TrainingConfig | None = None) -> None:
        super().__init__()
        self.layout = layout
        self.tables = nn.ModuleList()
        for lookup in layout.lookups:
            if lookup.ordered:
                self.tables.append(WordReader(lookup))
                continue
            table = nn.Embedding(lookup.rows, lookup.width)
            nn.init.normal_(table.weight, 0.0, 0.05 if lookup.slots == 1 else 0.2)
            with no_grad():
                table.weight[0] = 0.0
            self.tables.append(table)
        self.pictures = nn.ModuleList()
        for picture in layout.pictures:
            self.pictures.append(PictureReader(picture.shape, config or TrainingConfig()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, entries) → (N, width)."""
        parts = [x[:, : self.layout.numbers]] if self.layout.numbers else []
        for lookup, table in zip(self.layout.lookups, self.tables, strict=True):
            codes = x[:, lookup.start : lookup.start + lookup.slots].long()
            vectors = table(codes)  # (N, slots, width); of a reader (N, width)
            if lookup.ordered:
                parts.append(vectors)
            elif lookup.slots > 1:
                real = (codes > 0).to(vectors.dtype)  # (N, slots)
                vectors = (vectors * real.unsqueeze(2)).sum(1)
                parts.append(vectors / real.sum(1, keepdim=True).clamp(min=1.0))
            else:
                parts.append(vectors[:, 0])
        for picture, reader in zip(self.layout.pictures, self.pictures, strict=True):
            parts.append(reader(x[:, picture.start : picture.start + picture.pixels]))
        return cat(parts, 1)

    def extra_repr(self) -> str:
        """How many numbers go in and come out, for printing."""
        return f"{self.layout[0]} entries, {self.layout.numbers} of them numbers"


class PictureReader(nn.Sequential):
    """The pixels of a picture as one number for each channel of the last convolution.

    The convolutions of ``build_cnn``, then the mean over all places (Lin and others, "Network in
    network", 2014).  Input (N, pixels) of pictures of ``shape``, output (N, last of
    ``config.channels``).
    """

    def __init__(self, shape: Sequence[int], config: TrainingConfig) -> None:
        image_sizes(shape, config)  # raises where it cannot be halved so often
        layers = [Images(shape), *_convolutions(shape, config)]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def seen_width(layout: InputLayout, config: TrainingConfig) -> int:
    """How many numbers ``Lookups(layout, config)`` makes of a row."""
    return layout.width + sum(_last_channels(one.shape, config) for one in layout.pictures)


class Images(nn.Module):
    """Rows of pixels as images, channels first: (N, H·W·C) → (N, C, H, W).

    ``shape`` is (height, width), with one channel, or (height, width, channels).
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = (*shape, 1) if len(shape) == 2 else tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H·W·C) → (N, C, H, W)."""
        return x.reshape(-1, *self.shape).permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        """The images' shape, for printing."""
        return f"shape={self.shape}"


class RandomShift(nn.Module):
    """In training, moves each image by up to ``most`` pixels along both axes, each distance equally
    likely; what comes in from outside repeats the edge.  In evaluation images stay as they are.

    (N, C, H, W) → (N, C, H, W).
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        if not self.training:
            return x
        for axis in (2, 3):
            extent = x.shape[axis]
            distance = (rand(x.shape[0]) * (2 * self.most + 1)).floor().long() - self.most
            places = (arange(extent) + distance.unsqueeze(1)).clamp(0, extent - 1)  # (N, extent)
            shape = (x.shape[0], 1, extent, 1) if axis == 2 else (x.shape[0], 1, 1, extent)
            x = x.gather(axis, places.reshape(shape).expand(x.shape))
        return x

    def extra_repr(self) -> str:
        """The largest distance, for printing."""
        return f"most={self.most}"


def _hidden(inputs: int, config: TrainingConfig, outputs: int) -> list[Any]:
    """The layers of a multi-layer perceptron."""
    layers: list[Any] = []
    before = inputs
    for width in config.widths:
        with nn.init.values_later():
            linear = nn.Linear(before, width)
        initialize(linear, config.initialization, config.activation)
        layers += [linear, getattr(nn, ACTIVATIONS[config.activation])()]
        if config.dropout:
            layers.append(nn.Dropout(config.dropout))
        before = width
    with nn.init.values_later():
        output = nn.Linear(before, outputs)
    initialize(output, config.initialization, "identity")
    return [*layers, output]


def parameter_shapes(
    shape: int | Sequence[int], config: TrainingConfig, outputs: int
) -> dict[str, tuple[int, ...]]:
    """Shape of each of ``kept_tensors`` of ``build_network``'s network by its state-dict name,
    without building it; ``shape`` is that of a row, or a number of features."""
    if config.ensemble > 1:
        one = parameter_shapes(shape, dataclasses.replace(config, ensemble=1), outputs)
        return {
            f"networks.{number}.{name}": extents
            for number in range(config.ensemble)
            for name, extents in one.items()
        }
    row = (shape,) if isinstance(shape, int) else tuple(shape)
    shapes: dict[str, tuple[int, ...]] = {}
    position, before = 0, math.prod(row)
    if config.model == "cnn":
        shapes, position = _convolution_shapes(row, config, 2 if config.shift else 1)
        places = math.prod(image_sizes(row, config)[-1])
        position, before = position + 1, _last_channels(row, config) * places
    elif isinstance(shape, InputLayout):
        for number, lookup in enumerate(shape.lookups):
            own = (
                reader_shapes(lookup) if lookup.ordered else {"weight": (lookup.rows, lookup.width)}
            )
            shapes.update({f"0.tables.{number}.{name}": shape for name, shape in own.items()})
        for number, picture in enumerate(shape.pictures):
            own, _ = _convolution_shapes(picture.shape, config, 1)
            shapes.update({f"0.pictures.{number}.{name}": shape for name, shape in own.items()})
        position, before = 1, seen_width(shape, config)
    for units in config.widths:
        _declare(shapes, position, (units, before), config)
        position += 3 if config.dropout else 2
        before = units
    shapes[f"{position}.weight"] = (outputs, before)
    shapes[f"{position}.bias"] = (outputs,)
    return shapes


def _convolution_shapes(
    shape: Sequence[int], config: TrainingConfig, position: int
) -> tuple[dict[str, tuple[int, ...]], int]:
    """The parameters of the convolutions of images of this shape from layer ``position`` on, and
    which layer comes after them."""
    image_sizes(shape, config)  # raises where it cannot be halved so often
    shapes: dict[str, tuple[int, ...]] = {}
    channels = shape[2] if len(shape) == 3 else 1
    for count in config.channels:
        weight = (count, channels, 3, 3)
        if config.normalization == "batch":
            shapes[f"{position}.weight"] = weight
            names = ("weight", "bias", "running_mean", "running_var")
            shapes.update({f"{position + 1}.{name}": (count,) for name in names})
            _declare_activation(shapes, position + 2, config)
            position += 1
        else:
            _declare(shapes, position, weight, config)
        position, channels = position + 3, count
    return shapes, position


def _declare(
    shapes: dict[str, tuple[int, ...]],
    position: int,
    weight: tuple[int, ...],
    config: TrainingConfig,
) -> None:
    """Adds the parameters of a layer and of the activation after it."""
    shapes[f"{position}.weight"] = weight
    shapes[f"{position}.bias"] = weight[:1]
    _declare_activation(shapes, position + 1, config)


def _declare_activation(
    shapes: dict[str, tuple[int, ...]], position: int, config: TrainingConfig
) -> None:
    if config.activation == "prelu":
        shapes[f"{position}.weight"] = (1,)


def kept_tensors(model: nn.Module) -> dict[str, Tensor]:
    """What a run folder keeps of a network, by state-dict names: parameters, and buffers of
    numbers, such as running means."""
    buffers = {n: b for n, b in model.named_buffers() if b.dtype.kind == "float"}
    return {**dict(model.named_parameters()), **buffers}


def initialize(linear: Any, method: str, activation: str) -> None:
    """Sets the weight of a Linear or convolution layer by ``method`` for the activation that
    follows it, and its bias to zero.

    He: variance gain²/inputs; Xavier: gain² · 2/(inputs + outputs); LeCun: 1/inputs (for a
    convolution: the inputs of one place, channels times 3·3);
    orthogonal: gain times a matrix with orthogonal rows or columns; normal: deviation 0.01.
    """
    name = _GAIN_NAMES.get(activation, "relu")
    gain = nn.init.calculate_gain(name)
    weight = linear.weight
    if method in ("he_normal", "he_uniform"):
        fill = nn.init.kaiming_normal_ if method == "he_normal" else nn.init.kaiming_uniform_
        fill(weight, a=0.01 if name == "leaky_relu" else 0, nonlinearity=name)
    elif method in ("xavier_normal", "xavier_uniform"):
        fill = nn.init.xavier_normal_ if method == "xavier_normal" else nn.init.xavier_uniform_
        fill(weight, gain=gain)
    elif method == "lecun_normal":
        nn.init.lecun_normal_(weight)
    elif method == "orthogonal":
        nn.init.orthogonal_(weight, gain=gain)
    elif method == "normal":
        nn.init.normal_(weight, 0.0, 0.01)
    else:
        nn.init.zeros_(weight)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)


def build_loss(name: str) -> Callable[[Any, Any], Any]:
    """The loss ``(scores, targets) → mean`` by its name in ``pellucid.nn.functional``; targets
    are what ``target_array`` gives."""
    if name == "focal_loss":
        return focal_loss
    if name == "soft_margin_loss":
        return _soft_margin
    found: Callable[[Any, Any], Any] = getattr(functional, name)
    return found


def _soft_margin(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    """The loss on targets 0 and 1, which are −1 and 1 to it."""
    return functional.soft_margin_loss(scores, targets * 2 - 1, reduction=reduction)


def build_optimizer(model: nn.Module, config: TrainingConfig) -> optim.Optimizer:
    """The optimizer of ``config``; weight decay and L1 act on weights, not on biases.  Layers taken
    from another run have a learning rate of their own."""
    make: Callable[..., optim.Optimizer] = getattr(optim, OPTIMIZERS[config.optimizer])
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    taken: frozenset[str] = getattr(model, "taken", frozenset())
    apart = bool(taken) and config.taken_rate != 1.0
    groups = _groups([one for one in named if not (apart and one[0] in taken)], config)
    if apart:
        kept = _groups([one for one in named if one[0] in taken], config)
        rate = config.learning_rate * config.taken_rate
        groups += [{**group, "lr": rate} for group in kept]
    groups = [group for group in groups if group["params"]]
    extra = {"momentum": config.momentum} if config.optimizer in ("sgd", "rmsprop") else {}
    return make(groups, lr=config.learning_rate, **extra)


def _groups(named: Sequence[tuple[str, Any]], config: TrainingConfig) -> list[dict[str, Any]]:
    """Parameters with the penalties of ``config``, which are for weights alone."""
    penalties = {"weight_decay": config.weight_decay, "l1": config.l1}
    if not any(penalties.values()):
        return [{"params": [parameter for _, parameter in named], **penalties}]
    weights = [p for name, p in named if name.endswith("weight") and len(p.shape) > 1]
    others = [p for name, p in named if not (name.endswith("weight") and len(p.shape) > 1)]
    free = {"weight_decay": 0.0, "l1": 0.0}
    return [{"params": weights, **penalties}, {"params": others, **free}]


def build_schedule(optimizer: Any, config: TrainingConfig, rows: int = 0) -> Any:
    """The learning-rate schedule of ``config`` for so many training rows, or None for ``constant``
    without ``warmup``.

    ``linear``, ``cosine`` and ``exponential`` fall to a hundredth over ``config.epochs``; ``step``
    divides by 10 after each third; ``plateau`` halves when the validation loss stops falling for
    half of the patience.  ``one_cycle`` rises for a fifth of all steps and falls along a cosine
    (Smith and Topin, 2019); it is advanced after every step, as is everything with ``warmup``, in
    which the rate rises from a hundredth.  Raises ``ArgumentError`` for ``warmup`` with
    ``plateau``, which has no steps, or ``one_cycle``, which begins with one of its own.
    """
    schedules = optim.lr_scheduler
    epochs = config.epochs or DEFAULT_EPOCHS
    batches = max(1, math.ceil(math.ceil(rows / config.batch_size) / config.accumulate))
    if config.schedule == "one_cycle":
        if config.warmup:
            raise ArgumentError(
                phrase(Setting("warmup", config.warmup), " with the schedule one_cycle"),
                "It begins with a warm-up of its own: leave this out.",
            )
        steps = max(2, epochs * batches)
        rates = [group["lr"] for group in optimizer.param_groups]
        most = rates[0] if len(set(rates)) == 1 else rates
        return schedules.OneCycleLR(
            optimizer, most, total_steps=steps, pct_start=0.2, cycle_momentum=False
        )
    warm = min(round(config.warmup * batches), epochs * batches - 1)
    if warm <= 0:
        return _falling(optimizer, config, epochs, 1)
    if config.schedule == "plateau":
        raise ArgumentError(
            phrase(Setting("warmup", config.warmup), " with the schedule plateau"),
            "It waits for epochs, and a warm-up counts steps: use cosine, or leave this out.",
        )
    rising = schedules.LinearLR(optimizer, 0.01, 1.0, total_iters=warm)
    after = _falling(optimizer, config, epochs - warm / batches, batches)
    if after is None:
        return rising
    return schedules.SequentialLR(optimizer, [rising, after], milestones=[warm])


def _falling(optimizer: Any, config: TrainingConfig, epochs: float, batches: int) -> Any:
    """What comes after a warm-up: ``epochs`` of ``batches`` steps of the schedule each."""
    schedules, steps = optim.lr_scheduler, max(1, round(epochs * batches))
    rate = config.learning_rate
    if config.schedule == "linear":
        return schedules.LinearLR(optimizer, 1.0, 0.01, total_iters=steps)
    if config.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimizer, steps, eta_min=rate / 100)
    if config.schedule == "exponential":
        return schedules.ExponentialLR(optimizer, 0.01 ** (1 / steps))
    if config.schedule == "step":
        return schedules.StepLR(optimizer, max(1, -(-steps // 3)))
    if config.schedule == "plateau":
        patience = DEFAULT_PATIENCE if config.patience is None else config.patience
        wait = max(1, patience // 2)
        return schedules.ReduceLROnPlateau(optimizer, factor=0.5, patience=wait)
    return None


def target_array(kind: TaskKind, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Targets as the losses take them: class numbers int64 (rows,) for multi-class, float32
    (rows, units) for everything else."""
    if kind == "multiclass":
        return np.ascontiguousarray(targets, np.int64)
    return np.ascontiguousarray(targets.reshape(len(targets), -1), np.float32)


def apply_head(kind: TaskKind, scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Predictions (rows, units) from the output layer's scores.

    Binary and multi-label: sigmoid, 1/(1 + exp(-s)), of each unit; multi-class: softmax over the
    units; regression: the scores themselves.  float64, and stable for scores of any size.
    """
    s = np.asarray(scores, np.float64)
    if kind == "regression":
        return s
    if kind == "multiclass":
        powers = np.exp(s - s.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    small = np.exp(-np.abs(s))
    return np.asarray(np.where(s >= 0, 1.0, small) / (1.0 + small))


def predictions_of(
    task: Task, scores: npt.NDArray[Any], scaler: Any, temperature: float = 1.0
) -> npt.NDArray[np.float64]:
    """What ``metrics`` takes: probabilities, of scores divided by ``temperature``, or for
    regression numbers in the data's units."""
    if temperature != 1.0:
        scores = np.asarray(scores, np.float64) / temperature
    values = apply_head(task.kind, scores)
    return np.asarray(scaler.inverse(values)) if scaler is not None else values


def describe_layers(shape: Sequence[int], config: TrainingConfig, task: Task) -> str:
    """One line: units of every layer, activation and head; ``shape`` is that of a row."""
    sizes = [math.prod(shape), *config.widths, task.output_units]
    units = [str(n) for n in sizes]
    if isinstance(shape, InputLayout) and config.model != "cnn":
        tables = [
            f"{one.rows:,} vectors of {one.width}" + (", a transformer" if one.ordered else "")
            for one in shape.lookups
        ]
        channels = "-".join(map(str, config.channels))
        seen = [
            f"{channels or one.channels} channels of {'×'.join(map(str, one.shape))} pixels"
            for one in shape.pictures
        ]
        units[0] = " + ".join([str(shape.numbers), *tables, *seen])
    if config.model == "cnn":
        places = image_sizes(shape, config)
        pairs = zip(config.channels, places[1:], strict=True)
        convolved = [f"{channels} of {high}×{wide}" for channels, (high, wide) in pairs]
        units = ["×".join(map(str, shape)), *convolved, *units[1:]]
    activation = f", {ACTIVATIONS[config.activation]}" if len(units) > 2 else ""
    many = f"{config.ensemble} × " if config.ensemble > 1 else ""
    return f"{many}{' → '.join(units)}{activation}, output: {task.output_layer}"
