"""Event files hold what was written: read back record by record."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError, ArgumentTypeError, ShapeError
from pellucid.utils.tensorboard import SummaryWriter

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def events(folder: Path) -> Iterator[Any]:
    """The records of all event files under a folder: each has length, check, bytes, check."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.rglob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event()
            event.ParseFromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            yield event


def values(folder: Path) -> dict[tuple[str, int], Any]:
    """(tag, step) → the value of every summary."""
    return {(v.tag, e.step): v for e in events(folder) for v in e.summary.value}


def test_numbers_of_every_kind(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path, flush_secs=1) as writer:
        assert writer.get_logdir() == writer.log_dir == str(tmp_path)
        loss = (pellucid.ones(2, requires_grad=True) * 1.25).mean()
        for step, value in enumerate(
            [loss, loss.detach().bfloat16(), pellucid.tensor([3]), np.float32(0.5), 2, True]
        ):
            writer.add_scalar("loss", value, step)
        writer.add_scalar("step", 1.0, pellucid.tensor(7), walltime=5.0)
        writer.add_scalars("both", {"a": loss, "b": 2.0}, 3)
        writer.flush()
        with pytest.raises(ShapeError, match=r"shape \(2,\) for 'loss'"):
            writer.add_scalar("loss", pellucid.ones(2), 0)
        with pytest.raises(ArgumentTypeError, match="a str for 'loss'"):
            writer.add_scalar("loss", "high", 0)
    found = values(tmp_path)
    numbers = [found["loss", step].simple_value for step in range(6)]
    assert numbers == [1.25, 1.25, 3, 0.5, 2, 1]
    assert found["step", 7].simple_value == 1
    assert [e.wall_time for e in events(tmp_path) if e.step == 7] == [5.0]
    assert found["both", 3].simple_value in (1.25, 2.0)
    assert (tmp_path / "both" / "a").is_dir() and (tmp_path / "both" / "b").is_dir()
    writer.close()  # once more


def test_distributions(tmp_path: Path) -> None:
    x = pellucid.randn(1000, requires_grad=True)
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_histogram("x", x.reshape(10, 100), 1)
        writer.add_histogram("auto", x.half(), 1, bins="auto")
        writer.add_histogram_raw("raw", 0, 2, 3, 3.0, 5.0, [1.0, 2.0], pellucid.tensor([1, 2]))
        writer.add_pr_curve("pr", pellucid.tensor([0, 1, 1]), pellucid.tensor([0.1, 0.4, 0.9]), 1)
        with pytest.raises(ArgumentError, match="not finite for 'x'"):
            writer.add_histogram("x", x / 0, 1)
        with pytest.raises(ArgumentError, match="no values"):
            writer.add_histogram("x", pellucid.zeros(0), 1)
    found = values(tmp_path)
    histogram, array = found["x", 1].histo, x.detach().numpy().astype(np.float64)
    assert histogram.num == 1000 == sum(histogram.bucket)
    assert histogram.min == array.min() and histogram.max == array.max()
    assert histogram.sum == pytest.approx(array.sum())
    assert histogram.sum_squares == pytest.approx((array**2).sum())
    assert found["auto", 1].histo.num == 1000
    assert list(found["raw", 0].histo.bucket) == [1, 2]
    assert found["pr", 1].metadata.plugin_data.plugin_name == "pr_curves"


def test_pictures_and_figures(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    import io

    picture = pellucid.arange(24).reshape(3, 2, 4).to(pellucid.uint8)
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_image("chw", picture, 1)
        writer.add_image("hw", picture[0].float() / 255, 1, dataformats="HW")
        writer.add_images("several", pellucid.rand(4, 1, 5, 6), 1)
        with pytest.raises(ShapeError, match="2 channels"):
            writer.add_image("wrong", pellucid.rand(2, 4, 4))
        with pytest.raises(ShapeError, match="dataformats='CHW'"):
            writer.add_image("wrong", pellucid.rand(4, 4))
        figures = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
        figure = figures.Figure(figsize=(2, 1), dpi=50)
        figure.subplots().plot([1, 2])
        writer.add_figure("figure", figure, 1, close=False)
    found = values(tmp_path)
    read = np.asarray(image_module.open(io.BytesIO(found["chw", 1].image.encoded_image_string)))
    assert read.tolist() == picture.permute(1, 2, 0).tolist()
    assert (found["hw", 1].image.height, found["hw", 1].image.width) == (2, 4)
    assert found["several", 1].image.width == 24
    assert (found["figure", 1].image.height, found["figure", 1].image.width) == (50, 100)


def test_texts_settings_and_points(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_text("note", "**begun**", 2)
        writer.add_hparams(
            {"lr": 0.1, "batch": pellucid.tensor(8), "kind": "adam", "nesterov": True},
            {"hparam/loss": pellucid.tensor(0.25)}, run_name="one",
        )  # fmt: skip
        with pytest.raises(ArgumentTypeError, match="as metric_dict"):
            writer.add_hparams({}, [])  # type: ignore[arg-type]
        points = pellucid.tensor([[1.0, 2.0], [3.0, 4.5]])
        writer.add_embedding(points, ["a", "b"], global_step=4)
        with pytest.raises(ShapeError, match="1 labels for 2 points"):
            writer.add_embedding(points, ["a"])
    assert values(tmp_path)["note/text_summary", 2].tensor.string_val == [b"**begun**"]
    assert values(tmp_path / "one")["hparam/loss", 0].simple_value == 0.25
    tags = {tag for tag, _ in values(tmp_path / "one")}
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= tags
    (table,) = tmp_path.rglob("tensors.tsv")
    assert table.read_text() == "1.0\t2.0\n3.0\t4.5\n"
    assert "metadata_path" in (tmp_path / "projector_config.pbtxt").read_text()


def test_the_graph_of_a_network(tmp_path: Path) -> None:
    from tensorboardX.proto.graph_pb2 import GraphDef

    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_graph(net, pellucid.rand(2, 3))
        with pytest.raises(ArgumentError, match="Pass a batch"):
            writer.add_graph(net)
    assert all((before[name] == value).all() for name, value in net.state_dict().items())
    (text,) = [e.graph_def for e in events(tmp_path) if e.graph_def]
    graph = GraphDef()
    graph.ParseFromString(text)
    boxes = {box.name: box for box in graph.node}
    (product,) = [box for box in boxes.values() if box.op == "matmul"]
    assert product.name.startswith("0/")
    extents = product.attr["_output_shapes"].list.shape[0].dim
    assert [extent.size for extent in extents] == [2, 4]
    assert all(name in boxes for box in boxes.values() for name in box.input)
    (last,) = [box for box in boxes.values() if box.op == "Output"]
    assert last.input[0].startswith("2/")


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorboardX'] = None\n"
        "from pellucid.utils.tensorboard import SummaryWriter\n"
        "try: SummaryWriter('x')\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert 'pip install "pellucid[tensorboard]"' in done.stdout
