"""sums-policy: the half-trained policy of chapter 3, made in ten seconds.

python -m labcore.recipes.sums_policy
"""

import torch

from labcore import shipped
from labcore.model.transformer import Transformer
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train
from labcore.tuning import sums
from labcore.tuning.base_policy import ASSET, CONFIG, TRAINING, answer, worked_sums


def make(seed: int = 0) -> Transformer:
    policy = Transformer(CONFIG, torch.Generator().manual_seed(seed))
    for _ in train(policy, worked_sums(torch.Generator().manual_seed(seed)), TRAINING):
        pass
    return policy


def main() -> None:
    torch.set_num_threads(1)
    policy, held_out = make(), sums.all_sums(held_out=True)
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    shipped.save(weights_of(policy), ASSET)
    for temperature in (1.0, 0.0):
        answers = answer(policy, held_out, torch.Generator().manual_seed(1), temperature)
        right = sums.is_right(held_out, answers).double().mean()
        print(f"temperature {temperature}: {right:.3f} of {len(held_out)} held-out sums right")


if __name__ == "__main__":
    main()
