"""reasoning-models: the writers of chains and their two verifiers, made in a minute.

python -m labcore.recipes.reasoning_models
"""

import torch
from torch import Tensor

from labcore import shipped
from labcore.model.transformer import Transformer
from labcore.reasoning.chains import batches, draw_questions
from labcore.reasoning.verifiers import (
    KINDS,
    chain_scores,
    fit,
    is_right,
    judged,
    new_verifier,
    step_labels,
)
from labcore.reasoning.writers import (
    ASSETS,
    CONFIG,
    DIGITS,
    MOMENTS,
    TASK,
    TRAINING,
    load_writer,
    stored,
    write,
)
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train

CHAINS = 6000  # of the half-trained writer, at temperature 1
EPOCHS = 3


def make_writers(seed: int = 0) -> dict[str, dict[str, Tensor]]:
    """Weights of one run at its moments."""
    model = Transformer(CONFIG, torch.Generator().manual_seed(seed))
    text = batches("chain", DIGITS, TASK, TRAINING.batch_size, torch.Generator().manual_seed(seed))
    kept = {}
    for step in train(model, text, TRAINING):
        for name, moment in MOMENTS.items():
            if step.step == moment:
                kept[name] = stored(weights_of(model))
    return kept


def written_chains(size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Questions and what the half-trained writer made of them.  -> (B, N), (B, W)"""
    generator = torch.Generator().manual_seed(seed)
    questions = draw_questions(size, DIGITS, TASK, generator)
    return questions, write(load_writer("half"), questions, 1.0, generator)


def make_verifier(kind: str, seed: int = 1) -> Transformer:
    verifier, chains = new_verifier(), written_chains(CHAINS, seed)
    for _ in fit(verifier, kind, *chains, EPOCHS, torch.Generator().manual_seed(seed)):
        pass
    return verifier


def told_apart(scores: Tensor, right: Tensor) -> float:
    """How often a right chain scores above a wrong one (the area under the ROC curve)."""
    return float((scores[right][:, None] > scores[~right][None]).float().mean())


def main() -> None:
    torch.set_num_threads(1)
    ASSETS.mkdir(parents=True, exist_ok=True)
    for name, weights in make_writers().items():
        shipped.save(weights, ASSETS / f"writer-{name}.safetensors")
    questions, written = written_chains(1000, seed=2)
    right, whole = is_right(questions, written), step_labels(questions, written).all(dim=1)
    print(f"{right.float().mean():.3f} of chains right, {whole.float().mean():.3f} in every step")
    for kind in KINDS:
        verifier = make_verifier(kind)
        shipped.save(stored(weights_of(verifier)), ASSETS / f"verifier-{kind}.safetensors")
        with torch.no_grad():
            scores = chain_scores(judged(verifier, questions, written))
        answers, chains = told_apart(scores, right), told_apart(scores, whole)
        print(f"{kind}: tells apart {answers:.3f} by the answer, {chains:.3f} by all steps")


if __name__ == "__main__":
    main()
