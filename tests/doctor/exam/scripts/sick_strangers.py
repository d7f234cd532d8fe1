"""Sick programs, as different people make their mistakes: ``sick_strangers.py NAME``.

The first line of each says the causes that are right.
"""

import sys
import time

import numpy as np
import pellucid
from pellucid import nn, optim
from pellucid.nn import functional as F
from pellucid.utils.data import DataLoader, Dataset, TensorDataset


def tensor(array):
    return pellucid.tensor(np.asarray(array, np.float32))


def digits(rows=1400):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:rows]
    return pellucid.tensor(x[order].astype(np.float32) / 16), pellucid.tensor(y[order])


def table(rows=800, columns=5):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.1 * rng.normal(size=rows)
    return tensor(x), tensor(y[:, None])


def fit(model, loss, optimizer, x, y, epochs=10, size=40):
    for _ in range(epochs):
        for i in range(0, len(x), size):
            optimizer.zero_grad()
            loss(model(x[i : i + size]), y[i : i + size]).backward()
            optimizer.step()


class Sigmoids(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64 if not n else 30, 30) for n in range(6))
        self.out = nn.Linear(30, 10)

    def forward(self, x):
        for layer in self.layers:
            x = pellucid.sigmoid(layer(x))
        return self.out(x)


def functional_sigmoids():
    """ACT_HID VANISHING SATURATION"""
    x, y = digits()
    net = Sigmoids()
    fit(net, F.cross_entropy, optim.SGD(net.parameters(), lr=0.1, momentum=0.9), x, y)


class Probable(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(64, 40), nn.Linear(40, 10)

    def forward(self, x):
        scores = self.b(F.relu(self.a(x)))
        return {"probabilities": F.softmax(scores, dim=1), "scores": scores}


def softmax_far_from_the_loss():
    """DOUBLE_SOFTMAX"""
    x, y = digits()
    net = Probable()
    adam = optim.Adam(net.parameters(), lr=5e-4)
    for _ in range(5):
        for i in range(0, 1400, 50):
            said = net(x[i : i + 50])
            adam.zero_grad()
            F.cross_entropy(said["probabilities"], y[i : i + 50]).backward()
            adam.step()


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 32), nn.Linear(32, 1)

    def forward(self, x):
        hidden = F.relu(self.first(x)).detach()
        return self.second(hidden)


def detached_in_the_middle():
    """WEIGHTS_STILL"""
    x, y = table()
    net = Cut()
    fit(net, F.mse_loss, optim.Adam(net.parameters(), lr=5e-3), x, y)


class Quiet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(1, 8, 3), nn.Linear(8 * 36, 10)

    def forward(self, x):
        with pellucid.no_grad():
            h = F.relu(self.conv(x.reshape(-1, 1, 8, 8)))
        return self.out(h.flatten(1))


def no_grad_forgotten():
    """WEIGHTS_STILL"""
    x, y = digits()
    net = Quiet()
    with pellucid.no_grad():
        net.conv.weight.mul_(0.001)
    fit(net, F.cross_entropy, optim.SGD(net.parameters(), lr=0.05), x, y, epochs=5)


def evaluation_mode_left_on():
    """BN_MODE"""
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 10))
    net.eval()
    fit(net, F.cross_entropy, optim.Adam(net.parameters(), lr=2e-3), 30 * x, y, epochs=4)


def dropout_left_off():
    """DROPOUT_MODE OVERFIT REG_MISSING"""
    x, y = table(120)
    net = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1))
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(40):
        net.eval()
        for i in range(0, 100, 20):
            optimizer.zero_grad()
            F.mse_loss(net(x[i : i + 20]), y[i : i + 20]).backward()
            optimizer.step()
        with pellucid.no_grad():
            F.mse_loss(net(x[100:]), y[100:])


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = F.dropout(F.relu(self.a(x)), 0.95, self.training)
        return self.c(F.dropout(F.relu(self.b(x)), 0.95, self.training))


def functional_dropout_of_nearly_all():
    """REG_EXCESS"""
    x, y = digits()
    net = Dropping()
    fit(net, F.cross_entropy, optim.Adam(net.parameters(), lr=3e-3), x, y)


def sorted_and_never_shuffled():
    """SPLIT_UNSHUFFLED"""
    x, y = digits()
    order = pellucid.argsort(y)
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=32, shuffle=False)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    for _ in range(6):
        for rows, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(rows), labels).backward()
            optimizer.step()


def targets_shifted_by_one():
    """LABEL_MISALIGNED"""
    x, y = digits()
    y = pellucid.roll(y, 1)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    fit(net, F.cross_entropy, optim.Adam(net.parameters(), lr=3e-3), x, y, epochs=15)


def series_with_the_answers_of_others():
    """LABEL_MISALIGNED"""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 600)
    time_ = np.arange(24)[None]
    x = np.sin(np.array([0.3, 0.7, 1.3])[kind][:, None] * time_ + rng.uniform(0, 6, (600, 1)))
    net = Series(3)
    fit(
        net,
        F.cross_entropy,
        optim.Adam(net.parameters(), lr=0.01),
        tensor(x[..., None]),
        pellucid.tensor(rng.permutation(kind)),
        epochs=12,
    )


class Series(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.memory, self.out = nn.LSTM(1, 24, batch_first=True), nn.Linear(24, outputs)

    def forward(self, x):
        return self.out(self.memory(x)[1][0][-1])


def pictures():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 500)
    x = 0.1 * rng.random((500, 1, 10, 10))
    for row in range(500):
        at = int(rng.integers(0, 9))
        part = np.s_[at : at + 2, :] if y[row] else np.s_[:, at : at + 2]
        x[row, 0][part] += 0.8
    return x, y


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 25, 2),
    )


