"""Make sure that a Chromium is there for the browser tests: one already installed, else the
distribution's package, else Playwright's own download."""

import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of an installed Chromium or Chrome, or of Playwright's own; None if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from pathlib import Path

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    if shutil.which("apt-get"):
        root = [] if _is_root() else ["sudo", "-n"]
        subprocess.run([*root, "apt-get", "update", "-qq"], check=False)
        packages = ["chromium", "fonts-noto-cjk"]
        done = subprocess.run([*root, "apt-get", "install", "-y", "-qq", *packages], check=False)
        if done.returncode == 0 and find():
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _is_root() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


if __name__ == "__main__":
    if not find():
        install()
    print(f"Chromium: {find()}")
