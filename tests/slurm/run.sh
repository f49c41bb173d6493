#!/bin/sh
# Run the tests of profiles/slurm, with Debian's Slurm and munge, which are installed where that may be done.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/../.."
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null || ! command -v ip >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo 'test-slurm: Slurm is missing: as root of Debian or Ubuntu this installs it, elsewhere install slurmctld, slurmd, munge and iproute2' >&2
        exit 1
    fi
    apt-get update -qq
    # The tests start their own daemons; those of the system stay as they are.
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge iproute2 >/dev/null
fi
if [ "$(id -u)" != 0 ]; then
    echo 'test-slurm: only root may make the namespaces in which the cluster runs' >&2
    exit 1
fi
exec .venv/bin/python -m pytest tests/slurm -rP "$@"
