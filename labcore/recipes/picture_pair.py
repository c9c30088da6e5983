"""The towers of the multimodal lab, made in two minutes: python -m labcore.recipes.picture_pair"""

import torch

from labcore import shipped
from labcore.training.checkpoints import weights_of
from labcore.vision.looking import ASSET, new_pair
from labcore.vision.pair_training import PairConfig, train

CONFIG = PairConfig(negatives="hard", steps=1200, learning_rate=1.5e-3, seed=1)


def main() -> None:
    torch.set_num_threads(1)
    pair = new_pair()
    for look in train(pair, CONFIG, every=400):
        found, other = look.seen.found.round(3), look.held_out.found.round(3)
        print(
            look.step,
            round(look.loss, 3),
            "found",
            found,
            other,
            "won",
            look.held_out.won,
            flush=True,
        )
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: weight.half() for name, weight in weights_of(pair).items()}
    shipped.save(halves, ASSET)
    print(ASSET.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
