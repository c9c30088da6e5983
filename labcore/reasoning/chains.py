"""Questions that need as many steps as they have digits, and the steps written out.

A question is a row of digits, the answer their sum modulo 2 (the parity of bits) or modulo 10 (the last
digit of a sum). The chain of thought is the running sum after each digit, so every step is easy and is
checked by one addition. The text of a worked question, here 3 digits modulo 10:

    4 7 9 = 4 1 0 > 0        4 7 9 = > 0  without steps        4 7 9 = 4 1 > 0  cut after two steps

Sources: chain of thought arXiv:2201.11903; scratchpads arXiv:2112.00114; why one pass is not enough for
parity, arXiv:2402.12875.
Axes: B questions, N digits of each, S steps written.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from labcore.errors import LabInputError
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch

MODULUS = {"parity": 2, "sum": 10}
TASKS = tuple(MODULUS)
EQUALS, ANSWER, PAD = 10, 11, 12
SYMBOLS = "0123456789=>·"
VOCAB_SIZE = len(SYMBOLS)
WAYS = ("direct", "chain")


def modulus_of(task: str) -> int:
    if task not in MODULUS:
        raise LabInputError("task", task, "known_choice", allowed=TASKS)
    return MODULUS[task]


def draw_questions(size: int, digits: int, task: str, generator: torch.Generator) -> Tensor:
    """Random questions.  -> (B, N) int64"""
    return torch.randint(modulus_of(task), (size, digits), generator=generator)


def running_sums(questions: Tensor, task: str) -> Tensor:
    """The chain of thought; its last step is the answer.  (B, N) -> (B, N)

    >>> running_sums(torch.tensor([[4, 7, 9]]), "sum").tolist()
    [[4, 1, 0]]
    """
    return questions.cumsum(dim=1) % modulus_of(task)


def prompts(questions: Tensor) -> Tensor:
    """Digits and "=".  (B, N) -> (B, N + 1)"""
    return torch.cat([questions, torch.full((len(questions), 1), EQUALS)], dim=1)


def worked(questions: Tensor, steps: Tensor, task: str) -> Batch:
    """Questions with their first `steps` steps (B,) and the answer, as a model is to write them.

    subtle: where a chain is cut short nobody asks for the ">": who asks decides when to stop, and a model
    that were taught to stop anywhere would.
    """
    rows, digits = questions.shape
    chain = running_sums(questions, task)
    place = torch.arange(digits + 2)[None]  # of what stands behind "="
    cut = steps[:, None]
    padded = torch.cat([chain, torch.full((rows, 2), PAD)], dim=1)
    response = torch.where(place < cut, padded, PAD)
    response = torch.where(place == cut, ANSWER, response)
    response = torch.where(place == cut + 1, chain[:, -1:], response)
    text = torch.cat([prompts(questions), response], dim=1)  # (B, 2N + 3)
    targets = text[:, 1:].clone()
    targets[:, :digits] = IGNORE
    targets[targets == PAD] = IGNORE
    short = (place == cut) & (cut < digits)
    targets[:, digits:][short] = IGNORE
    return Batch(text[:, :-1], targets, text[:, :-1] != PAD)


def batches(
    way: str, digits: int, task: str, size: int, generator: torch.Generator
) -> Iterator[Batch]:
    """Fresh questions without end: without steps, or half with all of them and half cut at random."""
    if way not in WAYS:
        raise LabInputError("way", way, "known_choice", allowed=WAYS)
    while True:
        questions = draw_questions(size, digits, task, generator)
        if way == "direct":
            batch = worked(questions, torch.zeros(size, dtype=torch.int64), task)
            width = digits + 2  # the rest is padding
            yield Batch(
                *(column[:, :width] for column in (batch.tokens, batch.targets, batch.padding_mask))
            )
        else:
            cut = torch.randint(digits, (size,), generator=generator)
            whole = torch.rand(size, generator=generator) < 0.5
            yield worked(questions, torch.where(whole, digits, cut), task)
