"""Entry of the lab: `streamlit run app/main.py`.

Streamlit puts this file's folder on `sys.path`. The root takes its place, so that `import labcore` and
`import app` work everywhere and no module of `app/` can shadow one of the standard library.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:] = [str(ROOT)] + [
    entry for entry in sys.path if entry not in (str(ROOT), str(ROOT / "app"))
]

from app import shell  # noqa: E402  (the path comes first)

shell.run()
