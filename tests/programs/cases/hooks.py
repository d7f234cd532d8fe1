"""Hooks: features from the middle of a network, gradients on the way, a parameter's gradient
changed; weights that are frozen and thawed."""

import torch
from start import fill, integers, normal
from torch import nn

features, gradients = {}, {}


def get_features(name):
    def hook(module, input, output):
        features[name] = output.detach()

    return hook


def keep_gradient(module, grad_input, grad_output):
    gradients["fc"] = grad_output[0].detach()


def main():
    model = fill(
        nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    )
    handle = model[1].register_forward_hook(get_features("first"))
    pre = model[4].register_forward_pre_hook(lambda module, input: (input[0] * 0.9,))
    back = model[2].register_full_backward_hook(keep_gradient)
    model[0].weight.register_hook(lambda grad: grad.clamp(-0.05, 0.05))
    for parameter in model[2].parameters():
        parameter.requires_grad = False
    optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.5)
    criterion = nn.CrossEntropyLoss()
    record = []
    for i in range(6):
        if i == 3:
            handle.remove()
            for parameter in model[2].parameters():
                parameter.requires_grad = True
            optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.1})
        optimizer.zero_grad()
        x = normal(5, 4).requires_grad_()
        output = model(x)
        output.retain_grad()
        loss = criterion(output, integers(3, 5))
        loss.backward()
        optimizer.step()
        record += [loss.item(), features["first"].mean().item(), x.grad.abs().sum().item()]
        record += [gradients["fc"].norm().item(), output.grad.norm().item()]
    pre.remove()
    back.remove()
    return record
