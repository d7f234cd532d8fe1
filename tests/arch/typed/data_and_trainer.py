"""Data loaders and the Trainer."""

import pellucid
from pellucid import Tensor, Trainer, nn
from pellucid.utils.data import DataLoader, Dataset, TensorDataset, random_split

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
