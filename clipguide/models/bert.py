"""BERT as a text tower, in plain torch: loading one costs no import of transformers.

The network is that of "BERT: Pre-training of Deep Bidirectional Transformers" (Devlin et al. 2019) with the state-dict
names of transformers' BertModel, so weights move both ways, also through open_clip's HFTextEncoder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class BertConfig:
    """The fields of a transformers BERT `config.json` that shape the network; the rest of the file is ignored."""

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0

    @classmethod
    def read(cls, path: Path) -> BertConfig:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{f.name: stored[f.name] for f in fields(cls) if f.name in stored})


class BertText(nn.Module):
    """Tokens to one vector per text: encoder, mean over the real tokens, projection without bias.

    projection: open_clip's `hf_proj_type`, "linear" or "mlp"; tower: an encoder of that config, to be shared with
    whoever has it already; a new one by default.
    """

    def __init__(self, config: BertConfig, output_dim: int, projection: str, tower: Bert | None = None) -> None:
        super().__init__()
        self.config, self.output_dim = config, output_dim
        self.context_length, self.vocab_size = config.max_position_embeddings, config.vocab_size
        self.transformer = tower or Bert(config)
        self.proj = PROJECTIONS[projection](config.hidden_size, output_dim)

    def pool(self, tokens: Tensor) -> Tensor:
        """tokens: (N, L) int64, padded with `pad_token_id` -> mean hidden state of the real ones, (N, hidden_size)."""
        real = tokens != self.config.pad_token_id  # (N, L)
        hidden = self.transformer(tokens, real)  # (N, L, hidden_size)
        weight = real.unsqueeze(-1).to(hidden)
        return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, L) int64 -> (N, output_dim), not normalised."""
        return self.proj(self.pool(tokens))


def linear(width: int, output_dim: int) -> nn.Module:
    """(N, width) -> (N, output_dim)."""
    return nn.Linear(width, output_dim, bias=False)


def mlp(width: int, output_dim: int) -> nn.Module:
    """(N, width) -> (N, output_dim), by a hidden layer of a width between the two, as open_clip has it."""
    hidden = (width + output_dim) // 2
    return nn.Sequential(linear(width, hidden), nn.GELU(), linear(hidden, output_dim))


PROJECTIONS = {"linear": linear, "mlp": mlp}


class Bert(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, tokens: Tensor, real: Tensor) -> Tensor:
        """tokens (N, L) int64 and real (N, L) bool (False at padding) -> hidden states (N, L, hidden_size)."""
        hidden = self.embeddings(tokens)
        for layer in self.encoder.layer:
            hidden = layer(hidden, real[:, None, None, :])
        return hidden


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        position = self.position_embeddings.weight[: tokens.shape[1]]
        return self.LayerNorm(self.word_embeddings(tokens) + self.token_type_embeddings.weight[0] + position)


class _Residual(nn.Module):
    """Dense layer, added to the stream, then normalised (BERT normalises after the sum)."""

    def __init__(self, width_in: int, width: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, width)
        self.LayerNorm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, stream: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + stream)


class _Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.attention = nn.Module()
        self.attention.self = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        self.attention.output = _Residual(width, width, eps)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, config.intermediate_size)})
        self.output = _Residual(config.intermediate_size, width, eps)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            self.attention.self[name](hidden)
            .unflatten(-1, (self.heads, -1))
            .transpose(1, 2)  # (N, heads, L, width/heads)
            for name in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        hidden = self.attention.output(mixed, hidden)
        return self.output(F.gelu(self.intermediate["dense"](hidden)), hidden)
