#!/usr/bin/env bash
# Sets a deployment's image only where a signed verdict proves that this very image may go: deploy.sh SERVICE ENVIRONMENT
# IMAGE@sha256:... VERDICT. It asks nobody: VERDICT is a file with what `budget-gate check --format json` wrote, or with
# its token; HEADROOM_JWKS is a copy of the engine's /.well-known/jwks.json, HEADROOM_URL the engine's publicUrl.
set -euo pipefail

[ $# = 4 ] || { echo "usage: deploy.sh SERVICE ENVIRONMENT IMAGE@sha256:... VERDICT" >&2; exit 2; }
service=$1 environment=$2 image=$3 verdict=$4
case $image in
*@sha256:*) digest=${image##*@} ;;
*) echo "deploy.sh: $image is not pinned to a digest; a tag may be another image tomorrow" >&2; exit 2 ;;
esac

# Whatever is not 0 (20 deny, 30 unknown, 1 not proven, 2 wrong usage) ends the script here.
budget-gate verify --jwks "${HEADROOM_JWKS:?}" --issuer "${HEADROOM_URL:?}" --service "$service" \
    --environment "$environment" --digest "$digest" --max-age 10m --file "$verdict"

# Cluster and namespace are those of kubectl's context: let the one for production be used for production alone.
kubectl set image "deployment/$service" "$service=$image"
