"""A sentiment-like task on words, with an embedding and a Trainer."""

import numpy as np
import pellucid
from pellucid import Trainer, nn, optim

rng = np.random.default_rng(0)
pellucid.manual_seed(0)
texts = rng.integers(1, 50, (800, 15))
labels = ((texts < 10).sum(1) > (texts > 40).sum(1)).astype("int64")


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 16, padding_idx=0)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.embed(x).mean(dim=1))


model = Bag()
trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.02))
trainer.fit((texts[:600], labels[:600]), (texts[600:], labels[600:]), epochs=20, progress=False)
score = np.mean(model(pellucid.tensor(texts[600:])).argmax(1).numpy() == labels[600:])
print("accuracy", score)
