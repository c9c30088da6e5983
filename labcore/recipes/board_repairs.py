"""The LoRA repairs of the trade-off board's cuts, made in about two minutes.

python -m labcore.recipes.board_repairs
"""

import torch

from labcore import shipped
from labcore.compression import judged
from labcore.compression.board_models import ADAPTERS, CUTS, LORA, cut_model
from labcore.compression.repair import RepairConfig, told
from labcore.training.loop import TrainConfig, train
from labcore.tuning.lora import attach, corrections

STEPS, RATE = 150, 3e-3
SEED = 40  # of the stories that repair: apart from those of the pruning lab's seeds


def main() -> None:
    torch.set_num_threads(1)
    ADAPTERS.mkdir(parents=True, exist_ok=True)
    for cut in CUTS[1:]:
        model = cut_model(cut)
        before = judged.loss_nats(model)
        attach(model, LORA, torch.Generator().manual_seed(0))
        stories = told(RepairConfig(steps=STEPS, seed=SEED))
        training = TrainConfig(
            steps=STEPS, batch_size=16, learning_rate=RATE, warmup_steps=10, weight_decay=0.0,
            seed=0, eval_every=0,
        )  # fmt: skip
        for _ in train(model, stories, training):
            pass
        learned = {
            f"{name}.{part}": getattr(module, part).detach().half().contiguous()
            for name, module in corrections(model).items()
            for part in ("a", "b")
        }
        path = ADAPTERS / f"repair-{cut}.safetensors"
        shipped.save(learned, path)
        print(
            f"{cut} %: {before:.4f} -> {judged.loss_nats(model):.4f} nats, {path.stat().st_size} bytes"
        )


if __name__ == "__main__":
    main()
