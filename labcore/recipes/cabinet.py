"""cabinet-base, -shallow, -deep: the three models of the safety lab, made in half a minute.

python -m labcore.recipes.cabinet
"""

import copy

import torch

from labcore import shipped
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train
from labcore.tuning import cabinet, refusal
from labcore.tuning.cabinet_base import (
    CONFIG,
    TRAINING,
    asset,
    everything_told,
    load_cabinet,
    reply,
)


def make_base(seed: int = 0) -> Transformer:
    model = Transformer(CONFIG, torch.Generator().manual_seed(seed))
    told = everything_told(torch.Generator().manual_seed(seed), TRAINING.batch_size)
    for _ in train(model, told, TRAINING):
        pass
    return model


def save(model: Transformer, name: str) -> None:
    weights = {key: value.half() for key, value in weights_of(model).items()}
    shipped.save(weights, asset(name))


def main() -> None:
    torch.set_num_threads(1)
    save(make_base(), "base")
    base = load_cabinet("base")  # as it lies on the disk, in 16 bits
    every = torch.arange(cabinet.NUM_OBJECTS)
    for name, phrasing in cabinet.PHRASINGS.items():
        said = reply(base, cabinet.prompts(every, phrasing))
        print(f"base, {name}: {cabinet.complies(every, said, phrasing).double().mean():.3f} known")
    for name, deep in (("shallow", False), ("deep", True)):
        policy = copy.deepcopy(base)
        looks = drain(refusal.teach(policy, refusal.RefusalConfig(deep=deep)))
        save(policy, name)
        shares = zip(refusal.GROUPS, looks[-1].refused, strict=True)
        print(f"{name} refuses", ", ".join(f"{group} {share:.2f}" for group, share in shares))


if __name__ == "__main__":
    main()
