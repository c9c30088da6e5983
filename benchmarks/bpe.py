"""Byte-pair encoding: ours, in readable Python, beside `tokenizers`, in Rust.

Both learn from the training documents of chapter 2's data pipeline, cut by the same pattern, and read its
held-out documents. There is no aim: ours is there to be read, and shows every merge as it is made.
"""

from __future__ import annotations

import json
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread, as ours

import tokenizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from benchmarks.rounds import alternate, table
from labcore.events import drain
from labcore.pretraining.pipeline import PipelineConfig
from labcore.pretraining.vocabulary import divided
from labcore.text import bpe
from labcore.text.bpe import PATTERN, BPETokenizer

SIZES = (512, 1024, 4096)
ROUNDS = 3


def letters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte: itself where printable, else the next from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    stand_ins = {byte: chr(256 + rank) for rank, byte in enumerate(others)}
    return {byte: chr(byte) for byte in printable} | stand_ins


LETTERS = letters()


def spelled(tokenizer: BPETokenizer) -> list[tuple[str, str]]:
    """Our merges in their letters."""
    names = ["".join(LETTERS[byte] for byte in token) for token in tokenizer.vocab]
    return [(names[left], names[right]) for left, right in tokenizer.merges]


def cut(model: BPE) -> tokenizers.Tokenizer:
    """Their tokenizer with our pattern before it."""
    made = tokenizers.Tokenizer(model)
    split = Split(tokenizers.Regex(PATTERN), behavior="isolated")
    made.pre_tokenizer = Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    return made


def learn(texts: list[str], size: int) -> tokenizers.Tokenizer:
    made = cut(BPE())
    trainer = BpeTrainer(
        vocab_size=size, initial_alphabet=ByteLevel.alphabet(), show_progress=False, min_frequency=2
    )
    made.train_from_iterator(texts, trainer)
    return made


def same_merges(tokenizer: BPETokenizer) -> tokenizers.Tokenizer:
    """Theirs, with what ours has learnt."""
    vocab = {LETTERS[byte]: byte for byte in range(256)}
    merges = spelled(tokenizer)
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    return cut(BPE(vocab, merges))


def training(texts: list[str], size: int) -> tuple[list[str], BPETokenizer]:
    """A row of the table, and what ours learnt."""
    seconds = alternate(
        {
            "ours": lambda: drain(bpe.train(texts, size, special_tokens=())),
            "theirs": lambda: learn(texts, size),
        },
        ROUNDS,
        warm=1,
    )
    ours = drain(bpe.train(texts, size, special_tokens=()))
    theirs = {tuple(pair) for pair in json.loads(learn(texts, size).to_str())["model"]["merges"]}
    common = len(theirs & set(spelled(ours))) / len(theirs)
    ratio = seconds["ours"].over(seconds["theirs"])
    cells = [f"train, {size:,} tokens", seconds["ours"].text(" s"), seconds["theirs"].text(" s")]
    return [*cells, ratio.text("×", digits=1), f"{common:.1%} of the merges"], ours


def encoding(texts: list[str], ours: BPETokenizer, remembering: bool) -> list[str]:
    """A row of the table; both remember words that they have met, unless told to forget them."""
    theirs = same_merges(ours)

    def read_ours() -> list[list[int]]:
        if not remembering:
            ours._cache.clear()
        return [ours.encode(text) for text in texts]

    def read_theirs() -> list[list[int]]:
        if not remembering:
            theirs.model._clear_cache()
        return [theirs.encode(text).ids for text in texts]

    seconds = alternate({"ours": read_ours, "theirs": read_theirs}, ROUNDS, warm=1)
    tokens = sum(len(ids) for ids in read_ours())
    equal = sum(a == b for a, b in zip(read_ours(), read_theirs(), strict=True)) / len(texts)
    speed = [f"{tokens / seconds[who].median / 1e3:,.0f} k tokens/s" for who in seconds]
    ratio = seconds["ours"].over(seconds["theirs"])
    name = "encode again" if remembering else "encode, no word known"
    return [name, *speed, ratio.text("×", digits=1), f"{equal:.1%} of the texts"]


def section() -> str:
    texts, held_out = divided(PipelineConfig())
    lines = []
    for size in SIZES:
        line, ours = training(texts, size)
        lines.append(line)
    lines += [encoding(held_out, ours, remembering) for remembering in (False, True)]
    megabytes = [
        sum(len(t.encode(errors="replace")) for t in part) / 1e6 for part in (texts, held_out)
    ]
    head = ["what", "ours", "tokenizers", "ours / tokenizers", "alike"]
    return f"""## 4. Byte-pair encoding

Trained on {megabytes[0]:.2f} MB and read on {megabytes[1]:.2f} MB of the data pipeline's documents, Chinese
and English, with the same pattern, in one thread each; processor time. Both encode with the
largest vocabulary of ours. Merges differ only where pairs are equally frequent: each side numbers the bytes
in its own way.

{table(head, lines)}

No aim; told as it is. Ours is Python to be read and yields every merge as an event. Labs train it in front of
the learner's eyes, or before a model that is trained on it, both behind *Run*; without *Run* they encode a
learner's sentence, and the packing stage of the data pipeline encodes all training documents once for each
pipeline (the row "no word known" is its speed). Published models and the Hugging Face lab, which learns a
vocabulary for its script, use `tokenizers`."""


if __name__ == "__main__":
    print(section())
