"""Sequence to sequence: a GRU encoder, a decoder with attention, teacher forcing at random."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from start import fill, integers

SOS_token, EOS_token = 0, 1
MAX_LENGTH = 5


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size)

    def forward(self, input, hidden):
        embedded = self.embedding(input).view(1, 1, -1)
        return self.gru(embedded, hidden)

    def initHidden(self):
        return torch.zeros(1, 1, self.hidden_size)


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, max_length=MAX_LENGTH):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attn = nn.Linear(hidden_size * 2, max_length)
        self.attn_combine = nn.Linear(hidden_size * 2, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, input, hidden, encoder_outputs):
        embedded = self.embedding(input).view(1, 1, -1)
        attn_weights = F.softmax(self.attn(torch.cat((embedded[0], hidden[0]), 1)), dim=1)
        attn_applied = torch.bmm(attn_weights.unsqueeze(0), encoder_outputs.unsqueeze(0))
        output = torch.cat((embedded[0], attn_applied[0]), 1)
        output = F.relu(self.attn_combine(output).unsqueeze(0))
        output, hidden = self.gru(output, hidden)
        return F.log_softmax(self.out(output[0]), dim=1), hidden, attn_weights


def train(input_tensor, target_tensor, encoder, decoder, optimizers, criterion, force):
    encoder_hidden = encoder.initHidden()
    for optimizer in optimizers:
        optimizer.zero_grad()
    encoder_outputs = torch.zeros(MAX_LENGTH, encoder.hidden_size)
    loss = 0
    for ei in range(input_tensor.size(0)):
        encoder_output, encoder_hidden = encoder(input_tensor[ei], encoder_hidden)
        encoder_outputs[ei] = encoder_output[0, 0]
    decoder_input = torch.tensor([[SOS_token]])
    decoder_hidden = encoder_hidden
    for di in range(target_tensor.size(0)):
        decoder_output, decoder_hidden, _ = decoder(decoder_input, decoder_hidden, encoder_outputs)
        loss += criterion(decoder_output, target_tensor[di])
        if force:
            decoder_input = target_tensor[di]
        else:
            topv, topi = decoder_output.topk(1)
            decoder_input = topi.squeeze().detach()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    return loss / target_tensor.size(0)


def main():
    encoder, decoder = fill(EncoderRNN(10, 8)), fill(AttnDecoderRNN(8, 10))
    optimizers = [torch.optim.SGD(module.parameters(), lr=0.05) for module in (encoder, decoder)]
    criterion = nn.NLLLoss()
    step = torch.compile(train) if __import__("start").COMPILE else train
    random.seed(2)
    record = []
    for _ in range(4):
        source, target = integers(8, 4, 1) + 2, integers(8, 3, 1) + 2
        force = True if random.random() < 0.5 else False
        record.append(step(source, target, encoder, decoder, optimizers, criterion, force).item())
    return record
