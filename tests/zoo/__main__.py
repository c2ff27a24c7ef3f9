"""Run every method on every architecture, and write the results into docs/models.md.

`python -m tests.zoo [NAME …]`: each in a separate process. Results are kept in build/zoo and not
computed again, so an interrupted run can be continued.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.zoo import architectures, table

ROOT = Path(__file__).parents[2]
LIMIT = 3600  # seconds for one architecture


def run(name: str, file: Path) -> None:
    """Test one architecture in a separate process, which frees its memory at the end."""
    command = [sys.executable, "-m", "tests.zoo.trial", name, str(file)]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
        message = "" if file.exists() else (ended.stderr.strip().splitlines() or [str(ended.returncode)])[-1]
    except subprocess.TimeoutExpired:
        message = f"took more than {LIMIT} seconds"
    if not file.exists():
        print(f"{name}: {message}", file=sys.stderr)


def main() -> int:
    """Test the remaining architectures, print each row, and write the whole table into the docs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="architectures; all by default")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "zoo", help="where results stay")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in given.names or architectures.names():
        file = given.folder / f"{name}.json"
        if not file.exists():
            run(name, file)
        if file.exists():
            found.append(json.loads(file.read_text(encoding="utf-8")))
            print(table.row(found[-1]), flush=True)
    page = ROOT / "docs" / "models.md"
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(given.folder.glob("*.json"))]
    page.write_text(table.filled(page.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return 0 if len(found) == len(given.names or architectures.names()) and not table.failed(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
