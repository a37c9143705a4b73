#!/usr/bin/env bash
# Makes the environment .venv at the repository root from requirements.txt, or brings it up to date.
# usage: [PYTHON=...] [CXX=...] scripts/setup.sh [--test]
#   --test   also installs requirements-dask.txt, -export.txt, -wandb.txt and -test.txt
set -euo pipefail

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/.setup-stamp
# Marks an environment as made by this script, from its first moment on: any other is the user's own.
ours=$venv/.setup-ours

files=(requirements.txt)
modules='torch, torchvision, cv2, pydensecrf.densecrf, segmentation_models_pytorch, pydicom, nrrd, numba, matplotlib'
case "$#:${1-}" in
    0:) ;;
    1:--test)
        files+=(requirements-dask.txt requirements-export.txt requirements-wandb.txt requirements-test.txt)
        modules+=', distributed, onnxscript, onnxruntime, monai, wandb, playwright, pytest, xdist, hypothesis, nbclient, nbformat, ipykernel'
        ;;
    *) die 'usage: scripts/setup.sh [--test]' ;;
esac

# The stamp holds what a finished environment was made from: the interpreter's version and the
# environment's own path (a venv has absolute paths inside, so a moved or copied one is of no use), then
# the requirements. It is removed before the first change and written after the last, so an environment
# has one only while it is whole. A test environment's stamp begins with the plain one's text, so it
# serves both.
# The requirement to leave out where this machine cannot build it.
without='-'
read_list() {
    local file
    for file in "${files[@]}"; do
        sed -E -e 's/(^|[[:space:]]+)#.*//' -e '/^$/d' -e "/^$without==/d" "$root/$file"
        printf -- '-- end of %s\n' "$file"
    done
}
listed=$(read_list)
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
identity() { "$venv/bin/python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.prefix)' 2>/dev/null; }
stamped() {
    [[ -f $stamp && $(<"$stamp") == "$(identity)"$'\n'"$1"* ]] || return 1
    [[ -z ${PYTHON:-} || $(version_of "$PYTHON") == "$(version_of "$venv/bin/python")" ]]
}
finish_if_ready() {
    if stamped "$listed"; then
        echo 'setup: .venv is up to date'
        exit 0
    fi
}
finish_if_ready

# An environment behind a link, or made by somebody else, is neither changed nor removed.
use_link_if_ready() {
    if [[ -f $stamp && $(sed 1d "$stamp") == "$listed"* ]] &&
        [[ $(head -n 1 "$stamp") == "$(version_of "$venv/bin/python") "* ]]; then
        echo "setup: .venv is a link to $target, which has what is needed; used as it is"
        exit 0
    fi
}
if [[ -L $venv ]]; then
    target=$(readlink -f -- "$venv" || readlink -- "$venv")
    use_link_if_ready
fi
if [[ -e $venv && ! -d $venv ]]; then die '.venv is a file; rename or remove it.'; fi
if [[ ! -L $venv && -d $venv && ! -e $stamp && ! -e $ours && -n $(ls -A -- "$venv") ]]; then
    die '.venv is an environment that this script did not make, or an old one that was not finished; rename or remove it.'
fi

# Everything that can be missing is looked for before anything is written.
unfit() {
    local version
    version=$(version_of "$1") || { echo 'does not run' && return; }
    case $version in
        3.11 | 3.12) ;;
        *) echo "is Python $version" && return ;;
    esac
    "$1" -I -c 'import ensurepip, venv' 2>/dev/null || echo 'has no venv module (Debian: python3-venv)'
}
has_headers() {
    "$1" -I -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null
}
candidates=(python3.12 python3.11 python3 python)
if [[ -n ${PYTHON:-} ]]; then candidates=("$PYTHON"); fi
python='' reasons=''
for candidate in "${candidates[@]}"; do
    command -v "$candidate" >/dev/null || continue
    reason=$(unfit "$candidate")
    if [[ -z $reason ]]; then
        # The interpreter behind a venv, as the one found may be that of the .venv about to be removed.
        python=$("$candidate" -I -c 'import sys; print(sys._base_executable)')
        break
    fi
    reasons+="${reasons:+, }$candidate $reason"
