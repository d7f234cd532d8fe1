"""Healthy programs of many kinds, as different people write them: ``clean_strangers.py NAME``."""

import copy
import math
import sys

import numpy as np
import pellucid
from pellucid import nn, optim
from pellucid.nn import functional as F
from pellucid.utils.data import DataLoader, TensorDataset


def tensor(array):
    return pellucid.tensor(np.asarray(array, np.float32))


def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return x[order].astype(np.float32) / 16, y[order].astype(np.int64)


def noisy_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 3)).astype(np.float32)
    y = (x @ [[0.6], [-0.4], [0.0]] + 1.5 * rng.normal(size=(800, 1))).astype(np.float32)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(15):
        for i in range(0, 800, 50):
            optimizer.zero_grad()
            F.mse_loss(model(tensor(x[i : i + 50])), tensor(y[i : i + 50])).backward()
            optimizer.step()


def forty_rows():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 40)
    x = tensor(rng.normal(size=(40, 2)) + 1.6 * y[:, None] - 0.8)
    target = tensor(y)
    w, b = pellucid.zeros(2, requires_grad=True), pellucid.zeros(1, requires_grad=True)
    descent = optim.SGD([w, b], lr=1.0)
    for _ in range(200):
        descent.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ w + b, target)
        loss.backward()
        descent.step()


def weighted_rare_class():
    rng = np.random.default_rng(2)
    y = (rng.random(1500) < 0.05).astype(np.float32)
    x = rng.normal(size=(1500, 6)).astype(np.float32) + 1.8 * y[:, None]
    loader = DataLoader(TensorDataset(tensor(x), tensor(y)), batch_size=64, shuffle=True)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    criterion = nn.BCEWithLogitsLoss(pos_weight=pellucid.tensor(19.0))
    adam = optim.Adam(model.parameters(), lr=0.003)
    for _ in range(12):
        for rows, labels in loader:
            adam.zero_grad()
            criterion(model(rows), labels).backward()
            adam.step()


def large_rate_that_is_fine():
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.8)
    x, y = pellucid.tensor(x[:1200]), pellucid.tensor(y[:1200])
    for epoch in range(10):
        for i in np.random.default_rng(epoch).permutation(1200).reshape(-1, 100):
            rows = pellucid.tensor(i)
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def numbers_by_a_gan():
    rng = np.random.default_rng(0)
    maker = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    judge = nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Sigmoid())
    first = optim.Adam(maker.parameters(), lr=1e-3, betas=(0.5, 0.9))
    second = optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.9))
    bce, yes, no = nn.BCELoss(), pellucid.ones(64, 1), pellucid.zeros(64, 1)
    for _ in range(600):
        real = tensor(0.5 + 0.8 * rng.normal(size=(64, 1)))
        fake = maker(pellucid.randn(64, 2))
        second.zero_grad()
        (bce(judge(real), yes) + bce(judge(fake.detach()), no)).backward()
        second.step()
        first.zero_grad()
        bce(judge(fake), yes).backward()
        first.step()


def deep_q_learning():
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4))
    old = copy.deepcopy(net)
    adam, memory, at = optim.Adam(net.parameters(), lr=2e-3), [], np.array([0, 0])
    moves = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])
    for step in range(1500):
        with pellucid.no_grad():
            greedy = int(net(tensor(at[None] / 3)).argmax(1).item())
        action = int(rng.integers(4)) if rng.random() < max(0.1, 1 - step / 700) else greedy
        new = np.clip(at + moves[action], 0, 3)
        done = bool((new == 3).all())
        memory.append((at / 3, action, float(done) - 0.01, new / 3, float(done)))
        at = np.array([0, 0]) if done else new
        if len(memory) > 100 and step % 3 == 0:
            s, a, r, t, d = (
                np.array(v)
                for v in zip(*(memory[i] for i in rng.integers(len(memory), size=32)), strict=True)
            )
            with pellucid.no_grad():
                goal = tensor(r) + 0.95 * (1 - tensor(d)) * old(tensor(t)).max(1).values
            q = net(tensor(s)).gather(1, pellucid.tensor(a)[:, None])[:, 0]
            adam.zero_grad()
            F.smooth_l1_loss(q, goal).backward()
            adam.step()
        if step % 80 == 0:
            old.load_state_dict(net.state_dict())


