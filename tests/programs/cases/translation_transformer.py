"""Translation with nn.Transformer: causal and padding masks, label smoothing, Noam's schedule, greedy
decoding."""

import math

import torch
import torch.nn as nn
from start import compiled, fill, integers

PAD, BOS, EOS = 0, 1, 2


class TokenEmbedding(nn.Module):
    def __init__(self, vocab_size, emb_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb_size)
        self.emb_size = emb_size

    def forward(self, tokens):
        return self.embedding(tokens.long()) * math.sqrt(self.emb_size)


class Seq2SeqTransformer(nn.Module):
    def __init__(self, emb_size=16, nhead=2, vocab=14):
        super().__init__()
        self.transformer = nn.Transformer(
            d_model=emb_size,
            nhead=nhead,
            num_encoder_layers=1,
            num_decoder_layers=1,
            dim_feedforward=24,
            dropout=0.0,
        )
        self.generator = nn.Linear(emb_size, vocab)
        self.src_tok_emb = TokenEmbedding(vocab, emb_size)
        self.tgt_tok_emb = TokenEmbedding(vocab, emb_size)
        self.position = nn.Parameter(torch.zeros(12, 1, emb_size))

    def forward(self, src, trg, tgt_mask, src_padding_mask, tgt_padding_mask):
        src_emb = self.src_tok_emb(src) + self.position[: len(src)]
        tgt_emb = self.tgt_tok_emb(trg) + self.position[: len(trg)]
        outs = self.transformer(
            src_emb,
            tgt_emb,
            tgt_mask=tgt_mask,
            src_key_padding_mask=src_padding_mask,
            tgt_key_padding_mask=tgt_padding_mask,
            memory_key_padding_mask=src_padding_mask,
        )
        return self.generator(outs)


def generate_square_subsequent_mask(sz):
    mask = (torch.triu(torch.ones((sz, sz))) == 1).transpose(0, 1)
    mask = mask.float().masked_fill(mask == 0, float("-inf"))
    return mask.masked_fill(mask == 1, 0.0)


def main():
    model = fill(Seq2SeqTransformer())
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    noam = lambda s: 16**-0.5 * min((s + 1) ** -0.5, (s + 1) * 4**-1.5) * 0.1  # noqa: E731
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, noam)

    def step(src, tgt):
        tgt_input, tgt_out = tgt[:-1, :], tgt[1:, :]
        tgt_mask = generate_square_subsequent_mask(tgt_input.shape[0])
        src_pad = (src == PAD).transpose(0, 1)
        tgt_pad = (
            torch.zeros_like(tgt_mask[0])
            .expand(tgt_input.shape[1], -1)
            .masked_fill((tgt_input == PAD).transpose(0, 1), float("-inf"))
        )
        logits = model(src, tgt_input, tgt_mask, src_pad, tgt_pad)
        optimizer.zero_grad()
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt_out.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = []
    for _ in range(4):
        src, tgt = integers(11, 6, 4) + 3, integers(11, 7, 4) + 3
        tgt[0], tgt[-1] = BOS, EOS
        src[4:, 1] = PAD
        tgt[5:, 2] = PAD
        record.append(step(src, tgt).item())
        scheduler.step()
    return record
