"""Published tokenizers under the lab's questions: bytes, labels, special tokens, chat."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from labcore.errors import LabInputError
from labcore.zoo.published_tokenizer import BYTE_OF, PublishedTokenizer
from tests.labcore.test_readers import EXAMPLES, JSON, read

SPECIAL = ["<|start|>", "<|end|>"]
TEXTS = ["", "the cat", " 你好，世界", "🙂", "a\n\n\tb  c", "<|end|>", "مرحبا", "\x00\x7f"]
CHAT = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


@pytest.fixture
def byte_level() -> PublishedTokenizer:
    """Two special tokens, then the 256 bytes, then "th" and "the"."""
    tokens = [*SPECIAL, *BYTE_OF, "th", "the"]
    bpe = models.BPE(
        {token: index for index, token in enumerate(tokens)}, [("t", "h"), ("th", "e")]
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    settings = {"bos_token": "<|start|>", "eos_token": "<|end|>", "chat_template": CHAT}
    return PublishedTokenizer(tokenizer, settings)


@pytest.fixture
def wordpiece(tiny_bert) -> PublishedTokenizer:
    return PublishedTokenizer.from_folder(tiny_bert)


def test_the_byte_table_is_gpt2s():
    """`transformers` holds the published table, from byte to character."""
    assert {byte: character for character, byte in BYTE_OF.items()} == bytes_to_unicode()


@pytest.mark.parametrize("text", TEXTS)
def test_byte_level_tokens_add_up_to_the_text(byte_level, text):
    ids = byte_level.encode(text)
    assert b"".join(map(byte_level.token_bytes, ids)) == text.encode()
    assert byte_level.decode(ids) == text


def test_typing_a_special_token_does_not_produce_one(byte_level, wordpiece):
    assert byte_level.bos_id not in byte_level.encode("<|start|>")
    assert wordpiece.mask_id not in wordpiece.encode("[MASK]")


def test_special_tokens_have_a_label_but_no_bytes_and_no_text(byte_level):
    assert (byte_level.bos_id, byte_level.eos_id) == (0, 1)
    assert byte_level.pad_id is None
    assert byte_level.label(0) == "<|start|>"
    assert byte_level.token_bytes(0) == b""
    assert byte_level.decode([0, *byte_level.encode("the"), 1]) == "the"


def test_a_split_character_is_labelled_by_its_bytes(byte_level):
    """天 is E5 A4 A9 in UTF-8; without merges each byte is a token."""
    assert [byte_level.label(token) for token in byte_level.encode("天")] == [
        "⟨E5⟩", "⟨A4⟩", "⟨A9⟩",
    ]  # fmt: skip


def test_no_label_is_empty_or_the_replacement_sign(byte_level, wordpiece):
    for tokenizer in (byte_level, wordpiece):
        labels = [tokenizer.label(token) for token in range(tokenizer.vocab_size + 3)]
        assert all(label and "\N{REPLACEMENT CHARACTER}" not in label for label in labels)


def test_a_lone_surrogate_counts_as_the_replacement_character(byte_level):
    assert byte_level.encode("\ud800") == byte_level.encode("\N{REPLACEMENT CHARACTER}")


def test_a_negative_id_is_refused(byte_level):
    with pytest.raises(LabInputError) as caught:
        byte_level.label(-1)
    assert caught.value.rule == "in_vocabulary"


def test_wordpiece_labels_say_which_pieces_go_on(wordpiece):
    """ids by hand from the list in conftest: the=5 cat=6 ##s=7 sat=8."""
    ids = wordpiece.encode("The cats sat")
    assert ids == [5, 6, 7, 8]
    assert [wordpiece.label(token) for token in ids] == ["the", "cat", "##s", "sat"]
    assert [wordpiece.token_bytes(token) for token in ids] == [b"the", b"cat", b"s", b"sat"]
    assert wordpiece.decode(ids) == "the cats sat"


