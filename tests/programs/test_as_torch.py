"""``python -m pellucid.as_torch``: programs written for PyTorch, word for word."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run(
    folder: Path, text: str, *arguments: str, before: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    """Exit code, output and errors of a program run as its user would."""
    (folder / "program.py").write_text(textwrap.dedent(text))
    command = [sys.executable, "-m", "pellucid.as_torch", "program.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def test_a_script_with_its_arguments_trains(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import torch.nn as nn\nmake = lambda: nn.Linear(2, 1)\n")
    code, out, err = run(
        tmp_path,
        """
        import argparse
        import torch
        import torch.nn.functional as F
        from torch import optim
        from torch.optim.lr_scheduler import StepLR
        from helper import make

        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=int)
        args = parser.parse_args()

        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(0)
        model = make().to(device)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        x = torch.randn(64, 2)
        y = x.sum(1, keepdim=True)
        for epoch in range(args.epochs):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        print("loss", loss.item() < 0.01, torch.__version__, isinstance(x, torch.Tensor))
        """,
        "--epochs",
        "200",
    )
    assert code == 0, err
    assert out == "loss True 2.13.0+pellucid True\n"
    assert "does not have" not in err


def test_what_is_missing_is_listed_at_the_end_also_after_an_error(tmp_path: Path) -> None:
    code, out, err = run(
        tmp_path,
        """
        import torch
        print(hasattr(torch, "a_name_of_tomorrow"))
        try:
            import torch.a_module_of_tomorrow
        except ImportError as error:
            print(error)
        from torch.nn import Unheard
        """,
    )
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "False" and lines[1].startswith(
        "No module named 'torch.a_module_of_tomorrow'"
    )
    assert "cannot import name 'Unheard' from 'torch.nn'" in err
    (listed,) = (line for line in err.splitlines() if "the program asked for" in line)
    for name in ("torch.a_name_of_tomorrow", "torch.a_module_of_tomorrow", "torch.nn.Unheard"):
        assert name in listed


def test_flags_that_are_set_arrive(tmp_path: Path) -> None:
    code, out, err = run(
        tmp_path,
        """
        import torch.nn, pellucid
        torch.nn.a_flag = 3
        print(pellucid.nn.a_flag, torch.nn is __import__("torch").nn)
        print(torch.nn.Linear is pellucid.nn.Linear, torch.float32 is pellucid.float32)
        """,
    )
    assert (code, out) == (0, "3 True\nTrue True\n"), err


def test_modules_are_found_by_their_paths(tmp_path: Path) -> None:
    code, out, err = run(
        tmp_path,
        """
        import importlib.util
        import torch
        import torch._dynamo
        import torch._inductor.config
        from torch.autograd.function import Function, once_differentiable
        from torch.autograd.gradcheck import gradcheck
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils import _pytree
        from torch.utils.checkpoint import get_device_states, set_device_states

        print(importlib.util.find_spec("torch.nn").name, torch.__spec__.name)
        print(Function is torch.autograd.Function, torch.autograd.gradcheck is gradcheck)
        torch._dynamo.config.suppress_errors = True
        torch._inductor.config.triton.cudagraphs = True
        with torch._dynamo.config.patch(suppress_errors=False, other=3):
            print(torch._dynamo.config.suppress_errors, torch._dynamo.config.other)
        print(torch._dynamo.config.suppress_errors, bool(torch._dynamo.config.never_set))
        with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
            print(_pytree.tree_map(lambda x: x + 1, {"a": (1, [2])}))
        x = torch.ones(3)
        set_device_states(*get_device_states(x))
        try:
            sdpa_kernel("math").__enter__()
        except ValueError as error:
            print(error)
        """,
    )
    assert code == 0, err
    assert out.splitlines()[:5] == [
        "torch.nn torch",
        "True True",
        "False 3",
        "True False",
        "{'a': (2, [3])}",
    ]
    assert "SDPBackend" in out and "does not have" not in err


def test_pictures_come_from_torchvision(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    code, out, err = run(
        tmp_path,
        """
        import torchvision
        import torchvision.transforms as transforms
        from torchvision import datasets
        from torchvision.transforms import v2
        from torchvision.utils import make_grid

        data = datasets.FakeData(4, (3, 8, 8), transform=transforms.Compose([
            transforms.RandomHorizontalFlip(), transforms.ToTensor(),
        ]))
        print(len(data), tuple(data[0][0].shape), v2.ToImage.__name__)
        """,
    )
    assert (code, out) == (0, "4 (3, 8, 8) ToImage\n"), err


def test_an_installed_pytorch_is_not_replaced_in_silence(tmp_path: Path) -> None:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("is_pytorch = True\n")
    code, out, err = run(tmp_path, "import torch; print(hasattr(torch, 'is_pytorch'))")
    assert (code, out) == (0, "False\n"), err
    text = """
        import sys
        sys.path.insert(0, ".")
        import torch, pellucid.as_torch
        try:
            pellucid.as_torch.install()
        except ValueError as error:
            print(error)
        assert torch.is_pytorch
    """
    (tmp_path / "late.py").write_text(textwrap.dedent(text))
    command = [sys.executable, "late.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "torch is imported already" in done.stdout and "before the first import" in done.stdout


def test_installing_and_giving_back_in_one_process(tmp_path: Path) -> None:
    text = """
        import pellucid, pellucid.as_torch as face
        face.install(quiet=True)
        face.install()
        import torch
        print(torch.tensor([1.0]).__class__ is pellucid.Tensor, face.missing(), face.report() == "")
        face.uninstall()
        import sys
        print("torch" in sys.modules)
    """
    (tmp_path / "late.py").write_text(textwrap.dedent(text))
    command = [sys.executable, "late.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "True {} True\nFalse\n"), done.stderr


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    for arguments, said in (([], "usage:"), (["gone.py"], "no file 'gone.py'"), (["-m"], "usage:")):
        command = [sys.executable, "-m", "pellucid.as_torch", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and said in done.stderr


def test_processes_that_are_started_afresh_find_the_names_too(tmp_path: Path) -> None:
    code, out, err = run(
        tmp_path,
        """
        import torch
        import torch.multiprocessing as mp
        from torch.utils.data import DataLoader, Dataset

        class Numbers(Dataset):
            def __len__(self):
                return 4
            def __getitem__(self, index):
                return torch.full((2,), float(index))

        def work(rank, queue):
            queue.put((rank, torch.ones(2).sum().item(), torch.__version__))

        if __name__ == "__main__":
            for method in ("spawn", "forkserver"):
                context = mp.get_context(method)
                queue = context.Queue()
                process = context.Process(target=work, args=(1, queue))
                process.start()
                print(queue.get())
                process.join()
            loader = DataLoader(Numbers(), 2, num_workers=1, multiprocessing_context="spawn")
            print([batch.sum().item() for batch in loader])
        """,
    )
    assert code == 0, err
    assert out == "(1, 2.0, '2.13.0+pellucid')\n" * 2 + "[2.0, 10.0]\n"
