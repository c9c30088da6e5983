"""Multi-head latent attention: keys and values rebuilt from one small vector per token.

The cache holds the latent and one rotated key that all heads share, r + d_rope numbers per token
instead of 2·H·d. Rotation does not commute with the rebuilding, which is why a few channels of
each key carry the position by themselves.

Axes: as in attention.py; r kv_lora_rank, d_nope and d_rope the two parts of a query or key, in this
order. Source: DeepSeek-V2, arXiv:2405.04434, section 2.1; as published, no map has a bias.
"""

import torch
from torch import Tensor, nn

from labcore.model.attention import View, attend, join_heads, split_heads
from labcore.model.config import ModelConfig
from labcore.model.norms import Norm
from labcore.model.positions import rotate
from labcore.model.trace import Probe


class LatentMultiHeadAttention(nn.Module):
    """Attention of a text to itself through a latent."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, heads, latent = config.hidden_size, config.num_heads, config.latent
        self.latent, self.size = latent, config.size_per_head
        self.scale = self.size**-0.5 if config.attention_scale is None else config.attention_scale
        if latent.q_lora_rank is None:
            self.q = nn.Linear(width, heads * self.size, bias=False)
        else:
            self.q_down = nn.Linear(width, latent.q_lora_rank, bias=False)
            self.q_norm = Norm(config, latent.q_lora_rank)
            self.q_up = nn.Linear(latent.q_lora_rank, heads * self.size, bias=False)
        self.kv_down = nn.Linear(width, latent.kv_lora_rank, bias=False)
        self.kv_norm = Norm(config, latent.kv_lora_rank)
        self.k_rope = nn.Linear(width, latent.rope_head_dim, bias=False)
        self.k_up = nn.Linear(latent.kv_lora_rank, heads * latent.nope_head_dim, bias=False)
        self.v_up = nn.Linear(latent.kv_lora_rank, heads * latent.value_head_dim, bias=False)
        self.out = nn.Linear(heads * latent.value_head_dim, width, bias=config.attention_out_bias)

    def forward(self, x: Tensor, view: View, name: str, probe: Probe) -> Tensor:
        """(B, T, D) -> (B, T, D); `name` is the cache's key"""
        q = self.queries(x, view, probe)
        latent = self.kv_norm(self.kv_down(x))  # (B, T, r)
        k_rope = probe("k_unrotated", self.k_rope(x)[:, None])  # (B, 1, T, d_rope)
        if view.rope is not None and not view.rope.after_cache:
            k_rope = rotate(k_rope, *view.rope.key)
        if view.cache is not None:
            latent, k_rope = view.cache.update(name, latent, k_rope)  # all S tokens from here on
        if view.rope is not None and view.rope.after_cache:
            k_rope = rotate(k_rope, *view.rope.key)
        latent = probe("latent", latent)
        k_nope = split_heads(self.k_up(latent), self.latent.nope_head_dim)  # (B, H, S, d_nope)
        k = torch.cat([k_nope, k_rope.expand(-1, k_nope.shape[1], -1, -1)], dim=-1)
        v = split_heads(self.v_up(latent), self.latent.value_head_dim)
        k, v = probe("k", k), probe("v", v)
        return self.out(join_heads(attend(q, k, v, view, self.scale, probe)))

    def queries(self, x: Tensor, view: View, probe: Probe) -> Tensor:
        """(B, T, D) -> (B, H, T, d_nope + d_rope), the last d_rope channels turned"""
        if self.latent.q_lora_rank is None:
            q = self.q(x)
        else:
            q = self.q_up(self.q_norm(self.q_down(x)))
        q = probe("q_unrotated", split_heads(q, self.size))
        if view.rope is not None:
            sizes = [self.latent.nope_head_dim, self.latent.rope_head_dim]
            q_nope, q_rope = q.split(sizes, dim=-1)
            q = torch.cat([q_nope, rotate(q_rope, *view.rope.query)], dim=-1)
        return probe("q", q)
