#!/bin/sh
# Set up .venv from the hash-locked requirements in envs/, or write those locks anew.
#
# usage: scripts/setup.sh pipeline         what `clustering` and the runners need (envs/pipeline.txt)
#        scripts/setup.sh dev              that, and what tests and checks need (envs/dev.txt)
#        scripts/setup.sh cluster          and what running on a cluster of machines needs (envs/cluster.txt)
#        scripts/setup.sh audit            and what looking at the locks needs (envs/audit.txt)
#        scripts/setup.sh lock [OPTION]... envs/*.txt and envs/stages.yaml from envs/*.in; options go to uv (--upgrade)
#
# PYTHON names the interpreter to build .venv with. Where it is not set, a .venv that works is kept, and python3 makes
# a missing one. uv is taken from PATH, or put into .venv.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
here=$(pwd -P)
python=.venv/bin/python
marker=.venv/.installing

say() {
    printf 'setup: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# An active .venv of this project must not be what the next one is built with.
leave_own_environment() {
    path=:$PATH:
    while :; do
        case $path in
        *":$here/.venv/bin:"*) path=${path%%":$here/.venv/bin:"*}:${path#*":$here/.venv/bin:"} ;;
        *) break ;;
        esac
    done
    path=${path#:}
    PATH=${path%:}
}

# "3.12 /usr/bin/python3.12": an interpreter's version, and its executable below every shim and virtual environment.
describe() {
    "$1" -c 'import sys
sys.stdout.write("%d.%d %s" % (sys.version_info[:2] + (getattr(sys, "_base_executable", sys.executable),)))' 2>/dev/null
}

version_of() {
    found=$(describe "$1") && printf '%s\n' "${found%% *}"
}

is_supported() {
    case $1 in
    3.11 | 3.12 | 3.13) return 0 ;;
    *) return 1 ;;
    esac
}

# Whether a process is another set-up. A dead one may linger as a zombie, and a number may be used again.
is_setting_up() {
    kill -0 "$1" 2>/dev/null || return 1
    running=$(ps -o args= -p "$1" 2>/dev/null) || return 0
    case $running in
    *setup.sh*) return 0 ;;
    *) return 1 ;;
    esac
}

# What a link points to may be another project's environment, which this one must neither empty nor add to.
refuse_a_link() {
    [ -L .venv ] || return 0
    [ "$(cat .venv/.home 2>/dev/null)" = "$here" ] && return 0
    [ -d .venv/ ] && [ -z "$(ls -A .venv/)" ] && return 0
    fail ".venv is a link to $(readlink .venv), which holds no environment of this project: remove the link (rm .venv), or let it point to an empty folder"
}

# One set-up at a time. A marker whose process is gone was left by one that was cut off: what that installed is not
# to be trusted.
begin() {
    mkdir -p .venv
    cut_off=no
    waiting_for=
    until (set -C && echo $$ >"$marker") 2>/dev/null; do
        owner=$(cat "$marker" 2>/dev/null) || continue
        if ! is_setting_up "$owner"; then
            # Two may take the marker over at once: after a moment it is the last one's.
            echo $$ >"$marker"
            sleep 1
            [ "$(cat "$marker")" = $$ ] || continue
            cut_off=yes
            return
        fi
        [ "$owner" = "$waiting_for" ] || say "waiting for process $owner, which is setting up .venv too"
        waiting_for=$owner
        sleep 1
    done
}

end() {
    rm -f "$marker"
}

# An error that is reported leaves a .venv that can be gone on with; one that cuts this script off leaves the marker.
attempt() {
    "$@" || {
        status=$?
        [ "$status" -ge 128 ] || end
        exit "$status"
    }
}

is_usable() {
    [ "$cut_off" = no ] || return 1
    [ "$(cat .venv/.home 2>/dev/null)" = "$here" ] || return 1
    version=$(version_of "$python") && is_supported "$version" || return 1
    [ -z "${PYTHON:-}" ] || [ "$version" = "$(version_of "$PYTHON")" ]
}

build_environment() {
    wanted=${PYTHON:-python3}
    if ! found=$(describe "$wanted"); then
        end
        fail "$wanted does not run: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12"
    fi
    if ! is_supported "${found%% *}"; then
        end
        fail "$wanted is Python ${found%% *}, and 3.11, 3.12 or 3.13 is needed: name one, as in make PYTHON=python3.12"
    fi
    say "making .venv with Python ${found%% *} (${found#* })"
    find .venv/ -mindepth 1 -maxdepth 1 ! -name .installing -exec rm -rf {} +
    attempt "${found#* }" -m venv --without-pip .venv
    printf '%s\n' "$here" >.venv/.home
}

