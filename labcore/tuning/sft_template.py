"""A conversation of the learner's own, token by token: what the model reads, and what it is asked for.

Axes: T tokens.
"""

from dataclasses import dataclass

import numpy as np

from labcore import zoo
from labcore.architecture.prompt import language_of
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.text.masking import IGNORE
from labcore.tuning.chat import ROLES, labels, padding_masked, published_chat
from labcore.tuning.instructions import Instruction
from labcore.tuning.world_assistant import assistant_tokenizer, rendered

REAL = "smollm2-135m-instruct"
MODELS = ("small", "words", REAL)  # the bundled model's template, the same in words, ChatML
ENDS = ("asked", "left_out", "padding")  # what becomes of the token that ends the answer
MOST_CHARACTERS = 600


@lab_config
class TemplateConfig:
    question: str
    answer: str
    model: str = "small"
    mask_prompt: bool = True
    end: str = "asked"

    def __post_init__(self):
        if self.model not in MODELS:
            raise LabInputError("model", self.model, "known_choice", allowed=MODELS)
        if self.end not in ENDS:
            raise LabInputError("end", self.end, "known_choice", allowed=ENDS)
        for name in ("question", "answer"):
            if not getattr(self, name).strip():
                raise LabInputError(name, "", "not_empty")


@dataclass(frozen=True, slots=True, eq=False)
class TemplateResult:
    tokens: list[str]  # (T,) readable
    roles: np.ndarray  # (T,) int64, indices into ROLES
    asked: np.ndarray  # (T,) bool: the loss asks for this token
    cut_characters: int  # of what was typed


def run(config: TemplateConfig) -> TemplateResult:
    row = Instruction(config.question[:MOST_CHARACTERS], "", config.answer[:MOST_CHARACTERS])
    tokenizer, said = conversation(row, config.model)
    wanted = labels(said, config.mask_prompt, config.end != "left_out")
    if config.end == "padding":
        wanted = padding_masked(said.ids, wanted, tokenizer.eos_id)
    return TemplateResult(
        tokens=[tokenizer.label(token) for token in said.ids],
        roles=np.array([ROLES.index(role) for role in said.roles]),
        asked=np.array(wanted) != IGNORE,
        cut_characters=max(0, len(config.question) - MOST_CHARACTERS)
        + max(0, len(config.answer) - MOST_CHARACTERS),
    )


def conversation(row: Instruction, model: str):
    """A row in a model's template.  -> tokenizer, conversation"""
    if model == REAL:
        tokenizer = zoo.load(REAL).tokenizer
        return tokenizer, published_chat(row, tokenizer)
    template = "chat" if model == "small" else "words"
    return assistant_tokenizer(), rendered(row, language_of(row.instruction + row.output), template)
