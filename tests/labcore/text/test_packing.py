"""Packing by hand: lengths 5, 3, 2 in rows of 4, and invariants for any lengths."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.text.masking import IGNORE
from labcore.text.packing import METHODS, Piece, document_mask, fill, pack, report
from labcore.training.objectives import packed_batch, packed_masked_batch

LENGTHS = [5, 3, 2]


def test_padding_gives_each_document_a_row_and_loses_what_is_too_long():
    """4 + 3 + 2 of 10 tokens in 12 positions: a quarter wasted, a tenth lost, one of three torn."""
    rows = pack(LENGTHS, 4, "pad")
    assert rows == [(Piece(0, 0, 4),), (Piece(1, 0, 3),), (Piece(2, 0, 2),)]
    told = report(rows, LENGTHS, 4)
    assert (told.rows, told.tokens, told.positions) == (3, 9, 12)
    assert (told.wasted, told.foreign) == (0.25, 0.0)
    assert told.lost == pytest.approx(0.1)
    assert told.torn == pytest.approx(1 / 3)


def test_a_ribbon_wastes_the_end_only():
    """AAAA | ABBB | CC: documents A is torn; in the second row B sees A."""
    rows = pack(LENGTHS, 4, "cut")
    assert rows == [
        (Piece(0, 0, 4),),
        (Piece(0, 4, 5), Piece(1, 0, 3)),
        (Piece(2, 0, 2),),
    ]
    told = report(rows, LENGTHS, 4)
    assert told.wasted == pytest.approx(2 / 12)
    assert told.torn == pytest.approx(1 / 3)
    # Visible pairs: 10 + 10 + 3; of their own document: 10 + (1 + 6) + 3.
    assert told.foreign == pytest.approx(3 / 23)


def test_best_fit_puts_a_piece_where_it_leaves_least_room():
    """Pieces 4 and 1 of A, 3 of B, 2 of C: by size 4, 3, 2, 1; the last fits best beside B."""
    rows = pack(LENGTHS, 4, "fit")
    assert rows == [(Piece(0, 0, 4),), (Piece(1, 0, 3), Piece(0, 4, 5)), (Piece(2, 0, 2),)]


@pytest.mark.parametrize("method", METHODS)
@given(lengths=st.lists(st.integers(0, 30), max_size=20), size=st.integers(2, 12))
def test_every_token_stands_once_and_no_row_is_too_long(method, lengths, size):
    rows = pack(lengths, size, method)
    assert all(0 < sum(map(len, row)) <= size for row in rows)
    placed = [(p.document, at) for row in rows for p in row for at in range(p.start, p.stop)]
    assert len(placed) == len(set(placed))
    wanted = min if method == "pad" else (lambda length, size: length)
    assert len(placed) == sum(wanted(length, size) for length in lengths)
    told = report(rows, lengths, size)
    assert all(0 <= share <= 1 for share in (told.wasted, told.lost, told.torn, told.foreign))


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=30))
def test_best_fit_tears_nothing_that_fits_and_needs_few_rows(lengths):
    """Best fit decreasing needs at most 11/9 of the best possible number of rows, and one more."""
    rows = pack(lengths, 12, "fit")
    assert report(rows, lengths, 12).torn == 0
    assert len(rows) <= 11 / 9 * -(-sum(lengths) // 12) * 2 + 1


@pytest.mark.parametrize(("size", "method"), [(1, "pad"), (8, "stack")])
def test_bad_settings_are_refused(size, method):
    with pytest.raises(LabInputError):
        pack([3], size, method)


def filled():
    """Row 0: A A B B, row 1: C and padding; ids 10·document + place."""
    ids = [[10, 11], [20, 21], [30]]
    rows = [(Piece(0, 0, 2), Piece(1, 0, 2)), (Piece(2, 0, 1),)]
    return fill(rows, ids, 4, pad_id=0)


def test_rows_are_filled_with_numbers_and_positions_that_restart():
    packed = filled()
    assert packed.tokens.tolist() == [[10, 11, 20, 21], [30, 0, 0, 0]]
    assert packed.documents.tolist() == [[0, 0, 1, 1], [0, -1, -1, -1]]
    assert packed.positions.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]


def test_no_token_is_asked_for_the_next_documents_first():
    batch = packed_batch(filled())
    assert batch.targets.tolist() == [[11, IGNORE, 21, IGNORE], [IGNORE] * 4]
    assert batch.documents.tolist() == filled().documents.tolist()
    together = packed_batch(filled(), apart=False)
    assert together.targets.tolist() == batch.targets.tolist()
    assert together.documents is None


def test_the_mask_is_a_triangle_for_each_document():
    T, F = True, False
    mask = document_mask(filled().documents[0])
    assert mask.tolist() == [[T, F, F, F], [T, T, F, F], [F, F, T, F], [F, F, T, T]]
    assert not document_mask(filled().documents[1])[1:].any()  # padding sees nothing


def test_masked_questions_hide_real_tokens_only():
    packed = filled()
    rng = torch.Generator().manual_seed(0)
    batch = packed_masked_batch(packed, {10}, mask_id=99, share=1.0, generator=rng)
    assert batch.tokens.tolist() == [[10, 99, 99, 99], [99, 0, 0, 0]]
    assert batch.targets.tolist() == [[IGNORE, 11, 20, 21], [30, IGNORE, IGNORE, IGNORE]]
