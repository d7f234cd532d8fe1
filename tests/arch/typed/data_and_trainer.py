"""Data loaders and the Trainer."""

from collections.abc import Iterator

import pellucid
from pellucid import Tensor, Trainer, nn
from pellucid.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    get_worker_info,
    random_split,
)

x, y = pellucid.randn(6, 4), pellucid.randint(0, 3, (6,))
rows = TensorDataset(x, y)
train, rest = random_split(rows, [4, 2])

for batch in DataLoader(rows, batch_size=2, shuffle=True):
    reveal_type(batch)  # Sequence[Tensor]
for inputs, targets in DataLoader(train, batch_size=2):
    reveal_type(inputs)  # Tensor


class Pairs(Dataset):
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return x[index], 0

    def __len__(self) -> int:
        return 6


for pair in DataLoader(Pairs()):
    reveal_type(pair)  # Sequence[Tensor]


def count(rows: list[tuple[Tensor, int]]) -> int:
    return len(rows)


for number in DataLoader(Pairs(), collate_fn=count):
    reveal_type(number)  # int

trainer = Trainer(nn.Linear(4, 3), "cross_entropy")
reveal_type(trainer)  # Trainer
history = trainer.fit((x, y), epochs=1)
reveal_type(history)  # History
reveal_type(history.epochs[-1].loss)  # float


class Numbers(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Texts(Dataset[str]):
    def __getitem__(self, index: int) -> str:
        return "a"

    def __len__(self) -> int:
        return 2


reveal_type(Texts()[0])  # str
reveal_type(Subset(Texts(), [1])[0])  # str
reveal_type(next(iter(Numbers())))  # int
reveal_type(ConcatDataset([rows, rows])[0])  # tuple[Tensor, ...]
info = get_worker_info()
if info is not None:
    reveal_type(info.id)  # int
for place in RandomSampler(rows, generator=pellucid.Generator()):
    reveal_type(place)  # int
for places in BatchSampler(SequentialSampler(rows), 2, False):
    reveal_type(places)  # list[int]
loader = DataLoader(rows, 2, num_workers=2, persistent_workers=True, prefetch_factor=4)
reveal_type(len(loader))  # int
reveal_type(next(iter(loader)))  # Sequence[Tensor]
wrapped = nn.DataParallel(nn.Linear(2, 1))
reveal_type(wrapped(x))  # Tensor
