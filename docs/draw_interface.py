"""Draw docs/images/ui_segments.png and ui_choose.png: pages of the web interface as Chromium shows them.

usage: python docs/draw_interface.py [--chromium PATH]      in a project with at least one run
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
PAGES = {"ui_segments": "/segments", "ui_choose": "/choose"}
SIZE = {"width": 1280, "height": 800}


def main() -> None:
    """Serve, look, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    args = parser.parse_args()
    command = [str(Path(sys.executable).parent / "clustering"), "ui", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as drivers:
        address = re.findall(r"http://\S+:\d+", server.stdout.readline() if server.stdout else "")[0]
        alone = ["--disable-gpu", "--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = drivers.chromium.launch(executable_path=args.chromium, args=alone)
        page = browser.new_page(viewport=SIZE, locale="en-GB")  # type: ignore[arg-type]
        for name, path in PAGES.items():
            page.goto(address + path)
            if page.locator("[data-map]").count():
                page.wait_for_selector("[data-map][data-ready]")
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main()
