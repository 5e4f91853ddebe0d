#!/usr/bin/env bash
# A real VictoriaMetrics for tests: on a loopback port, with its data below a folder of the caller's.
#   victoria.sh load  DIR OMDIR   samples from OMDIR/seg-*.om (gen_openmetrics.py), through its import route; once
#   victoria.sh start DIR [--port N] [--for PID]   prints the URL once it answers
#   victoria.sh check DIR OMDIR   the running server holds exactly the samples of OMDIR/truth.json
#   victoria.sh url   DIR         prints the URL again
#   victoria.sh stop  DIR         data stays; stopping what does not run is no error
# --for PID: the server stops by itself when process PID ends. load starts a server for its own time when none runs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

load() {
    local dir=$1 from=$2 url
    need python3
    segments "$from" >/dev/null
    if [ -z "$(server_pid "$dir")" ]; then
        start "$dir" --for $$ >/dev/null
        trap 'stop_server "$dir"' EXIT
    fi
    url=$(server_url "$dir")
    python3 "$tools/import_samples.py" "$url" "$from"
}

start() {
    local dir=$1 port=0 lifeline=
    shift
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || usage
        case $1 in
        --port) port=$2 ;;
        --for) lifeline=$2 ;;
        *) usage ;;
        esac
        shift 2
    done
    need victoria-metrics python3
    launch "$dir" /health "$lifeline" victoria-metrics \
        -httpListenAddr="127.0.0.1:$port" -storageDataPath="$dir/data" -retentionPeriod=100y \
        -search.maxUniqueTimeseries=2000000
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
