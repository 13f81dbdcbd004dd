"""Explanations of three real rankings, written down as they are produced.

    python benchmarks/explanations.py --data ../shared/data --write

``--data`` names a folder with ``images/``, ``zoo/`` and ``knowledge_graph/``. For flowers, waste
and letters: ``zoo recommend`` with three checkpoints, then ``zoo explain --format md``, in a home
folder of their own. ``--write`` puts the page into ``docs/reference/explanations.md``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "explanations.md"
SETS = {"flowers5": "Flowers", "trashnet": "Waste", "notmnist": "Letters"}
MODELS = ("mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224_inat_bird")
EMBEDDED = "embedded:convnext-glyphs"
#: A comment before a block that the tests of the documentation leave alone.
REASON = "<!-- not run: it takes hours, on data that do not come with Zoo -->"
HEAD = """# Explanations, as produced

Each part is what `zoo explain --format md` says after `zoo recommend` on 300 pictures, with the
nouns of Open English WordNet in the graph. Written by

{reason}
```console
$ {command}
```

The ids behind the sentences are what `zoo explain RUN --evidence ID` traces; they depend on the
run, whose times differ.
"""


def main() -> None:
    """Run the three journeys and print or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-explanations-") as home:
        text = page(given.data, given.samples, home)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


def page(data: Path, samples: int, home: str) -> str:
    """Give the page."""
    zoo(home, "graph", "fetch", "wordnet", "--from", data / "knowledge_graph")
    models = [word for name in MODELS for word in ("-m", data / "zoo" / name)]
    parts = [
        HEAD.format(
            reason=REASON, command=f"python benchmarks/explanations.py --data {data} --write"
        )
    ]
    for name, title in SETS.items():
        question = [data / "images" / name, *models, "-m", EMBEDDED, "--probe-size", samples]
        zoo(home, "recommend", *question, "--layers", "all")
        told = zoo(home, "explain", "--format", "md")
        shown = " ".join(str(each) for each in ("zoo recommend", *question, "--layers all"))
        parts.append(
            f"## {title}\n\n{REASON}\n```console\n$ {shown}\n$ zoo explain --format md\n```\n\n"
            f"{deeper(told)}"
        )
    return "\n".join(parts)


def deeper(text: str) -> str:
    """Move headings two levels down, under that of the set."""
    return (
        "\n".join(f"##{line}" if line.startswith("#") else line for line in text.splitlines())
        + "\n"
    )


def zoo(home: str, *words: object) -> str:
    """Run a command; give what it prints.

    Raises:
        SystemExit: it failed.
    """
    environment = {**os.environ, "ZOO_HOME": home, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "zoo_cli", *map(str, words), "--offline"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
