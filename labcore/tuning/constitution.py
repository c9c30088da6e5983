"""Self-critique by a principle: a model answers, criticises its answer, and writes it again.

This is the first half of constitutional AI, the part that makes training data: (question, revised answer).
Here the pipeline is looked at by itself, with a small published model and principles that a program can
check (`principles`), so that "better" is counted and not believed. Two controls: the answer written
again without any principle, and the question asked with the principle from the start.

Source: arXiv:2212.08073, section 3.
Axes: Q questions, B rows, T tokens.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.tuning.principles import PRINCIPLES

MODEL = "smollm2-135m-instruct"
LANGUAGES = ("en", "zh")
OWN = "own"  # a principle of the learner's: nobody can check it
MOST_CHARACTERS = 300
LONGEST = {"answer": 48, "critique": 32, "revision": 48, "again": 48, "direct": 48}  # tokens
STAGES = ("answer", "critique", "revision")
# With words of which an answer to the question can hardly do without all.
TOPICS = {
    "en": {
        "How far away is the moon?": ("moon", "lunar"),
        "Why is the sky blue?": ("sky", "blue", "scatter"),
        "What do bees eat?": ("bee", "nectar", "pollen"),
        "How long should I boil an egg?": ("egg", "boil"),
        "When was the bicycle invented?": ("bicycle", "bike"),
        "Why do leaves fall in autumn?": ("leaves", "leaf", "autumn"),
        "How do I keep bread fresh?": ("bread", "loaf"),
        "What is a prime number?": ("prime", "divi"),
    },
    "zh": {
        "月亮离我们有多远？": ("月", "公里", "千米"),
        "天空为什么是蓝色的？": ("天空", "蓝", "散射"),
        "蜜蜂吃什么？": ("蜂", "花蜜", "花粉"),
        "鸡蛋要煮多久？": ("蛋", "煮"),
        "自行车是什么时候发明的？": ("自行车", "发明"),
        "秋天为什么会落叶？": ("叶", "秋"),
        "面包怎样保鲜？": ("面包", "保鲜"),
        "什么是质数？": ("质数", "整除", "约数"),
    },
}  # fmt: skip
QUESTIONS = {language: tuple(topics) for language, topics in TOPICS.items()}
# What the model reads at each stage. {question}, {answer}, {rule}, {critique} are filled in.
TEMPLATES = {
    "en": {
        "answer": "{question}",
        "critique": "Question: {question}\nAnswer: {answer}\nRule: {rule}\n"
        "Does the answer keep the rule? Say in one sentence what must be changed.",
        "revision": "Question: {question}\nAnswer: {answer}\nRule: {rule}\nCritique: {critique}\n"
        "Write the answer again so that it keeps the rule. Write the new answer only.",
        "again": "Question: {question}\nAnswer: {answer}\n"
        "Write the answer again. Write the new answer only.",
        "direct": "{question}\n{rule}",
    },
    "zh": {
        "answer": "{question}",
        "critique": "问题：{question}\n回答：{answer}\n原则：{rule}\n"
        "这个回答遵守原则吗？用一句话说明要改什么。",
        "revision": "问题：{question}\n回答：{answer}\n原则：{rule}\n批评：{critique}\n"
        "请重写回答，使它遵守原则。只写新的回答。",
        "again": "问题：{question}\n回答：{answer}\n请重写回答。只写新的回答。",
        "direct": "{question}\n{rule}",
    },
}


class ChatTokenizer(Protocol):
    eos_id: int | None

    def chat_ids(self, user_text: str) -> list[int] | None: ...
    def decode(self, ids: Sequence[int]) -> str: ...


@lab_config
class CritiqueConfig:
    question: str = QUESTIONS["en"][0]
    principle: str = "short"  # of `PRINCIPLES`, or "own"
    rule: str = ""  # the learner's own, with "own"
    language: str = "en"

    def __post_init__(self):
        known = (*PRINCIPLES, OWN)
        if self.principle not in known:
            raise LabInputError("principle", self.principle, "known_choice", allowed=known)
        if self.language not in LANGUAGES:
            raise LabInputError("language", self.language, "known_language")
        needed = ("question", "rule") if self.principle == OWN else ("question",)
        for name in needed:
            if not getattr(self, name).strip():
                raise LabInputError(name, getattr(self, name), "not_empty")

    @property
    def stated(self) -> str:
        """The principle as the model reads it."""
        if self.principle == OWN:
            return self.rule[:MOST_CHARACTERS]
        return PRINCIPLES[self.principle].rule[self.language]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    name: str
    prompt: str  # the learner's turn of the chat; the template's own words are around it
    text: str
    keeps: bool | None  # the principle; None for a critique, and for a principle of one's own
    share: float  # of the pipeline done


@dataclass(frozen=True, slots=True, eq=False)
class CritiqueResult:
    stages: list[Stage]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class RecordedStages:
    """One question under one principle: what was asked and said at every stage and control."""

    language: str
    principle: str
    question: str
    texts: dict[str, str]
    keeps: dict[str, bool]
    answers: dict[str, bool]  # still about the question: names one of its `TOPICS`


@dataclass(frozen=True, slots=True, eq=False)
class ConstitutionStudy:
    rows: list[RecordedStages]
    tokens_written: int
    seconds: float

    def of(self, language: str, principle: str) -> list[RecordedStages]:
        """(Q,)"""
        return [r for r in self.rows if (r.language, r.principle) == (language, principle)]

    def counts(self, language: str, principle: str, stage: str) -> tuple[int, int]:
        """How many texts keep the principle, and how many of those are still about the question."""
        rows = self.of(language, principle)
        kept = [row for row in rows if row.keeps[stage]]
        return len(kept), sum(row.answers[stage] for row in kept)


def is_about(text: str, language: str, question: str) -> bool:
    """Whether it names one of the things that the question is about, beyond saying the question again."""
    rest = text.lower().replace(question.lower(), "").replace(question.lower().rstrip("?？"), "")
    return any(word in rest for word in TOPICS[language][question])


def prompt_of(stage: str, language: str, **parts: str) -> str:
    """What the model reads as the user's turn."""
    return TEMPLATES[language][stage].format(**parts)


