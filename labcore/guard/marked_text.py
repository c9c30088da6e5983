"""A watermark in real text: how long a text must be, how often the innocent are accused, what it costs.

A language model writes with the mark and without; both kinds are held to the same test. Stories of the
micro-world are short, so a text is several of them in a row.

Every text has a key of its own. subtle: with one key for all, the commonest pairs of words would be green
in every text, or in none, and two hundred texts would be little more than one.

Source: Kirchenbauer et al., arXiv:2301.10226; counting each pair once, Fernandez et al., arXiv:2308.00113.
Axes: N texts, T tokens, L lengths.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from scipy import stats

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.frontier.watermark import WatermarkConfig, green_tokens, marked_logits
from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.text.stories import BOS, EOS

MODELS = ("world-decoder", "smollm2-135m-instruct")
LANGUAGES = ("en", "zh")
LENGTHS = (10, 20, 40, 80, 120, 160)
REPLACED = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
LEVEL = 0.01  # a text is called marked if chance would give so many green tokens less often
LONGEST_STORY = 120
PROMPT = "Once upon a time there was an owl who lived in a tower."


@lab_config
class MarkedConfig:
    model: str = "world-decoder"
    language: str = "en"
    green_share: float = 0.5  # γ
    bias: float = 2.0  # δ, nats
    temperature: float = 1.0
    texts: int = 40  # with the mark, and as many without
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"model": MODELS, "language": LANGUAGES})
        check_limits(self, {"temperature": (0.1, 2.0), "texts": (1, 400), "seed": (0, 2**31)})
        check_limits(self, {"green_share": (0.05, 0.95), "bias": (0.0, 10.0)})


SMOLLM2 = MarkedConfig("smollm2-135m-instruct", texts=24)


@dataclass(frozen=True, slots=True)
class Written:
    what: str  # "marked" or "plain"
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    config: MarkedConfig
    lengths: np.ndarray  # (L,) tokens
    z: dict[str, np.ndarray]  # by "marked", "plain", "other_key": (L, N), each pair counted once
    p: dict[str, np.ndarray]  # (L, N) exact
    p_repeated: dict[str, np.ndarray]  # (L, N) the mistake: repeated pairs counted again
    nats: dict[str, float]  # mean -ln p of what was written, under the model without mark
    found_after: np.ndarray  # (R,) share found when so many tokens were replaced
    sample: dict[str, str]  # the beginning of one text of each kind
    sample_green: dict[str, list[bool]]
    sample_tokens: dict[str, list[str]]
    seconds: float


def flags(tokens: Sequence[int], vocab_size: int, config: WatermarkConfig) -> list[bool]:
    """Whether each token but the first is green, given the one before."""
    return [bool(green_tokens(a, vocab_size, config)[b]) for a, b in pairwise(tokens)]


def verdict(
    tokens: Sequence[int], green: Sequence[bool], share: float, once: bool = True
) -> tuple[float, float]:
    """z and exact p-value of a text; `once` counts equal pairs of neighbours once.

    P(X ≥ k) for X binomial with n pairs and chance γ.
    """
    counted = (
        list(dict(zip(pairwise(tokens), green, strict=True)).values()) if once else list(green)
    )
    if not counted:
        return 0.0, 1.0
    n, k = len(counted), sum(counted)
    z = (k - share * n) / (n * share * (1 - share)) ** 0.5
    return z, float(stats.binom.sf(k - 1, n, share))


@torch.no_grad()
def write(
    model: Transformer, begin: Sequence[int], marks: Sequence[WatermarkConfig | None],
    length: int, temperature: float, end: int | None, generator: torch.Generator,
) -> tuple[list[list[int]], list[list[float]]]:  # fmt: skip
    """One text per mark, all at once.  -> tokens without the beginning, and -ln p of each token under the
    model as it is, at temperature 1"""
    rows = torch.tensor([list(begin)] * len(marks))
    cache, unread, before = KVCache(), rows, rows[:, -1].tolist()
    texts, costs = [[] for _ in marks], [[] for _ in marks]
    over = [False] * len(marks)
    for _ in range(length):
        plain = model(unread, cache=cache).logits[:, -1].float()
        logits = plain / temperature
        for row, mark in enumerate(marks):
            if mark is not None:
                logits[row] = marked_logits(logits[row], before[row], mark)
        drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)
        nats = -plain.log_softmax(dim=1).gather(1, drawn)
        before = drawn[:, 0].tolist()
        for row, token in enumerate(before):
            over[row] = over[row] or token == end
            if not over[row]:
                texts[row].append(token)
                costs[row].append(float(nats[row, 0]))
        if all(over):
            break
        unread = drawn
    return texts, costs


def mark_texts(config: MarkedConfig) -> Generator[Written, None, Marked]:
    """Write, count, damage, count again."""
    started = time.perf_counter()
    loaded = zoo.load(config.model)
    model, vocab = loaded.model, loaded.model.config.vocab_size
    generator = torch.Generator().manual_seed(config.seed)
    keys = [
        WatermarkConfig(config.green_share, config.bias, 1 + config.seed * 1000 + n)
        for n in range(config.texts)
    ]
    begin, end, length = _beginning(loaded, config)
    texts, nats = {}, {}
    for number, kind in enumerate(("marked", "plain")):
        marks = keys if kind == "marked" else [None] * config.texts
        rows, costs = [[] for _ in marks], []
        while min(map(len, rows)) < LENGTHS[-1] + 1:
            more, cost = write(model, begin, marks, length, config.temperature, end, generator)
            rows = [row + new for row, new in zip(rows, more, strict=True)]
            costs += [one for some in cost for one in some]
            share = min(1.0, min(map(len, rows)) / LENGTHS[-1])
            yield Written(kind, 0.45 * (number + share))
        texts[kind] = [row[: LENGTHS[-1] + 1] for row in rows]
        nats[kind] = float(np.mean(costs))
    other = [replace(key, key=key.key + 500_000) for key in keys]
    held = {"marked": (texts["marked"], keys), "plain": (texts["plain"], keys),
            "other_key": (texts["marked"], other)}  # fmt: skip
    share = int(config.green_share * vocab) / vocab
    green = {
        kind: [flags(text, vocab, key) for text, key in zip(rows, ks, strict=True)]
        for kind, (rows, ks) in held.items()
    }
    z, p, twice = {}, {}, {}
    for kind, (rows, _) in held.items():
        looked = [
            [verdict(text[: n + 1], found[:n], share) for text, found in zip(rows, green[kind], strict=True)]
            for n in LENGTHS
        ]  # fmt: skip
        z[kind], p[kind] = (np.array([[one[i] for one in row] for row in looked]) for i in (0, 1))
        twice[kind] = np.array([
            [verdict(text[: n + 1], found[:n], share, once=False)[1]
             for text, found in zip(rows, green[kind], strict=True)]
            for n in LENGTHS
        ])  # fmt: skip
    found = [
        np.mean([
            verdict(damaged, flags(damaged, vocab, key), share)[1] < LEVEL
            for text, key in zip(texts["marked"], keys, strict=True)
            for damaged in [replaced(text, part, vocab, generator)]
        ])
        for part in REPLACED
    ]  # fmt: skip
    shown = {kind: rows[0][:60] for kind, rows in texts.items()}
    return Marked(
        config, np.array(LENGTHS), z, p, twice, nats, np.array(found),
        {kind: loaded.tokenizer.decode(row) for kind, row in shown.items()},
        {kind: [False, *green[kind][0][: len(row) - 1]] for kind, row in shown.items()},
        {kind: [loaded.tokenizer.label(token) for token in row] for kind, row in shown.items()},
        time.perf_counter() - started,
    )  # fmt: skip


def replaced(
    tokens: Sequence[int], share: float, vocab_size: int, generator: torch.Generator
) -> list[int]:
    """A share of the tokens swapped for any others: the crudest way to paraphrase.

    A replaced token breaks two pairs, so of the pairs (1 − r)² survive.
    """
    row = torch.tensor(list(tokens))
    hit = torch.rand(len(row), generator=generator) < share
    return torch.where(hit, torch.randint(vocab_size, row.shape, generator=generator), row).tolist()


def _beginning(loaded, config: MarkedConfig) -> tuple[list[int], int | None, int]:
    if config.model == "world-decoder":
        special = loaded.tokenizer.special_id
        return [special(BOS), special(f"<|{config.language}|>")], special(EOS), LONGEST_STORY
    return loaded.tokenizer.encode(PROMPT), None, LENGTHS[-1] + 1


def bounds(hits: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of 95 % for a share."""
    exact = stats.binomtest(hits, of).proportion_ci(0.95, "exact")
    return float(exact.low), float(exact.high)


@dataclass(frozen=True, slots=True, eq=False)
class MarkStudy:
    biases: np.ndarray  # (D,) nats
    runs: list[list[Marked]]  # by bias, by seed


BIASES = (0.0, 1.0, 2.0, 4.0)


def study(seeds: Sequence[int] = (0, 1, 2)) -> MarkStudy:
    config = MarkedConfig()
    return MarkStudy(
        np.array(BIASES),
        [[drain(mark_texts(replace(config, bias=b, seed=seed))) for seed in seeds] for b in BIASES],
    )
