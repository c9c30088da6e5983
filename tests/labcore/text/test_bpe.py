"""BPE against a worked example, against the `tokenizers` library, and against its own invariants."""

import json
import pydoc_data.topics
from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.text.bpe import (
    PATTERN,
    SPECIAL_TOKENS,
    BPETokenizer,
    keeps_characters,
    merge_chunk,
    replace_pair,
    split,
    train,
)

CHINESE = "人工智能是计算机科学的一个分支。人工智能的研究包括机器人、语言识别和自然语言处理。" * 3
ENGLISH = "\n".join(pydoc_data.topics.topics.values())[:60_000]
ODD_TEXTS = (
    "",
    " ",
    "\n\n  \t x",
    "Lily's cat doesn't like   tea.",
    "小明有3.14159个苹果，Tom有1000个！",
    "naïve café, Ελληνικά, русский язык, हिन्दी",
    "שלום עולם / مرحبا بالعالم",
    "😀👩‍👩‍👧 🇨🇳 ½ ² _private_name __init__",
    "x\u0000y\u001fz\ufeff\u200d",
    "<|eos|><|zh|>",
    "𠮷野家 and 㐀 are Han too",
)


@pytest.fixture(scope="module")
def tokenizer() -> BPETokenizer:
    return drain(train([ENGLISH, CHINESE], 600))


def test_wikipedia_example_merges_aa_then_ab_then_both():
    """ "aaabdaaabac": aa occurs 4 times -> Z; of what is left, ab and Za occur twice, and ab has the
    smaller ids -> Y; then ZY occurs twice -> X.  X d X a c is what remains (Wikipedia, Byte-pair encoding).
    """
    events = train(["aaabdaaabac"], 256 + 3, special_tokens=())
    merges = list(events)
    a, b, c, d = b"abcd"
    z, y, x = 256, 257, 258
    assert [(m.pair, m.count, m.token) for m in merges] == [
        ((a, a), 4, z),
        ((a, b), 2, y),
        ((z, y), 2, x),
    ]
    learned = drain(train(["aaabdaaabac"], 256 + 3, special_tokens=()))
    assert learned.encode("aaabdaaabac") == [x, d, x, a, c]


def test_ids_equal_those_of_the_tokenizers_library(tokenizer: BPETokenizer):
    """The same merges and pattern, in Hugging Face's own implementation."""
    reference = reference_tokenizer(tokenizer)
    for text in (*ODD_TEXTS, ENGLISH, CHINESE):
        assert tokenizer.encode(text) == reference.encode(text).ids, text[:40]


def test_merges_are_those_that_the_tokenizers_library_learns():
    """Both take the most frequent pair; of equally frequent ones the library takes another than we do,
    because it numbers the bytes differently. So nearly all merges are common, in another order of ties.
    """
    texts, size = [ENGLISH, CHINESE], 256 + 300
    reference = tokenizers.Tokenizer(BPE())
    cut = Split(tokenizers.Regex(PATTERN), behavior="isolated")
    reference.pre_tokenizer = Sequence([cut, ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False, min_frequency=2
    )
    reference.train_from_iterator(texts, trainer)
    merges = json.loads(reference.to_str())["model"]["merges"]
    ours = drain(train(texts, size, special_tokens=()))
    letters = gpt2_letters()
    spelled = ["".join(letters[byte] for byte in token) for token in ours.vocab]
    mine = {(spelled[left], spelled[right]) for left, right in ours.merges}
    theirs = {tuple(pair) for pair in merges}
    assert len(mine & theirs) >= 0.98 * len(theirs) > 290


@pytest.mark.parametrize("whole_characters", [False, True])
def test_the_heap_finds_what_counting_everything_anew_finds(whole_characters):
    """The definition, word for word: count all pairs, take the most frequent, the smaller one of equals."""
    texts = ["aaaa aaab abab", CHINESE[:80], ENGLISH[:600]]
    chunks = [list(chunk.encode()) for text in texts for chunk in split(text, PATTERN)]
    vocab = [bytes([byte]) for byte in range(256)]
    for merge in train(texts, 256 + 120, (), whole_characters=whole_characters):
        counts = Counter(pair for chunk in chunks for pair in pairwise(chunk))
        if whole_characters:
            counts = {p: n for p, n in counts.items() if keeps_characters(*(vocab[t] for t in p))}
        pair, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
        assert (merge.pair, merge.count) == (pair, count)
        chunks = [replace_pair(chunk, pair, merge.token) for chunk in chunks]
        vocab.append(vocab[pair[0]] + vocab[pair[1]])


def reference_tokenizer(tokenizer: BPETokenizer) -> tokenizers.Tokenizer:
    letters = gpt2_letters()
    spelled = ["".join(letters[byte] for byte in token) for token in tokenizer.vocab if token]
    vocab = {name: token for token, name in enumerate(spelled)}
    merges = [(spelled[left], spelled[right]) for left, right in tokenizer.merges]
    reference = tokenizers.Tokenizer(BPE(vocab, merges))
    cut = Split(tokenizers.Regex(PATTERN), behavior="isolated")
    reference.pre_tokenizer = Sequence([cut, ByteLevel(add_prefix_space=False, use_regex=False)])
    return reference


def gpt2_letters() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte: itself where printable, else the next from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + rank) for rank, byte in enumerate(others)
    }


