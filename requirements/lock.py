"""Write cpu.txt, gpu.txt and train.txt: what pip would install for each image's extras, pinned, without addresses."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = {"cpu": "cpu", "gpu": "gpu", "train": "gpu,training,experiments"}


def resolve(extras: str) -> list[str]:
    """Pins for the project with these extras, the project itself left out."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    report = subprocess.run([*command, f"{HERE.parent}[{extras}]"], check=True, capture_output=True, text=True).stdout
    found = (item["metadata"] for item in json.loads(report)["install"])
    return sorted(f"{item['name'].lower()}=={item['version']}" for item in found if item["name"] != "feelalike")


if __name__ == "__main__":
    for target, extras in TARGETS.items():
        header = f"# Extras: {extras}. Written by requirements/lock.py.\n"
        (HERE / f"{target}.txt").write_text(header + "\n".join(resolve(extras)) + "\n")
