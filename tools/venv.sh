#!/bin/sh
# Make .venv ready: `tools/venv.sh EXTRA` installs this project with that extra ("md" or "dev") unless it already is.
# PYTHON=... chooses the interpreter; otherwise a working .venv keeps its own, and a new one takes the first on PATH
# that is known to work.
set -eu
cd "$(dirname "$0")/.."
extra=$1
venv=.venv
home=$(pwd -P)

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }

if [ -n "${PYTHON:-}" ] && ! usable "$PYTHON"; then
    echo "PYTHON=$PYTHON is not a Python >= 3.11 with the venv and ensurepip modules" >&2
    exit 2
fi

# A virtual environment is thrown away when it does not run, was copied here from elsewhere, is not of the Python asked
# for, or when the installation into it was interrupted.
present=
if usable $venv/bin/python && $venv/bin/python -c 'import pip' 2>/dev/null; then present=$(version $venv/bin/python); fi
if [ -e $venv ] || [ -L $venv ]; then
    if [ -z "$present" ] || [ -e $venv/.unfinished ] || [ "$(cat $venv/.home 2>/dev/null || echo "$home")" != "$home" ] ||
        { [ -n "${PYTHON:-}" ] && [ "$present" != "$(version "$PYTHON")" ]; }; then
        echo "making $venv anew: it was broken, unfinished, copied, or of another Python"
        rm -rf $venv
    fi
fi

if [ ! -e $venv ]; then
    # 3.11 and 3.12 first: their versions of everything are pinned here. The others take what is newest.
    for candidate in "${PYTHON:-python3.11}" python3.12 python3.13 python3.14 python3 python; do
        if usable "$candidate"; then break; fi
        candidate=
    done
    if [ -z "$candidate" ]; then
        echo "no Python >= 3.11 with the venv and ensurepip modules on PATH: install one" \
            "(Debian, Ubuntu: apt install python3-venv) or name it with PYTHON=..." >&2
        exit 2
    fi
    mkdir $venv
    touch $venv/.unfinished
    "$candidate" -m venv $venv
    printf '%s' "$home" >$venv/.home
    present=$(version $venv/bin/python)
fi

constraints=constraints-$present.txt
[ -f "$constraints" ] || constraints=/dev/null
stamp="$(cat pyproject.toml "$constraints" | cksum)"
# The "dev" extra contains all others.
for installed in "$extra" dev; do
    if [ "$(cat "$venv/.installed-$installed" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
done
touch $venv/.unfinished
echo "installing jaxpot[$extra] for Python $present into $venv (some minutes the first time)"
# pip says what it does in a log, of which a line is shown now and then, and all where it fails
every=15
log=$venv/install.log
$venv/bin/python -m pip install --disable-pip-version-check --no-color --progress-bar off -c "$constraints" \
    --editable ".[$extra]" >"$log" 2>&1 &
installer=$!
trap 'kill $installer 2>/dev/null; exit 130' INT TERM
seconds=0
while kill -0 $installer 2>/dev/null; do
    sleep 1
    seconds=$((seconds + 1))
    if [ $((seconds % every)) -eq 0 ]; then echo "  $seconds s: $(tail -n 1 "$log" | cut -c 1-100)"; fi
done
if ! wait $installer; then
    cat "$log" >&2
    exit 1
fi
printf '%s' "$stamp" >"$venv/.installed-$extra"
rm $venv/.unfinished
