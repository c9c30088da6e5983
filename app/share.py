"""The link to exactly what is on the screen, and the teacher's version of it with locked knobs."""

from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit, urlunsplit


def link(
    page_url: str, parameters: dict[str, str], lock: Iterable[str] = (), hide: Iterable[str] = ()
) -> str:
    """`page_url` with `parameters`, and the names of knobs to lock or hide.

    >>> link("http://localhost:8501/transformer?old=1", {"lang": "zh", "lab": "attention"}, ["text"])
    'http://localhost:8501/transformer?lang=zh&lab=attention&lock=text'
    """
    query = dict(parameters)
    for name, knobs in (("lock", lock), ("hide", hide)):
        query.pop(name, None)
        if joined := ",".join(knobs):
            query[name] = joined
    scheme, host, path, _, _ = urlsplit(page_url)
    return urlunsplit((scheme, host, path, urlencode(query, safe=","), ""))