def several_labels():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(900, 8)).astype(np.float32)
    y = (x @ rng.normal(size=(8, 5)) > 0.5).astype(np.float32)
    model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 5))
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    criterion = nn.MultiLabelSoftMarginLoss()
    for _ in range(20):
        for i in range(0, 900, 45):
            loss = criterion(model(tensor(x[i : i + 45])), tensor(y[i : i + 45]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU())
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        return self.head(self.body(x))


def frozen_body():
    x, y = digits()
    net = Body()
    first = y < 5
    adam = optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(8):
        for i in range(0, int(first.sum()), 40):
            adam.zero_grad()
            rows, labels = x[first][i : i + 40], y[first][i : i + 40]
            F.cross_entropy(net(pellucid.tensor(rows)), pellucid.tensor(labels)).backward()
            adam.step()
    for p in net.body.parameters():
        p.requires_grad = False
    net.head = nn.Linear(32, 5)
    tuned = optim.Adam(net.head.parameters(), lr=1e-2)
    for _ in range(12):
        for i in range(0, int((~first).sum()), 40):
            tuned.zero_grad()
            rows, labels = x[~first][i : i + 40], y[~first][i : i + 40] - 5
            F.cross_entropy(net(pellucid.tensor(rows)), pellucid.tensor(labels)).backward()
            tuned.step()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(pellucid.randn(16, 64) * 0.1)
        self.down, self.up = nn.Parameter(pellucid.zeros(16)), nn.Parameter(pellucid.zeros(64))

    def forward(self, x):
        code = pellucid.tanh(F.linear(x, self.weight, self.down))
        return F.linear(code, self.weight.t(), self.up)


def tied_weights():
    x, _ = digits()
    x = x - x.mean(0)
    model = Tied()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in range(0, 1500, 60):
            batch = pellucid.tensor(x[i : i + 60])
            optimizer.zero_grad()
            loss = ((model(batch) - batch) ** 2).mean()
            loss.backward()
            optimizer.step()


def sums_over_micro_batches():
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    loader = DataLoader(
        TensorDataset(pellucid.tensor(x[:1200]), pellucid.tensor(y[:1200])),
        batch_size=8,
        shuffle=True,
    )
    for _ in range(6):
        optimizer.zero_grad()
        for number, (rows, labels) in enumerate(loader):
            (F.cross_entropy(model(rows), labels) / 4).backward()
            if (number + 1) % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()


def warm_up_and_cosine():
    x, y = digits()
    model = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    optimizer, total = optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.05), 300
    schedule = optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / 30, 0.5 * (1 + math.cos(math.pi * s / total)))
    )
    rng = np.random.default_rng(0)
    for _ in range(total):
        rows = rng.integers(0, 1400, 64)
        loss = F.cross_entropy(model(pellucid.tensor(x[rows])), pellucid.tensor(y[rows]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def mixed_precision():
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(8):
        for i in range(0, 1200, 40):
            optimizer.zero_grad()
            with pellucid.autocast("cpu", dtype=pellucid.bfloat16):
                loss = F.cross_entropy(
                    model(pellucid.tensor(x[i : i + 40])), pellucid.tensor(y[i : i + 40])
                )
            loss.backward()
            optimizer.step()


def stopped_early():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 20)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * rng.normal(size=300)).astype(np.float32)[:, None]
    model = nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 1))
    optimizer = optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
    best, kept, waited = float("inf"), None, 0
    for _ in range(100):
        model.train()
        for i in range(0, 200, 20):
            optimizer.zero_grad()
            F.mse_loss(model(tensor(x[i : i + 20])), tensor(y[i : i + 20])).backward()
            optimizer.step()
        model.eval()
        with pellucid.no_grad():
            held = F.mse_loss(model(tensor(x[200:])), tensor(y[200:])).item()
        waited += 1
        if held < best:
            best, kept, waited = held, copy.deepcopy(model.state_dict()), 0
        if waited > 5:
            break
    model.load_state_dict(kept)


