"""Messages along the edges of a graph: index_add, scatter_reduce, degrees, an attention over
neighbours."""

import torch
import torch.nn.functional as F
from start import compiled, fill, integers, normal
from torch import nn


class GCNLayer(nn.Module):
    def __init__(self, in_feats, out_feats):
        super().__init__()
        self.linear = nn.Linear(in_feats, out_feats, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_feats))

    def forward(self, x, edge_index):
        row, col = edge_index
        deg = torch.zeros(x.size(0)).scatter_add_(0, col, torch.ones(col.size(0)))
        norm = deg.clamp(min=1).pow(-0.5)
        message = self.linear(x)[row] * (norm[row] * norm[col]).unsqueeze(1)
        out = torch.zeros(x.size(0), message.size(1)).index_add(0, col, message)
        return out + self.bias


class GATLayer(nn.Module):
    def __init__(self, in_feats, out_feats):
        super().__init__()
        self.linear = nn.Linear(in_feats, out_feats, bias=False)
        self.att = nn.Parameter(torch.zeros(2 * out_feats))

    def forward(self, x, edge_index):
        row, col = edge_index
        h = self.linear(x)
        e = F.leaky_relu(torch.cat([h[row], h[col]], dim=1) @ self.att, 0.2)
        top = torch.full((x.size(0),), float("-inf")).scatter_reduce(0, col, e, reduce="amax")
        weight = (e - top[col]).exp()
        total = torch.zeros(x.size(0)).index_add(0, col, weight)
        alpha = weight / total[col]
        return torch.zeros_like(h).scatter_add(
            0, col.unsqueeze(1).expand(-1, h.size(1)), h[row] * alpha.unsqueeze(1)
        )


def main():
    nodes = 10
    edge_index = torch.cat([integers(nodes, 2, 25), torch.arange(nodes).repeat(2, 1)], dim=1)
    x, y = normal(nodes, 5), integers(3, nodes)
    train_mask = torch.zeros(nodes, dtype=torch.bool)
    train_mask[:7] = True
    layers = fill(nn.ModuleList([GCNLayer(5, 8), GATLayer(8, 3)]))
    optimizer = torch.optim.Adam(layers.parameters(), lr=0.05, weight_decay=5e-4)
    chosen = train_mask.nonzero(as_tuple=True)[0]

    def step(x):
        optimizer.zero_grad()
        out = layers[1](F.relu(layers[0](x, edge_index)), edge_index)
        loss = F.nll_loss(F.log_softmax(out, dim=1)[chosen], y[chosen])
        loss.backward()
        optimizer.step()
        return loss, out

    step = compiled(step)
    record = []
    for _ in range(5):
        loss, out = step(x)
        record.append(loss.item())
    pred = out.argmax(dim=1)
    return record + [int((pred[~train_mask] == y[~train_mask]).sum())]
