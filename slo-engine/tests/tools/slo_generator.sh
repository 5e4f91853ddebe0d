#!/usr/bin/env bash
# slo-generator, to be compared with: makes a Python environment in DIR, once, and prints the program's path.
#   slo_generator.sh DIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=2.6.0
[ $# = 1 ] || die "usage: slo_generator.sh DIR"
dir=$(absolute "$1")
need python3
if [ ! -e "$dir/installed-$version" ]; then
    rm -rf "$dir"
    python3 -m venv "$dir" >&2 || die "python3 cannot make an environment. Remedy: install the Debian package python3-venv."
    # It reads its own version through pkg_resources, which later setuptools no longer have.
    # Elasticsearch 8 refuses clients of a newer major version.
    "$dir/bin/pip" install --quiet "slo-generator[prometheus,elasticsearch]==$version" 'elasticsearch<9' 'setuptools<81' >&2 ||
        die "slo-generator $version could not be installed. Remedy: check that PyPI can be reached."
    touch "$dir/installed-$version"
fi
printf '%s\n' "$dir/bin/slo-generator"