@given(st.text())
def test_any_text_comes_back(text: str):
    assert BPETokenizer(((97, 98), (228, 184))).decode(BPETokenizer().encode(text)) == text


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_come_back_through_learned_merges(tokenizer: BPETokenizer, text: str):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_lone_surrogate_becomes_the_replacement_character(tokenizer: BPETokenizer):
    """It is half of a pair that UTF-16 alone knows; UTF-8 has no bytes for it."""
    assert tokenizer.decode(tokenizer.encode("a\ud800b\udc00")) == "a\ufffdb\ufffd"


@given(st.text())
def test_chunks_join_to_the_text(text: str):
    assert "".join(split(text)) == text


def test_heap_merging_equals_the_slow_replay_of_training(tokenizer: BPETokenizer):
    """Merging the leftmost best pair at a time and merging each pair everywhere give the same ids."""
    for text in (*ODD_TEXTS, ENGLISH[:3000], CHINESE):
        steps = list(tokenizer.merge_steps(text))
        final = list(steps[-1].ids) if steps else list(text.encode())
        assert final == tokenizer.encode(text)
        lengths = [len(step.ids) for step in steps]
        assert lengths == sorted(lengths, reverse=True)  # every step shortens the text


def test_typing_a_special_token_gives_its_bytes(tokenizer: BPETokenizer):
    specials = {tokenizer.special_id(name) for name in SPECIAL_TOKENS}
    assert specials == set(range(600 - len(SPECIAL_TOKENS), 600))
    for name in SPECIAL_TOKENS:
        assert not specials & set(tokenizer.encode(f"x{name} y"))
        assert tokenizer.decode([tokenizer.special_id(name)]) == ""


def test_training_does_not_depend_on_the_order_of_the_texts():
    """Ties go to the smaller ids, never to whatever came first."""
    texts = ["ab cd ab cd", "xy xy", "人工智能 人工智能"]
    assert drain(train(texts, 290)).merges == drain(train(texts[::-1], 290)).merges


def test_training_stops_when_no_pair_occurs_twice():
    learned = drain(train(["abcd"], 1000))
    assert learned.merges == ()
    assert learned.vocab_size == 256 + len(SPECIAL_TOKENS)


def test_counts_never_grow_and_tokens_are_numbered_in_order():
    """Greedy choice: a later pair cannot have been more frequent, for it would have gone first."""
    merges = list(train([ENGLISH[:20_000]], 400))
    counts = [merge.count for merge in merges]
    assert counts == sorted(counts, reverse=True)
    assert [merge.token for merge in merges] == list(range(256, 256 + len(merges)))


def test_whole_characters_keep_pieces_of_different_characters_apart():
    """上下 and 丁万 share their first byte E4; plain BPE glues across characters, this does not."""
    text = "上下丁万" * 5
    plain = drain(train([text], 275))
    kept = drain(train([text], 275, whole_characters=True))

    def crosses(token: bytes) -> bool:
        starts = sum(byte & 0xC0 != 0x80 for byte in token)
        return starts > 1 and "\ufffd" in token.decode(errors="replace")

    assert any(crosses(token) for token in plain.vocab)
    assert not any(crosses(token) for token in kept.vocab)


def test_a_saved_tokenizer_is_the_same_when_loaded(tokenizer: BPETokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = BPETokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.merges == tokenizer.merges
    assert loaded.special_tokens == tokenizer.special_tokens
    assert loaded.encode(CHINESE) == tokenizer.encode(CHINESE)


def test_a_long_run_without_spaces_is_merged_completely():
    """100,000 letters a with (a, a) and (aa, aa) learned: 25,000 tokens of four letters."""
    ranks = {(97, 97): 256, (256, 256): 257}
    assert merge_chunk([97] * 100_000, ranks) == [257] * 25_000


def test_bad_input_names_the_field():
    with pytest.raises(LabInputError, match="vocab_size = 100: holds_all_bytes"):
        drain(train(["text"], 100))
    with pytest.raises(LabInputError, match="token = 9999: in_vocabulary"):
        BPETokenizer().decode([9999])


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"kind": "wordpiece"}')
    with pytest.raises(LabInputError, match="known_tokenizer"):
        BPETokenizer.load(tmp_path / "tokenizer.json")
