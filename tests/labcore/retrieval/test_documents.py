"""Documents, files of strangers, and the cuts: worked examples, what is refused, what no cut may lose."""

import pytest

from labcore.errors import LabInputError
from labcore.retrieval import own_documents
from labcore.retrieval.chunking import answering, chunked, chunks_of
from labcore.retrieval.library import KINDS, LANGUAGES, Document, Question, bundled
from labcore.retrieval.own_documents import checked, read_file, read_typed, safe_title, title_of


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_stands_in_its_evidence_and_the_evidence_in_one_document_alone(language):
    library = bundled(language)
    assert len(library.questions) == len(library.documents) * len(KINDS)
    for question in library.questions:
        assert question.answer.lower() in question.evidence.lower()
        holding = [n for n, one in enumerate(library.documents) if question.evidence in one.text]
        assert holding == [question.document]


def test_both_languages_ask_the_same():
    en, zh = (bundled(language).questions for language in LANGUAGES)
    assert [(one.document, one.kind) for one in en] == [(one.document, one.kind) for one in zh]
    numbers = [(one.answer, other.answer) for one, other in zip(en, zh, strict=True)]
    assert all(one == other for one, other in numbers if one.replace(",", "").isdigit())


def test_an_unknown_library_is_refused():
    with pytest.raises(LabInputError, match="known_choice"):
        bundled("../en")


def test_pieces_worked_by_hand():
    """Five words, three to a piece, one shared: 1–3, 3–5. Chinese: every character is a word."""
    assert chunked("one two three four five", 3, 1) == [
        (0, "one two three"),
        (8, "three four five"),
    ]
    assert chunked("小花猫睡觉", 2, 0) == [(0, "小花"), (2, "猫睡"), (4, "觉")]
    assert chunked("", 3, 1) == chunked(" \n ", 3, 1) == []
    assert chunked("one", 50, 10) == [(0, "one")]


@pytest.mark.parametrize(("words", "overlap"), [(1, 0), (5, 0), (5, 4), (7, 3), (120, 60)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_pieces_stand_where_they_say_and_leave_nothing_out(language, words, overlap):
    for document in bundled(language).documents:
        covered = set()
        for start, text in chunked(document.text, words, overlap):
            assert document.text[start : start + len(text)] == text
            covered |= set(range(start, start + len(text)))
        letters = {at for at, letter in enumerate(document.text) if not letter.isspace()}
        assert letters <= covered


@pytest.mark.parametrize(("words", "overlap"), [(0, 0), (3, 3), (3, -1)])
def test_cuts_that_would_never_end_are_refused(words, overlap):
    with pytest.raises(LabInputError):
        chunked("one two", words, overlap)


def test_evidence_that_the_cuts_have_torn_is_in_no_piece():
    question = Question("?", "four", "three four", 0, "words")
    documents = [Document("a", "one two three four"), Document("b", "three four")]
    assert answering(chunks_of(documents, 3, 0), question) == set()
    assert answering(chunks_of(documents, 3, 1), question) == {1}
    assert answering(chunks_of(documents, 4, 0), question) == {0}


# Files of strangers.


def test_a_text_file_is_read_with_its_mark_and_its_line_ends():
    assert read_file("notes.MD", "\ufeffHello\r\n世界\n".encode()) == Document(
        "notes.MD", "Hello\r\n世界"
    )


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("a.pdf", b"text", "text_ending"),
        ("a.txt.exe", b"text", "text_ending"),
        ("", b"text", "text_ending"),
        ("a.txt", b"\xff\xfe\x00h", "utf8_text"),  # UTF-16
        ("a.txt", b"PK\x03\x04", "utf8_text"),  # a zip archive: UTF-8 by chance, but no text
        ("a.txt", b"a\x00b", "utf8_text"),
        ("a.txt", b"\xed\xa0\x80", "utf8_text"),  # half a surrogate pair
        ("a.txt", b"", "empty_file"),
        ("a.txt", b" \n ", "empty_file"),
        ("a.txt", b"x" * (own_documents.MOST_BYTES + 1), "too_many_bytes"),
    ],
)
def test_what_is_no_text_is_refused(name, data, rule):
    with pytest.raises(LabInputError) as refused:
        read_file(name, data)
    assert refused.value.rule == rule


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\windows\\x.md", "x.md"),
        ("a\u202etxt.exe.md", "atxt.exe.md"),  # the sign that turns the direction of reading
        ("/", "?"),
        ("\x00", "?"),
        ("n" * 500 + ".txt", "n" * 60),
    ],
)
def test_a_name_is_a_title_and_never_a_path(name, title):
    assert safe_title(name) == title


def test_an_empty_line_parts_what_is_typed():
    found = read_typed("# One\nmore\n \nTwo\r\n\r\n\r\nThree\x00\ud800")
    assert [one.text for one in found] == ["# One\nmore", "Two", "Three"]
    assert found[0].title == "One"
    assert read_typed(" \n\n ") == ()
    assert title_of("a/b " + "x" * 50) == "a b " + "x" * 25 + "…"


def test_too_many_too_long_and_none_are_refused():
    many = [Document("a", "b")] * (own_documents.MOST_DOCUMENTS + 1)
    long = [Document("a", "b" * 20_000)] * 2
    for documents, rule in (
        (many, "at_most_documents"),
        (long, "at_most_characters"),
        ([], "not_empty"),
    ):
        with pytest.raises(LabInputError) as refused:
            checked(documents)
        assert refused.value.rule == rule