def noise_taken_away():
    x, _ = digits()
    encoder = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 12), nn.ReLU())
    decoder = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 64), nn.Sigmoid())
    optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=4e-3)
    for _ in range(15):
        for i in range(0, 1500, 50):
            clean = pellucid.tensor(x[i : i + 50])
            noisy = clean + 0.2 * pellucid.randn(clean.shape)
            loss = F.binary_cross_entropy(decoder(encoder(noisy)), clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def pairs_that_belong_together():
    x, _ = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    rng = np.random.default_rng(0)
    for _ in range(250):
        rows = pellucid.tensor(x[rng.integers(0, 1500, 64)])
        one, two = (
            F.normalize(net(rows + 0.1 * pellucid.randn(rows.shape)), dim=1) for _ in range(2)
        )
        scores = one @ two.t() / 0.2
        labels = pellucid.arange(64)
        loss = (F.cross_entropy(scores, labels) + F.cross_entropy(scores.t(), labels)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def three_at_a_time():
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer, margin = optim.Adam(net.parameters(), lr=3e-3), nn.TripletMarginLoss(margin=1.0)
    rng = np.random.default_rng(0)
    of = [np.flatnonzero(y[:1500] == c) for c in range(10)]
    for _ in range(300):
        one, other = rng.integers(0, 10, 48), rng.integers(1, 10, 48)
        pick = [np.array([rng.choice(of[c]) for c in k]) for k in (one, one, (one + other) % 10)]
        parts = [net(pellucid.tensor(x[p])) for p in pick]
        optimizer.zero_grad()
        margin(*parts).backward()
        optimizer.step()


def equation_of_a_spring():
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(net.parameters(), lr=3e-3)
    start = pellucid.zeros(1, 1, requires_grad=True)
    for _ in range(400):
        t = (3 * pellucid.rand(48, 1)).requires_grad_()
        u = net(t)
        (v,) = pellucid.autograd.grad(u.sum(), t, create_graph=True)
        (a,) = pellucid.autograd.grad(v.sum(), t, create_graph=True)
        first = net(start)
        (speed,) = pellucid.autograd.grad(first.sum(), start, create_graph=True)
        loss = ((a + u) ** 2).mean() + ((first - 1) ** 2).mean() + (speed**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.answer = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.answer(self.memory(x)[0])


def next_value_of_a_series():
    wave = np.sin(np.arange(900) * 0.2) + 0.4 * np.sin(np.arange(900) * 0.51)
    rows = np.stack([wave[i : i + 25] for i in range(0, 870, 3)])[..., None]
    net = Forecast()
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(12):
        for i in range(0, len(rows), 29):
            part = tensor(rows[i : i + 29])
            optimizer.zero_grad()
            F.mse_loss(net(part[:, :-1]), part[:, 1:]).backward()
            optimizer.step()


def grades_in_order():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(800, 4)).astype(np.float32)
    hidden = x @ [1.0, -0.7, 0.4, 0.0] + 0.4 * rng.normal(size=800)
    grade = np.digitize(hidden, [-1.0, 0.0, 1.0])
    above = (grade[:, None] > np.arange(3)).astype(np.float32)
    score = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1, bias=False))
    cuts = nn.Parameter(pellucid.tensor([1.0, 0.0, -1.0]))
    optimizer = optim.Adam([*score.parameters(), cuts], lr=0.01)
    for _ in range(20):
        for i in range(0, 800, 40):
            loss = F.binary_cross_entropy_with_logits(
                score(tensor(x[i : i + 40])) + cuts, tensor(above[i : i + 40])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def soft_labels_by_hand():
    x, y = digits()
    soft = (0.9 * np.eye(10)[y] + 0.01).astype(np.float32)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = optim.RMSprop(model.parameters(), lr=2e-3)
    for _ in range(15):
        for i in range(0, 1400, 50):
            logs = F.log_softmax(model(pellucid.tensor(x[i : i + 50])), dim=1)
            loss = -(tensor(soft[i : i + 50]) * logs).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def quantiles():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(900, 1)).astype(np.float32)
    y = (np.sin(3 * x) + 0.3 * (1 + x) * rng.normal(size=x.shape)).astype(np.float32)
    levels = pellucid.tensor([0.1, 0.5, 0.9])
    net = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 3))
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(20):
        for i in range(0, 900, 45):
            apart = tensor(y[i : i + 45]) - net(tensor(x[i : i + 45]))
            loss = pellucid.maximum(levels * apart, (levels - 1) * apart).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


class Variational(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.mean, self.spread = nn.Linear(64, 48), nn.Linear(48, 6), nn.Linear(48, 6)
        self.back = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))

    def forward(self, x):
        h = F.relu(self.first(x))
        mean, logs = self.mean(h), self.spread(h)
        return self.back(mean + (0.5 * logs).exp() * pellucid.randn(mean.shape)), mean, logs


def variational_codes():
    x, _ = digits()
    model = Variational()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(20):
        for i in range(0, 1500, 60):
            batch = pellucid.tensor(x[i : i + 60])
            made, mean, logs = model(batch)
            kept = F.binary_cross_entropy_with_logits(made, batch, reduction="sum") / 60
            apart = -0.5 * (1 + logs - mean**2 - logs.exp()).sum() / 60
            optimizer.zero_grad()
            (kept + apart).backward()
            optimizer.step()


if __name__ == "__main__":
    pellucid.manual_seed(0)
    globals()[sys.argv[1]]()
