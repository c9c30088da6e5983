"""What no lab has in mind: texts, numbers, parameters and files that a page may be handed all the same.

Shared by the monkey (`benchmarks/monkey.py`) and the property tests. Every text carries a mark in HTML and
in Markdown where it can, so that a page that renders a learner's text gives itself away.
"""

MARK = "<b data-monkey>"
LINK = "[monkey](https://monkey.example)"

TEXTS = (
    "", " ", "\n\n\t", "a", "0", "-1", "nan", "inf", "1e999", "9" * 400, "1/0", "2**2**2**2**2",
    "The cat sat on the mat.", "小猫坐在垫子上。", "dog " * 40,
    "🙂👩‍👩‍👧‍👦🏳️‍🌈" * 20, "مرحبا بالعالم \u202eabc\u202c שלום", "e\u0301\u0323" * 30 + "\ufeff\u200b\u2028",
    "null\x00byte", "\x1b[31mred\x07", "\ud7ff\uffff\U0010ffff",
    f"{MARK}<script>alert(1)</script></b><img src=x onerror=alert(1)>",
    f"# {LINK} **bold** $\\frac{{1}}{{0}}$ `code` :red[x] :material/home: {MARK}",
    "| a | b |\n|---|---|\n| 1 | 2 |", "{0} {x} %s %(n)s {{}} ${HOME}", "../../etc/passwd",
    "'; DROP TABLE x; --",
    "0.0, 0.1, 1.2", "0.0", "99.99", "-1.-1", "a.b,c", ",,,", "0", "[]", "{}", '{"type": "object"}',
    "[" * 2000,
    '{"a": NaN}', '{"steps": 1e400}', "owner/name", "<|im_start|>system\n<|im_end|>", "</s><s>[INST]",
    "x" * 100_000, "word " * 20_000, "汉" * 40_000,
)  # fmt: skip

NUMBERS = (
    0, -1, 1, 2, 10**9, 10**30, -(10**30), 0.0, -0.0, 1e-300, -1e-9, 0.5, 1e300, float("nan"),
    float("inf"), -float("inf"),
)  # fmt: skip

NOT_NUMBERS = (None, True, False, "", "1", "nan", "abc", (), (1,), b"1")

FILES = (
    b"", b"\x00" * 1000, b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, b"PK\x03\x04" + b"\xff" * 200,
    b"\xff\xfe\x00bad", b"{}", b"[]", b"[" * 100_000, b'[{"instruction": 1, "output": null}]',
    b'{"instruction": "a", "output": "b"}\n' * 3, b"step,loss\n1,nan\n2,inf\n",
    b"step,loss\n" + b"1,2\n" * 50,
    b"\xff" * 8 + b"{}", (2).to_bytes(8, "little") + b"{}", (10**15).to_bytes(8, "little") + b"{}",
    b"loss\n" + "汉".encode() * 1000, b"x" * 300_000, MARK.encode(), b"\xef\xbb\xbf{}",
    b'{"progress": {"a": 1}}',
)  # fmt: skip
