// A step of a shared library (`vars/headroomGate.groovy`): asks Headroom before a deploy; the build fails when it
// may not go, and is unstable on a warning. `budget-gate` must be on the agent's PATH, HEADROOM_URL in the environment.
//
//     headroomGate(environment: 'production', version: env.TAG_NAME, wait: '30m')
//
// What is given reaches the shell as environment variables, never as text of the script.
def call(Map given = [:]) {
    def known = ['service', 'environment', 'version', 'digest', 'kind', 'reason', 'wait', 'onUnreachable', 'credentials']
    def unknown = given.keySet() - known
    if (unknown) {
        error("headroomGate: unknown ${unknown.join(', ')}; it takes ${known.join(', ')}")
    }
    def variables = [
        "GATE_SERVICE=${given.service ?: ''}",
        "GATE_ENVIRONMENT=${given.environment ?: ''}",
        "GATE_VERSION=${given.version ?: ''}",
        "GATE_DIGEST=${given.digest ?: ''}",
        "GATE_KIND=${given.kind ?: 'release'}",
        "GATE_REASON=${given.reason ?: ''}",
        "GATE_WAIT=${given.wait ?: ''}",
        "GATE_ON_UNREACHABLE=${given.onUnreachable ?: 'deny'}",
    ]
    def token = string(credentialsId: given.credentials ?: 'headroom-token', variable: 'HEADROOM_TOKEN')
    int code = 0
    withCredentials([token]) {
        withEnv(variables) {
            code = sh(returnStatus: true, label: 'Headroom gate', script: '''#!/bin/sh
                set -- --kind="$GATE_KIND" --on-unreachable="$GATE_ON_UNREACHABLE" --warn-exit-code=10
                [ -z "$GATE_SERVICE" ] || set -- "$@" --service="$GATE_SERVICE"
                [ -z "$GATE_ENVIRONMENT" ] || set -- "$@" --environment="$GATE_ENVIRONMENT"
                [ -z "$GATE_VERSION" ] || set -- "$@" --version="$GATE_VERSION"
                [ -z "$GATE_DIGEST" ] || set -- "$@" --digest="$GATE_DIGEST"
                [ -z "$GATE_REASON" ] || set -- "$@" --reason="$GATE_REASON"
                [ -z "$GATE_WAIT" ] || set -- "$@" --wait="$GATE_WAIT"
                exec budget-gate check "$@"
            ''')
        }
    }
    switch (code) {
        case 0: return
        case 10: unstable('Headroom: the deploy may go, with a warning'); return
        case 20: error('Headroom: the deploy may not go; the log says why and what opens the gate'); break
        default: error("Headroom: no verdict (exit code ${code}); the log says why"); break
    }
}
