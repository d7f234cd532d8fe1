"""Event files: written by tensorboardX, from tensors."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.base.extras import needs
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile
from pellucid.tensor.tensor import Tensor
from pellucid.utils.tensorboard.graphs import graph_definition
from pellucid.utils.tensorboard.values import as_array, number, picture, plain

Values = Tensor | np.ndarray | Sequence[Any] | float
Number = Tensor | np.ndarray | np.generic | float
HParam = bool | str | float | None | Tensor


class SummaryWriter:
    """Writes what happens in a training to an event file, which TensorBoard shows.

    ``log_dir``: the folder, by default ``runs/`` with date and computer, to which ``comment`` is
    added.  ``purge_step``: records from this step on, of a run that was broken off, are not
    shown.  Up to ``max_queue`` records wait, at most ``flush_secs`` seconds, until they are
    written.  ``filename_suffix`` ends the file's name.  Values are tensors (of any dtype, with or
    without a history), arrays or numbers.  A writer is closed by :meth:`close`, or as a context
    manager.

    Raises ``MissingPackageError`` (an ``ImportError``) where the extra ``tensorboard`` is not
    installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        with needs("tensorboard", "Writing records for TensorBoard"):
            import tensorboardX

        if not log_dir:
            moment = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{moment}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self._writer: Any = tensorboardX.SummaryWriter(
            logdir=self.log_dir,
            purge_step=purge_step,
            max_queue=max_queue,
            flush_secs=flush_secs,
            filename_suffix=filename_suffix,
        )

    def get_logdir(self) -> str:
        """The folder in which the event file is."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Number,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """One number at a step.

        ``walltime``: seconds since 1970, now unless given.  ``new_style`` and
        ``double_precision`` choose among forms of the record: accepted, without effect.
        """
        value = number("add_scalar", tag, scalar_value)
        self._writer.add_scalar(tag, value, _step(global_step), walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Number],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Several numbers for one diagram, each in a folder of its own under ``log_dir``."""
        values = {t: number("add_scalars", t, v) for t, v in tag_scalar_dict.items()}
        self._writer.add_scalars(main_tag, values, _step(global_step), walltime)

    def add_histogram(
        self,
        tag: str,
        values: Values,
        global_step: int | None = None,
        bins: str | Sequence[float] | np.ndarray = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """How values are distributed, in ``bins`` of growing width, NumPy's (a name such as
        "auto") or given by their edges."""
        array = as_array("add_histogram", values).reshape(-1)
        if not array.size or not np.isfinite(array.astype(np.float64)).all():
            what = "no values" if not array.size else "values that are not finite"
            raise ArgumentError(
                f"add_histogram got {what} for {tag!r}", "Give at least one value, all finite."
            )
        self._writer.add_histogram(tag, array, _step(global_step), plain(bins), walltime, max_bins)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: float,
        sum: float,
        sum_squares: float,
        bucket_limits: Values,
        bucket_counts: Values,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """A histogram that was counted already: upper limits of the bins, and their counts."""
        limits, counts = (as_array("add_histogram_raw", v) for v in (bucket_limits, bucket_counts))
        if limits.shape != counts.shape:
            raise ShapeError(
                f"add_histogram_raw got {limits.size} limits and {counts.size} counts",
                "Give one upper limit for each count.",
            )
        facts = [number("add_histogram_raw", tag, v) for v in (min, max, num, sum, sum_squares)]
        self._writer.add_histogram_raw(
            tag, *facts, limits.tolist(), counts.tolist(), _step(global_step), walltime
        )

    def add_image(
        self,
        tag: str,
        img_tensor: Values,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """A picture: uint8 from 0 to 255, or floats from 0 to 1, with 1, 3 or 4 channels.

        ``dataformats`` names the axes in their order: CHW, HWC or HW.
        """
        array = picture("add_image", img_tensor, dataformats)
        with needs("tensorboard", "Writing pictures"):
            self._writer.add_image(tag, array, _step(global_step), walltime, dataformats)

    def add_images(
        self,
        tag: str,
        img_tensor: Values,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Several pictures of one size, put together to one: NCHW, NHWC or as named."""
        array = picture("add_images", img_tensor, dataformats)
        with needs("tensorboard", "Writing pictures"):
            self._writer.add_images(tag, array, _step(global_step), walltime, dataformats)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Values,
        box_tensor: Values,
        global_step: int | None = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: Sequence[str] | None = None,
    ) -> None:
        """A picture with frames drawn on it: ``box_tensor`` (frames, 4) holds left, upper, right
        and lower ends in pixels; ``rescale`` is the factor of the picture's size."""
        array = picture("add_image_with_boxes", img_tensor, dataformats)
        boxes = as_array("add_image_with_boxes", box_tensor)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ShapeError(
                f"add_image_with_boxes got frames of shape {boxes.shape}", "Give (frames, 4)."
            )
        with needs("tensorboard", "Writing pictures"):
            self._writer.add_image_with_boxes(
                tag, array, boxes, _step(global_step), walltime, dataformats,
                None if labels is None else list(labels), rescale=rescale,
            )  # fmt: skip

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """A figure of matplotlib, or a list of them, as picture; closed afterwards."""
        with needs("plot", "Writing figures"):
            self._writer.add_figure(tag, figure, _step(global_step), close, walltime)

    def add_video(
        self,
        tag: str,
        vid_tensor: Values,
        global_step: int | None = None,
        fps: float = 4,
        walltime: float | None = None,
    ) -> None:
        """Moving pictures: (films, time, channels, height, width), values as for pictures.

        Needs the package moviepy as well.
        """
        array = picture("add_video", vid_tensor, "NTCHW")
        with needs("tensorboard", "Writing films"):
            self._writer.add_video(tag, array, _step(global_step), fps, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Values,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Sound: values from −1 to 1, (samples,) or (1, samples).

        Needs the package soundfile as well.
        """
        array = as_array("add_audio", snd_tensor).reshape(-1, 1)
        with needs("tensorboard", "Writing sound"):
            self._writer.add_audio(tag, array, _step(global_step), sample_rate, walltime)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """A text, in which Markdown is understood."""
        self._writer.add_text(tag, str(text_string), _step(global_step), walltime)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, HParam],
        metric_dict: Mapping[str, Number],
        hparam_domain_discrete: Mapping[str, Iterable[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Settings of a run and what came of them, for the table that compares runs.

        They go to a folder ``run_name`` (the time unless given) under ``log_dir``.
        ``hparam_domain_discrete`` (the values that a setting may have) is accepted, without effect.
        Raises ``ArgumentTypeError`` for values that are no number, text or truth.
        """
        for name, given in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict)):
            if not isinstance(given, Mapping):
                raise ArgumentTypeError(
                    f"add_hparams got a {type(given).__name__} as {name}", "Give a dictionary."
                )
        settings = {name: _setting(name, value) for name, value in hparam_dict.items()}
        metrics = {name: number("add_hparams", name, v) for name, v in metric_dict.items()}
        self._writer.add_hparams(settings, metrics, run_name, _step(global_step))

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """The network as Pellucid's own graph: what it computes of ``input_to_model``.

        The model (a module or function) is traced on this input, a tensor or a tuple of them,
        without changing it; each operation is a box, with shape and dtype, inside of the box of
        its layer.  ``verbose`` prints the graph as text.  Raises ``ArgumentError`` without input,
        and ``TraceError`` where the model needs values in Python.
        """
        if input_to_model is None:
            raise ArgumentError(
                "add_graph got no input, and a network's graph depends on its shape",
                "Pass a batch: add_graph(model, x).",
            )
        given = input_to_model if isinstance(input_to_model, tuple) else (input_to_model,)
        traced = compile(lambda *args: model(*args), backend="reference")
        state = _state_of(model)
        before = [value.detach().clone() for value in state]
        with no_grad():
            traced(*given)
            for value, kept in zip(state, before, strict=True):  # running statistics
                value.copy_(kept)
        graph = traced.graph()
        if verbose:
            print(graph)
        names = {i: str(n.settings.get("name") or f"input_{i}") for i, n in enumerate(graph.inputs)}
        definition = graph_definition(graph, names).SerializeToString()
        with needs("tensorboard", "Drawing graphs for TensorBoard"):
            from tensorboardX.proto.event_pb2 import Event

        self._writer._get_file_writer().add_event(Event(graph_def=definition))

    def add_embedding(
        self,
        mat: Values,
        metadata: Sequence[Any] | None = None,
        label_img: Values | None = None,
        global_step: int | None = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Points for the projector: ``mat`` (points, features).

        ``metadata`` has a label for each point, or with ``metadata_header`` a list of them,
        ``label_img`` (points, channels, size, size) a square picture.
        """
        points = as_array("add_embedding", mat)
        if points.ndim != 2:
            raise ShapeError(
                f"add_embedding got points of shape {points.shape}", "Give (points, features)."
            )
        labels = None if metadata is None else list(plain(metadata))
        if labels is not None and len(labels) != len(points):
            raise ShapeError(
                f"add_embedding got {len(labels)} labels for {len(points)} points",
                "Give one for each.",
            )
        images = None if label_img is None else picture("add_embedding", label_img, "NCHW")
        if images is not None and (
            len(images) != len(points) or images.shape[2] != images.shape[3]
        ):
            raise ShapeError(
                f"add_embedding got pictures of shape {images.shape} for {len(points)} points",
                "Give (points, channels, size, size).",
            )
        with needs("tensorboard", "Writing pictures"):
            self._writer.add_embedding(
                points, labels, images, _step(global_step), tag, metadata_header
            )

    def add_pr_curve(
        self,
        tag: str,
        labels: Values,
        predictions: Values,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Values | None = None,
        walltime: float | None = None,
    ) -> None:
        """Precision and recall of ``predictions`` (probabilities) of ``labels`` (0 or 1)."""
        truth, given = (as_array("add_pr_curve", v).reshape(-1) for v in (labels, predictions))
        if truth.shape != given.shape:
            raise ShapeError(
                f"add_pr_curve got {truth.size} labels and {given.size} predictions",
                "Give one prediction for each label.",
            )
        self._writer.add_pr_curve(
            tag, truth, given, _step(global_step), num_thresholds, plain(weights), walltime
        )

    def add_mesh(
        self,
        tag: str,
        vertices: Values,
        colors: Values | None = None,
        faces: Values | None = None,
        config_dict: Mapping[str, Any] | None = None,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Points in space (batch, points, 3), with colours (0 … 255) and faces, each three
        positions of points."""
        parts = [None if v is None else as_array("add_mesh", v) for v in (vertices, colors, faces)]
        for part in parts:
            if part is not None and (part.ndim != 3 or part.shape[2] != 3):
                raise ShapeError(f"add_mesh got shape {part.shape}", "Give (batch, number, 3).")
        self._writer.add_mesh(tag, *parts, config_dict, _step(global_step), walltime)

    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, list[Any]]]) -> None:
        """Diagrams of several scalars: category → title → ["Multiline" or "Margin", tags]."""
        self._writer.add_custom_scalars({k: dict(v) for k, v in layout.items()})

    def add_custom_scalars_multilinechart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """One diagram with the scalars ``tags`` as lines."""
        self._writer.add_custom_scalars_multilinechart(tags, category, title)

    def add_custom_scalars_marginchart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """One diagram with a line and its margin: ``tags`` are value, lower and upper bound."""
        if len(tags) != 3:
            raise ArgumentError(
                f"add_custom_scalars_marginchart got {len(tags)} tags",
                "Give three: value, lower and upper bound.",
            )
        self._writer.add_custom_scalars_marginchart(tags, category, title)

    def flush(self) -> None:
        """Write everything that waits."""
        if self._writer.all_writers:
            self._writer.flush()

    def close(self) -> None:
        """Write everything that waits and close the file; a later record opens another."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _step(given: Any) -> int | None:
    """A step, which may be a tensor."""
    return None if given is None else int(number("global_step", "step", given))


def _setting(name: str, value: Any) -> bool | str | float | None:
    if value is None or isinstance(value, bool | str):
        return value
    array = plain(value)
    if np.asarray(array).dtype.kind == "b" and np.size(array) == 1:
        return bool(array)
    return number("add_hparams", name, value)


def _state_of(model: Any) -> list[Tensor]:
    """The buffers of a model, which its forward pass may change."""
    return list(model.buffers()) if hasattr(model, "buffers") else []
