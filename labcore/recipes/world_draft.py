"""world-draft: a small model that guesses what world-decoder will write, made in about a minute.

It first learns from stories, as its target did, and then from the target's own distributions: a guess is
kept with probability Σ min(p, q), so what counts is to be near the target and not to be right.

python -m labcore.recipes.world_draft
"""

from collections.abc import Iterator

import torch

from labcore import shipped, zoo
from labcore.compression.distillation import distillation_loss
from labcore.model.transformer import Transformer
from labcore.serving.draft import ASSET, CONFIG, TARGET, load_draft
from labcore.serving.speculative import kept_share
from labcore.text.world import micro_world
from labcore.training.checkpoints import weights_of
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, causal_batch, shuffled

TRAINING = TrainConfig(
    steps=1500, batch_size=16, learning_rate=5e-3, warmup_steps=50, eval_every=0, seed=0
)
STORIES, HELD_OUT_STORIES = 12_000, 200
DISTILLATION_STEPS, DISTILLATION_RATE = 500, 2.5e-3


def main() -> None:
    torch.set_num_threads(1)
    target = zoo.load(TARGET).model
    draft = Transformer(CONFIG, torch.Generator().manual_seed(TRAINING.seed))
    told = batches(torch.Generator().manual_seed(TRAINING.seed))
    for _ in train(draft, told, TRAINING):
        pass
    print(f"from stories: {kept(draft, target):.4f} of guesses kept on held-out text")
    distil(draft, target, told)
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: weight.half() for name, weight in weights_of(draft).items()}
    shipped.save(halves, ASSET)
    print(f"as kept: {kept(load_draft(), target):.4f}; {ASSET.stat().st_size / 1e3:.0f} kB")


def batches(rng: torch.Generator) -> Iterator[Batch]:
    world = micro_world()
    rows = world.dataset(STORIES, seed=11)
    for drawn in shuffled([len(ids) for ids in rows], TRAINING.batch_size, rng):
        yield causal_batch([rows[row] for row in drawn], world.tokenizer.pad_id)


def distil(draft: Transformer, target: Transformer, told: Iterator[Batch]) -> None:
    """Forward KL to the target at every place of a story, the rate falling to zero."""
    optimiser = torch.optim.AdamW(draft.parameters(), lr=DISTILLATION_RATE, betas=(0.9, 0.95))
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, DISTILLATION_STEPS)
    for _, batch in zip(range(DISTILLATION_STEPS), told, strict=False):
        real = batch.padding_mask
        with torch.no_grad():
            believed = target(batch.tokens, real).logits[real]
        loss = distillation_loss(draft(batch.tokens, real).logits[real], believed)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()


@torch.no_grad()
def kept(draft: Transformer, target: Transformer) -> float:
    """The mean of Σ min(p, q) over the places of held-out stories."""
    world = micro_world()
    rows = world.dataset(HELD_OUT_STORIES, seed=2, split="held_out")
    batch = causal_batch(rows, world.tokenizer.pad_id)
    p, q = (
        model(batch.tokens, batch.padding_mask).logits.softmax(dim=-1) for model in (target, draft)
    )
    return float(kept_share(p, q)[batch.padding_mask].mean())


if __name__ == "__main__":
    main()
