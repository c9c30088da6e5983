"""Labels are compared with the UTF-8 bytes of known characters; nothing may show as U+FFFD."""

from hypothesis import given
from hypothesis import strategies as st

from labcore.text.bpe import BPETokenizer
from labcore.text.tokenizer import label_bytes


def test_half_a_character_shows_its_bytes():
    """天 is E5 A4 A9 in UTF-8; the letter around the broken piece stays a letter."""
    assert label_bytes("天".encode()) == "天"
    assert label_bytes(b"\xe5\xa4") == "⟨E5 A4⟩"
    assert label_bytes(b"a\xe5\xa4b") == "a⟨E5 A4⟩b"
    assert label_bytes(b"\xa4\xa9\xe5\xa4\xa9") == "⟨A4 A9⟩天"


def test_white_space_and_control_characters_can_be_seen():
    assert label_bytes(b" cat\n\t") == "␣cat⏎⇥"
    assert label_bytes(b"\x00") == "⟨00⟩"


@given(st.binary(max_size=12))
def test_labels_are_printable_and_hold_no_replacement_sign(data: bytes):
    label = label_bytes(data)
    if "\ufffd".encode() not in data:
        assert "\ufffd" not in label
    assert bool(label) == bool(data)
    assert label.isprintable()


def test_special_tokens_are_labelled_by_their_names():
    tokenizer = BPETokenizer()
    assert tokenizer.label(tokenizer.eos_id) == "<|eos|>"
    assert tokenizer.label(ord("a")) == "a"
