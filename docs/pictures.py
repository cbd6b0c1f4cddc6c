"""Write the picture of the README, docs/rate-light.svg and docs/rate-dark.svg: python docs/pictures.py"""

from __future__ import annotations

from pathlib import Path

import tracelr
from tracelr.drawing.svg import svg
from tracelr.schedules.describe.sampling import curve

HERE = Path(__file__).parent
COLOURS = {"light": "#24292f", "dark": "#d0d7de"}
TITLE = "warmup_cosine(peak=6e-4, total=100_000, warmup=2000, end=0.1)"


def main() -> None:
    rate = tracelr.warmup_cosine(peak=6e-4, total=100_000, warmup=2000, end=0.1)
    picture = svg([curve(rate)], TITLE, alone=False)
    for theme, colour in COLOURS.items():
        (HERE / f"rate-{theme}.svg").write_text(picture.replace("currentColor", colour))


if __name__ == "__main__":
    main()
