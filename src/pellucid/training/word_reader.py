"""A small transformer that reads the words of a text in their order."""

from __future__ import annotations

from pellucid import Tensor, nn
from pellucid.data.input_layout import Lookup
from pellucid.tensor.creation import zeros
from pellucid.tensor.shaping import cat

HEADS, LAYERS, INNER = 4, 2, 2
"""Heads of attention, layers, and how many times wider the layers' inner part is."""


class WordReader(nn.Module):
    """The codes of a text's words, in order, as one vector.

    Each word is its vector plus that of its place; a vector that stands for the whole text comes
    before them.  Two encoder layers (Vaswani and others, "Attention is all you need", 2017) with
    the norm first (Xiong and others, 2020) let every word look at every other one; places without a
    word (code 0) are not looked at.  The result is the mean over the words and the whole text.

    Input (N, ``slots``) int64 codes from 0 to ``rows`` - 1, output (N, ``width``).
    """

    def __init__(self, lookup: Lookup) -> None:
        super().__init__()
        width = lookup.width
        self.words = nn.Embedding(lookup.rows, width)
        self.places = nn.Embedding(lookup.slots + 1, width)
        layer = nn.TransformerEncoderLayer(
            width, HEADS, INNER * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(width)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, norm, enable_nested_tensor=False)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, 0.0, 0.1)
        for parameter in self.encoder.parameters():  # the copies of a layer begin as different ones
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, slots) → (N, width)."""
        empty = cat([zeros(codes.shape[0], 1).bool(), codes == 0], 1)  # (N, slots + 1)
        whole = self.places.weight[0].expand(codes.shape[0], 1, -1)
        words = self.words(codes) + self.places.weight[1:]  # (N, slots, width)
        read = self.encoder(cat([whole, words], 1), src_key_padding_mask=empty)
        real = (~empty).to(read.dtype).unsqueeze(2)  # (N, slots + 1, 1)
        return (read * real).sum(1) / real.sum(1)


def reader_shapes(lookup: Lookup) -> dict[str, tuple[int, ...]]:
    """Shape of each parameter of ``WordReader(lookup)`` by its name, without building it."""
    width, inner = lookup.width, INNER * lookup.width
    shapes: dict[str, tuple[int, ...]] = {
        "words.weight": (lookup.rows, width),
        "places.weight": (lookup.slots + 1, width),
    }
    for layer in range(LAYERS):
        own = {
            "self_attn.in_proj_weight": (3 * width, width),
            "self_attn.in_proj_bias": (3 * width,),
            "self_attn.out_proj.weight": (width, width),
            "self_attn.out_proj.bias": (width,),
            "linear1.weight": (inner, width),
            "linear1.bias": (inner,),
            "linear2.weight": (width, inner),
            "linear2.bias": (width,),
        }
        for norm in ("norm1", "norm2"):
            own |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        shapes |= {f"encoder.layers.{layer}.{name}": shape for name, shape in own.items()}
    return shapes | {"encoder.norm.weight": (width,), "encoder.norm.bias": (width,)}
