#!/usr/bin/env bash
# Makes a fresh checkout ready: Debian packages that are missing, the virtual environment, the project in it.
# Runs before any Python of ours exists; does nothing, quickly, when everything is there already.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly LOCK_FILE=deploy/locks/dev.txt
readonly EXAMPLES=docs/examples
readonly NO_JOSE=.venv/.no-jose # npm's words, where it failed: not tried again
readonly DEBIAN_JOSE=/usr/share/nodejs/jose
readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_SAVED=/usr/sbin/policy-rc.d.saved-by-fanfare

step() { printf '  setup  %s\n' "$*"; }
fail() {
    printf '\n  setup failed: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

main() {
    find_python
    install_packages
    if [ "$(stamp)" != "$(cat .venv/.stamp 2>/dev/null)" ] || ! .venv/bin/python -c '' 2>/dev/null; then
        make_venv
    fi
    if [ "$(project_stamp)" != "$(cat .venv/.stamp-project 2>/dev/null)" ]; then
        install_project
    fi
    if ! has_jose && [ ! -e "$NO_JOSE" ]; then install_jose; fi
}

# --- python -------------------------------------------------------------------------------------------------------

find_python() {
    for python in ${PYTHON:-python3 python3.11 python3.12 python3.13}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            readonly PYTHON="$python"
            return
        fi
    done
    fail "Python 3.11 or newer is needed; $(python3 --version 2>&1 || echo 'there is no python3')." \
        "Debian 12: apt-get install python3 python3-venv" \
        "Or run everything in containers: docker compose up"
}

# The environment belongs to this lock, this interpreter and this folder: scripts in it hold absolute paths.
stamp() { { sha256sum "$LOCK_FILE"; "$PYTHON" -VV; pwd -P; } | sha256sum; }
project_stamp() { { stamp; sha256sum pyproject.toml; } | sha256sum; }

make_venv() {
    step "making .venv with $("$PYTHON" --version)"
    rm -rf .venv
    "$PYTHON" -m venv .venv
    step "installing $(grep -c '^[a-z]' "$LOCK_FILE") locked packages (one or two minutes the first time)"
    pip_install --require-hashes -r "$LOCK_FILE"
    stamp >.venv/.stamp
}

install_project() {
    step "installing the project itself"
    pip_install --no-deps --no-build-isolation -e .
    project_stamp >.venv/.stamp-project
}

pip_install() {
    local log=.venv/pip.log
    if ! PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        .venv/bin/python -m pip install --quiet --no-input "$@" >"$log" 2>&1 </dev/null; then
        grep -v 'is ignored: ' "$log" | tail -n 25 >&2 || true
        fail "pip could not install what this step needs (whole log: $log)."
    fi
}

# --- Debian packages ----------------------------------------------------------------------------------------------

install_packages() {
    local missing=()
    if [ ! -x .venv/bin/python ] && ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=(python3-venv)
    fi
    if [ -z "${FANFARE_AMQP_URL:-}" ] && ! has_rabbitmq; then missing+=(rabbitmq-server); fi
    if [ -z "${FANFARE_MONGO_URL:-}" ] && ! has_libcurl; then missing+=(libcurl4); fi
    if [ "${#missing[@]}" -gt 0 ] && ! can_install; then require_apt "${missing[*]}"; fi
    for_examples
    if [ "${#missing[@]}" -gt 0 ]; then apt_install "${missing[@]}"; fi
}

# Only the tests of docs/examples need these: without them they are skipped.
for_examples() {
    local wanted=()
    if ! command -v node >/dev/null; then wanted+=(nodejs); fi
    if ! has_jose && ! command -v npm >/dev/null; then wanted+=(node-jose); fi
    if [ "${#wanted[@]}" -eq 0 ]; then return; fi
    if can_install; then
        missing+=("${wanted[@]}")
    else
        step "note: no ${wanted[*]}; the example tests that need it will be skipped"
    fi
}

# With npm, standardwebhooks comes along; Debian has none, and the tests that need it are skipped then.
has_jose() {
    [ -f "$EXAMPLES/node_modules/jose/package.json" ] || return 1
    [ -f "$EXAMPLES/node_modules/standardwebhooks/package.json" ] || [ -d "$DEBIAN_JOSE" ] || ! command -v npm >/dev/null
}

# The locked one where there is npm, else Debian's, which is the same library without four hundred packages around it.
install_jose() {
    if [ -d "$DEBIAN_JOSE" ]; then
        mkdir -p "$EXAMPLES/node_modules"
        ln -sfn "$DEBIAN_JOSE" "$EXAMPLES/node_modules/jose"
    elif command -v npm >/dev/null; then
        step "installing jose for docs/examples"
        if ! npm ci --prefix "$EXAMPLES" --ignore-scripts --no-audit --no-fund --silent </dev/null >"$NO_JOSE" 2>&1; then
            step "note: npm could not install jose ($NO_JOSE); the example test that needs it will be skipped"
            return
        fi
        rm "$NO_JOSE"
    fi
}

has_rabbitmq() { [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null; }
has_libcurl() { { ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -q 'libcurl\.so\.4 '; }
can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

require_apt() {
    if can_install; then return; fi
    local why="this user is not root"
    command -v apt-get >/dev/null || why="there is no apt-get"
    fail "missing: $1; cannot install it because $why." \
        "As root on Debian 12: apt-get update && apt-get install --no-install-recommends $1" \
        "Or point at servers of your own: FANFARE_AMQP_URL=amqp://... FANFARE_MONGO_URL=mongodb://..." \
        "Or run everything in containers: docker compose up"
}

apt_install() {
    local log
    log="$(mktemp)"
    step "installing Debian packages: $*"
    forbid_service_start
    # A stale or partly unreachable package list is no reason to stop: only a package that cannot be had is.
    if ! apt_quiet install -y --no-install-recommends "$@" >"$log" 2>&1; then
        step "refreshing apt's package lists"
        apt_quiet update >>"$log" 2>&1 || true
        if ! apt_quiet install -y --no-install-recommends "$@" >>"$log" 2>&1; then
            tail -n 15 "$log" >&2
            fail "apt-get could not install: $* (whole log: $log)." "Or run everything in containers: docker compose up"
        fi
    fi
    allow_service_start
    rm -f "$log"
}

apt_quiet() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Installing rabbitmq-server would start a system node, which we neither need nor want. policy-rc.d is Debian's switch
# for that (invoke-rc.d(8)); a node that ran before keeps running, and whatever file was there comes back.
forbid_service_start() {
    trap allow_service_start EXIT
    if [ -e "$POLICY" ] && [ ! -e "$POLICY_SAVED" ]; then mv "$POLICY" "$POLICY_SAVED"; fi
    printf '#!/bin/sh\n# fanfare: for the time of one apt-get\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

allow_service_start() {
    if grep -qs '^# fanfare:' "$POLICY"; then rm -f "$POLICY"; fi
    if [ -e "$POLICY_SAVED" ]; then mv "$POLICY_SAVED" "$POLICY"; fi
}

one_at_a_time() {
    mkdir -p .local
    if command -v flock >/dev/null; then
        exec 9>.local/setup.lock
        flock --nonblock 9 || { step "waiting for another setup to finish"; flock 9; }
    fi
}

one_at_a_time
main
