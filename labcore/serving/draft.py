"""The draft that guesses ahead of world-decoder: one layer, a tenth of its size, the same vocabulary.

`python -m labcore.recipes.world_draft` makes `assets/drafts/world-draft.safetensors` again.
"""

from functools import lru_cache
from pathlib import Path

from labcore import shipped
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer

TARGET = "world-decoder"
ASSET = Path(__file__).resolve().parents[2] / "assets" / "drafts" / "world-draft.safetensors"
CONFIG = ModelConfig(vocab_size=1920, hidden_size=40, num_layers=1, num_heads=2)


@lru_cache(maxsize=1)
def load_draft() -> Transformer:
    """Shared by the whole process: read it, never train it. Half precision on disk, single in memory."""
    weights = {name: weight.float() for name, weight in shipped.tensors(ASSET).items()}
    return Transformer(CONFIG, weights=weights).requires_grad_(False).eval()