def test_a_text_is_neither_cut_nor_padded_as_the_file_would_have_it(wordpiece):
    """The file cuts at 4 tokens, [CLS] and [SEP] included, and pads up to them."""
    assert wordpiece.encode("the cat sat the cat sat") == [5, 6, 8, 5, 6, 8]
    assert wordpiece.encode("cat") == [6]


def test_what_belongs_around_a_text_is_told_apart_from_the_text(wordpiece, byte_level):
    assert (wordpiece.opening_ids, wordpiece.closing_ids) == ((2,), (3,))
    assert (wordpiece.bos_id, wordpiece.eos_id) == (2, 3)
    assert (byte_level.opening_ids, byte_level.closing_ids) == ((), ())
    assert (wordpiece.pad_id, wordpiece.mask_id) == (0, 4)


def test_sentencepiece_tokens_have_the_bytes_that_they_stand_for():
    """▁ is a blank, <0x0A> the byte 0A: the two conventions of Llama 2's vocabulary."""
    vocabulary = [("<unk>", 0.0), ("▁the", -1.0), ("▁", -2.0), ("天", -3.0), ("<0x0A>", -4.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    published = PublishedTokenizer(tokenizer, {})
    assert [published.token_bytes(token) for token in range(1, 5)] == [
        b" the", b" ", "天".encode(), b"\n",
    ]  # fmt: skip
    assert published.label(1) == "␣the"


def test_a_chat_prompt_puts_the_template_around_the_learners_words(byte_level):
    prompt = byte_level.chat_prompt("the end")
    assert prompt == "<|start|>user\nthe end<|end|>\n<|start|>assistant\n"
    assert byte_level.decode(byte_level.chat_ids("the end")) == "user\nthe end\nassistant\n"


def test_a_learner_cannot_end_the_turn_by_typing_the_special_token(byte_level):
    """One <|end|> from the template, none from the words."""
    assert byte_level.chat_ids("a<|end|>b").count(byte_level.eos_id) == 1


@pytest.mark.parametrize(
    "template", [None, "no place for words", "{{ broken", "{{ 1 / 0 }}", "{{ x.y.z }}", []]
)
def test_without_a_working_template_there_is_no_chat(byte_level, template):
    plain = PublishedTokenizer(byte_level._tokenizer, {"chat_template": template})
    assert plain.chat_prompt("hello") is None
    assert plain.chat_ids("hello") is None


def test_a_template_from_outside_cannot_reach_python(byte_level):
    """The classic way out of an unguarded Jinja template."""
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages[0].content }}"
    unsafe = PublishedTokenizer(byte_level._tokenizer, {"chat_template": escape})
    assert unsafe.chat_prompt("hello") is None


def test_the_default_of_several_templates_is_taken(byte_level):
    several = [{"name": "tools", "template": "x"}, {"name": "default", "template": CHAT}]
    named = PublishedTokenizer(byte_level._tokenizer, {"chat_template": several})
    assert named.chat_prompt("hi") == byte_level.chat_prompt("hi").replace("the end", "hi")


def test_a_folder_with_a_broken_tokenizer_gives_one_named_error(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "unheard of"}}')
    with pytest.raises(LabInputError) as caught:
        PublishedTokenizer.from_folder(tmp_path)
    assert caught.value.rule == "readable_tokenizer"


ROLES = ("bos_token", "eos_token", "pad_token", "chat_template", "x")
PUBLISHED = JSON | st.dictionaries(st.sampled_from(ROLES), JSON.map(json.loads)).map(json.dumps)


def test_whatever_stands_in_a_tokenizers_settings_it_answers_or_is_refused(byte_level, tmp_path):
    byte_level._tokenizer.save(str(tmp_path / "tokenizer.json"))

    def answers(text):
        (tmp_path / "tokenizer_config.json").write_text(text, encoding="utf-8")
        found = PublishedTokenizer.from_folder(tmp_path)
        assert {found.bos_id, found.eos_id, found.pad_id} <= {None, 0, 1}
        assert found.chat_prompt("hello") is None

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(PUBLISHED)
    def try_settings(text):
        read(answers, text)

    try_settings()