# New enough to hold builds to the locks too.
is_capable() {
    "$1" pip install --require-hashes --build-constraints envs/dev.txt --help >/dev/null 2>&1
}

find_uv() {
    if is_capable uv; then
        uv=uv
        return
    fi
    uv=.venv/bin/uv
    if is_capable "$uv"; then
        return
    fi
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        end
        fail "this Python cannot make pip (no ensurepip): install uv, or Python's venv package (Debian, Ubuntu: apt install python3-venv)"
    fi
    say "installing uv into .venv"
    attempt "$python" -m ensurepip >/dev/null
    attempt env PIP_USER=0 "$python" -m pip install --quiet --require-hashes --requirement envs/bootstrap.txt
}

add() {
    quiet=
    [ -t 2 ] || quiet=--quiet
    say "installing envs/$1.txt"
    # Compiled once here, not by every stage where PYTHONDONTWRITEBYTECODE is set.
    attempt "$uv" pip install $quiet --python "$python" --require-hashes --build-constraints envs/dev.txt \
        --compile-bytecode --requirement "envs/$1.txt"
}

install() {
    add "$1"
    attempt "$uv" pip install $quiet --python "$python" --no-deps --no-build-isolation --editable .
}

# The largest set is resolved first, so that the smaller ones take its versions. Releases of the last two weeks wait:
# bad ones are withdrawn by then, and conda-forge has the good ones.
compile() {
    target=$1
    shift
    attempt "$uv" pip compile --quiet --python "$python" --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --no-emit-index-url --exclude-newer '14 days' --custom-compile-command 'make lock' \
        --output-file "envs/$target.txt" "$@"
}

conda_name() {
    case $1 in
    duckdb) echo python-duckdb ;;
    pandera) echo pandera-pandas ;;
    *) echo "$1" ;;
    esac
}

# What conda-forge does not have comes from pip.
is_of_pip() {
    [ "$1" = k-means-constrained ]
}

locked_version() {
    sed -n "s/^$1==\([^ ]*\).*/\1/p" envs/stages.txt
}

# conda-forge has no post-releases: 1.9.0.post1 is 1.9.0 there.
write_conda_spec() {
    names=$(sed -n 's/^\([a-z][a-z0-9-]*\).*/\1/p' envs/stages.in)
    {
        echo '# What a stage script needs, for conda: envs/stages.in at the versions of envs/stages.txt. Written by: make lock'
        echo 'channels:'
        echo '  - conda-forge'
        echo '  - nodefaults'
        echo 'dependencies:'
        echo '  - python>=3.11,<3.14'
        for name in $names; do
            is_of_pip "$name" && continue
            version=$(locked_version "$name")
            echo "  - $(conda_name "$name")=${version%.post*}"
        done
        echo '  - pip'
        echo '  - pip:'
        for name in $names; do
            ! is_of_pip "$name" || echo "      - $name==$(locked_version "$name")"
        done
    } >envs/stages.yaml.tmp
    mv envs/stages.yaml.tmp envs/stages.yaml
}

lock() {
    compile dev "$@" envs/dev.in
    compile pipeline "$@" --constraints envs/dev.txt envs/pipeline.in
    compile stages "$@" --constraints envs/dev.txt envs/stages.in
    compile cluster "$@" --constraints envs/dev.txt envs/cluster.in
    compile audit "$@" --constraints envs/dev.txt envs/audit.in
    echo uv | compile bootstrap "$@" --no-annotate -
    write_conda_spec
}

task=${1:-}
case $task in
pipeline | dev | cluster | audit | lock) shift ;;
*) fail "usage: scripts/setup.sh pipeline|dev|cluster|audit|lock" ;;
esac
leave_own_environment
refuse_a_link
begin
is_usable || build_environment
find_uv
case $task in
lock) lock "$@" ;;
pipeline)
    rm -f .venv/.pipeline
    install pipeline
    touch .venv/.pipeline
    ;;
dev)
    rm -f .venv/.pipeline .venv/.dev
    install dev
    touch .venv/.pipeline .venv/.dev
    ;;
cluster | audit)
    rm -f ".venv/.$task"
    add "$task"
    touch ".venv/.$task"
    ;;
esac
end
