"""The ward of chat rows: which tokens of a conversation are read, and which are learnt from.

The patient turns instructions of the micro-world into rows with labels. Every token has a role, so what
should be asked can be counted: nothing of the prompt, all of the answer, and its end.

Axes: R conversations.
"""

from collections.abc import Callable, Sequence
from itertools import islice

import torch

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward
from labcore.text.masking import IGNORE
from labcore.text.stories import LANGUAGES
from labcore.tuning.chat import (
    ANSWER,
    END,
    TEMPLATE,
    USER,
    Conversation,
    labels,
    padding_masked,
)
from labcore.tuning.instructions import Instruction
from labcore.tuning.world_assistant import assistant_tokenizer, rendered
from labcore.tuning.world_instructions import instructions

CONVERSATIONS = 12

# The parts, and what people wrote in their place.


def opened_twice(row: Instruction, language: str) -> Conversation:
    """The template writes a begin token, and the tokenizer puts its own in front."""
    said = rendered(row, language)
    begin = assistant_tokenizer().bos_id
    return Conversation((begin, *said.ids), (TEMPLATE, *said.roles))


def whole_row_asked(said: Conversation) -> list[int]:
    return labels(said, mask_prompt=False)


def one_token_too_many(said: Conversation) -> list[int]:
    """The prompt was measured with an end token behind it, which does not stand there in the row."""
    asked, prompt = labels(said), len(said.prompt) + 1
    return [IGNORE] * prompt + asked[prompt:]


def end_is_no_padding(ids: Sequence[int], asked: Sequence[int]) -> list[int]:
    """A collator masks padding; the padding token is one of its own."""
    return padding_masked(ids, asked, assistant_tokenizer().pad_id)


def end_is_padding(ids: Sequence[int], asked: Sequence[int]) -> list[int]:
    return padding_masked(ids, asked, pad_id=assistant_tokenizer().eos_id)


PARTS: Parts = {"row": rendered, "labels": labels, "collate": end_is_no_padding}

# The patient.


def rows(parts: Parts, seed: int) -> list[tuple[Conversation, list[int]]]:
    """Conversations with what the loss asks for in each."""
    drawn = instructions(LANGUAGES, torch.Generator().manual_seed(seed))
    made = []
    for asked in islice(drawn, CONVERSATIONS):
        said = parts["row"](asked.row, asked.language)
        made.append((said, parts["collate"](said.ids, parts["labels"](said))))
    return made


# The tests.


def share_asked(parts: Parts, seed: int, which: Callable[[Conversation], list[int]]) -> float:
    """Of the tokens at `which` places, the share that the loss asks for."""
    hits = [asked[place] != IGNORE for said, asked in rows(parts, seed) for place in which(said)]
    return sum(hits) / len(hits)


def prompt_places(said: Conversation) -> list[int]:
    return [place for place, role in enumerate(said.roles) if role in (USER, TEMPLATE)]


def prompt_asked(parts: Parts, seed: int) -> Reading:
    return Reading(share_asked(parts, seed, prompt_places), 0.0, 0.0)


def first_asked(parts: Parts, seed: int) -> Reading:
    return Reading(share_asked(parts, seed, lambda said: [said.roles.index(ANSWER)]), 1.0, 1.0)


def end_asked(parts: Parts, seed: int) -> Reading:
    return Reading(share_asked(parts, seed, lambda said: [said.roles.index(END)]), 1.0, 1.0)


def begins(parts: Parts, seed: int) -> Reading:
    """Begin tokens of a row, on average."""
    begin = assistant_tokenizer().bos_id
    counts = [said.ids.count(begin) for said, _ in rows(parts, seed)]
    return Reading(sum(counts) / len(counts), 1.0, 1.0)


WARD = Ward(
    "chat_rows", "alignment", PARTS,
    (
        Test("prompt", "equality", prompt_asked),
        Test("first", "equality", first_asked),
        Test("end", "equality", end_asked),
        Test("begins", "equality", begins),
    ),
    (
        Bug("prompt_asked", "labels", whole_row_asked,
            ("karpathy/nanochat#582", "karpathy/nanochat#570"), "sft", "prompt"),
        Bug("first_token_lost", "labels", one_token_too_many,
            ("tloen/alpaca-lora#306", "OpenRLHF/OpenRLHF#973"), "sft", "first"),
        Bug("end_masked", "collate", end_is_padding,
            ("johnsmith0031/alpaca_lora_4bit#35", "mlabonne/llm-course#33", "huggingface/trl#6357"),
            "sft", "end", shown=padding_masked),
        Bug("bos_twice", "row", opened_twice,
            ("deepseek-ai/DeepSeek-R1#151", "OpenRLHF/OpenRLHF#393"), "sft", "begins"),
    ),
)  # fmt: skip
