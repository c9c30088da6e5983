"""Verifiers: a model that reads a worked question and says whether to believe it.

Both are the half-trained writer, taught further on the same chains, and both give a number per step; a
chain's score is the chance that all of its steps are right, their product. The *process* verifier is told
of every step whether it follows from the one before. The *outcome* verifier is told one thing about a
chain, whether its answer is right, and has to find out by itself which step is to blame.

Sources: outcome verifiers, Cobbe et al., arXiv:2110.14168; outcome against process, Uesato et al.,
arXiv:2211.14275, and Lightman et al., arXiv:2305.20050, who take the product over steps, too.
Axes: B chains, N digits, W = N + 1 written steps, the answer being the last.
"""

from collections.abc import Generator

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.reasoning.chains import ANSWER, prompts, running_sums
from labcore.reasoning.writers import CONFIG, TASK, load_weights
from labcore.training.optimiser import clip_gradients

KINDS = ("outcome", "process")


def judged(verifier: Transformer, questions: Tensor, written: Tensor) -> Tensor:
    """One logit per written step: σ of it is the chance that the step, or the outcome, is right.

    The trunk is a language model. Where it says what may come next, it now says of each token whether it
    would be right; read off is the token that came.  (B, N), (B, S) -> (B, S)
    """
    digits = questions.shape[1]
    text = torch.cat([prompts(questions), written[:, :digits]], dim=1)
    said_at = torch.arange(digits, digits + written.shape[1])
    if written.shape[1] > digits:  # the answer is said behind the ">"
        text = torch.cat([text, torch.full((len(text), 1), ANSWER)], dim=1)
        said_at[-1] += 1
    logits = verifier(text).logits[:, said_at]  # (B, S, V)
    return logits.gather(2, written[:, :, None])[:, :, 0]


def step_labels(questions: Tensor, written: Tensor) -> Tensor:
    """Whether each step follows from the one before, right or wrong as that may be; the answer must
    repeat the last.  (B, N), (B, W) -> (B, W) bool

    >>> step_labels(torch.tensor([[4, 7, 9]]), torch.tensor([[4, 2, 1, 1]])).tolist()
    [[True, False, True, True]]
    """
    before = F.pad(written[:, :-1], (1, 0))  # the sum of nothing is 0
    added = F.pad(questions, (0, 1))  # and the answer adds nothing
    # A bad writer may put a sign where a digit should stand; nothing follows from that.
    return ((before + added) % 10 == written) & (before < 10)


def is_right(questions: Tensor, written: Tensor) -> Tensor:
    """Whether the answer is, whatever the steps.  (B, N), (B, W) -> (B,) bool"""
    return written[:, -1] == running_sums(questions, TASK)[:, -1]


def chain_scores(logits: Tensor) -> Tensor:
    """ln of the chance that every step is right: Σ ln σ.  (B, S) -> (B,) nats, at most 0"""
    return F.logsigmoid(logits).sum(dim=1)


def verifier_loss(kind: str, logits: Tensor, questions: Tensor, written: Tensor) -> Tensor:
    """Cross-entropy with what this kind of verifier is told.  (B, W) -> (), nats

    Process: one label for each step. Outcome: one for the product of all steps.
    """
    if kind == "process":
        return F.binary_cross_entropy_with_logits(logits, step_labels(questions, written).float())
    chance = chain_scores(logits).exp().clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy(chance, is_right(questions, written).float())


def fit(
    verifier: Transformer, kind: str, questions: Tensor, written: Tensor, epochs: int,
    generator: torch.Generator, batch_size: int = 64, learning_rate: float = 1e-3,
) -> Generator[float, None, None]:  # fmt: skip
    """Train on chains in random order; yields the loss of each batch, in nats."""
    check_kind(kind)
    optimiser = torch.optim.AdamW(verifier.parameters(), lr=learning_rate, weight_decay=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(written), generator=generator).split(batch_size):
            logits = judged(verifier, questions[rows], written[rows])
            loss = verifier_loss(kind, logits, questions[rows], written[rows])
            optimiser.zero_grad()
            loss.backward()
            clip_gradients(verifier, 1.0)
            optimiser.step()
            yield loss.item()


def check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise LabInputError("verifier", kind, "known_choice", allowed=KINDS)


def new_verifier() -> Transformer:
    """The half-trained writer, before it has been told of any chain."""
    return Transformer(CONFIG, weights=load_weights("writer-half")).requires_grad_(True)


def load_verifier(kind: str) -> Transformer:
    """A bundled one, frozen."""
    check_kind(kind)
    weights = load_weights(f"verifier-{kind}")
    return Transformer(CONFIG, weights=weights).eval().requires_grad_(False)
