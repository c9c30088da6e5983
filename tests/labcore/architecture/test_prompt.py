"""What a model reads: the specials it was trained to see, and nothing that only looks like one."""

import dataclasses

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from labcore.architecture.prompt import encode_with_masks, language_of, read_for, read_text
from labcore.errors import LabInputError
from labcore.text.bpe import BPETokenizer
from labcore.zoo.published_tokenizer import PublishedTokenizer

BYTES = BPETokenizer()


def wordpiece() -> PublishedTokenizer:
    """BERT's kind of tokenizer over five words: [CLS] text [SEP]."""
    words = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "the", "cat", "sat", "##s"]
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.add_special_tokens(words[:5])
    roles = {"cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]"}
    settings = {f"{role}_token": word for role, word in roles.items()}
    return PublishedTokenizer(tokenizer, settings)


@pytest.fixture
def bert(make):
    loaded = make("encoder", head="mlm")
    card = dataclasses.replace(loaded.card, family="bert")
    return dataclasses.replace(loaded, tokenizer=wordpiece(), card=card)


def test_a_published_encoder_reads_between_its_own_marks(bert):
    tokens, _ = read_for(bert, "the cats")
    assert tokens.labels == ("[CLS]", "the", "cat", "##s", "[SEP]")


def test_a_published_mask_may_be_typed_in_either_way(bert):
    for text in ("the [MASK] sat", "the 【?】 sat"):
        assert read_for(bert, text)[0].labels == ("[CLS]", "the", "[MASK]", "sat", "[SEP]")


def test_a_bundled_decoder_begins_with_its_language_and_does_not_end(make):
    assert read_for(make("decoder"), "a")[0].labels == ("<|bos|>", "<|en|>", "a")
    assert read_for(make("decoder"), "天")[0].labels[:2] == ("<|bos|>", "<|zh|>")


def test_a_bundled_translator_reads_english_and_begins_in_chinese(make):
    tokens, context = read_for(make("encoder_decoder"), "a")
    assert context.labels == ("<|en|>", "a", "<|eos|>")
    assert tokens.labels == ("<|bos|>", "<|zh|>")


def test_a_published_translator_begins_from_padding(make):
    """T5's decoder was trained to open with its padding token."""
    loaded = make("encoder_decoder")
    card = dataclasses.replace(loaded.card, family="t5")
    loaded = dataclasses.replace(loaded, tokenizer=wordpiece(), card=card)
    tokens, _ = read_for(loaded, "the cat")
    assert tokens.labels == ("[PAD]",)


def test_the_mask_hides_the_space_before_its_word():
    """As in training, where the hidden token is " cat" and not "cat"."""
    ids = encode_with_masks("a [MASK] b", BYTES)
    assert [BYTES.label(token) for token in ids] == ["a", "<|mask|>", "␣", "b"]


def test_typed_marks_of_special_tokens_stay_text():
    """<|eos|> typed by a learner is seven characters, here seven tokens."""
    assert len(read_text("<|eos|>", BYTES).ids) == 7


def test_the_pieces_are_the_bytes_of_the_text():
    text = "héllo 👩‍👩‍👧 天"
    assert b"".join(read_text(text, BYTES).pieces).decode() == text


def test_one_chinese_character_makes_a_text_chinese():
    assert language_of("I like 猫") == "zh"
    assert language_of("I like cats!？") == "en"


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
def test_an_empty_text_names_the_field_it_came_from(text):
    with pytest.raises(LabInputError) as caught:
        read_text(text, BYTES, field="target")
    assert (caught.value.field, caught.value.rule) == ("target", "not_empty")
