"""A notebook of old: Variable, no functions, weights updated by hand through .data."""

import numpy as np
import torch
from start import COMPILE, normal
from torch.autograd import Variable

x_data = normal(20, 3)
y_data = x_data.mm(torch.Tensor([[1.0], [-2.0], [0.5]])) + 0.3


def main():
    w = Variable(torch.zeros(3, 1), requires_grad=True)
    b = Variable(torch.zeros(1), requires_grad=True)
    x, y = Variable(x_data), Variable(y_data)
    learning_rate = 0.1
    record = []

    def forward(x, y):
        y_pred = x.mm(w) + b
        return (y_pred - y).pow(2).mean()

    if COMPILE:
        forward = torch.compile(forward)
    for epoch in range(6):
        loss = forward(x, y)
        loss.backward()
        w.data -= learning_rate * w.grad.data
        b.data -= learning_rate * b.grad.data
        w.grad.data.zero_()
        b.grad.data.zero_()
        record.append(loss.data.item())
    prediction = (x_data.mm(w.data) + b.data).numpy()
    record.append(float(np.abs(prediction - y_data.numpy()).max()))
    return record
