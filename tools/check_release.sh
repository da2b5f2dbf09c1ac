#!/usr/bin/env bash
# Build the sdist and the wheel, check their metadata, install the wheel into a bare
# environment, and run it there, outside the clone.
#
#     tools/check_release.sh [REQUIREMENT …]        (or: make release-check)
#
# REQUIREMENT: what is installed before it, as a PyTorch of one's choice.
# PYTHON=python3.12 tries another Python. SHARED=FOLDER puts packages that are already
# there, a PyTorch say, on the bare environment's path, instead of fetching them.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip="-m pip install -q --disable-pip-version-check"

echo "== build, twine check"
"$python" -m venv "$work/tools"
"$work/tools/bin/python" $pip build twine
rm -rf dist
"$work/tools/bin/python" -m build --outdir dist .  > "$work/build.log" 2>&1 || {
    cat "$work/build.log"
    exit 1
}
"$work/tools/bin/twine" check --strict dist/*
tar -tzf dist/*.tar.gz | grep "/tests/test_architecture.py$" > /dev/null || {
    echo "error: the sdist is without its tests" >&2
    exit 1
}

echo "== the wheel in an environment of its own"
"$python" -m venv "$work/bare"
bare="$work/bare/bin/python"
if [ -n "${SHARED:-}" ]; then
    echo "$SHARED" > "$("$bare" -c 'import site; print(site.getsitepackages()[0])')/shared.pth"
fi
"$bare" $pip --upgrade setuptools
version="from importlib.metadata import version; print(version('setuptools'))"
before=$("$bare" -c "$version")
[ $# = 0 ] || "$bare" $pip "$@"
"$bare" $pip dist/*.whl
after=$("$bare" -c "$version")
[ "$before" = "$after" ] || {
    echo "error: it replaced setuptools $before by $after" >&2
    exit 1
}
"$bare" -m pip check --disable-pip-version-check
cd "$work"
"$bare" -m wqmix --version
"$bare" -m wqmix list
"$bare" -m wqmix --config=cw_qmix --env-config=matrix_game with t_max=100 test_interval=50
grep -rq '"status": "COMPLETED"' results/sacred
echo "ok: setuptools $after, $(cd - > /dev/null && ls dist | tr '\n' ' ')"
