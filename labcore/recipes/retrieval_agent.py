"""retrieval-agent: the two small agents of the retrieval lab, careful and naive, made in two minutes.

python -m labcore.recipes.retrieval_agent
"""

import torch

from labcore import shipped
from labcore.model.transformer import Transformer
from labcore.retrieval.agent_model import ASSETS, CONFIG, TRAINING
from labcore.retrieval.agent_text import AGENTS, batches
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train


def make(agent: str, seed: int = 0) -> Transformer:
    """Train one of the two."""
    model = Transformer(CONFIG, torch.Generator().manual_seed(seed))
    text = batches(agent, TRAINING.batch_size, torch.Generator().manual_seed(seed))
    for step in train(model, text, TRAINING):
        if step.step % 100 == 0:
            print(f"{agent}: step {step.step}, {step.loss_nats:.4f} nats per word", flush=True)
    return model.eval()


def main() -> None:
    torch.set_num_threads(1)
    ASSETS.mkdir(parents=True, exist_ok=True)
    for agent in AGENTS:
        weights = {name: value.half() for name, value in weights_of(make(agent)).items()}
        shipped.save(weights, ASSETS / f"agent-{agent}.safetensors")


if __name__ == "__main__":
    main()
