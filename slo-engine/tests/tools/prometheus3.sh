#!/usr/bin/env bash
# Prometheus 3 and its promtool, for tests and benches in the place of Debian's Prometheus 2: built once from the Go
# module proxy and kept in the cache (XDG_CACHE_HOME/headroom, /var/cache/headroom for root).
#   prometheus3.sh fetch    build what is missing: a few minutes
#   prometheus3.sh bin      print the folder of the programs, to be put first on PATH
# Needs Go 1.23 or newer and jq. No clouds are searched for services, and there are no pages.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A release with long support.
release=3.5.0
module=github.com/prometheus/prometheus@v0.305.0
root=$(cache)/prometheus3
bin=$root/bin-$release

fetch() {
    local work program
    need jq flock
    command -v go >/dev/null || die "\`go\` is not on PATH. Remedy: install Go 1.23 or newer from https://go.dev/dl."
    mkdir -p "$root"
    exec 9>"$root/lock"
    flock 9
    [ ! -d "$bin" ] || return 0
    work=$(mktemp -d "$root/part.XXXXXX")
    # Go's copies are read-only folders.
    trap "$(printf 'chmod -R u+w %q && rm -rf %q' "$work" "$work")" EXIT
    say "building Prometheus $release"
    # The module has replacements of its own, so it is built in a copy.
    cp -r "$(module_file "$module" Dir)" "$work/module"
    chmod -R u+w "$work/module"
    # Clouds to find services in are most of what would be compiled.
    printf '// Package plugins finds nothing.\npackage plugins\n' >"$work/module/plugins/plugins.go"
    mkdir "$work/bin"
    for program in prometheus promtool; do
        (cd "$work/module" && go_proxied build -trimpath -o "$work/bin/$program" \
            -ldflags "-s -w -X github.com/prometheus/common/version.Version=$release" "./cmd/$program")
    done
    mv -T "$work/bin" "$bin"
}

case "${1:-} $#" in
"fetch 1") fetch ;;
"bin 1") printf '%s\n' "$bin" ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
