"""Everything that only a GPU can tell, in one run of a few minutes.

    python -m benchmarks.gpu [--published CHECKOUT] [--seconds 280] [--out FOLDER]

Checks: an update there equals the CPU's (all algorithms, float64 and float32), whole
sequences at once equal the host's step path, updates that are not finite change
nothing, a resumed run is the same to the last bit. Times: an update against the
published one (CHECKOUT: a folder with oxwhirl/wqmix), in bfloat16, as a captured CUDA
graph; acting for 128 copies; SMAX end to end.

Each section runs in a process of its own: what fails, or takes too long, costs no
other. FOLDER/gpu.json and FOLDER/gpu.md are written after each of them. Exit code 1 if
a check failed or a section did not come to its end. `--small --device cpu` goes through
all of it in small sizes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Dict, List

import torch

from . import gpu_sections

LONGEST = 90.0  # seconds for one section
GRACE = 5.0  # seconds that a section has beyond what it was told


def main() -> int:
    """Run the command line."""
    options = parse()
    order = options.only or list(gpu_sections.SECTIONS)
    report: Dict[str, Any] = {"machine": machine(options.device), "sections": {}}
    end = time.monotonic() + options.seconds
    options.out.mkdir(parents=True, exist_ok=True)
    together = [name for name in order if name in gpu_sections.CHECKS]
    one_by_one = [name for name in order if name not in gpu_sections.CHECKS]
    for names in ([together] if together else []) + [[name] for name in one_by_one]:
        found = run(names, options, end - time.monotonic())
        for name, section in found.items():
            report["sections"][name] = section
            print("\n".join(lines(name, section)), flush=True)
        write(report, options.out)
    return int(any(map(has_failed, report["sections"].values())))


def has_failed(section: Dict[str, Any]) -> bool:
    """Whether a check failed, or the section did not come to its end."""
    return "error" in section or any(
        row.get("passed") is False or "error" in row for row in section["rows"]
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--published", type=Path, metavar="CHECKOUT")
    parser.add_argument("--seconds", type=float, default=280)
    parser.add_argument("--out", type=Path, default=Path("results/gpu"))
    parser.add_argument("--device", default=device, choices=("cpu", "cuda"))
    parser.add_argument("--small", action="store_true", help="small sizes, few rounds")
    known = list(gpu_sections.SECTIONS)
    parser.add_argument("--only", nargs="+", choices=known, metavar="SECTION")
    return parser.parse_args()


def run(names: List[str], options: Any, left: float) -> Dict[str, Dict[str, Any]]:
    """Run sections side by side, each in a process; return what they found by name."""
    longest = left if options.small else LONGEST  # small sizes, on a slow machine
    seconds = min(longest, left - GRACE)
    if seconds < GRACE:
        return {name: {"rows": [], "skipped": "no time was left"} for name in names}
    context = multiprocessing.get_context("spawn")
    started, running = time.monotonic(), {}
    for name in names:
        ours, theirs = context.Pipe(duplex=False)
        arguments = (theirs, name, options, seconds)
        child = context.Process(target=_work, args=arguments)
        child.start()
        theirs.close()
        running[name] = (ours, child)
    found = {}
    for name, (pipe, child) in running.items():
        found[name] = _collect(pipe, child, started + seconds + GRACE)
        found[name]["seconds"] = round(time.monotonic() - started, 1)
    return found


def _work(pipe: Any, name: str, options: Any, seconds: float) -> None:
    """A section, in its process: send rows as they are found, then how it ended."""
    end = time.monotonic() + seconds
    run_of = gpu_sections.Run(options, end, lambda row: pipe.send(("row", row)))
    try:
        gpu_sections.SECTIONS[name](run_of)
    except gpu_sections.Skipped as reason:
        pipe.send(("skipped", str(reason)))
    except BaseException:
        pipe.send(("error", traceback.format_exc(limit=-6)))
    else:
        pipe.send(("ended", None))


def _collect(pipe: Any, child: Any, end: float) -> Dict[str, Any]:
    found: Dict[str, Any] = {"rows": []}
    while True:
        if not pipe.poll(max(0.0, end - time.monotonic())):
            found["error"] = "stopped: it took too long"
            child.kill()
            break
        try:
            kind, value = pipe.recv()
        except EOFError:
            found["error"] = "its process ended without a word"
            break
        if kind != "row":
            found.update({} if kind == "ended" else {kind: value})
            break
        found["rows"].append(value)
    child.join(GRACE)
    return found


def machine(device: str) -> Dict[str, Any]:
    """What this is measured on."""
    facts = {"torch": torch.__version__, "python": sys.version.split()[0]}
    facts["cores"] = len(os.sched_getaffinity(0))
    if device == "cuda":
        facts["device"] = torch.cuda.get_device_name()
        facts["cuda"], facts["cudnn"] = (
            torch.version.cuda,
            torch.backends.cudnn.version(),
        )
    else:
        facts["device"] = "cpu"
    return facts


def write(report: Dict[str, Any], folder: Path) -> None:
    """Write the JSON and the table, each complete or as it was."""
    facts = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    text = [f"# GPU\n\n{facts}"]
    for name, section in report["sections"].items():
        text.append("\n".join(lines(name, section)))
    files = {
        "gpu.json": json.dumps(report, indent=1) + "\n",
        "gpu.md": "\n\n".join(text) + "\n",
    }
    for name, content in files.items():
        partial = folder / f"{name}.partial"
        partial.write_text(content, encoding="utf-8")
        os.replace(partial, folder / name)


def lines(name: str, section: Dict[str, Any]) -> List[str]:
    """A section as Markdown."""
    found = [f"## {name} ({section.get('seconds', 0)} s)", ""]
    rows = section["rows"]
    if rows:
        keys = list(dict.fromkeys(key for row in rows for key in row))
        found.append(f"| {' | '.join(keys)} |")
        found.append("|" + "---|" * len(keys))
        for row in rows:
            cells = (_cell(row.get(key, "")) for key in keys)
            found.append(f"| {' | '.join(cells)} |")
    for key in ("skipped", "error"):
        if key in section:
            found += [f"{key}:", "```", section[key].rstrip(), "```"]
    return [*found, ""]


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "/").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
