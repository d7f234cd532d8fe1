"""More healthy programs, as different people write them: ``more_clean_strangers.py NAME``."""

import sys

import numpy as np
import pellucid
import pellucid.nn as nn
import pellucid.nn.functional as F
import pellucid.optim as optim
from pellucid import Trainer


def tensor(array):
    return pellucid.tensor(np.asarray(array, np.float32))


def words_by_their_neighbours():
    rng = np.random.default_rng(0)
    inside, outside = nn.Embedding(20, 8), nn.Embedding(20, 8)
    optimizer = optim.Adam([*inside.parameters(), *outside.parameters()], lr=0.02)
    for _ in range(300):
        word = rng.integers(0, 20, 64)
        near = (word // 5) * 5 + rng.integers(0, 5, 64)
        far = rng.integers(0, 20, (64, 4))
        v = inside(pellucid.tensor(word))
        good = (v * outside(pellucid.tensor(near))).sum(1)
        bad = (v[:, None] * outside(pellucid.tensor(far))).sum(2)
        loss = -(F.logsigmoid(good).mean() + F.logsigmoid(-bad).sum(1).mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class Taste(nn.Module):
    def __init__(self, people, films):
        super().__init__()
        self.people, self.films = nn.Embedding(people, 4), nn.Embedding(films, 4)
        self.level = nn.Parameter(pellucid.tensor(3.0))
        for table in (self.people, self.films):
            nn.init.normal_(table.weight, 0.0, 0.3)

    def forward(self, who, what):
        return self.level + (self.people(who) * self.films(what)).sum(1)


def ratings_of_films():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    who, what = rng.integers(0, 40, 2000), rng.integers(0, 30, 2000)
    stars = np.clip(3.3 + 0.6 * (a[who] * b[what]).sum(1) + 0.2 * rng.normal(size=2000), 1, 5)
    model = Taste(40, 30)
    optimizer = optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-5)
    for _ in range(12):
        for i in range(0, 2000, 50):
            said = model(pellucid.tensor(who[i : i + 50]), pellucid.tensor(what[i : i + 50]))
            optimizer.zero_grad()
            F.mse_loss(said, tensor(stars[i : i + 50])).backward()
            optimizer.step()


def policy_of_a_bandit():
    rng = np.random.default_rng(0)
    policy = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 4))
    optimizer = optim.Adam(policy.parameters(), lr=0.01)
    right = rng.normal(size=(3, 4))
    for _ in range(300):
        seen = rng.normal(size=(32, 3))
        chances = F.softmax(policy(tensor(seen)), dim=1)
        taken = np.array([rng.choice(4, p=p / p.sum()) for p in chances.detach().numpy()])
        paid = (seen @ right)[np.arange(32), taken] + 0.2 * rng.normal(size=32)
        logs = chances.gather(1, pellucid.tensor(taken)[:, None])[:, 0].log()
        loss = -(logs * tensor(paid - paid.mean())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def taught_by_a_teacher():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, y = tensor(x / 16), pellucid.tensor(y)
    teacher = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    pupil = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    first = optim.Adam(teacher.parameters(), lr=5e-3)
    for i in range(150):
        rows = pellucid.randint(0, 1500, (64,))
        first.zero_grad()
        F.cross_entropy(teacher(x[rows]), y[rows]).backward()
        first.step()
    second = optim.Adam(pupil.parameters(), lr=5e-3)
    for i in range(300):
        rows = pellucid.randint(0, 1500, (64,))
        with pellucid.no_grad():
            wanted = F.softmax(teacher(x[rows]) / 3, dim=1)
        told = F.log_softmax(pupil(x[rows]) / 3, dim=1)
        second.zero_grad()
        (9 * F.kl_div(told, wanted, reduction="batchmean")).backward()
        second.step()


class Letters(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.table, self.memory = nn.Embedding(count, 16), nn.GRU(16, 32, batch_first=True)
        self.out = nn.Linear(32, count)

    def forward(self, x):
        return self.out(self.memory(self.table(x))[0])


def letter_after_letter():
    text = "the cat sat on the mat and the dog sat on the log while the rat ate the hat " * 12
    known = sorted(set(text))
    codes = np.array([known.index(c) for c in text])
    model = Letters(len(known))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(150):
        starts = rng.integers(0, len(codes) - 25, 16)
        rows = pellucid.tensor(np.stack([codes[s : s + 25] for s in starts]))
        scores = model(rows[:, :-1])
        optimizer.zero_grad()
        F.cross_entropy(scores.reshape(-1, len(known)), rows[:, 1:].reshape(-1)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()


def counts_of_events():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(900, 3)).astype(np.float32)
    y = rng.poisson(np.exp(0.8 + 0.6 * x[:, 0] - 0.4 * x[:, 1])).astype(np.float32)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer, criterion = optim.Adam(model.parameters(), lr=5e-3), nn.PoissonNLLLoss()
    for _ in range(25):
        for i in range(0, 900, 45):
            optimizer.zero_grad()
            criterion(model(tensor(x[i : i + 45])), tensor(y[i : i + 45])).backward()
            optimizer.step()


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(6, 32), nn.ReLU())
        self.kind, self.size = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, x):
        h = self.shared(x)
        return {"kind": self.kind(h), "size": self.size(h)}


