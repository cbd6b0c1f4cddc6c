"""Write the Python of every page as files that a type checker reads, into a folder: python docs/programs.py FOLDER"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WRITTEN = ("cli", "formats", "peers")
CHECKS = "# pyright: reportPrivateImportUsage=false, reportMissingImports=false"
"""torch does not export all that its documentation uses, and not every framework is installed."""
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.py"):
        old.unlink()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text, lines = page.read_text(), []
        if page.stem in WRITTEN:
            continue
        for block in BLOCK.finditer(text):  # at the lines that they have in the page
            lines += [""] * (text.count("\n", 0, block.start(1)) - len(lines)) + block[1].splitlines()
        if lines:
            (folder / f"page_{page.stem}.py").write_text("\n".join([*lines, CHECKS, ""]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
