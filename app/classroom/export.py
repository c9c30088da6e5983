"""A class's results as one table: every vote, and the best entries of every challenge."""

from datetime import datetime, timezone

import pandas as pd

from app.classroom import nicknames, store, subjects
from app.i18n import Words
from app.literal import csv as as_file

COLUMNS = (
    "kind", "number", "question", "learner", "answer", "right", "parameters", "measure", "time_utc",
)  # fmt: skip


def csv(class_id: int, words: Words) -> bytes:
    """A learner is a number that means the same in all rows of the file, and nothing outside it."""
    frame = pd.DataFrame(rows(class_id, words), columns=list(COLUMNS), dtype=object)
    return as_file(frame)


def rows(class_id: int, words: Words) -> list[dict]:
    numbers: dict[str, int] = {}
    asked = {poll.number: subjects.from_json(poll.subject) for poll in store.all_polls(class_id)}
    found = []
    for vote in store.all_votes(class_id):
        row = {
            "kind": "poll", "number": vote.poll, "learner": _learner(numbers, vote.voter),
            "time_utc": _time(vote.at),
        }  # fmt: skip
        if subject := asked.get(vote.poll):
            row["kind"] = subject.kind
            row["question"] = subject.question(words)
            row["answer"] = subject.choices(words)[vote.choice]
            truth = subject.truth()
            row["right"] = "" if truth is None else int(truth == vote.choice)
        found.append(row)
    now = store.now(class_id)
    for entry in now.entries if now else ():
        found.append(
            {
                "kind": "challenge", "question": words(f"challenge.{entry.challenge}"),
                "learner": _learner(numbers, entry.voter),
                "answer": nicknames.told(entry.nickname, words), "parameters": entry.parameters,
                "measure": round(entry.measure, 4), "time_utc": _time(entry.at),
            }
        )  # fmt: skip
    return found


def _learner(numbers: dict[str, int], voter: str) -> int:
    return numbers.setdefault(voter, len(numbers) + 1)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
