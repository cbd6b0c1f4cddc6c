"""The page of the package index: README.md with absolute links, because an index has no files beside it."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
HOME = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]


def absolute(text: str) -> str:
    """Return Markdown in which every link to a file of the repository is an address."""

    def address(match: re.Match[str]) -> str:
        before, path, after = match.groups()
        kind = "raw" if path.endswith((".svg", ".png")) else "blob"
        return f"{before}{HOME}/{kind}/main/{path}{after}"

    outside = r"(?!https?:|#|mailto:)"
    text = re.sub(rf"(\]\(){outside}([^)\s]+)(\))", address, text)
    return re.sub(rf"((?:src|srcset|href)=\"){outside}([^\"]+)(\")", address, text)


setup(long_description=absolute((ROOT / "README.md").read_text("utf-8")), long_description_content_type="text/markdown")
