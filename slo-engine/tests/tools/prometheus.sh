#!/usr/bin/env bash
# A real Prometheus for tests and benches: on a loopback port, with its data below a folder of the caller's.
#   prometheus.sh load  DIR OMDIR   blocks from OMDIR/seg-*.om (gen_openmetrics.py) into DIR/data; before start
#   prometheus.sh start DIR [--port N] [--config FILE] [--for PID]   prints the URL once it answers
#   prometheus.sh check DIR OMDIR   the running server holds exactly the samples of OMDIR/truth.json
#   prometheus.sh url   DIR         prints the URL again
#   prometheus.sh stop  DIR         data stays; stopping what does not run is no error
# --for PID: the server stops by itself when process PID ends. Without --config nothing is scraped.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

load() {
    local dir=$1 from=$2 files block
    need promtool python3
    [ -z "$(server_pid "$dir")" ] || die "a server runs in $dir and would not see new blocks at once. Remedy: stop it, load, start."
    files=$(segments "$from")
    [ -r "$from/truth.json" ] || die "$from holds no truth.json. Remedy: write the folder anew with gen_openmetrics.py."
    block=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get("block", 162 * 3600))' "$from/truth.json")
    mkdir -p "$dir/data" "$dir/tmp"
    # Segments lie in different blocks, so they load side by side.
    if ! printf '%s\n' "$files" | TMPDIR="$dir/tmp" xargs -P "$(nproc)" -I{} \
        promtool tsdb create-blocks-from openmetrics --quiet --max-block-duration="${block}s" {} "$dir/data" >"$dir/load.log" 2>&1; then
        tail -n 20 "$dir/load.log" >&2
        die "promtool could not load $from; its last words stand above."
    fi
    rm -rf "$dir/tmp"
}

start() {
    local dir=$1 port=0 config= lifeline=
    shift
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || usage
        case $1 in
        --port) port=$2 ;;
        --config) config=$2 ;;
        --for) lifeline=$2 ;;
        *) usage ;;
        esac
        shift 2
    done
    need prometheus python3
    if [ -z "$config" ]; then
        config=$dir/prometheus.yml
        printf 'global: {}\n' >"$config"
    fi
    # Loaded blocks are longer than two hours and old: equal block durations keep them from being compacted, the
    # retention keeps them from being dropped.
    launch "$dir" /-/ready "$lifeline" prometheus \
        --config.file="$config" --web.listen-address="127.0.0.1:$port" --web.enable-lifecycle \
        --storage.tsdb.path="$dir/data" --storage.tsdb.retention.time=10y \
        --storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h \
        --query.max-samples=50000000 --web.enable-remote-write-receiver --enable-feature=native-histograms
}

[ $# -ge 2 ] || usage
verb=$1
dir=$(absolute "$2")
shift 2
case "$verb $#" in
"load 1") load "$dir" "$1" ;;
"start "*) start "$dir" "$@" ;;
"check 1")
    url=$(server_url "$dir")
    python3 "$tools/count_samples.py" "$url" "$1"
    ;;
"url 0") server_url "$dir" ;;
"stop 0") stop_server "$dir" ;;
*) usage ;;
esac
