"""Flaws put into a corpus on purpose, so that it is known what a pipeline should find.

Copies, near copies with a known share of replaced characters, text decoded wrongly, markup, endless
repetition, and test questions that leaked: word for word, in another layout, with other names, and
retold in other words.  Nothing planted ever leaves the pipeline: it is taken out of the dataset.
"""

import builtins
import keyword
import re
from collections.abc import Callable, Sequence

import torch

from labcore.pretraining.sources import Document
from labcore.text.evaluation_sets import Item, has_humaneval, humaneval

KINDS = (
    "copy", "near", "mojibake", "markup", "repetition",
    "leak_verbatim", "leak_layout", "leak_renamed", "leak_retold",
)  # fmt: skip
EACH = 8  # documents of a kind, and near copies of each strength
EDITED = (
    0.005,
    0.01,
    0.02,
    0.04,
    0.08,
    0.12,
)  # shares of the characters that a near copy has replaced
LONG_ENOUGH = 60  # characters: a near copy of less has too few shingles to speak of a share
DOCSTRING = re.compile(r'("""|\'\'\').*?\1', re.DOTALL)
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
FIXED_NAMES = {
    *keyword.kwlist,
    *dir(builtins),
    "typing",
    "List",
    "Tuple",
    "Dict",
    "Optional",
    "Any",
}

# The first five problems of HumanEval in our own words.
RETOLD = (
    "Given some measurements and a small distance, find out whether any two of the measurements lie "
    "nearer to each other than that.",
    "有一串配对好的圆括号，里面并排着几组，每组内部可以嵌套。请把这几组分开，逐一列出来，空格忽略不计。",
    "A positive real number is made of a whole part and what remains below one. Keep only the remainder.",
    "账户从零开始，按顺序存取若干笔钱。只要中途有一刻余额低于零，就要报告出来。",
    "For a handful of values, tell how far they stray from their average, taking each distance as "
    "positive and averaging these distances again.",
)


def plant(documents: Sequence[Document], seed: int) -> list[Document]:
    """Documents with flaws, made from these and from HumanEval where it is installed."""
    rng = torch.Generator().manual_seed(seed)
    long = [at for at, one in enumerate(documents) if len(one.text) >= LONG_ENOUGH] or list(
        range(len(documents))
    )
    if not long:
        return []

    def pick(count: int) -> list[int]:
        return [long[at] for at in torch.randperm(len(long), generator=rng)[:count].tolist()]

    def made(kind: str, make: Callable[[str], str]) -> list[Document]:
        return [Document(make(documents[at].text), "planted", kind, at) for at in pick(EACH)]

    planted = made("copy", lambda text: text)[: EACH // 2]
    planted += made("copy", disguised)[EACH // 2 :]
    for share in EDITED:
        planted += [
            Document(altered(documents[at].text, share, rng), "planted", "near", at, share)
            for at in pick(EACH)
        ]
    planted += made("mojibake", lambda text: text.encode(errors="replace").decode("latin-1"))
    planted += made("markup", wrapped_in_markup)
    planted += made("repetition", lambda text: text[:20] * 30)
    return planted + (leaks(humaneval(), rng) if has_humaneval() else [])


def disguised(text: str) -> str:
    """The same words with other blanks and another case."""
    return "  " + text.upper().replace(" ", "  ") + "\n"


def altered(text: str, share: float, rng: torch.Generator) -> str:
    """Replace this share of the characters, at least one, by others of the same text."""
    if len(text) < 2:
        return text
    count = max(1, round(share * len(text)))
    places = torch.randperm(len(text), generator=rng)[:count].tolist()
    others = torch.randint(1, len(text), (count,), generator=rng).tolist()
    letters = list(text)
    for place, other in zip(places, others, strict=True):
        letters[place] = text[(place + other) % len(text)]
    return "".join(letters)


def expected_similarity(share: float, shingle: int) -> float:
    """The Jaccard similarity to expect of a near copy: a shingle survives if none of its characters
    was replaced, q = (1 - e)^k, and of 2 - q shingles per place both texts share q.
    """
    survives = (1 - share) ** shingle
    return survives / (2 - survives)


def wrapped_in_markup(text: str) -> str:
    """A page's frame around its words, in entities that a browser would show as signs."""
    menu = " ".join(f"&gt;&gt; [{number}] | #{number} :: --- ***" for number in range(1, 13))
    return f'<div class="nav">{menu}</div><p>{text[:60]}</p><!-- footer --><hr/>{menu}'


def leaks(items: Sequence[Item], rng: torch.Generator) -> list[Document]:
    """Test questions in disguises that are harder and harder to see through."""
    order = torch.randperm(len(items), generator=rng).tolist()
    groups = [[items[at] for at in order[start : start + EACH]] for start in (0, EACH, 2 * EACH)]
    verbatim, layout, renamed = groups
    planted = [leak("leak_verbatim", f"My solution:\n\n{item.text}") for item in verbatim]
    planted += [leak("leak_layout", other_layout(item.text)) for item in layout]
    planted += [leak("leak_renamed", other_names(item.text)) for item in renamed]
    return planted + [leak("leak_retold", text) for text in RETOLD]


def leak(kind: str, text: str) -> Document:
    return Document(text, "planted", kind)


def other_layout(code: str) -> str:
    """Each line its own paragraph, marks doubled, all in upper case."""
    return "\n\n".join(
        line.strip() for line in code.upper().replace(",", " ;").splitlines() if line
    )


def other_names(code: str) -> str:
    """Without its docstring, and with every name of its own replaced: the idea stays, the words go."""
    names: dict[str, str] = {}

    def rename(found: re.Match[str]) -> str:
        name = found.group()
        if name in FIXED_NAMES:
            return name
        return names.setdefault(name, f"var{len(names) + 1}")

    return NAME.sub(rename, DOCSTRING.sub("", code))