def pictures_shuffled_without_their_labels():
    """LABEL_MISALIGNED"""
    x, y = pictures()
    np.random.default_rng(1).shuffle(x)
    net = convolutions()
    fit(
        net,
        F.cross_entropy,
        optim.Adam(net.parameters(), lr=3e-3),
        tensor(x),
        pellucid.tensor(y),
        epochs=12,
    )


def decay_of_a_half():
    """REG_EXCESS"""
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(net.parameters(), lr=0.1, weight_decay=0.5)
    fit(net, F.cross_entropy, optimizer, x, y)


def bytes_as_they_are():
    """INPUT_UNSCALED"""
    x, y = pictures()
    raw = (255 * x / x.max()).astype(np.uint8)
    net = convolutions()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    fit(net, F.cross_entropy, optimizer, pellucid.tensor(raw).float(), pellucid.tensor(y))


def double_precision_metres_and_millimetres():
    """INPUT_UNSCALED"""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 4)) * [1.0, 2000.0, 0.5, 1.0] + [0, 9000, 0, 0]
    y = (x[:, 0] + (x[:, 1] - 9000) / 2000 * x[:, 2] > 0).astype(np.float64)
    net = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1)).double()
    fit(
        net,
        F.binary_cross_entropy_with_logits,
        optim.SGD(net.parameters(), lr=0.05),
        pellucid.tensor(x),
        pellucid.tensor(y[:, None]),
        epochs=8,
    )


def class_numbers_as_amounts():
    """LOSS_WRONG OUT_UNITS"""
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    fit(net, nn.L1Loss(), optim.Adam(net.parameters(), lr=3e-3), x, y.float(), epochs=12)


def minus_one_and_one_for_a_sigmoid():
    """LOSS_WRONG ACT_OUT"""
    x, y = table()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    fit(
        net,
        F.binary_cross_entropy_with_logits,
        optim.Adam(net.parameters(), lr=5e-3),
        x,
        pellucid.sign(y),
    )


def negative_likelihood_without_its_minus():
    """GRAD_SIGN LOSS_WRONG"""
    x, y = digits()
    hot = F.one_hot(y, 10).float()
    net = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10), nn.LogSoftmax(dim=-1))
    fit(
        net,
        lambda logs, t: (t * logs).sum(1).mean(),
        optim.SGD(net.parameters(), lr=0.05),
        x,
        hot,
        epochs=5,
    )


def column_against_row_by_huber():
    """BROADCAST"""
    x, y = table()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    adam = optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(10):
        for i in range(0, 800, 40):
            apart = net(x[i : i + 40]) - y[i : i + 40, 0]
            loss = pellucid.where(apart.abs() < 1, 0.5 * apart**2, apart.abs() - 0.5).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()


class Across(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        e = pellucid.exp(self.b(pellucid.tanh(self.a(x))))
        return e / e.sum(0, keepdim=True)


def softmax_by_hand_over_the_rows():
    """AXIS_WRONG"""
    x, y = digits()
    net = Across()
    fit(net, lambda p, t: F.nll_loss(p.log(), t), optim.Adam(net.parameters(), lr=3e-3), x, y)


def gradients_cleared_too_late():
    """WEIGHTS_STILL GRAD_NOT_RESET LR_LOW"""
    x, y = table()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(6):
        for i in range(0, 800, 40):
            loss = F.mse_loss(net(x[i : i + 40]), y[i : i + 40])
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()


def gradients_never_cleared_with_adam():
    """GRAD_NOT_RESET"""
    x, y = table()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    adam = optim.Adam(net.parameters(), lr=0.02)
    for _ in range(6):
        for i in range(0, 800, 40):
            F.smooth_l1_loss(net(x[i : i + 40]), y[i : i + 40]).backward()
            adam.step()


class Rows(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, row):
        time.sleep(0.001)
        return self.x[row], self.y[row]


def rows_from_a_slow_disk():
    """PIPELINE_SLOW"""
    x, y = table(400)
    loader = DataLoader(Rows(x, y), batch_size=20, shuffle=True)
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    adam = optim.Adam(net.parameters(), lr=0.01)
    for _ in range(5):
        for rows, answers in loader:
            adam.zero_grad()
            F.mse_loss(net(rows), answers).backward()
            adam.step()


def one_point_from_every_noise():
    """MODE_COLLAPSE LR_HIGH"""
    rng = np.random.default_rng(0)
    maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    judge = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    first = optim.Adam(maker.parameters(), lr=0.02)
    second = optim.Adam(judge.parameters(), lr=1e-5)
    yes, no, loss = pellucid.ones(64, 1), pellucid.zeros(64, 1), nn.BCEWithLogitsLoss()
    for _ in range(400):
        angle = rng.uniform(0, 2 * np.pi, 64)
        real = tensor(np.stack([2 * np.cos(angle), 2 * np.sin(angle)], 1))
        fake = maker(pellucid.randn(64, 4))
        second.zero_grad()
        (loss(judge(real), yes) + loss(judge(fake.detach()), no)).backward()
        second.step()
        first.zero_grad()
        loss(judge(maker(pellucid.randn(64, 4))), yes).backward()
        first.step()


if __name__ == "__main__":
    pellucid.manual_seed(0)
    globals()[sys.argv[1]]()