@torch.no_grad()
def write(
    model: Transformer, tokenizer: ChatTokenizer, prompts: Sequence[str], most_tokens: int
) -> list[str]:
    """Likeliest answers to several chats at once, padded on the left.  B prompts -> B texts"""
    rows = [tokenizer.chat_ids(prompt) for prompt in prompts]
    width, end = max(map(len, rows)), tokenizer.eos_id
    tokens = torch.tensor([[end] * (width - len(row)) + row for row in rows])  # (B, T)
    real = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in rows])
    cache, written = KVCache(), []
    ended = torch.zeros(len(rows), dtype=torch.bool)
    for _ in range(most_tokens):
        token = model(tokens, padding_mask=real, cache=cache).logits[:, -1].argmax(dim=1)
        token = token.masked_fill(ended, end)
        ended = ended | (token == end)
        written.append(token)
        if ended.all():
            break
        tokens, real = token[:, None], torch.ones(len(rows), 1, dtype=torch.bool)
    said = torch.stack(written, dim=1).tolist()
    return [tokenizer.decode([id for id in row if id != end]).strip() for row in said]


def run(config: CritiqueConfig) -> CritiqueResult:
    return drain(critique(config))


def critique(config: CritiqueConfig) -> Generator[Stage, None, CritiqueResult]:
    """Answer, criticise, revise: one question."""
    started = time.perf_counter()
    loaded = zoo.load(MODEL)
    parts = {"question": config.question[:MOST_CHARACTERS], "rule": config.stated}
    stages = []
    for name in STAGES:
        prompt = prompt_of(name, config.language, **parts)
        text = write(loaded.model, loaded.tokenizer, [prompt], LONGEST[name])[0]
        parts[name] = text
        judged = name != "critique" and config.principle != OWN
        keeps = PRINCIPLES[config.principle].keeps(text) if judged else None
        stages.append(Stage(name, prompt, text, keeps, (len(stages) + 1) / len(STAGES)))
        yield stages[-1]
    return CritiqueResult(stages, time.perf_counter() - started)


def study() -> ConstitutionStudy:
    """Eight questions, three principles, two languages, two controls."""
    started, rows = time.perf_counter(), []
    loaded = zoo.load(MODEL)
    for language in LANGUAGES:
        rows += in_language(loaded.model, loaded.tokenizer, language)
    words = sum(len(loaded.tokenizer.encode(text)) for row in rows for text in row.texts.values())
    return ConstitutionStudy(rows, words, time.perf_counter() - started)


def in_language(
    model: Transformer, tokenizer: ChatTokenizer, language: str
) -> list[RecordedStages]:
    asked, rows = QUESTIONS[language], []

    def stage(name: str, *columns: Sequence[str], **fixed: str) -> list[str]:
        """One stage for all questions; `columns` are earlier stages' texts, in order."""
        parts = [
            dict(zip(("answer", "critique"), row, strict=False))
            for row in zip(*columns, strict=True)
        ]
        parts = parts or [{}] * len(asked)
        prompts = [
            prompt_of(name, language, question=question, **fixed, **part)
            for question, part in zip(asked, parts, strict=True)
        ]
        return write(model, tokenizer, prompts, LONGEST[name])

    first = stage("answer")
    again = stage("again", first)
    for principle in PRINCIPLES.values():
        rule = principle.rule[language]
        remarks = stage("critique", first, rule=rule)
        revised = stage("revision", first, remarks, rule=rule)
        direct = stage("direct", rule=rule)
        for question, *said in zip(asked, first, remarks, revised, again, direct, strict=True):
            texts = dict(zip((*STAGES, "again", "direct"), said, strict=True))
            keeps = {name: principle.keeps(text) for name, text in texts.items()}
            about = {name: is_about(text, language, question) for name, text in texts.items()}
            rows.append(RecordedStages(language, principle.name, question, texts, keeps, about))
    return rows
