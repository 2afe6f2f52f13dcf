#!/usr/bin/env python3
"""Records interfaces and sentences, or compares them with the recorded ones.

record.py BIN [interfaces|sentences …]          writes the goldens beside this file
record.py BIN --check [interfaces|sentences …]  compares; prints the differences and how to re-record

BIN is the directory of the programs, e.g. .build/debug. `interfaces` has what other programs rely on, without sentences;
a difference there breaks a caller and must be intended. `sentences` has what people read; a difference there is a
copy-edit to review. Needs only the standard library.
"""
import concurrent.futures, difflib, os, pathlib, sys, traceback

sys.dont_write_bytecode = True
import interfaces, sentences
from harness import GOLDENS

SUITES = {"interfaces": interfaces.ALL, "sentences": sentences.ALL}


def record(bin, suite):
    """The texts of a suite, by file name."""
    texts = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for made in pool.map(lambda part: part(bin), SUITES[suite]):
            for name, golden in made.items():
                suffix = ".json" if golden.text.startswith("{") else ".txt"
                texts[name + suffix] = golden.text
    return texts


def compare(suite, texts):
    """A unified diff between a suite's goldens and these texts."""
    folder, differences = GOLDENS / suite, []
    known = {file.name: file.read_text() for file in folder.iterdir()} if folder.exists() else {}
    for name in sorted({*known, *texts}):
        differences += difflib.unified_diff(
            known.get(name, "").splitlines(), texts.get(name, "").splitlines(), f"Tests/Goldens/{suite}/{name}",
            "as it is now", lineterm="")
    return "\n".join(differences)


def main(words):
    check = "--check" in words
    words = [word for word in words if word != "--check"]
    if not words or any(word not in SUITES for word in words[1:]):
        print(__doc__, file=sys.stderr)
        return 64
    bin, suites, status = pathlib.Path(words[0]), words[1:] or list(SUITES), 0
    for suite in suites:
        texts = record(bin, suite)
        if check:
            if difference := compare(suite, texts):
                print(f"{difference}\n\nThe {suite} are not what was recorded. If that is meant, record them again and commit the "
                      f"difference:\n  python3 Tests/Goldens/record.py .build/debug {suite}")
                status = 1
            continue
        folder = GOLDENS / suite
        folder.mkdir(exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        for name, text in texts.items():
            (folder / name).write_text(text)
        print(f"{suite}: {len(texts)} files, {sum(text.count(chr(10)) for text in texts.values())} lines")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
