#!/usr/bin/env bash
# The site into build/site: mkdocs reads the packages as setup.py maps the folders.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${1:-python}
rm -rf build/packages
mkdir -p build/packages/wqmix
for folder in plugin session host storage config theory analysis; do
    ln -s "../../../$folder" "build/packages/wqmix/$folder"
done
for path in src/*; do
    ln -s "../../../$path" "build/packages/wqmix/${path#src/}"
done
NO_MKDOCS_2_WARNING=1 "$PYTHON" -m mkdocs build --strict --quiet
