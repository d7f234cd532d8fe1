"""The next value of a sine by an LSTM, with a DataLoader."""

import numpy as np
import pellucid
from pellucid import nn
from pellucid.utils.data import DataLoader, TensorDataset


class Forecaster(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1])


pellucid.manual_seed(0)
wave = np.sin(np.arange(400) * 0.2).astype(np.float32)
windows = np.stack([wave[i : i + 20] for i in range(380)])[..., None]
following = wave[20:400, None]
loader = DataLoader(
    TensorDataset(pellucid.tensor(windows), pellucid.tensor(following)), batch_size=32, shuffle=True
)
model = Forecaster()
criterion = nn.MSELoss()
optimizer = pellucid.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(12):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
score = -loss.item()
print("loss", loss.item())
