#!/usr/bin/env python3
"""Makes the training and the held-out text of the reference models from Django's documentation (BSD-3-Clause).

Fetches the source distribution by name from PyPI, splits its documentation by *file* into training and held-out
text, and removes from the held-out text every paragraph that shares a run of 13 words with the training text, so that
the two never overlap. Needs pip; writes

    target/text/train.txt                  about 5 MB, not committed
    models/reference/held-out.txt          about 0.5 MB, committed (its licence lies beside it)

Usage: python3 tools/text.py [--held-out-too]
"""

import argparse
import hashlib
import pathlib
import re
import subprocess
import sys
import tarfile

SOURCE = "Django==5.2.8"
ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN = 13  # words; the n-gram length by which GPT-3's authors detected contamination (arXiv 2005.14165, appendix C)
HELD_OUT_BYTES = 560_000
ADAPTATION_BYTES = 600_000


def fetch(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted(folder.glob("[Dd]jango-*.tar.gz"))
    if not found:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", str(folder), SOURCE], check=True)
        found = sorted(folder.glob("[Dd]jango-*.tar.gz"))
    return found[0]


def pages(archive: pathlib.Path):
    """Yields (path, text) of every documentation page, and the licence, in path order."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            path = member.name.split("/", 1)[-1]
            if path == "LICENSE" or (path.startswith("docs/") and path.endswith(".txt")):
                yield path, tar.extractfile(member).read().decode("utf-8")


def runs(text: str):
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out-too", action="store_true", help="rewrite the committed held-out text as well")
    arguments = parser.parse_args()
    train, held_out = [], []
    for path, text in pages(fetch(ROOT / "target" / "text")):
        if path == "LICENSE":
            licence = text
        # Release notes repeat one another: they train, but they are no fair test.
        elif int(hashlib.blake2b(path.encode()).hexdigest(), 16) % 8 == 0 and "/releases/" not in path:
            held_out.append(text)
        else:
            train.append(text)
    train_text = "\n\n".join(train)
    (ROOT / "target" / "text" / "train.txt").write_text(train_text, encoding="utf-8")
    print(f"train: {len(train)} pages, {len(train_text):,} characters", file=sys.stderr)
    if arguments.held_out_too:
        seen = runs(train_text)
        kept = [p for text in held_out for p in re.split(r"\n\s*\n", text) if p.strip() and not (runs(p) & seen)]
        text = "\n\n".join(kept)[:HELD_OUT_BYTES]
        reference = ROOT / "models" / "reference"
        (reference / "held-out.txt").write_text(text, encoding="utf-8")
        # What retrofits are adapted on: the beginning of the training text, cut between two paragraphs.
        adaptation = train_text[: train_text.rfind("\n\n", 0, ADAPTATION_BYTES)] + "\n"
        (reference / "adaptation.txt").write_text(adaptation, encoding="utf-8")
        (reference / "held-out.LICENSE").write_text(licence, encoding="utf-8")
        print(f"held out: {len(held_out)} pages, {len(text):,} characters kept", file=sys.stderr)


if __name__ == "__main__":
    main()
