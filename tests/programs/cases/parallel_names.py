"""A program for many devices on one: DataParallel, SyncBatchNorm, a sampler for processes, pinned
memory, seeded workers."""

import random

import numpy as np
import torch
import torch.backends.cudnn as cudnn
import torch.distributed as dist
import torch.nn as nn
import torch.nn.parallel
import torch.utils.data
import torch.utils.data.distributed
from start import fill, integers, normal


def seed_worker(worker_id):
    worker_seed = torch.initial_seed() % 2**32
    np.random.seed(worker_seed)
    random.seed(worker_seed)


class AverageMeter:
    def __init__(self):
        self.sum = self.count = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n


def main():
    cudnn.deterministic = True
    torch.manual_seed(3)
    distributed = dist.is_available() and dist.is_initialized()
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    model = fill(nn.SyncBatchNorm.convert_sync_batchnorm(model) if distributed else model)
    model = torch.nn.DataParallel(model)
    assert list(model.state_dict())[0] == "module.0.weight"
    dataset = torch.utils.data.TensorDataset(normal(24, 5), integers(2, 24))
    sampler = torch.utils.data.distributed.DistributedSampler(
        dataset, num_replicas=1, rank=0, shuffle=False
    )
    g = torch.Generator()
    g.manual_seed(0)
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=8,
        sampler=sampler,
        num_workers=2,
        worker_init_fn=seed_worker,
        generator=g,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=True,
        prefetch_factor=2,
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    criterion = nn.CrossEntropyLoss()
    record = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        losses = AverageMeter()
        for images, target in loader:
            loss = criterion(model(images), target)
            losses.update(loss.item(), images.size(0))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            record.append(loss.item())
        record.append(losses.sum / losses.count)
    return record
