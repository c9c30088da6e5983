"""The first rows of a published data set, as it stands on a hub; nothing of it is kept.

A hub is asked first whether it knows the set, with a time limit that covers the look-up of its name too:
without a network the answer is a sentence after some seconds, not a page that waits. Then the rows are
streamed, so that three rows of a large set cost no more than its first block.
"""

import importlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as DeadlineError
from itertools import islice
from typing import Any

from labcore.errors import LabInputError

ANSWER_SECONDS = 8.0  # for the first question to a hub, name lookup included
ROWS_SECONDS = 30.0  # for the rows after that


def first_rows(
    name: str, configuration: str | None = None, split: str = "train", count: int = 3
) -> tuple[Mapping[str, Any], ...]:
    """The first `count` rows of `split`, column by column as the hub gives them.

    Raises LabInputError("data_set", …): "not_installed", "data_unreachable".
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise LabInputError("data_set", name, "not_installed", package="datasets") from None
    hub = importlib.import_module("huggingface_hub")
    importlib.import_module("huggingface_hub.errors")

    def read() -> tuple[Mapping[str, Any], ...]:
        rows = datasets.load_dataset(name, configuration, split=split, streaming=True)
        return tuple(islice(rows, count))

    try:
        within(ANSWER_SECONDS, lambda: hub.HfApi().dataset_info(name, timeout=ANSWER_SECONDS))
        return within(ROWS_SECONDS, read)
    except (OSError, ValueError, DeadlineError, hub.errors.HTTPError) as error:
        raise LabInputError("data_set", name, "data_unreachable") from error


def within(seconds: float, ask: Callable[[], Any]) -> Any:
    """subtle: a client's time limit does not cover looking a name up, so the question gets a thread."""
    answer: Future = Future()

    def put() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=put, name="data-hub", daemon=True).start()
    return answer.result(timeout=seconds)
