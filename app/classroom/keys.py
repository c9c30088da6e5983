"""The secrets of a class, and how a typed one is read.

The join code is short and read aloud; it lets in whoever knows it. The teacher's key is long; only its
hash is stored. A learner's token is drawn for each browser and class, so that a vote can be changed and
not doubled.
This is the one module of the app that draws at random: secrets, nothing that a learner reads as a result.
"""

import hashlib
import hmac
import re
import secrets

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ"  # no I, L and O, which look like digits and each other
CODE_LENGTH = 6  # 23⁶, 148 million
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_TOKEN = re.compile(r"[0-9a-f]{32}")


def new_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def new_key() -> str:
    """256 bits, for the teacher."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """128 bits, for one learner's browser in one class."""
    return secrets.token_hex(16)


def new_seed() -> int:
    """Decides which stories a class's models are measured on, so that nobody can train on them."""
    return secrets.randbelow(2**31)


def read_code(typed: object) -> str | None:
    """The code that somebody typed, in whatever case and spacing; None if it cannot be one.

    >>> read_code(" kdr-mtp "), read_code("KDRMT0"), read_code(None)
    ('KDRMTP', None, None)
    """
    if not isinstance(typed, str) or len(typed) > 40:
        return None
    code = re.sub(r"[\s·-]", "", typed).upper()
    return code if len(code) == CODE_LENGTH and set(code) <= set(LETTERS) else None


def is_key(typed: object) -> bool:
    return isinstance(typed, str) and bool(_KEY.fullmatch(typed))


def is_token(told: object) -> bool:
    return isinstance(told, str) and bool(_TOKEN.fullmatch(told))


def hashed(secret: str) -> str:
    """What is stored in its place. These secrets are long and random, so a plain hash keeps them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(secret: str, stored_hash: str) -> bool:
    return hmac.compare_digest(hashed(secret), stored_hash)