done
[[ -n $python ]] || die "needs Python 3.11 or 3.12, but ${reasons:-none of ${candidates[*]} is on PATH}."

# A compiler counts only if it runs: macOS has a c++ that merely offers to install one.
if [[ -n ${CXX:-} ]]; then
    # Unquoted, as it may hold several words, such as "ccache g++".
    $CXX --version >/dev/null 2>&1 || die "needs a C++ compiler for pydensecrf2, but CXX=$CXX does not run."
else
    # pydensecrf2 has a C file too, and the C compiler that Python was built with may not be here.
    for pair in c++:cc g++:gcc clang++:clang; do
        if "${pair%:*}" --version >/dev/null 2>&1 && "${CC:-${pair#*:}}" --version >/dev/null 2>&1; then
            export CXX=${pair%:*} CC=${CC:-${pair#*:}}
            break
        fi
    done
fi
if [[ -z ${CXX:-} ]] || ! has_headers "$python"; then
    echo 'setup: no C++ compiler (c++, g++, clang++) that runs, or no headers of Python (Debian: python3-dev), so that pydensecrf2 is left out: nothing is missing but --crf_engine pydensecrf and the tests that compare with it'
    without=pydensecrf2
    modules=${modules/pydensecrf.densecrf, /}
    listed=$(read_list)
fi
if [[ -L $venv ]]; then
    use_link_if_ready
    die ".venv is a link to $target, which lacks what is needed; remove the link to have an environment made here, or bring that one up to date where it belongs."
fi

# The lock is on an open file that pip inherits: it ends with its last holder, so it is never stale, and a
# pip that outlives its killed set-up still keeps the next one off.
exec 9>>"$venv.lock"
"$python" -I -c '
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up of this checkout", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks
'
finish_if_ready

pip_install() {
    local file arguments=()
    for file in "${files[@]}"; do
        sed "/^$without==/d" "$root/$file" >"$venv/.setup-$file"
        arguments+=(-r "$venv/.setup-$file")
    done
    "$venv/bin/python" -I -m pip install --disable-pip-version-check --no-compile "${arguments[@]}" "$@"
}

if stamped ''; then
    # Packages that are no longer listed stay; remove .venv to be rid of them.
    echo 'setup: updating .venv to the requirements'
    # Tried first without a change, so that a slip in a list does not cost a whole environment.
    pip_install --dry-run --quiet || die 'pip cannot satisfy the requirements; .venv is as it was.'
    touch "$ours"
    rm -f "$stamp"
else
    # Without a stamp nothing in .venv is to be trusted: pip takes a package for installed whose files an
    # interrupted run copied only in part.
    echo "setup: making .venv with $python (about 6 GB, one to four minutes)"
    mkdir -p "$venv"
    touch "$ours"
    rm -f "$stamp"
    # Not the folder itself, which may be a mount.
    find "$venv" -mindepth 1 ! -path "$ours" -delete
    "$python" -I -m venv "$venv" || die "$python could not make a virtual environment."
fi

# A newer pip finds what to install in half the time; where it cannot be had, the interpreter's own serves.
"$venv/bin/python" -I -m pip install --disable-pip-version-check --quiet pip==26.3 2>/dev/null || true
# Quiet: pip's own lines fill screens; its errors and warnings still show. Not compiled, as half of it is never imported;
# the import below compiles what is.
pip_install --quiet || die 'pip could not install the requirements; run scripts/setup.sh again once its error above is dealt with.'
"$venv/bin/python" -I -c "import $modules" ||
    die 'the installed packages cannot be imported; run scripts/setup.sh again once the error above is dealt with.'

printf '%s\n' "$(identity)" "$listed" >"$stamp.new"
mv "$stamp.new" "$stamp"
echo 'setup: .venv is ready'
