#!/bin/sh
# Sets Followspot up in .venv: system packages (as root on Debian or Ubuntu), Python packages, optional extras,
# compiled kernels. Run it again at any time; what is there is kept.
#
#   ./setup.sh         to use it
#   ./setup.sh test    to test it as well: test tools, and what outputs and pages are tested against
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "setup: $*" >&2; }

PYTHON=
for candidate in python3.11 python3.12 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
        PYTHON=$candidate
        break
    fi
done
if [ -z "$PYTHON" ]; then
    say "needs Python 3.11 or 3.12, and found neither; on Debian 12: apt-get install python3 python3-venv"
    exit 2
fi

# libportaudio2: live sound. graphviz: `followspot graph --svg`. To test: sound servers without hardware, a browser,
# a DMX server and a synthesiser, which are what the outputs and pages are tested against.
packages="libportaudio2 graphviz"
"$PYTHON" -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
[ "${1:-}" = test ] &&
    packages="$packages jackd2 pulseaudio chromium chromium-driver ola fluidsynth fluid-soundfont-gm"
missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update || true
        # shellcheck disable=SC2086 # the list is meant to be split
        if ! apt-get -qq install -y --no-install-recommends $missing >/dev/null; then
            for package in $missing; do
                apt-get -qq install -y --no-install-recommends "$package" >/dev/null ||
                    say "could not install $package; going on without"
            done
        fi
    else
        say "not root, so these are left to you: sudo apt-get install$missing"
    fi
fi

[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
say "installing Python packages into .venv"
# uv fetches all at once, which pip does not; without it, pip does.
.venv/bin/python -m pip --quiet --disable-pip-version-check install uv || say "going on without uv"
install() {
    UV_LINK_MODE=copy .venv/bin/uv pip install --quiet --python .venv/bin/python -e "$1" ||
        .venv/bin/python -m pip --quiet --disable-pip-version-check install -e "$1"
}
tools=
[ "${1:-}" = test ] && tools=,test
if ! install ".[aubio,pyo,dmx,link,index,cluster,score,onnx,plot$tools]"; then
    say "not all optional extras can be installed together; trying one by one"
    install ".${tools:+[test]}"
    for extra in aubio pyo dmx link index cluster score onnx plot; do
        install ".[$extra]" || say "the optional extra $extra cannot be installed here; all else works without it"
    done
fi

say "compiling kernels"
.venv/bin/followspot warmup
say "ready: .venv/bin/followspot demo"
