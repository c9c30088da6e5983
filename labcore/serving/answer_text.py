"""From tokens to text while they are still coming: no half characters, and nothing past a stop text."""

import codecs
from collections.abc import Sequence

from labcore.text.tokenizer import Tokenizer


class AnswerText:
    """The text of one answer, piece by piece.

    A token may hold a part of a character, so bytes wait until it is whole. A stop text may be spread
    over tokens, so an ending that could become one waits as well.
    """

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str] = ()):
        self._tokenizer, self._stops = tokenizer, tuple(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False  # a stop text has come; nothing follows

    def read(self, token: int) -> str:
        """What may be shown now that this token has come."""
        return self._let_out(self._decoder.decode(self._tokenizer.token_bytes(token)), last=False)

    def end(self) -> str:
        """What was still waiting when the answer ended."""
        return self._let_out(self._decoder.decode(b"", final=True), last=True)

    def _let_out(self, new: str, last: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + new
        found = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        wait = 0 if last else max((held_back(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - wait :]
        return text[: len(text) - wait]


def held_back(text: str, stop: str) -> int:
    """Characters at the end of the text that the stop text could begin with.

    >>> held_back("one, tw", "two"), held_back("one", "two")
    (2, 0)
    """
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
