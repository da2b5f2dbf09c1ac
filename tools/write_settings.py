"""Write docs/all_settings.md: every setting, from config/schema.py and the YAML files.

python tools/write_settings.py          write it
python tools/write_settings.py --check  exit code 1 where it is not up to date
"""

import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import yaml

from wqmix.config import schema

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "all_settings.md"
CONFIG = ROOT / "config"
HEAD = """\
# All settings

Every key of [config/default.yaml](../config/default.yaml) and of
[config/algs](../config/algs): after `with` on the command line, in a YAML, or as an
argument of `wqmix.get_runner`. What a value must be is checked before a run begins; a
name that another host or library has for it is recognised, and the one to use is said.
In a checkout the host's own keys are its own; those that our learners read must be as
here. How they are read: [settings.md](settings.md). Environments' settings are in
[config/envs](../config/envs) ([environments.md](environments.md)).

`python -m wqmix list settings` prints keys, values and meanings. Written by
`python tools/write_settings.py` from [config/schema.py](../config/schema.py).
"""
# Where a key's default is, if not in default.yaml.
FIRST = ("qmix", "cw_qmix", "pow_qmix", "proj_qmix")


def defaults() -> Dict[str, Any]:
    """Return each key's default: of the file that lists it first."""
    found: Dict[str, Any] = {}
    for path in (
        CONFIG / "default.yaml",
        *(CONFIG / "algs" / f"{n}.yaml" for n in FIRST),
    ):
        for key, value in yaml.safe_load(path.read_text("utf-8")).items():
            found.setdefault(key, value)
    return found


def lines() -> Iterator[str]:
    """Yield the page."""
    yield from HEAD.splitlines()
    values = defaults()
    for title, section in schema.SECTIONS.items():
        yield from ("", f"## {title}", "")
        yield from ("| key | default | values | |", "|---|---|---|---|")
        for key, setting in section.items():
            value = {None: "null", "": '""'}.get(values[key], values[key])
            also = ", ".join(f"`{name}`" for name in setting.also)
            also = f"; elsewhere {also}" if also else ""
            needed = setting.needed.replace("|", "\\|")
            meaning = setting.meaning.replace("|", "\\|")
            yield f"| `{key}` | {value} | {needed} | {meaning}{also} |"


def main() -> int:
    """Write the page, or compare it."""
    text = "".join(f"{line}\n" for line in lines())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, "utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text("utf-8") == text:
        return 0
    print(f"{PAGE} is not up to date: python tools/write_settings.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
