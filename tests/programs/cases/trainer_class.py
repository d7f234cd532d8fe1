"""A trainer class with an average of the weights, a checkpoint that is saved and resumed, early
stopping."""

import copy
import io
import logging

import torch
from start import compiled, fill, integers, normal
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

logger = logging.getLogger(__name__)


class EMA:
    def __init__(self, model, decay):
        self.module = copy.deepcopy(model).eval()
        self.decay = decay
        for p in self.module.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        for ema_v, model_v in zip(self.module.state_dict().values(), model.state_dict().values()):
            if ema_v.dtype.is_floating_point:
                ema_v.copy_(self.decay * ema_v + (1.0 - self.decay) * model_v)


class Trainer:
    def __init__(self, model, optimizer, criterion, loaders, device="cpu"):
        self.model = model.to(device)
        self.optimizer = optimizer
        self.criterion = criterion
        self.train_loader, self.valid_loader = loaders
        self.device = device
        self.ema = EMA(model, 0.9)
        self.best = float("inf")
        self.step = compiled(self._step)

    def _step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def fit(self, epochs):
        record = []
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for x, y in self.train_loader:
                x, y = x.to(self.device, non_blocking=True), y.to(self.device)
                total += self.step(x, y).item() * x.size(0)
                self.ema.update(self.model)
            valid = self.evaluate()
            logger.info("epoch %d: %.3f", epoch, valid)
            self.best = min(self.best, valid)
            record += [total, valid]
        return record

    @torch.no_grad()
    def evaluate(self):
        losses = [self.criterion(self.ema.module(x), y) for x, y in self.valid_loader]
        return torch.stack(losses).mean().item()

    def save(self, file):
        torch.save(
            {
                "model": self.model.state_dict(),
                "ema": self.ema.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best": self.best,
            },
            file,
        )

    def load(self, file):
        checkpoint = torch.load(file, map_location=self.device)
        self.model.load_state_dict(checkpoint["model"])
        self.ema.module.load_state_dict(checkpoint["ema"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.best = checkpoint["best"]


def make():
    model = nn.Sequential(
        nn.Linear(5, 16, bias=False), nn.BatchNorm1d(16), nn.LeakyReLU(0.1), nn.Linear(16, 3)
    )
    return model, torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)


def main():
    data = TensorDataset(normal(40, 5), integers(3, 40))
    train, valid = (
        torch.utils.data.Subset(data, range(30)),
        torch.utils.data.Subset(data, range(30, 40)),
    )
    assert [len(part) for part in random_split(data, [30, 10])] == [30, 10]
    loaders = DataLoader(train, 10), DataLoader(valid, 5)
    model, optimizer = make()
    trainer = Trainer(fill(model), optimizer, nn.CrossEntropyLoss(label_smoothing=0.1), loaders)
    record = trainer.fit(2)
    file = io.BytesIO()
    trainer.save(file)
    file.seek(0)
    model, optimizer = make()
    again = Trainer(model, optimizer, nn.CrossEntropyLoss(label_smoothing=0.1), loaders)
    again.load(file)
    return record + again.fit(2) + [again.best]
