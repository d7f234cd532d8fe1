"""A language model of a window: the next word from the vectors of the few words before it.

Bengio, Ducharme, Vincent and Jauvin, "A Neural Probabilistic Language Model" (2003).
"""

from __future__ import annotations

import pellucid
from pellucid import Tensor, nn
from pellucid.base.errors import ShapeError


class MLPLanguageModel(nn.Module):
    """The vectors of the last ``context`` words side by side, a hidden layer of tanh, scores.

    Ids (B, T), int64 → scores (B, T, words) of the word after each.  What stands before the
    beginning of a text has a vector of its own.

    >>> import pellucid
    >>> model = MLPLanguageModel(words=27)
    >>> model(pellucid.zeros(5, 7, dtype=pellucid.int64)).shape
    pellucid.Size([5, 7, 27])
    """

    def __init__(self, words: int, context: int = 3, features: int = 16, hidden: int = 200) -> None:
        super().__init__()
        self.context = context
        self.before = words
        self.embedding = nn.Embedding(words + 1, features)
        self.hidden = nn.Linear(context * features, hidden)
        self.scores = nn.Linear(hidden, words)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) → (B, T, words)."""
        if ids.dim() != 2:
            raise ShapeError(
                f"MLPLanguageModel got ids of shape {tuple(ids.shape)}", "ids are (B, T)"
            )
        rows, length = ids.shape
        filler = pellucid.full((rows, self.context - 1), self.before, dtype=ids.dtype)
        longer = pellucid.cat([filler, ids], 1)  # (B, context - 1 + T)
        windows = [self.embedding(longer.narrow(1, k, length)) for k in range(self.context)]
        return self.scores(self.hidden(pellucid.cat(windows, -1)).tanh())
