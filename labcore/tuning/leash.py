"""Run a script on a leash: `python -m labcore.tuning.leash script.py --its-own arguments`.

The script is as anybody would write it, and prints lines. Here each line waits until whoever started the
process has asked for the next one, by a line on standard input: a pause on the page then halts the script
after its present step. When standard input closes, because nobody listens any more, the process ends.
"""

import os
import runpy
import sys
import threading


class Leash:
    """Standard output that gives out one line at a time."""

    def __init__(self, out):
        self.out, self.asked = out, threading.Semaphore(0)
        threading.Thread(target=self._listen, daemon=True).start()

    def write(self, text: str) -> int:
        for piece in text.splitlines(keepends=True):
            self.out.write(piece)
            if piece.endswith("\n"):
                self.out.flush()
                self.asked.acquire()
        return len(text)

    def _listen(self) -> None:
        while os.read(0, 1):
            self.asked.release()
        os._exit(1)  # however the other side came to die

    def __getattr__(self, name: str):
        return getattr(self.out, name)


def main(script: str, *arguments: str) -> None:
    sys.argv = [script, *arguments]
    sys.stdout = Leash(sys.stdout)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
