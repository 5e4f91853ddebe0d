# Shared by the scripts beside it: sentences for errors, and real servers that start, answer and stop.
# Sourced, never run. A server lives in a folder DIR: DIR/data, DIR/log, DIR/pid, DIR/url.

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$(basename "$0"): $*"
    exit 1
}

# need PROGRAM...: every program is on PATH, or the remedy is named.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 ||
            die "\`$program\` is not on PATH. Remedy: run \`make setup\`, which installs it or names the command that does."
    done
}

# absolute DIR: the folder, made if missing, as an absolute path.
absolute() { mkdir -p "$1" && (cd "$1" && pwd); }

# cache: where what is fetched once is kept: XDG_CACHE_HOME/headroom, /var/cache/headroom for root.
cache() {
    if [ "$(id -u)" = 0 ]; then
        printf '%s\n' /var/cache/headroom
    else
        printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/headroom"
    fi
}

# The module proxies that Go is told of, without the detour to each module's own host: what they lack is an error.
go_proxied() { GOPROXY=$(go env GOPROXY | sed 's/[,|]direct//g') GOFLAGS=-buildvcs=false nice -n 19 go "$@"; }

# module_file MODULE@VERSION FIELD: its Dir or its GoMod in Go's cache of modules.
module_file() { go_proxied mod download -json "$1" | jq -r "if .Error then error(.Error) else .$2 end"; }

# server_pid DIR: the running server of DIR, or nothing. A pid that was given to another process since does not count.
server_pid() {
    local pid
    [ -r "$1/pid" ] || return 0
    pid=$(cat "$1/pid")
    if [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$1/data"; then
        printf '%s\n' "$pid"
    fi
}

# launch DIR READY_PATH LIFELINE COMMAND...: start COMMAND, write DIR/pid and DIR/url, print the URL. LIFELINE is a
# process id or empty: the server stops when that process ends, however it ends.
launch() {
    local dir=$1 ready=$2 lifeline=$3 pid url
    shift 3
    [ -z "$(server_pid "$dir")" ] || die "a server already runs in $dir at $(cat "$dir/url"). Remedy: \`$(basename "$0") stop $dir\`."
    "$@" </dev/null >"$dir/log" 2>&1 &
    pid=$!
    # Interrupted or failed before it answers: nothing is left running.
    trap 'kill '"$pid"' 2>/dev/null || true' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf '%s\n' "$pid" >"$dir/pid"
    if ! url=$(python3 "$tools/listening.py" "$pid" "$ready"); then
        tail -n 20 "$dir/log" >&2
        die "the server in $dir did not start; the end of its log ($dir/log) stands above."
    fi
    printf '%s\n' "$url" >"$dir/url"
    trap - EXIT INT TERM
    [ -z "$lifeline" ] || follow "$lifeline" "$pid"
    printf '%s\n' "$url"
}

# follow LIFELINE PID: a quiet watcher that stops PID once LIFELINE is gone, and ends when PID ends.
follow() {
    (
        while kill -0 "$1" 2>/dev/null && kill -0 "$2" 2>/dev/null; do sleep 0.5; done
        kill "$2" 2>/dev/null || true
    ) </dev/null >/dev/null 2>&1 &
}

# stop_server DIR: TERM, then KILL after 20 s. Stopping what does not run is no error.
stop_server() {
    local pid i
    pid=$(server_pid "$1")
    if [ -n "$pid" ]; then
        kill "$pid"
        for ((i = 0; i < 200; i++)); do
            [ -n "$(server_pid "$1")" ] || break
            sleep 0.1
        done
        if [ -n "$(server_pid "$1")" ]; then
            say "process $pid in $1 did not stop within 20 s and is killed"
            kill -9 "$pid"
        fi
    fi
    rm -f "$1/pid" "$1/url"
}

# server_url DIR: the address of the running server of DIR.
server_url() {
    [ -n "$(server_pid "$1")" ] || die "no server runs in $1. Remedy: \`$(basename "$0") start $1\`."
    cat "$1/url"
}

# segments OMDIR: the seg-*.om files, one per line; none is an error.
segments() {
    compgen -G "$1/seg-*.om" || die "$1 holds no seg-*.om. Remedy: \`gen_openmetrics.py $1\` writes them."
}

# target_directory: where cargo puts what it builds.
target_directory() {
    cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
