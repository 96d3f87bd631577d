"""Prints how many tests passed for each language, SDK and upstream. Fails if one did not, or if a pair is missing."""

import collections
import json
import sys


def main(path: str) -> int:
    counts = collections.defaultdict(lambda: [0, 0])
    broken = []
    try:
        with open(path, encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
    except FileNotFoundError:
        rows = []
    for r in rows:
        bad = r["outcome"] == "failed"
        counts[r["language"], r["sdk"], r["upstream"]][bad] += r["outcome"] != "skipped"
        if bad:
            broken.append(f"{r['language']} {r['sdk']} -> {r['upstream']}: {r['test']}")
    print(f"\n{'language':<10}{'SDK':<12}{'upstream':<12}{'passed':>7}{'failed':>7}")
    for key in sorted(counts):
        passed, failed = counts[key]
        print(f"{key[0]:<10}{key[1]:<12}{key[2]:<12}{passed:>7}{failed:>7}")
    for line in broken:
        print("FAILED", line)
    return 1 if broken or not rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
