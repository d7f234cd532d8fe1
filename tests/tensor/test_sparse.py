"""Sparse tensors against dense arithmetic of NumPy, and against PyTorch's."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, DataError, UnsupportedError

PLACES = [[0, 1, 1, 2, 0], [2, 0, 2, 1, 2]]  # (0, 2) has two entries
VALUES = [3.0, 4.0, 5.0, 6.0, 1.0]
DENSE = np.array([[0, 0, 4], [4, 0, 5], [0, 6, 0]], np.float32)


def made(engine: Any = pellucid, **options: Any) -> Any:
    return engine.sparse_coo_tensor(engine.tensor(PLACES), engine.tensor(VALUES), (3, 3), **options)


def dense(value: Any) -> Any:
    return as_array(value.to_dense())


X = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.mark.parametrize(
    "product",
    [
        lambda s, x: pellucid.sparse.mm(s, x),
        lambda s, x: pellucid.spmm(s, x),
        lambda s, x: pellucid.mm(s, x),
        lambda s, x: pellucid.matmul(s, x),
        lambda s, x: s @ x,
        lambda s, x: s.to_sparse_csr() @ x,
        lambda s, x: s.to_sparse_csc().matmul(x),
        lambda s, x: pellucid.mm(x.t(), s.t()).t(),
        lambda s, x: (x.t() @ s.t()).t(),
        lambda s, x: pellucid.sparse.addmm(pellucid.ones(3, 2), s, x, beta=0),
    ],
)
def test_products_with_dense_matrices(product: Callable[[Any, Any], Any]) -> None:
    assert_close(product(made(), pellucid.tensor(X)), DENSE @ X)


def test_gradients_flow_into_values_and_dense_matrix() -> None:
    values = pellucid.tensor(VALUES, requires_grad=True)
    x = pellucid.tensor(X, requires_grad=True)
    product = pellucid.sparse.mm(pellucid.sparse_coo_tensor(PLACES, values, (3, 3)), x)
    (product * product).sum().backward()
    slope = 2 * DENSE @ X  # of the product
    assert_close(x.grad, DENSE.T @ slope)
    assert_close(values.grad, (slope @ X.T)[tuple(PLACES)])
    leaf = made(requires_grad=True)
    assert leaf.is_leaf and leaf.requires_grad
    (leaf @ pellucid.tensor(X)).sum().backward()
    expected = np.zeros((3, 3))
    expected[tuple(PLACES)] = (np.ones((3, 2)) @ X.T)[tuple(PLACES)]
    assert_close(dense(leaf.grad), expected)


def test_coalesce_sums_the_entries_of_a_place() -> None:
    sparse = made()
    assert not sparse.is_coalesced() and sparse._nnz() == 5
    with pytest.raises(ArgumentError, match="uncoalesced"):
        sparse.indices()
    one = sparse.coalesce()
    assert one.is_coalesced() and one._nnz() == 4
    assert one.indices().tolist() == [[0, 1, 1, 2], [2, 0, 2, 1]]
    assert one.values().tolist() == [4.0, 4.0, 5.0, 6.0]
    assert_close(dense(sparse), DENSE)


def test_arithmetic_is_that_of_dense_matrices() -> None:
    s, other = made(), pellucid.tensor(np.triu(np.ones((3, 3), np.float32))).to_sparse()
    upper = np.triu(np.ones((3, 3)))
    assert_close(dense(2 * s), 2 * DENSE)
    assert_close(dense(s / 4), DENSE / 4)
    assert_close(dense(-s), -DENSE)
    assert_close(dense(s + other), DENSE + upper)
    assert_close(dense(s - other), DENSE - upper)
    assert_close(dense(s * other), DENSE * upper)
    assert_close(dense(s @ other), DENSE @ upper)
    assert_close(dense(s * pellucid.full((3, 3), 3.0)), DENSE * 3)
    assert_close(s + pellucid.ones(3, 3), DENSE + 1)
    assert_close(pellucid.add(pellucid.ones(3, 3), s), DENSE + 1)
    assert_close(pellucid.ones(3, 3) - s, 1 - DENSE)
    assert_close(dense(s.pow(2)), DENSE**2)
    assert_close(dense(pellucid.relu(-s)), 0 * DENSE)
    assert_close(dense(pellucid.tanh(s)), np.tanh(DENSE))
    assert_close(dense(s.t()), DENSE.T)
    assert_close(dense(s.index_select(0, pellucid.tensor([2, 0, 2]))), DENSE[[2, 0, 2]])
    assert_close(dense(s[1]), DENSE[1])
    assert s[1][2].item() == 5.0
    assert pellucid.sparse.sum(s).item() == DENSE.sum()
    assert_close(dense(pellucid.sparse.sum(s, dim=1)), DENSE.sum(1))
    assert_close(dense(s.sum(0, keepdim=True)), DENSE.sum(0, keepdims=True))
    assert_close(pellucid.sparse.sum(s, dim=(0, 1)), DENSE.sum())
    assert_close(dense(pellucid.tensor(X @ X.T).sparse_mask(s.coalesce())), X @ X.T * (DENSE != 0))
    sampled = pellucid.sparse.sampled_addmm(
        s.coalesce().to_sparse_csr(), pellucid.tensor(X), pellucid.tensor(X.T.copy()), beta=2.0
    )
    assert_close(dense(sampled), 2 * DENSE + X @ X.T * (DENSE != 0))


def test_softmax_counts_the_entries_alone() -> None:
    lowest = np.where(DENSE == 0, -np.inf, DENSE)
    shares = np.exp(lowest) / np.exp(lowest).sum(1, keepdims=True)
    assert_close(dense(pellucid.sparse.softmax(made(), 1)), shares)
    logs = pellucid.sparse.log_softmax(made(), 0)
    shares = np.exp(lowest) / np.exp(lowest).sum(0, keepdims=True)
    with np.errstate(divide="ignore"):
        assert_close(dense(logs), np.where(DENSE == 0, 0, np.log(shares)))


def test_values_with_axes_of_their_own() -> None:
    rows = pellucid.sparse_coo_tensor([[0, 2, 0]], [[1.0, 2], [3, 4], [5, 6]], (3, 2))
    assert (rows.sparse_dim(), rows.dense_dim()) == (1, 1)
    assert_close(dense(rows), [[6, 8], [0, 0], [3, 4]])
    assert_close(dense(rows.coalesce()), [[6, 8], [0, 0], [3, 4]])
    assert_close(dense(rows.sum(1)), [14, 0, 7])
    assert dense(pellucid.sparse_coo_tensor((2, 3))).tolist() == [[0.0] * 3] * 2


def test_layouts_by_rows_and_columns() -> None:
    csr = pellucid.tensor(DENSE).to_sparse_csr()
    assert csr.layout is pellucid.sparse_csr
    assert csr.crow_indices().tolist() == [0, 1, 3, 4]
    assert csr.col_indices().tolist() == [2, 0, 2, 1]
    csc = csr.to_sparse_csc()
    assert csc.ccol_indices().tolist() == [0, 1, 2, 4]
    assert csc.row_indices().tolist() == [1, 2, 0, 1]
    assert csc.values().tolist() == [4.0, 6.0, 4.0, 5.0]
    parts = (csr.crow_indices(), csr.col_indices(), csr.values())
    for again in (csc, csc.to_sparse(), csr.t().t(), pellucid.sparse_csr_tensor(*parts, (3, 3))):
        assert_close(dense(again), DENSE)
    with pytest.raises(UnsupportedError, match="no tensors of layout"):
        pellucid.tensor(DENSE).to_sparse(layout=pellucid.sparse_bsr)


def test_older_constructors() -> None:
    kinds = pellucid.sparse
    old = kinds.FloatTensor(
        pellucid.LongTensor(PLACES), pellucid.FloatTensor(VALUES), pellucid.Size([3, 3])
    )
    assert_close(dense(old), DENSE)
    assert isinstance(old, kinds.FloatTensor) and not isinstance(old, kinds.DoubleTensor)
    assert old.type() == "torch.sparse.FloatTensor"
    assert kinds.DoubleTensor(2, 3).dtype is pellucid.float64


def test_a_graph_network_trains_the_same_compiled() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(pellucid.tensor([[0.5, -1.0], [2.0, 1.0]]))
            self.register_buffer("adjacency", made().coalesce())

        def forward(self, x: Any, other: Any = None) -> Any:
            graph = self.adjacency if other is None else other
            return pellucid.spmm(graph, x @ self.weight)

    def losses(compiled: bool, given: bool) -> list[float]:
        model = Layer()
        optimizer = pellucid.optim.Adam(model.parameters(), 0.1)

        def step(x: Any, graph: Any) -> Any:
            optimizer.zero_grad()
            loss = model(x, graph).pow(2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = pellucid.compile(step) if compiled else step
        graph = made() if given else None
        return [run(pellucid.tensor(X), graph).item() for _ in range(3)]

    expected = losses(compiled=False, given=False)
    assert expected[2] < expected[0]
    for given in (False, True):
        assert losses(compiled=True, given=given) == pytest.approx(expected, rel=1e-5)


def test_a_function_of_the_users_keeps_them_for_its_gradient() -> None:
    class Product(pellucid.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: Any, x: Any) -> Any:
            graph = pellucid.sparse_coo_tensor(PLACES, values, (3, 3))
            ctx.save_for_backward(graph, x)
            return graph @ x

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            graph, x = ctx.saved_tensors
            places = graph._indices()
            return (gradient @ x.t())[tuple(places)], graph.t() @ gradient

    values = pellucid.tensor(VALUES, requires_grad=True)
    x = pellucid.tensor(X, requires_grad=True)
    product = Product.apply(values, x)
    (product * product).sum().backward()
    slope = 2 * DENSE @ X
    assert_close(x.grad, DENSE.T @ slope)
    assert_close(values.grad, (slope @ X.T)[tuple(PLACES)])


def test_modules_copies_and_files_hold_them() -> None:
    module = nn.Module()
    module.register_buffer("graph", made().coalesce())
    assert copy.deepcopy(module).double().graph.dtype is pellucid.float64
    module.load_state_dict({"graph": made().coalesce() * 2})
    assert_close(dense(module.graph), 2 * DENSE)
    assert_close(dense(pickle.loads(pickle.dumps(made()))), DENSE)
    for sparse in (made(), made().to_sparse_csr(), made().to_sparse_csc()):
        stream = io.BytesIO()
        pellucid.save({"graph": sparse}, stream)
        stream.seek(0)
        found = pellucid.load(stream)["graph"]
        assert found.layout is sparse.layout
        assert_close(dense(found), DENSE)


def test_what_has_no_sparse_form_says_so() -> None:
    sparse = made()
    wrong: list[Callable[[], Any]] = [
        lambda: sparse.view(9),
        lambda: pellucid.exp(sparse),
        lambda: sparse + 1,
        lambda: pellucid.cat([sparse, sparse]),
        lambda: nn.functional.linear(pellucid.ones(1, 3), sparse),
    ]
    for call in wrong:
        with pytest.raises(UnsupportedError, match="to_dense"):
            call()
    with pytest.raises(TypeError, match="to_dense"):
        sparse.numpy()
    with pytest.raises(RuntimeError, match="but got Strided"):
        pellucid.ones(2).indices()
    with pytest.raises(RuntimeError, match="size is 2 but found index 2"):
        pellucid.sparse_coo_tensor(PLACES, VALUES, (2, 3))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        sparse @ pellucid.ones(4, 1)
    with pytest.raises(ArgumentError, match="bounds end at 3"):
        pellucid.sparse_csr_tensor([0, 1, 3], [0], [1.0], (2, 2))


@pytest.mark.parity
def test_files_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    warnings.simplefilter("ignore")  # PyTorch calls its layout by rows a beta
    for convert in ("coalesce", "to_sparse_csr", "to_sparse_csc"):
        stream = io.BytesIO()
        torch.save(getattr(made(torch), convert)(), stream)
        stream.seek(0)
        assert_close(dense(pellucid.load(stream)), DENSE)
        stream = io.BytesIO()
        pellucid.save(getattr(made(), convert)(), stream)
        stream.seek(0)
        assert_close(dense(torch.load(stream, weights_only=True)), DENSE)
    stream = io.BytesIO()
    torch.save(torch.sparse_coo_tensor([[5]], [1.0], (3,)), stream)  # PyTorch does not look
    stream.seek(0)
    with pytest.raises(DataError, match="does not fit together"):
        pellucid.load(stream)


@pytest.mark.parity
def test_answers_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")

    def answers(engine: Any) -> list[Any]:
        sparse, matrix = made(engine), engine.tensor(DENSE)
        part = matrix.to_sparse()
        return [
            *(sparse.coalesce().indices().tolist(), sparse.coalesce().values().tolist()),
            *(sparse.is_coalesced(), part.is_coalesced(), (sparse + sparse).is_coalesced()),
            *(sparse.sparse_dim(), sparse.dense_dim(), len(sparse), sparse.numel(), part._nnz()),
            *(sparse.is_sparse, matrix.is_sparse, isinstance(sparse, engine.Tensor)),
            engine.sparse.softmax(sparse, 1).to_dense().tolist(),
            engine.sparse.mm(sparse, sparse.t()).to_dense().tolist(),
            engine.sparse.spdiags(
                engine.arange(9.0).reshape(3, 3), engine.tensor([0, -1, 2]), (3, 3)
            )
            .to_dense()
            .tolist(),
        ]

    for place, (ours, theirs) in enumerate(zip(answers(pellucid), answers(torch), strict=True)):
        assert np.allclose(ours, theirs), f"answer {place}: {ours}, PyTorch's {theirs}"