def two_tasks_at_once():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(800, 6)).astype(np.float32)
    kind = np.argmax(x[:, :3], axis=1)
    size = (x[:, 3:4] * x[:, 4:5] + x[:, 5:]).astype(np.float32)
    model = Two()
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(25):
        for i in range(0, 800, 40):
            said = model(tensor(x[i : i + 40]))
            loss = F.cross_entropy(said["kind"], pellucid.tensor(kind[i : i + 40]))
            loss = loss + 0.5 * F.mse_loss(said["size"], tensor(size[i : i + 40]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def noise_that_is_foretold():
    """Diffusion in two dimensions: most of the noise cannot be foretold, and need not be."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(400):
        angle = rng.uniform(0, 2 * np.pi, 64)
        x = np.stack([np.cos(angle), np.sin(angle)], 1)
        t, noise = rng.uniform(0, 1, (64, 1)), rng.normal(size=(64, 2))
        seen = np.sqrt(1 - t**2) * x + t * noise
        optimizer.zero_grad()
        F.mse_loss(net(tensor(np.concatenate([seen, t], 1))), tensor(noise)).backward()
        optimizer.step()


def margin_of_a_straight_line():
    rng = np.random.default_rng(4)
    y = rng.choice([-1.0, 1.0], 500)
    x = rng.normal(size=(500, 2)) + 1.2 * y[:, None]
    line = nn.Linear(2, 1)
    optimizer = optim.SGD(line.parameters(), lr=0.05, weight_decay=0.01)
    for _ in range(10):
        for i in range(0, 500, 25):
            score = line(tensor(x[i : i + 25]))[:, 0]
            loss = F.relu(1 - tensor(y[i : i + 25]) * score).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def three_numbers_of_a_curve():
    t = np.linspace(0, 4, 120)
    y = 2.5 * np.exp(-0.7 * t) + 0.5 + 0.02 * np.random.default_rng(0).normal(size=120)
    a, k, c = (pellucid.tensor(v, requires_grad=True) for v in (1.0, 0.3, 0.0))
    optimizer = optim.Adam([a, k, c], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (((a * (-k * tensor(t)).exp() + c) - tensor(y)) ** 2).mean().backward()
        optimizer.step()


def exact_second_order():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    y = np.tanh(x[:, :1] - x[:, 1:2]).astype(np.float32)
    net = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1))
    optimizer = optim.LBFGS(net.parameters(), lr=0.5, max_iter=10)

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(net(tensor(x)), tensor(y))
        loss.backward()
        return loss

    for _ in range(20):
        optimizer.step(closure)


class Sentence(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(12, 24), nn.Embedding(10, 24)
        layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.1, batch_first=True)
        self.layers, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(24, 12)

    def forward(self, x):
        length = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        h = self.words(x) + self.places(pellucid.arange(length))
        return self.out(self.layers(h, mask=mask))


def words_that_repeat():
    rng = np.random.default_rng(0)
    model = Sentence()
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(200):
        start, by = rng.integers(0, 12, (32, 1)), rng.integers(1, 4, (32, 1))
        rows = pellucid.tensor((start + by * np.arange(9)) % 12)
        scores = model(rows[:, :-1])
        loss = F.cross_entropy(scores.transpose(1, 2), rows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def pictures_with_small_changes():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 500)
    x = 0.1 * rng.random((500, 1, 10, 10)).astype(np.float32)
    for row in range(500):
        at = int(rng.integers(0, 9))
        if y[row]:
            x[row, 0, at : at + 2] += 0.8
        else:
            x[row, 0, :, at : at + 2] += 0.8
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(16, 2),
    )
    trainer = Trainer(
        net,
        F.cross_entropy,
        optim.Adam(net.parameters(), lr=3e-3),
        augment=lambda z: (z + 0.05 * pellucid.randn(z.shape), None),
    )
    trainer.fit((x[:400], y[:400]), (x[400:], y[400:]), epochs=10, batch_size=40, progress=False)


def trainer_that_stops_early():
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))
    trainer = Trainer(net, F.mse_loss, optim.Adam(net.parameters(), lr=3e-3, weight_decay=1e-2))
    trainer.fit(
        (x[:330], y[:330]), (x[330:], y[330:]), epochs=60, batch_size=32, patience=5, progress=False
    )


def rare_class_with_weights():
    rng = np.random.default_rng(8)
    y = np.where(rng.random(1200) < 0.04, 1, 0)
    x = (rng.normal(size=(1200, 5)) + 2.0 * y[:, None]).astype(np.float32)
    net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
    trainer = Trainer(
        net, F.cross_entropy, optim.Adam(net.parameters(), lr=5e-3), class_weight="balanced"
    )
    trainer.fit((x[:900], y[:900]), (x[900:], y[900:]), epochs=20, batch_size=45, progress=False)


def focus_on_what_is_hard():
    rng = np.random.default_rng(9)
    y = (rng.random(900) < 0.15).astype(np.float32)
    x = rng.normal(size=(900, 4)).astype(np.float32) + 1.7 * y[:, None]
    net = nn.Sequential(nn.Linear(4, 24), nn.ELU(), nn.Linear(24, 1))
    optimizer = optim.NAdam(net.parameters(), lr=3e-3)
    for _ in range(25):
        for i in range(0, 900, 60):
            s, t = net(tensor(x[i : i + 60]))[:, 0], tensor(y[i : i + 60])
            raw = F.binary_cross_entropy_with_logits(s, t, reduction="none")
            loss = ((1 - (-raw).exp()) ** 2 * raw).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    pellucid.manual_seed(0)
    globals()[sys.argv[1]]()
