"""A question answered by SmolLM2: with passages that were found, with others, and with none.

Source: retrieval-augmented generation, arXiv:2005.11401.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.model.generation import SamplingConfig, generate
from labcore.retrieval.finding import METHODS, FindConfig, question_in
from labcore.retrieval.finding import run as find
from labcore.retrieval.prompting import Borne, borne_by, is_right, prompt_of, source_of

MODEL = "smollm2-135m-instruct"
MOST_NEW_TOKENS = 20
MOST_PASSAGES = 5
MOST_PASSAGE = 1200  # characters of one passage


@lab_config
class AnswerConfig:
    find: FindConfig = field(default_factory=FindConfig)
    method: str = "minilm"  # whose ranking the passages come from
    passages: int = 2
    planted: str = ""  # a passage put before all others, whatever was found

    def __post_init__(self):
        check_choices(self, {"method": METHODS if self.find.meaning else METHODS[:1]})
        check_limits(self, {"passages": (0, MOST_PASSAGES)})


@dataclass(frozen=True, slots=True)
class Answer:
    prompt: str
    passages: tuple[str, ...]
    titles: tuple[str, ...]  # of their documents; "" for the planted one
    text: str
    borne: tuple[Borne, ...]
    source: int  # the passage, from 1, that bears most of it; 0: none
    wanted: str  # "" if the right answer is not known
    right: bool
    prompt_tokens: int
    seconds: float


def run(config: AnswerConfig) -> Answer:
    """Find, build the prompt, let the model write, look its words up in the passages."""
    found = find(config.find)
    chosen = found.found[config.method][: config.passages]
    passages = [found.chunks[one.chunk].text[:MOST_PASSAGE] for one in chosen]
    titles = [found.documents[found.chunks[one.chunk].document].title for one in chosen]
    if config.planted.strip():
        passages = [config.planted.strip()[:MOST_PASSAGE], *passages]
        titles = ["", *titles]
    known = question_in(config.find)
    return answer(config.find.question.strip(), passages, titles, known.answer if known else "")


def answer(
    question: str, passages: Sequence[str], titles: Sequence[str] = (), wanted: str = ""
) -> Answer:
    """The likeliest answer to a prompt with these passages."""
    prompt = prompt_of(question, passages)
    text, tokens, seconds = written(prompt)
    borne = borne_by(text, question, passages)
    return Answer(
        prompt, tuple(passages), tuple(titles), text, borne, source_of(borne), wanted,
        is_right(text, wanted), tokens, seconds,
    )  # fmt: skip


@torch.no_grad()
def written(prompt: str) -> tuple[str, int, float]:
    """What the model writes, how many tokens it read, and how long both took."""
    loaded, started = zoo.load(MODEL), time.perf_counter()
    ids = loaded.tokenizer.chat_ids(prompt)
    sampling = SamplingConfig(temperature=0, max_new_tokens=MOST_NEW_TOKENS)
    steps = generate(loaded.model, ids, sampling, {loaded.tokenizer.eos_id})
    said = [step.token for step in steps]
    return loaded.tokenizer.decode(said).strip(), len(ids), time.perf_counter() - started
