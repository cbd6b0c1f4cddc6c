"""Write docs/formats.md, the formats of files that are read: python docs/formats.py"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = """\
# Files that are read

Written by `python docs/formats.py`. `tracelr show FILE`, and every other verb that takes FILE, reads these; so does
`tracelr.load`. A file is recognized by its signature, keys and values that only one format has. Where several fit, the
error names them, and `--as FORMAT` (`load(..., format=...)`) picks one.

Nothing in a file is run. YAML, JSON, TOML, INI, gin, jsonnet of literals, Python assignments of literals, and the flags
in shell scripts are read; so are flags after `--`, as in `tracelr show -- --lr 6e-5 --lr-decay-style cosine
--train-iters 1000`, and a pasted call of optax, Keras, torch or transformers. The files that a file names under
`_base_` or `_BASE_`, in a `defaults` list of Hydra or in `with read_base():` are read beside it. Of a script, the
variables, arrays and arithmetic are followed; what a branch, a loop or another command sets is asked for by name.

What a file does not say is asked for: `--steps N`, `--steps-per-epoch N`, `--samples N --devices D`, `--batch-size B`,
`--accumulation N`, `--tokens-per-step N` (`Units` in Python); `--set KEY=VALUE` (`settings`) sets any key by its path,
or a variable of a script. A key that speaks of a rate, a warm-up or a decay and is not read is an error, and so is a
scheduler that follows a metric. A step is an optimizer update, counted from 0.

"files" counts the real files of `tests/interop/data/framework_files.json`, whose rates are compared with those of the
framework's own code within 2e-6 of the peak (`pytest tests/interop/test_frameworks.py`). `write` says that `tracelr
convert --to` writes it.
"""


def page() -> str:
    """Return the page."""
    from tracelr.interop.convert import WRITERS
    from tracelr.interop.readers import READERS

    files = json.loads((ROOT / "tests" / "interop" / "data" / "framework_files.json").read_text())
    names = {"llama_factory": "huggingface", "llm_foundry": "composer", "wenet": "espnet"}
    counted = Counter(names.get(file.partition("/")[0], file.partition("/")[0]) for file in files)
    parts = [HEAD, "\n| format | files | write |\n|---|---|---|\n"]
    for name in READERS:
        link = name.replace("_", "-")
        parts.append(f"| [{name}](#{link}) | {counted[name] or ''} | {'yes' * (name in WRITERS)} |\n")
    for name, reader in READERS.items():
        text = " ".join((reader.__doc__ or "").split())
        parts.append(f"\n## {name}\n\n{text}\n\n```yaml\n{reader.EXAMPLE}```\n")
    return "".join(parts)


if __name__ == "__main__":
    (ROOT / "docs" / "formats.md").write_text(page())
