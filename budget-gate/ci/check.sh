#!/usr/bin/env bash
# Checks the ready-made pieces in this folder: actionlint and zizmor on the action and its example, the GitLab pipeline
# run by gitlab-ci-local and the Jenkins step run by Groovy, each against an engine that allows, warns, denies or is
# silent. The message of GitHub that the engine's tests send is checked against GitHub's own schema. Tools that are missing are installed below the target folder; whatever fails, fails loudly.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

actionlint_version=v1.7.12
zizmor_version=1.32.0
# The last one that runs on Node.js 20.
gitlab_ci_local_version=4.64.1
groovy_version=4.0.24
webhooks_schemas_version=7.6.1
jsonschema_version=4.26.0

say() { printf '%s\n' "$*" >&2; }
die() {
    say "check.sh: $*"
    exit 1
}
need() {
    command -v "$1" >/dev/null || die "\`$1\` is not on PATH. Remedy: install $2."
}

target=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
tools=$target/ci-tools
# Outside the checkout: a published schema outlives what is built.
kept=$(. slo-engine/tests/tools/lib.sh && cache)/messages
work=$(mktemp -d)
engine=
trap 'rm -rf "$work"; [ -z "$engine" ] || kill "$engine" 2>/dev/null || true' EXIT

# once NAME COMMAND...: runs it unless it has succeeded before.
once() {
    local mark=$tools/$1
    shift
    [ -e "$mark" ] && return
    mkdir -p "$tools"
    say "installing $(basename "$mark")"
    "$@" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "\`$*\` failed"; }
    touch "$mark"
}

# python_tool NAME REQUIREMENT: in a folder of its own.
python_tool() {
    python3 -m venv "$tools/$1"
    "$tools/$1/bin/pip" install --quiet "$2"
}

install() {
    need go Go; need python3 "Python 3"; need npm Node.js; need java "a Java runtime"; need mvn Maven
    need git git; need shellcheck shellcheck; need rsync rsync
    once "actionlint-$actionlint_version" env GOBIN="$tools" go install "github.com/rhysd/actionlint/cmd/actionlint@$actionlint_version"
    once "zizmor-$zizmor_version" python_tool python "zizmor==$zizmor_version"
    once "gitlab-ci-local-$gitlab_ci_local_version" npm install --silent --prefix "$tools/npm" "gitlab-ci-local@$gitlab_ci_local_version"
    tools=$kept once "jsonschema-$jsonschema_version" python_tool jsonschema "jsonschema==$jsonschema_version"
    tools=$kept once "webhooks-schemas-$webhooks_schemas_version" npm install --silent --prefix "$kept/schemas" "@octokit/webhooks-schemas@$webhooks_schemas_version"
    once "groovy-$groovy_version" mvn --quiet dependency:copy "-Dartifact=org.apache.groovy:groovy:$groovy_version" "-DoutputDirectory=$tools"
}

# What the engine's tests send in GitHub's name is what GitHub sends; and the check finds what it should.
messages() {
    local schema=$kept/schemas/node_modules/@octokit/webhooks-schemas/schema.json
    "$kept/jsonschema/bin/python" - "$schema" "$root/slo-engine/src/http/adapters/github/requested.json" <<'PYTHON' || die "the message is not as GitHub's schema says"
import copy, json, sys
import jsonschema

schema, message = (json.load(open(path)) for path in sys.argv[1:])
wanted = {"$ref": "#/definitions/deployment_protection_rule$requested", "definitions": schema["definitions"]}
check = jsonschema.Draft7Validator(wanted, format_checker=jsonschema.FormatChecker())

def errors(message):
    return [f"{'/'.join(map(str, error.absolute_path)) or 'message'}: {error.message}" for error in check.iter_errors(message)]

def without(*path):
    changed = copy.deepcopy(message)
    part = changed
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return changed

if found := errors(message):
    sys.exit("\n".join(found))
for path in [("action",), ("deployment", "sha"), ("repository", "owner", "login"), ("installation", "node_id")]:
    if not errors(without(*path)):
        sys.exit(f"the schema does not miss {'/'.join(path)}")
PYTHON
    say "GitHub's message is as its schema says"
}

# A repository with the pieces where the examples expect them.
repository() {
    mkdir -p "$work/repository/.github/workflows" "$work/repository/budget-gate"
    cd "$work/repository"
    git init --quiet --initial-branch main
    cp -r "$here" budget-gate/ci
    cp "$here/github/example.yml" .github/workflows/deploy.yml
    # gitlab-ci-local asks for a commit and a remote.
    git add --all
    git -c user.name=check -c user.email=check@headroom.example commit --quiet --message pieces
    git remote add origin https://git.example/acme/orders.git
}

