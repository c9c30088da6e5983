"""Pages: worked by hand, and what must hold whatever is admitted, written and released."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.serving.paged import PagedMemory


def test_worked_by_hand():
    """Blocks of 4. Two prompts share their first 4 tokens: 7 + 6 tokens are served, 9 stored, in 3 blocks."""
    memory = PagedMemory(8, 4)
    assert memory.admit("a", [1, 2, 3, 4, 5, 6, 7])
    assert memory.admit("b", [1, 2, 3, 4, 8, 9])
    assert (memory.served_tokens, memory.stored_tokens, memory.used_blocks) == (13, 9, 3)
    assert memory.wasted_slots == 3  # one behind 7, two behind 9
    assert memory.append("a", 10)  # fits into the last block
    assert memory.append("a", 11)  # begins a fresh one
    assert memory.used_blocks == 4
    memory.release("a")
    assert (memory.served_tokens, memory.stored_tokens, memory.used_blocks) == (6, 6, 2)


def test_without_sharing_everybody_has_their_own():
    memory = PagedMemory(8, 4, share=False)
    memory.admit("a", [1, 2, 3, 4])
    memory.admit("b", [1, 2, 3, 4])
    assert (memory.used_blocks, memory.stored_tokens) == (2, 8)


def test_the_same_tokens_after_others_are_not_the_same():
    """Keys and values of a token depend on all that came before it."""
    memory = PagedMemory(8, 2)
    memory.admit("a", [1, 1, 5, 6])
    memory.admit("b", [2, 2, 5, 6])
    assert memory.used_blocks == 4


def test_what_does_not_fit_is_refused_and_nothing_is_taken():
    memory = PagedMemory(2, 4)
    assert memory.admit("a", [1, 2, 3, 4, 5])
    assert not memory.admit("b", [9])
    assert "b" not in memory.tables
    for token in (6, 7, 8):
        assert memory.append("a", token)
    assert not memory.append("a", 9)
    assert memory.served_tokens == 8


orders = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.lists(st.integers(0, 2), max_size=9)),
        st.tuples(st.just("append"), st.integers(0, 2)),
        st.tuples(st.just("release"), st.none()),
    ),
    max_size=40,
)


@given(orders, st.integers(1, 4), st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_request_reads_back_exactly_what_it_wrote(orders, block_tokens, share):
    memory, texts = PagedMemory(12, block_tokens, share), {}
    for number, (what, value) in enumerate(orders):
        name = sorted(texts)[number % len(texts)] if texts else None
        if what == "admit" and memory.admit(str(number), value):
            texts[str(number)] = list(value)
        elif what == "append" and name is not None and memory.append(name, value):
            texts[name].append(value)
        elif what == "release" and name is not None:
            memory.release(name)
            del texts[name]
        for request, text in texts.items():
            held = [t for b in memory.tables[request] for t in memory.blocks[b].tokens]
            assert held == text
        holders = [sum(b in table for table in memory.tables.values()) for b in range(12)]
        assert holders == [block.holders for block in memory.blocks]
        assert sorted(memory.free) == [b for b in range(12) if holders[b] == 0]
        assert memory.stored_tokens <= memory.served_tokens
        assert memory.wasted_slots >= 0


def test_memory_must_hold_something():
    with pytest.raises(LabInputError):
        PagedMemory(0, 4)
