"""sums-reward: the two reward models of chapter 3 and the reader that one of them listens to.

python -m labcore.recipes.sums_reward
"""

from dataclasses import replace

import torch

from labcore import shipped
from labcore.model.transformer import Transformer
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train
from labcore.tuning.base_policy import CONFIG, TRAINING, load_policy, worked_sums
from labcore.tuning.preferences import Rater, best_accuracy, collect_pairs
from labcore.tuning.reward_model import ASSETS, KINDS, READER_ASSET, new_reward_model
from labcore.tuning.reward_training import fit, found_worths, pair_accuracy, rewards_of

READER_STEPS = 800
PAIRS, HELD_OUT_PAIRS, EPOCHS = 8000, 2000, 3


def make_reader(seed: int = 0) -> Transformer:
    """The policy's own recipe, not stopped half-way; no held-out sum is in its text either."""
    reader = Transformer(CONFIG, torch.Generator().manual_seed(seed))
    text = worked_sums(torch.Generator().manual_seed(seed))
    for _ in train(reader, text, replace(TRAINING, steps=READER_STEPS)):
        pass
    return reader


def main() -> None:
    torch.set_num_threads(1)
    shipped.save(weights_of(make_reader()), READER_ASSET)
    policy = load_policy()
    pairs = collect_pairs(policy, Rater(), PAIRS, torch.Generator().manual_seed(0))
    held_out = collect_pairs(
        policy, Rater(), HELD_OUT_PAIRS, torch.Generator().manual_seed(1), True
    )
    for kind in KINDS:
        model = new_reward_model(kind)
        for _ in fit(model, pairs, EPOCHS, torch.Generator().manual_seed(0)):
            pass
        shipped.save(weights_of(model), ASSETS[kind])
        rewards = rewards_of(model, held_out)
        right, marks, digits = found_worths(rewards, held_out)
        print(
            f"{kind}: pair accuracy {pair_accuracy(rewards, held_out):.3f} of at best "
            f"{best_accuracy(held_out):.3f}; {right:.2f} for being right, {marks:.2f} per mark, "
            f"{digits:.2f} per digit"
        )


if __name__ == "__main__":
    main()
