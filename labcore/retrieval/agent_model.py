"""The small agents' size, training and files; `python -m labcore.recipes.retrieval_agent` makes them."""

from functools import cache

from labcore import shipped
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.retrieval.agent_text import AGENTS
from labcore.retrieval.agent_world import WORDS
from labcore.retrieval.library import ASSETS
from labcore.training.loop import TrainConfig

CONFIG = ModelConfig(vocab_size=len(WORDS), hidden_size=64, num_layers=3, num_heads=4)
TRAINING = TrainConfig(
    steps=1100, batch_size=32, learning_rate=3e-3, schedule="cosine", warmup_steps=30, eval_every=0
)


@cache
def load_agent(agent: str) -> Transformer:
    """A bundled agent, stored in 16 bits, run in 32."""
    if agent not in AGENTS:
        raise LabInputError("agent", agent, "known_choice", allowed=AGENTS)
    weights = shipped.tensors(ASSETS / f"agent-{agent}.safetensors")
    return Transformer(
        CONFIG, weights={name: value.float() for name, value in weights.items()}
    ).eval()
