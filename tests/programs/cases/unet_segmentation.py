"""A U-Net: pooling, transposed convolutions, skips by cat with padding, a Dice loss with BCE."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, uniform


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
            nn.InstanceNorm2d(out_channels, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1),
            nn.GroupNorm(2, out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                nn.Conv2d(in_channels, in_channels // 2, 1),
            )
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY = x2.size()[2] - x1.size()[2]
        diffX = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2, diffY // 2, diffY - diffY // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc = DoubleConv(1, 4)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(8, 16))
        self.up1, self.up2 = Up(16, 8, False), Up(8, 4, True)
        self.outc = nn.Conv2d(4, 1, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_loss(logits, target, smooth=1.0):
    probability = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    intersection = (probability * target).sum(1)
    return (
        1 - ((2.0 * intersection + smooth) / (probability.sum(1) + target.sum(1) + smooth)).mean()
    )


def main():
    model = fill(UNet())
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.9, foreach=True)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0]))

    def step(image, mask):
        optimizer.zero_grad(set_to_none=True)
        logits = model(image)
        loss = criterion(logits, mask) + dice_loss(logits, mask)
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(3):
        image = uniform(2, 1, 14, 11)
        record.append(step(image, (image > 0.6).float()).item())
    return record
