"""An ensemble in one call and a gradient for each sample: stack_module_state, vmap, grad."""

import copy

import torch
import torch.nn.functional as F
from start import COMPILE, fill, integers, normal
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap


def main():
    models = [fill(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))) for _ in range(3)]
    params, buffers = stack_module_state(models)
    base = copy.deepcopy(models[0])
    x, y = normal(5, 4), integers(3, 5)

    def fmodel(params, buffers, x):
        return functional_call(base, (params, buffers), (x,))

    def predictions(x):
        return vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x)

    one = {name: p.detach() for name, p in models[0].named_parameters()}

    def loss_of(params, sample, target):
        output = functional_call(base, params, (sample.unsqueeze(0),))
        return F.cross_entropy(output, target.unsqueeze(0))

    def sample_grads(x, y):
        return vmap(grad(loss_of), in_dims=(None, 0, 0))(one, x, y)

    if COMPILE:
        predictions, sample_grads = torch.compile(predictions), torch.compile(sample_grads)
    out = predictions(x)
    assert out.shape == (3, 5, 3)
    for model, row in zip(models, out):
        assert torch.allclose(model(x), row, atol=1e-5)
    grads = sample_grads(x, y)
    assert grads["0.weight"].shape == (5, 6, 4)
    norms = [g.flatten(1).norm(dim=1).sum().item() for g in grads.values()]
    return [out.mean().item(), out.std().item(), *norms]
