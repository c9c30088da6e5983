"""Ways from the reference to the labs: buttons, and links in prose."""

import re
from collections.abc import Sequence

import streamlit as st

from app import catalog
from app.i18n import Words

_LAB = re.compile(r"\[\[(\w+)\]\]")


def labs_in(text: str) -> list[str]:
    """The labs that a text names as `[[lab]]`, in order.

    >>> labs_in("See [[lora]], then [[sft]].")
    ['lora', 'sft']
    """
    return _LAB.findall(text)


def link(lab: str, words: Words) -> str:
    """A markdown link to a lab; relative, so that it holds under any prefix."""
    return f"[{words(f'lab.{lab}')}]({catalog.LABS[lab].chapter}?lang={words.language}&lab={lab})"


def expanded(text: str, words: Words) -> str:
    """`text` with every `[[lab]]` made a link; an unknown lab raises."""
    return _LAB.sub(lambda found: link(found[1], words), text)


def buttons(labs: Sequence[str], words: Words, key: str) -> None:
    """Ways to these labs within the same tab."""
    with st.container(horizontal=True, key=key):
        for lab in labs:
            if st.button(
                words(f"lab.{lab}"), icon=":material/science:", type="tertiary", key=f"{key}.{lab}"
            ):
                query = {"lang": words.language, "lab": lab}
                page = catalog.chapter(catalog.LABS[lab].chapter).page
                st.switch_page(page, query_params=query)
