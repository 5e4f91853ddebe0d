#!/usr/bin/env bash
# A real Elasticsearch or OpenSearch node for tests: one node on a loopback port, with its data below a folder of the caller's.
#   search-node.sh fetch                 both servers from Maven Central into the cache; what is there is left alone
#   search-node.sh start KIND DIR [--for PID]   KIND is elasticsearch or opensearch; prints the URL once it answers
#   search-node.sh pause DIR             the server keeps its port and says nothing more
#   search-node.sh resume DIR            it goes on
#   search-node.sh url   DIR             prints the URL again
#   search-node.sh stop  DIR             DIR goes with it; stopping what does not run is no error
# --for PID: the server stops by itself when process PID ends. Needs Java 17 to 23; HEADROOM_SEARCH_JAVA names another
# than the one on PATH. The cache is XDG_CACHE_HOME/headroom, /var/cache/headroom for root: the servers refuse root, so root
# starts them as nobody, who must be able to read the cache and DIR.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The vendors' trees for authors of plugins; the newest that run on Java 17.
declare -A versions=([elasticsearch]=8.19.21 [opensearch]=2.19.6)
nobody=65534
heap=${HEADROOM_SEARCH_HEAP:-512m}

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# home KIND: where its unpacked tree is kept.
home() { printf '%s/%s-%s\n' "$(cache)" "$1" "${versions[$1]}"; }

# A tree appears under its name only when it is whole.
fetch() {
    local kind tree part
    for kind in "${!versions[@]}"; do
        tree=$(home "$kind")
        [ ! -d "$tree" ] || continue
        need mvn
        say "fetching $(basename "$tree") from Maven Central (once)"
        mkdir -p "$(cache)"
        part=$(mktemp -d "$(cache)/part.XXXXXX")
        trap 'rm -rf "$part"' EXIT
        # Maven leaves marks in the folder that it runs in.
        (cd "$part" && mvn --batch-mode --no-transfer-progress --quiet \
            org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack \
            -Dartifact="org.$kind.distribution.integ-test-zip:$kind:${versions[$kind]}:zip" -DoutputDirectory="$part") >&2 ||
            die "Maven could not fetch $kind ${versions[$kind]}. Remedy: read its error above; a mirror of Maven Central is set in ~/.m2/settings.xml."
        chmod -R a+rX "$part"
        mv -T "$part/$(basename "$tree")" "$tree" || [ -d "$tree" ] || die "$tree could not be put in its place."
        rm -rf "$part"
        trap - EXIT
    done
}

# The folder of a Java that both servers run on.
java_home() {
    local program version
    program=${HEADROOM_SEARCH_JAVA:-$(readlink -f "$(command -v java)")}
    version=$("$program" -version 2>&1 | sed -n '1s/^[^"]*"\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 17 ] && [ "$version" -le 23 ] ||
        die "$program is Java ${version:-of no known version}; the servers need 17 to 23. Remedy: HEADROOM_SEARCH_JAVA=/path/to/another/bin/java."
    dirname "$(dirname "$program")"
}

# configure KIND DIR: a node alone, small, on ports that the kernel chooses.
configure() {
    local kind=$1 dir=$2
    mkdir -p "$dir"/{config,data,logs,tmp,home}
    cp "$(home "$kind")/config/log4j2.properties" "$dir/config/"
    # Small enough limits that a test can pass them, and a clock that is read each time: a `timeout` of nanoseconds expires.
    cat >"$dir/config/$kind.yml" <<-SETTINGS
		cluster.name: headroom
		discovery.type: single-node
		http.host: 127.0.0.1
		http.port: 0
		http.max_content_length: 1mb
		transport.host: 127.0.0.1
		transport.port: 0
		path.logs: $dir/logs
		cluster.routing.allocation.disk.threshold_enabled: false
		thread_pool.estimated_time_interval: 0
	SETTINGS
    printf '%s\n' "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
        "-Djava.io.tmpdir=$dir/tmp" -Djava.net.preferIPv4Stack=true >"$dir/config/jvm.options"
    case $kind in
    elasticsearch)
        printf '%s: false\n' xpack.security.enabled xpack.security.autoconfiguration.enabled >>"$dir/config/$kind.yml"
        ;;
    opensearch)
        printf '%s\n' 18-:-Djava.security.manager=allow \
            -Djava.util.concurrent.ForkJoinPool.common.threadFactory=org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory \
            >>"$dir/config/jvm.options"
        ;;
    esac
}

start() {
    local kind=$1 dir=$2 lifeline= java as=() prefix=${1^^}
    shift 2
    while [ $# -gt 0 ]; do
        [ "$1" = --for ] && [ $# -ge 2 ] || usage
        lifeline=$2
        shift 2
    done
    [ -n "${versions[$kind]:-}" ] || usage
    need java python3
    [ -d "$(home "$kind")" ] || die "$(home "$kind") is missing. Remedy: run \`make setup\`, which fetches it."
    java=$(java_home)
    configure "$kind" "$dir"
    if [ "$(id -u)" = 0 ]; then
        need setpriv
        chown -R "$nobody:$nobody" "$dir"
        as=(setpriv "--reuid=$nobody" "--regid=$nobody" --clear-groups)
        "${as[@]}" test -w "$dir/data" || die "$dir cannot be reached by user $nobody. Remedy: choose a folder that everybody may pass."
    fi
    [ "$kind" = opensearch ] || prefix=ES
    launch "$dir" '/_cluster/health?wait_for_status=yellow&timeout=1s' "$lifeline" \
        "${as[@]}" env -u JAVA_HOME -u JAVA_OPTS "${prefix}_JAVA_HOME=$java" "${prefix}_PATH_CONF=$dir/config" \
        "${prefix}_TMPDIR=$dir/tmp" HOME="$dir/home" "$(home "$kind")/bin/$kind" -E "path.data=$dir/data"
    [ -z "$lifeline" ] || clear_after "$lifeline" "$dir"
}

# clear_after LIFELINE DIR: once LIFELINE is gone and the server with it, DIR is removed.
clear_after() {
    (
        while kill -0 "$1" 2>/dev/null || [ -n "$(server_pid "$2")" ]; do sleep 0.5; done
        rm -rf "$2"
    ) </dev/null >/dev/null 2>&1 &
}

stop() {
    local pid
    pid=$(server_pid "$1")
    [ -z "$pid" ] || signal CONT "$1"
    stop_server "$1"
    rm -rf "$1"
}

# signal NAME DIR: to the server and what it started; Elasticsearch's first process only launches the second.
signal() {
    local pid children
    pid=$(server_pid "$2")
    [ -n "$pid" ] || die "no server runs in $2. Remedy: \`$(basename "$0") start KIND $2\`."
    children=$(cat "/proc/$pid/task"/*/children)
    kill "-$1" "$pid" $children
}

verb=${1:-}
case "$verb $#" in
"fetch 1") fetch ;;
"start 3" | "start 5")
    dir=$(absolute "$3")
    start "$2" "$dir" "${@:4}"
    ;;
"pause 2") signal STOP "$(absolute "$2")" ;;
"resume 2") signal CONT "$(absolute "$2")" ;;
"url 2") server_url "$(absolute "$2")" ;;
"stop 2") stop "$(absolute "$2")" ;;
*) usage ;;
esac
