"""A Siamese network: one body for two inputs, a contrastive loss, a triplet loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, integers, uniform


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean(
            (1 - label) * torch.pow(distance, 2)
            + label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        )


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn1 = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(1, 4, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(4),
            nn.MaxPool2d(2, stride=2),
        )
        self.fc1 = nn.Sequential(nn.Linear(4 * 4 * 4, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))

    def forward_once(self, x):
        output = self.cnn1(x)
        return self.fc1(output.view(output.size()[0], -1))

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


def main():
    net = fill(SiameseNetwork())
    criterion, triplet = ContrastiveLoss(), nn.TripletMarginLoss(margin=1.0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)

    def step(img0, img1, img2, label):
        optimizer.zero_grad()
        output1, output2 = net(img0, img1)
        loss = criterion(output1, output2, label)
        loss = loss + 0.5 * triplet(output1, output2, net.forward_once(img2))
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(4):
        images = [uniform(6, 1, 8, 8) for _ in range(3)]
        record.append(step(*images, integers(2, 6, 1).float()).item())
    return record