lint() {
    # Where the action lies beside the workflow, actionlint checks what it is given.
    sed 's|OWNER/REPOSITORY/\(.*\)@0*$|./\1|' "$here/github/example.yml" >.github/workflows/local.yml
    grep -q 'uses: ./budget-gate' .github/workflows/local.yml || die "the example does not use the action"
    "$tools/actionlint" -config-file /dev/stdin .github/workflows/*.yml <<<'self-hosted-runner: {labels: [deploy]}'
    "$tools/python/bin/zizmor" --offline --quiet --pedantic .github/workflows/deploy.yml budget-gate/ci/github/action.yml
    shellcheck budget-gate/ci/check.sh budget-gate/ci/kubernetes/deploy.sh
    say "actionlint, zizmor and shellcheck find nothing"
}

# answering VERDICT|silent: starts an engine that always answers so.
answering() {
    [ -z "$engine" ] || kill "$engine"
    rm -f "$work/url"
    python3 "$here/engine.py" "$1" "$root/budget-gate/tests/it/denied.json" "$work/url" &
    engine=$!
    local tries
    for tries in $(seq 100); do
        if [ -s "$work/url" ]; then break; fi
        sleep 0.1
    done
    [ -s "$work/url" ] || die "the engine did not start after $tries tries"
    HEADROOM_URL=$(cat "$work/url")
    export HEADROOM_URL HEADROOM_TOKEN=hr_1_never-shown
}

# expect WHAT EXPECTED_CODE WORDS COMMAND...: the command exits so, says the words and shows no token.
expect() {
    local what=$1 expected=$2 words=$3 code=0
    shift 3
    "$@" >"$work/log" 2>&1 || code=$?
    if [ "$code" != "$expected" ] || ! grep -qF -- "$words" "$work/log" || grep -q never-shown "$work/log"; then
        cat "$work/log" >&2
        die "$what: exit code $code, expected $expected and the words \`$words\`, and no token"
    fi
    [ -z "${VERBOSE:-}" ] || cat "$work/log" >&2
    say "$what: as it should be"
}

# The script of the composite action, run as the runner runs it.
action() {
    local script=$work/action.sh
    python3 - "$here/github/action.yml" >"$script" <<'PYTHON'
import sys
text = open(sys.argv[1]).read()
print("\n".join(line[8:] for line in text.split("run: |\n")[1].splitlines()))
PYTHON
    env GITHUB_ACTIONS=true GITHUB_REPOSITORY=acme/orders GATE_SERVICE= GATE_ENVIRONMENT=production GATE_VERSION=1.4.2 \
        GATE_DIGEST= GATE_KIND=release GATE_REASON="\$(touch $work/injected)" GATE_WAIT= GATE_ON_UNREACHABLE=deny \
        bash --noprofile --norc -eo pipefail "$script"
}

pipeline() {
    cat >.gitlab-ci.yml <<'YAML'
include:
  - local: /budget-gate/ci/gitlab/gate.yml
    inputs: {image: none, stage: test, service: orders, environment: production, version: 1.4.2, reason: "`touch injected`"}
deploy:
  stage: deploy
  script: [echo deployed]
YAML
    rm -rf .gitlab-ci-local
    "$tools/npm/node_modules/.bin/gitlab-ci-local" --force-shell-executor --no-color \
        --variable "HEADROOM_URL=$HEADROOM_URL" --variable "HEADROOM_TOKEN=$HEADROOM_TOKEN"
}

jenkins() {
    java -cp "$tools/groovy-$groovy_version.jar" groovy.ui.GroovyMain "$here/jenkins/check.groovy" "$here/jenkins/headroomGate.groovy"
}

runs() {
    answering allow
    expect "action, allow" 0 "::notice title=ALLOW orders" action
    expect "pipeline, allow" 0 deployed pipeline
    expect "step, allow" 0 "result: success" jenkins
    answering warn
    expect "action, warn" 0 "::warning title=WARN orders" action
    expect "pipeline, warn" 0 deployed pipeline
    expect "step, warn" 0 "result: unstable" jenkins
    answering deny
    expect "action, deny" 20 "::error title=DENY orders" action
    expect "pipeline, deny" 1 "DENY  orders 1.4.2 in production" pipeline
    if grep -q '^deploy .*deployed' "$work/log"; then die "a denied deploy ran"; fi
    expect "step, deny" 0 "result: failure: Headroom: the deploy may not go" jenkins
    answering silent
    expect "action, silence" 30 "::error title=Headroom%3A no verdict" action
    expect "pipeline, silence" 1 "no answer from the engine" pipeline
    expect "step, silence" 0 "result: failure: Headroom: no verdict (exit code 30)" jenkins
    if [ -e "$work/injected" ] || [ -e injected ]; then die "an input was run as a command"; fi
}

install
messages
cargo build --package budget-gate --locked
export PATH=$target/debug:$PATH
repository
lint
runs
say "all pieces work"
