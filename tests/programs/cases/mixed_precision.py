"""The loop of mixed precision with everything on the CPU: autocast that is off, a scaler that is off,
the old names of both."""

import torch
from start import fill, integers, normal
from torch import nn
from torch.cuda.amp import GradScaler, autocast


def main():
    use_amp = torch.cuda.is_available()
    device = "cuda" if use_amp else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.cuda.manual_seed_all(0)
    model = fill(nn.Sequential(nn.Linear(4, 8), nn.SELU(), nn.Linear(8, 3))).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scaler = GradScaler(enabled=use_amp)
    criterion = nn.CrossEntropyLoss()
    record = []
    for _ in range(4):
        x, y = normal(6, 4).to(device, non_blocking=True), integers(3, 6).to(device)
        with autocast(enabled=use_amp):
            loss = criterion(model(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, norm_type=2)
        scaler.step(optimizer)
        scaler.update()
        record.append(loss.item())
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        half = model(x)
    assert half.dtype == torch.bfloat16
    record.append(round(half.float().mean().item(), 1))
    assert torch.cuda.memory_allocated() == 0 and torch.cuda.device_count() == 0
    return record
