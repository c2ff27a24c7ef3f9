"""Run all measurements of the docs: `make bench`.

    python -m benchmarks                     # all, one after another
    python -m benchmarks --list              # what is available, and about how many minutes each takes
    python -m benchmarks gradcam umap        # only these files

Each runs in a separate process and prints its tables. Minutes are those of two cores without other load;
the tables do not show whether the machine was busy with other work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

#: By file and arguments, the approximate number of minutes.
MEASUREMENTS = {
    "gradcam": 2,
    "gradcam --pretrained": 2,
    "cams --apart": 2,
    "perturbation": 5,
    "quality": 8,
    "compare": 6,
    "peers_of_quality": 1,
    "contrast": 5,
    "saliency": 6,
    "caricature --only quality --seeds 3 --layers early,middle": 8,
    "caricature --only quality --seeds 8 --layers late": 12,
    "caricature --only steps --rounds 7": 3,
    "caricature --only steps --rounds 5 --inception": 5,
    "feature_visualization": 4,
    "umap": 6,
    "nearest_examples": 5,
    "attention": 3,
    "spark --million": 12,
    "confusion_matrix": 1,
    "commands --rounds 3": 3,
    "autolog": 14,
    "interpret": 30,
    "load": 12,
    "gate": 4,
    "gate --retrain": 18,
}


def main() -> None:
    """Run the measurements; exit code 1 if one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="all by default")
    parser.add_argument("--list", action="store_true", help="list them, and run none")
    options = parser.parse_args()
    files = {measurement.split()[0] for measurement in MEASUREMENTS}
    if unknown := set(options.files) - files:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; available: {', '.join(sorted(files))}")
    chosen = {
        measurement: minutes
        for measurement, minutes in MEASUREMENTS.items()
        if measurement.split()[0] in (options.files or files)
    }
    print(f"{len(chosen)} measurements, about {sum(chosen.values())} minutes", flush=True)
    failed = [
        measurement for measurement, minutes in chosen.items() if not done(measurement, minutes, options.list)
    ]
    if failed:
        raise SystemExit(f"\nfailed: {'; '.join(failed)}")


def done(measurement: str, minutes: int, listed: bool) -> bool:
    """Run a measurement, or only list it; return whether it succeeded."""
    command = f"python -m benchmarks.{measurement}"
    if listed:
        print(f"{minutes:4} min  {command}")
        return True
    print(f"\n## {command}", flush=True)
    started = time.perf_counter()
    file, *arguments = measurement.split()
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{file}", *arguments], env=environment, check=False
    )
    print(f"\n{(time.perf_counter() - started) / 60:.1f} minutes, exit code {run.returncode}", flush=True)
    return run.returncode == 0


if __name__ == "__main__":
    main()
