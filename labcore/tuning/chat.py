"""Chat templates: how a question and its answer become one row of tokens, and what the loss asks of it.

A model reads one row; who is speaking is told by the template alone. A conversation is therefore a row in
which every token has a role: the template's own, the user's, the answer's, or the end of the answer. Labels
follow from the roles: the prompt is read and not asked for, the answer is, and so is its end, or the model
will never learn to stop.

Axes: B batch, T tokens of a row, R packed rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from labcore.errors import LabInputError
from labcore.text import packing
from labcore.text.masking import IGNORE, collate
from labcore.training.objectives import Batch
from labcore.tuning.instructions import Instruction
from labcore.zoo.published_tokenizer import PublishedTokenizer

ROLES = ("template", "user", "answer", "end")
TEMPLATE, USER, ANSWER, END = ROLES


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of tokens with the role of each."""

    ids: tuple[int, ...]  # (T,)
    roles: tuple[str, ...]  # (T,)

    @property
    def prompt(self) -> tuple[int, ...]:
        """What the model is given when it is to answer: all that stands before the first answer."""
        answered = self.roles.index(ANSWER) if ANSWER in self.roles else len(self.ids)
        return self.ids[:answered]


def written(*pieces: tuple[str, Sequence[int]]) -> Conversation:
    """Pieces of a row, each with its role, as one row."""
    ids = tuple(token for _, piece in pieces for token in piece)
    return Conversation(ids, tuple(role for role, piece in pieces for _ in piece))


def labels(
    conversation: Conversation, mask_prompt: bool = True, train_end: bool = True
) -> list[int]:
    """The tokens that the loss asks for, IGNORE in the places of the others.  -> (T,)

    subtle: a label stands at the token itself, and is compared with what was said one place before. So
    the template's last token, which is masked, is the one that is asked for the answer's first.
    """
    wanted = {ANSWER} if mask_prompt else {ANSWER, USER, TEMPLATE}
    wanted |= {END} if train_end else set()
    asked = [role in wanted for role in conversation.roles]
    asked[0] = False  # nothing stands before it
    return [token if it else IGNORE for token, it in zip(conversation.ids, asked, strict=True)]


def padding_masked(ids: Sequence[int], asked: Sequence[int], pad_id: int) -> list[int]:
    """What a collator does that masks every padding token.  -> (T,)

    Where the end token serves as padding, as in SmolLM2, the end of the answer goes with it.
    """
    return [IGNORE if token == pad_id else it for token, it in zip(ids, asked, strict=True)]


def chat_batch(rows: Sequence[Sequence[int]], asked: Sequence[Sequence[int]], pad_id: int) -> Batch:
    """Rows with their labels as next-token questions, a row's end filled up.  -> T = longest - 1"""
    tokens, real = collate(rows, pad_id)
    wanted = torch.full_like(tokens, IGNORE)
    for row, given in enumerate(asked):
        wanted[row, : len(given)] = torch.tensor(given)
    return Batch(tokens[:, :-1], wanted[:, 1:], real[:, :-1])


def packed_batch(
    rows: Sequence[Sequence[int]], asked: Sequence[Sequence[int]], size: int, pad_id: int,
    apart: bool = True,
) -> Batch:  # fmt: skip
    """The same questions with several conversations in a row of `size` tokens.  -> (R, size)

    `apart` keeps them from seeing each other and lets positions restart. Too long a one is torn.
    """
    placed = packing.pack([len(row) for row in rows], size, "fit")
    packed = packing.fill(placed, rows, size, pad_id)
    wanted = packing.fill(placed, asked, size, IGNORE).tokens
    same = packed.documents[:, 1:] == packed.documents[:, :-1]
    targets = torch.full_like(wanted, IGNORE)
    targets[:, :-1] = wanted[:, 1:].where(same, IGNORE)
    real = packed.documents != packing.NO_DOCUMENT
    if not apart:
        return Batch(packed.tokens, targets, real)
    return Batch(
        packed.tokens, targets, real, documents=packed.documents, positions=packed.positions
    )


def published_chat(row: Instruction, tokenizer: PublishedTokenizer) -> Conversation:
    """An instruction in a published model's own template.

    Raises LabInputError if the model has none. The end of an answer is the tokenizer's end token.
    """
    pieces = tokenizer.chat_pieces([("user", row.user), ("assistant", row.output)])
    if pieces is None:
        raise LabInputError("model", "chat_template", "no_chat_template")
    opening, asked, between, answer, closing = (ids for _, ids in pieces)
    ends = closing[:1] if closing[:1] == [tokenizer.eos_id] else []
    return written(
        (TEMPLATE, opening), (USER, asked), (TEMPLATE, between), (ANSWER, answer), (END, ends),
        (TEMPLATE, closing[len(ends) :]),
    )  # fmt: skip
