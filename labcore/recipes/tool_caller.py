"""The small model that calls, made in about two minutes: python -m labcore.recipes.tool_caller"""

import numpy as np
import torch

from labcore import shipped
from labcore.frontier.tool_loop import ASSET, CONFIG, LoopConfig, batches, load_caller, run
from labcore.model.transformer import Transformer
from labcore.training.checkpoints import weights_of
from labcore.training.loop import TrainConfig, train

TRAINING = TrainConfig(
    steps=900, batch_size=64, learning_rate=3e-3, warmup_steps=50, eval_every=0, seed=0
)


def main() -> None:
    torch.set_num_threads(1)
    model = Transformer(CONFIG, torch.Generator().manual_seed(TRAINING.seed))
    for step in train(model, batches(TRAINING.batch_size, np.random.default_rng(0)), TRAINING):
        if step.step % 100 == 0:
            print(step.step, round(step.loss_nats, 4), flush=True)
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    shipped.save({n: w.half() for n, w in weights_of(model).items()}, ASSET)
    load_caller.cache_clear()
    rng = np.random.default_rng(99)
    asked = [
        LoopConfig(*map(int, rng.integers([10, 10, 10], [100, 100, 1000]))) for _ in range(200)
    ]
    print(
        "right:", sum(run(one).right for one in asked) / len(asked), ASSET.stat().st_size, "bytes"
    )


if __name__ == "__main__":
    main()
