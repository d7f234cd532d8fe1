"""Deep Q-learning: a replay memory, a target network, gather, a soft update."""

import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import compiled, fill, integers, normal, uniform


class ReplayBuffer:
    def __init__(self, limit):
        self.buffer = deque(maxlen=limit)

    def put(self, transition):
        self.buffer.append(transition)

    def sample(self, n):
        s_lst, a_lst, r_lst, s_prime_lst, done_lst = [], [], [], [], []
        for s, a, r, s_prime, done in random.sample(list(self.buffer), n):
            s_lst.append(s)
            a_lst.append([a])
            r_lst.append([r])
            s_prime_lst.append(s_prime)
            done_lst.append([done])
        return (
            torch.tensor(s_lst, dtype=torch.float),
            torch.tensor(a_lst),
            torch.tensor(r_lst),
            torch.tensor(s_prime_lst, dtype=torch.float),
            torch.tensor(done_lst),
        )


class Qnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 16)
        self.fc2 = nn.Linear(16, 2)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))

    def sample_action(self, obs, epsilon):
        if random.random() < epsilon:
            return random.randint(0, 1)
        return self.forward(obs).argmax().item()


def main():
    q, q_target = fill(Qnet()), Qnet()
    q_target.load_state_dict(q.state_dict())
    memory = ReplayBuffer(50)
    for _ in range(40):
        s, s_prime = normal(4).tolist(), normal(4).tolist()
        action, reward = int(integers(2, 1)), float(uniform(1))
        memory.put((s, action, reward, s_prime, 1.0 if reward > 0.1 else 0.0))
    optimizer = torch.optim.Adam(q.parameters(), lr=0.01)

    def train(s, a, r, s_prime, done_mask):
        q_a = q(s).gather(1, a)
        max_q_prime = q_target(s_prime).max(1)[0].unsqueeze(1)
        target = r + 0.98 * max_q_prime * done_mask
        loss = F.smooth_l1_loss(q_a, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    train = compiled(train)
    random.seed(1)
    record = []
    for n_epi in range(6):
        record.append(train(*memory.sample(8)).item())
        for param, target_param in zip(q.parameters(), q_target.parameters()):
            target_param.data.copy_(0.1 * param.data + 0.9 * target_param.data)
    assert q.sample_action(normal(4), 0.0) in (0, 1)
    return record
