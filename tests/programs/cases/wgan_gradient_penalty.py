"""A critic whose gradient is kept near 1: a gradient of a gradient."""

import torch
import torch.autograd as autograd
from start import compiled, fill, normal, uniform
from torch import nn


def compute_gradient_penalty(D, real_samples, fake_samples, alpha):
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = torch.ones(real_samples.shape[0], 1, requires_grad=False)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def main():
    generator = fill(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)))
    critic = fill(nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)))
    optimizer_G = torch.optim.RMSprop(generator.parameters(), lr=0.01)
    optimizer_D = torch.optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.9))

    def critic_step(real, z, alpha):
        optimizer_D.zero_grad()
        fake = generator(z).detach()
        penalty = compute_gradient_penalty(critic, real.data, fake.data, alpha)
        d_loss = -torch.mean(critic(real)) + torch.mean(critic(fake)) + 10 * penalty
        d_loss.backward()
        optimizer_D.step()
        return d_loss

    def generator_step(z):
        optimizer_G.zero_grad()
        g_loss = -torch.mean(critic(generator(z)))
        g_loss.backward()
        optimizer_G.step()
        return g_loss

    critic_step, generator_step = compiled(critic_step), compiled(generator_step)
    record = []
    for i in range(6):
        record.append(critic_step(normal(6, 4), normal(6, 3), uniform(6, 1)).item())
        if i % 2 == 0:
            record.append(generator_step(normal(6, 3)).item())
    return record
