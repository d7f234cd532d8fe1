"""A network trained, pruned by magnitude, trained on, and made permanent."""

import torch
from start import compiled, fill, integers, normal
from torch import nn
from torch.nn.utils import parameters_to_vector, prune


def main():
    model = fill(nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3)))
    criterion = nn.CrossEntropyLoss()

    def make_step(optimizer):
        def step(x, y):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return compiled(step)

    step = make_step(torch.optim.SGD(model.parameters(), lr=0.1))
    record = [step(normal(8, 6), integers(3, 8)).item() for _ in range(2)]
    prune.l1_unstructured(model[0], name="weight", amount=0.5)
    prune.ln_structured(model[2], name="weight", amount=0.25, n=2, dim=1)
    assert prune.is_pruned(model) and "weight_mask" in dict(model[0].named_buffers())
    step = make_step(torch.optim.SGD(model.parameters(), lr=0.1))
    record += [step(normal(8, 6), integers(3, 8)).item() for _ in range(3)]
    sparsity = float(torch.sum(model[0].weight == 0)) / float(model[0].weight.nelement())
    for layer in (model[0], model[2]):
        prune.remove(layer, "weight")
    assert not prune.is_pruned(model)
    return record + [sparsity, parameters_to_vector(model.parameters()).norm().item()]
