"""Names letter by letter in the way of a lecture: tensors without modules, batch normalization by
hand, gradients by hand beside autograd's."""

import torch
import torch.nn.functional as F
from start import compiled, integers, normal


def main():
    block_size, vocab_size, n_embd, n_hidden = 3, 9, 4, 10
    X, Y = integers(vocab_size, 40, block_size), integers(vocab_size, 40)
    C = normal(vocab_size, n_embd)
    W1 = normal(n_embd * block_size, n_hidden) * (5 / 3) / ((n_embd * block_size) ** 0.5)
    W2, b2 = normal(n_hidden, vocab_size) * 0.1, torch.zeros(vocab_size)
    bngain, bnbias = torch.ones((1, n_hidden)), torch.zeros((1, n_hidden))
    bnmean_running, bnstd_running = torch.zeros((1, n_hidden)), torch.ones((1, n_hidden))
    parameters = [C, W1, W2, b2, bngain, bnbias]
    for p in parameters:
        p.requires_grad = True

    def forward(Xb, Yb):
        emb = C[Xb]
        hpreact = emb.view(emb.shape[0], -1) @ W1
        bnmeani = hpreact.mean(0, keepdim=True)
        bnstdi = hpreact.std(0, keepdim=True)
        h = torch.tanh(bngain * (hpreact - bnmeani) / bnstdi + bnbias)
        logits = h @ W2 + b2
        return F.cross_entropy(logits, Yb), logits, h, bnmeani, bnstdi

    forward = compiled(forward)
    record = []
    for i in range(5):
        ix = torch.arange(8 * i, 8 * i + 8)
        Xb, Yb = X[ix], Y[ix]
        loss, logits, h, bnmeani, bnstdi = forward(Xb, Yb)
        with torch.no_grad():
            bnmean_running = 0.9 * bnmean_running + 0.1 * bnmeani
            bnstd_running = 0.9 * bnstd_running + 0.1 * bnstdi
        for p in parameters:
            p.grad = None
        loss.backward()
        dlogits = F.softmax(logits, 1)
        dlogits[range(8), Yb] -= 1
        dlogits /= 8
        assert torch.allclose(h.T @ dlogits, W2.grad, atol=1e-6)
        for p in parameters:
            p.data += -0.1 * p.grad
        record.append(loss.item())
    logprobs = F.log_softmax(logits, dim=1)
    record.append(-logprobs[range(8), Yb].mean().item())
    return record + [bnmean_running.sum().item(), bnstd_running.mean().item()]
