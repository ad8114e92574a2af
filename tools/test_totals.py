"""The summary of several runs of pytest, in pytest's form; for tools/test.sh.

    python tools/test_totals.py FOLDER STATUS...

FOLDER has the runs' JUnit files, STATUS is the exit status of each run.  Ends with the runs' worst
status; that a run found no test (5) counts only where none found any.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

NO_TESTS = 5
#: pytest's words for what JUnit calls so, worst first.
WORDS = {"failure": "failed", "error": "error", "skipped": "skipped"}


def main(folder: Path, statuses: Sequence[int]) -> int:
    """Print what failed and, in the last line, the totals; returns the exit status."""
    totals: Counter[str] = Counter()
    seconds = 0.0
    for path in sorted(folder.glob("*.xml")):
        for suite in ElementTree.parse(path).iter("testsuite"):
            seconds += float(suite.get("time", 0))
        for case in ElementTree.parse(path).iter("testcase"):
            # A test whose clean-up fails has two.
            kinds = {child.tag for child in case} & WORDS.keys()
            for kind in kinds:
                totals[WORDS[kind]] += 1
                if kind != "skipped":
                    print(f"{WORDS[kind].upper()} {case.get('classname')}::{case.get('name')}")
            if not kinds:
                totals["passed"] += 1
    words = ("failed", "passed", "skipped", "error")
    told = ", ".join(f"{totals[word]} {word}" for word in words if totals[word])
    line = f" {told or 'no tests ran'} in {seconds:.2f}s "
    print(f"{line:=^80}")
    worst = [status for status in statuses if status != NO_TESTS]
    if not worst or not sum(totals.values()):
        return NO_TESTS if not any(worst) else max(worst)
    return max(worst)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [int(status) for status in sys.argv[2:]]))
