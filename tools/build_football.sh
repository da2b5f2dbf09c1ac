#!/usr/bin/env bash
# Build Google Research Football from its published sdist into a virtual environment.
#
#     tools/build_football.sh [VENV]        (.venv; or make football)
#
# For Debian and Ubuntu, and the Python that their libboost-python is for (3.11 on
# Debian 12). Packages that apt lacks are installed first, by sudo if need be.
set -euo pipefail

venv=${1:-.venv}
apt_packages="build-essential cmake libsdl2-dev libsdl2-image-dev libsdl2-ttf-dev
libsdl2-gfx-dev libboost-python-dev libboost-thread-dev libboost-system-dev
libboost-filesystem-dev libgl1-mesa-dev libegl1-mesa-dev"

fail() {
    echo "error: $*" >&2
    exit 1
}

[ -x "$venv/bin/python" ] || fail "$venv has no bin/python: python3 -m venv $venv"
command -v apt-get > /dev/null || fail "no apt-get here: for Debian and Ubuntu only"
venv=$(cd "$venv" && pwd)

lacking=""
for package in $apt_packages; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q "ok installed" ||
        lacking="$lacking $package"
done
if [ -n "$lacking" ]; then
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
        command -v sudo > /dev/null || fail "as root: apt-get install$lacking"
    fi
    echo "apt-get install$lacking"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $lacking
fi

version=$("$venv/bin/python" -c 'import sys; print("%d%d" % sys.version_info[:2])')
ls /usr/lib/*/libboost_python"$version".so > /dev/null 2>&1 ||
    fail "$venv is of Python $version, and this system's boost-python is for:" \
        "$(cd / && ls /usr/lib/*/libboost_python*.so 2> /dev/null | tr '\n' ' ')"

# Its build script calls `python3` and wants psutil there; its CMake files are older
# than what CMake 4 takes by itself.
export PATH="$venv/bin:/usr/bin:$PATH" CMAKE_POLICY_VERSION_MINIMUM=3.5
[ ! -x "$venv/bin/cmake" ] || fail "$venv has a cmake of its own: pip uninstall cmake"

pip() { "$venv/bin/python" -m pip "$@" --disable-pip-version-check; }
pip install -q psutil wheel "setuptools<82" six absl-py cloudpickle \
    opencv-python-headless
pip install -q --no-deps --no-build-isolation "gym==0.25.2"
echo "building gfootball 2.10.2: about 15 minutes of one core"
pip install --no-deps --no-build-isolation --no-binary gfootball "gfootball==2.10.2"
"$venv/bin/python" -m wqmix check-env football
