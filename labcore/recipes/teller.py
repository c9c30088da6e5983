"""teller: the small base model of "LoRA and its family", made in under a minute.

python -m labcore.recipes.teller
"""

import torch

from labcore import shipped
from labcore.model.transformer import Transformer
from labcore.pretraining.small_world import (
    PAD,
    SmallVocabulary,
    endless_batches,
    floor_nats,
    row,
)
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train
from labcore.training.objectives import causal_batch, held_out_loss
from labcore.tuning import teller


def main() -> None:
    torch.set_num_threads(1)
    told, held_out = teller.training_passages(), teller.held_out_passages()
    known = SmallVocabulary.of([row(story) for story in (*told, *held_out)])
    rows, asked = ([known.narrow(row(s)) for s in part] for part in (told, held_out))
    model = Transformer(teller.CONFIG, torch.Generator().manual_seed(teller.TRAINING.seed))
    batches = endless_batches(rows, teller.TRAINING.batch_size, torch.Generator().manual_seed(0))
    exam = [causal_batch(asked, PAD)]
    for step in train(model, batches, teller.TRAINING, lambda model: held_out_loss(model, exam)):
        if step.validation_nats is not None:
            print(f"step {step.step}: {step.validation_nats:.4f} nats per token held out")
    kept = {name: weight.half() for name, weight in weights_of(model).items()}
    kept[teller.VOCABULARY] = torch.from_numpy(known.tokens)
    teller.ASSET.parent.mkdir(parents=True, exist_ok=True)
    shipped.save(kept, teller.ASSET)
    loss = held_out_loss(teller.load_teller(), exam)
    print(f"as kept: {loss:.4f} nats per token; lowest possible {floor_nats(held_out):.4f}")


if __name__ == "__main__":
    main()
