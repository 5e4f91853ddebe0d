#!/usr/bin/env bash
# Asks the built server what its own description (/openapi.json) says can be asked, with a token and without one, and fails on
# a 5xx or on an answer that is not described: schemathesis, with a fixed seed and a bounded number of examples.
#   schemathesis.sh [EXAMPLES]   examples for each operation and phase; 20 when nothing is said
# What it installs is kept below the build folder. `cargo build --bins` comes first.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$tools/../../.."

version=4.32.5
examples=${1:-20}
[[ $examples =~ ^[1-9][0-9]*$ ]] || die "\`$examples\` is no number of examples."
need python3
target=$(target_directory)
engine=$target/debug/slo-engine
[ -x "$engine" ] || die "$engine is not there. Remedy: \`make build\`."

# Cursors, names of what there is, instants and a policy's terms are beyond a schema: such data may be refused.
excluded=positive_data_acceptance

install() {
    local venv=$target/schemathesis
    schemathesis=$venv/bin/schemathesis
    if [ "$("$schemathesis" --version 2>/dev/null)" = "schemathesis, version $version" ]; then return; fi
    say "installing schemathesis $version below $target (once)"
    rm -rf "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"; } >&2 ||
        die "schemathesis could not be installed. Remedy: python3 with venv (Debian: python3-venv), and reach PyPI."
}

# Headers that nobody knows are no reason to refuse a question.
write_settings() {
    cat >"$dir/schemathesis.toml" <<'TOML'
[[operations]]
include-operation-id = "decide"
checks.negative_data_rejection.enabled = false
TOML
}

# A service with an SLO, a policy whose limits are easily met, and a server that wants a token for everything.
write_files() {
    mkdir -p "$dir/data/slos"
    cat >"$dir/data/config.yaml" <<YAML
server: {listen: "127.0.0.1:0", publicUrl: "http://127.0.0.1"}
store: {url: "sqlite://$dir/data/headroom.db"}
specs: {paths: ["$dir/data/slos"]}
sources: [{name: nobody, kind: scrape, targets: ["http://127.0.0.1:9/metrics"], timeout: 1s}]
schedule: {tick: 5s}
gate: {rateLimit: {perSecond: 0}}
telemetry: {level: warn}
YAML
    cat >"$dir/data/slos/orders.yaml" <<'YAML'
apiVersion: headroom/v1
kind: Service
service: orders
tier: 1
environment: production
slos: [{name: availability, objective: 99%, window: 1d, alerts: none, indicator: {ratio: {total: t, bad: b}}}]
---
apiVersion: headroom/v1
kind: Policy
policy: all
rules: [{budget: {denyBelow: 0%}}, {incidents: {deny: [critical]}}, {watch: {window: 30m, burn: 10, minBad: 10}}]
onUnknown: warn
noSlo: deny
kinds: {rollback: allow, hotfix: warn, security: warn}
override: {allowed: true, approvals: 1, maxDuration: 4h}
YAML
}

# Something of everything that can be recorded; the ids are found again by what the server links and lists.
record() {
    python3 - "$url" "$token" <<'PYTHON'
import datetime, json, sys, urllib.request

url, token = sys.argv[1:]

def post(path, body):
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=10))

until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
for version in ["1", "2", "<b>3</b>"]:
    post("/v1/deployments", {"service": "orders", "version": version})
    for kind in ["release", "rollback", "hotfix"]:
        post("/v1/gate/decisions", {"service": "orders", "version": version, "kind": kind, "reason": "so it is"})
post("/v1/gate/decisions", {"service": "undeclared"})
post("/v1/gate/overrides", {"service": "orders", "reason": "the queue has to move", "until": until.isoformat()})
post("/v1/incidents", {"key": "db", "service": "orders", "severity": "critical", "title": "the database is gone"})
PYTHON
}

run() {
    say "asking $1"
    shift
    (cd "$dir" && NO_COLOR=1 NO_PROXY=127.0.0.1 "$schemathesis" --config-file "$dir/schemathesis.toml" run "$dir/openapi.json" --url "$url" --seed 1 \
        --exclude-checks "$excluded" --continue-on-failure --warnings off --request-timeout 20 "$@")
}

install
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
write_files
write_settings
token=$("$engine" --config "$dir/data/config.yaml" token create --name schemathesis --scope admin 2>/dev/null)
url=$(launch "$dir" /readyz $$ "$engine" --config "$dir/data/config.yaml" serve)
trap 'stop_server "$dir"; rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$engine" openapi >"$dir/openapi.json"
record
run "with a token" --header "Authorization: Bearer $token" --max-examples "$examples"
run "without a token" --max-examples 5 --phases coverage,fuzzing
[ -n "$(server_pid "$dir")" ] || die "the server is gone; the end of its log: $(tail -n 20 "$dir/log")"
if grep -F -e "$token" -e panicked "$dir/log"; then die "the server's log holds a token or a panic; the lines stand above."; fi
