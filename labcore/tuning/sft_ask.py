"""A learner's own question to the small assistant, before and after it was tuned."""

from dataclasses import dataclass

from labcore.architecture.prompt import language_of
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices
from labcore.tuning.instructions import Instruction
from labcore.tuning.sft import tuned
from labcore.tuning.world_assistant import (
    TEMPLATES,
    answers,
    assistant_tokenizer,
    rendered,
    unknown,
)

MOST_CHARACTERS = 400


@lab_config
class AskConfig:
    prompt: str
    weights: bytes = b""  # of a tuned model; empty, nobody has tuned it yet
    template: str = "chat"

    def __post_init__(self):
        if not self.prompt.strip():
            raise LabInputError("prompt", "", "not_empty")
        check_choices(self, {"template": tuple(TEMPLATES)})


@dataclass(frozen=True, slots=True)
class Answers:
    before: str
    after: str  # empty without a tuned model
    stopped: tuple[bool, bool]  # whether each of them came to an end
    unknown: tuple[str, ...]  # words and characters that the model never met


def run(config: AskConfig) -> Answers:
    text = config.prompt.strip()[:MOST_CHARACTERS]
    row = Instruction(text, "", "")
    prompt = rendered(row, language_of(text), config.template).prompt[:-1]
    kinds = (b"", config.weights) if config.weights else (b"",)
    said = [answers(tuned(weights), [prompt])[0] for weights in kinds]
    tokenizer = assistant_tokenizer()
    texts = [tokenizer.decode(ids) for ids in said] + [""]
    ends = [ids[-1] == tokenizer.eos_id for ids in said] + [False]
    return Answers(texts[0], texts[1], (ends[0], ends[1]), tuple(unknown(text)))
