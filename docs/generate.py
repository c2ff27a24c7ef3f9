"""Makes everything that follows from the methods and their signatures: `make generated`.

MLproject, the type stubs of the package's face, the marked blocks of README and docs, and the version and
address of the repository where files name them. They are committed, and a test fails where one is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docs import mlproject, release, stubs, tables

PROJECT = Path(__file__).parent.parent


def generated() -> Iterator[tuple[Path, str]]:
    """Every file that is made, and its content."""
    yield PROJECT / "MLproject", mlproject.render()
    yield PROJECT / "mlflow_interp" / "__init__.pyi", stubs.render()
    for page in tables.PAGES:
        yield page, release.filled(tables.filled(page))
    for file in release.FILES:
        yield file, release.filled(file.read_text(encoding="utf-8"))


def main() -> None:
    """Write those that are not as they should be, and name them."""
    for file, content in generated():
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            file.write_text(content, encoding="utf-8")
            print(file.relative_to(PROJECT))


if __name__ == "__main__":
    main()
