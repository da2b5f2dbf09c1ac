#!/usr/bin/env bash
# mypy over all packages; its settings are in pyproject.toml.
#
#     tools/check_types.sh [OPTION OF MYPY …]        (or: make lint)
#
# setup.py gives the folders their names (src/ is `wqmix`), which mypy cannot follow: it
# reads a folder of links, and what it reports is told by the files' own names.
# MYPY=.venv/bin/mypy says which one.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mypy=$(realpath -s "${MYPY:-$root/.venv/bin/mypy}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wqmix"
ln -s "$root"/src/* "$work/wqmix"
folders=$(sed -nE 's#^    "wqmix\.(\w+)": "\1",$#\1#p' "$root/setup.py")
for folder in $folders; do ln -s "$root/$folder" "$work/wqmix"; done
cd "$work"
"$mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" \
    -p wqmix "$@" |
    sed -E "s#^wqmix/(${folders//$'\n'/|})/#\1/#; s#^wqmix/#src/#"
