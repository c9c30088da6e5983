"""The one error a learner can cause: a value that a lab cannot use.

`labcore` holds no sentence for readers. An error names the field, echoes the value and names the rule;
the screen looks the sentence up in the learner's language (`assets/strings/<lang>/errors.toml`).
"""


class LabInputError(ValueError):
    """A value that breaks a rule.

    `field`: the config field or input at fault. `value`: what was given. `rule`: a short key, such as
    "positive" or "divides_hidden_size", under which the screen finds its sentence. `facts`: numbers
    that the sentence quotes, such as `limit=512`.

    >>> raise LabInputError("temperature", 0, "positive")
    Traceback (most recent call last):
    labcore.errors.LabInputError: temperature = 0: positive
    """

    def __init__(self, field: str, value: object, rule: str, **facts: object):
        self.field, self.value, self.rule, self.facts = field, value, rule, facts
        stated = ", ".join(f"{name} {fact}" for name, fact in facts.items())
        super().__init__(f"{field} = {value!r}: {rule}" + (f" ({stated})" if stated else ""))

    def __reduce__(self):  # so that it survives the way back from a worker process
        return _restore, (type(self), self.field, self.value, self.rule, self.facts)


def _restore(kind, field, value, rule, facts):
    return kind(field, value, rule, **facts)
