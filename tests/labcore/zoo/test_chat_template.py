"""A stranger's chat template writes a frame or none: it neither reaches Python, nor escapes, nor goes on."""

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.zoo import chat_template
from labcore.zoo.chat_template import PLACEHOLDER, NoFrame, frame
from tests.labcore.test_readers import EXAMPLES

WORDS = "{{ messages[0].content }}"
HOSTILE = {
    "an attribute": "{{ ''.__class__.__mro__ }}",
    "an attribute by name": "{{ ''|attr('__class__') }}{{ ''['__class__'].x }}",
    "a file": "{% include '/etc/passwd' %}",
    "a filter's own error": "{{ 1|dictsort }}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "too deep for Python": "{% for a in [1] %}" * 25 + "{% endfor %}" * 25,
    "too deep for Jinja": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "memory": "{{ 'x' * 10**12 }}",
    "doubling": "{% set x = 'ab' %}" + "{% set x = x ~ x %}" * 50,
    "a long answer": "{{ 'x' * 10**6 }}",
    "a long loop": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a long template": "x" * 100_001,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_template_must_not_do_gives_no_frame(what):
    with pytest.raises(NoFrame):
        frame(HOSTILE[what] + WORDS, ("user",), False)


def test_words_stand_between_the_pieces_of_the_frame():
    template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    template += "{% if add_generation_prompt %}[me]{% endif %}"
    names = (("bos_token", "<s>"),)
    assert frame(template, ("user", "me"), True, names) == ("<s>[user]", "[me]", "[me]")
    assert frame(template, ("user", "me"), False, names) == ("<s>[user]", "[me]", "")


def test_the_same_frame_is_made_once(monkeypatch):
    first = frame(f"once {WORDS}", ("user",), False)
    monkeypatch.setattr(chat_template, "subprocess", None)
    assert frame(f"once {WORDS}", ("user",), False) is first


PIECES = st.sampled_from([
    "{% for m in messages %}", "{% endfor %}", "{{ m.content }}", "{{ m['role'] }}", "{% if m %}",
    "{% else %}", "{% endif %}", "{{ messages", "[0]", " }}", "|trim", "|tojson",
    "{% set ns = namespace(x=1) %}",
    "{{ ns.x }}", "{#", "#}", "{% macro f(a) %}", "{% endmacro %}", "{{ raise_exception('x') }}", WORDS,
    "\ud800",
])  # fmt: skip


@settings(
    max_examples=max(EXAMPLES // 4, 1),  # a process each
    deadline=None,
    derandomize=True,
    database=None,
)
@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join))
def test_any_template_writes_a_frame_or_none(template):
    """And if it writes one, it is what Jinja writes without sandbox and process."""
    try:
        made = frame(template, ("user",), False)
    except NoFrame:
        return
    assert len(made) == 2
    theirs = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(template)
    given = {"messages": [{"role": "user", "content": PLACEHOLDER}], "add_generation_prompt": False}
    assert PLACEHOLDER.join(made) == theirs.render(given)
