#!/usr/bin/env bash
# The programs of a real Kubernetes control plane and its controllers, built once from the Go module proxy and kept in
# the cache; schemas for kubeconform beside them. What is there is left alone.
#   programs.sh fetch       build and unpack what is missing: 15 to 20 minutes of a cold build
#   programs.sh bin         print the folder of the programs
#   programs.sh crds        print the folder of the CRDs of Argo Rollouts and Flagger
#   programs.sh schemas     print the folder of the schemas: core/ and crd/
# Needs Go 1.24 or newer, jq, and Python 3 with venv. `setup.sh cluster` runs it, after Debian's packages.
# Builds run at the lowest priority. The cache is XDG_CACHE_HOME/headroom, /var/cache/headroom for root.
set -euo pipefail
# shellcheck source=SCRIPTDIR/../tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

kubernetes=1.33.13
kwok=0.6.1
rollouts=1.8.5
flagger=1.36.1
kubeconform=0.8.0
kubernetes_validate=1.33.1

root=$(cache)/cluster
bin=$root/bin-$kubernetes-$kwok-$rollouts-$flagger-$kubeconform
crds=$root/crds-$rollouts-$flagger
schemas=$root/schemas-$kubernetes_validate-$rollouts-$flagger

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# keep PART NAME: the built program appears in the cache only when it is whole.
keep() { mkdir -p "$bin" && mv "$1" "$bin/$2"; }

# build OUT PACKAGE [LINKER_FLAG...]
build() { go_proxied build -trimpath -ldflags "-s -w ${*:3}" -o "$1" "$2"; }

# k8s.io/kubernetes names its staging modules by a path of its checkout; here each stands for its own release.
control_plane() {
    local work=$1 programs=(kube-apiserver kube-controller-manager kube-scheduler) name module requires wanted
    mkdir -p "$work/kubernetes" && cd "$work/kubernetes"
    requires=$(module_file "k8s.io/kubernetes@v$kubernetes" GoMod)
    go mod init headroom.invalid/kubernetes 2>/dev/null
    go mod edit -require "k8s.io/kubernetes@v$kubernetes"
    while read -r module; do
        go mod edit -replace "$module=$module@v0.${kubernetes#1.}"
    done < <(go mod edit -json "$requires" | jq -r '.Require[] | select(.Version == "v0.0.0") | .Path')
    wanted=("${programs[@]/#/k8s.io/kubernetes/cmd/}")
    # Without a version `go get` would take the newest.
    go_proxied get -tool "${wanted[@]/%/@v$kubernetes}"
    for name in "${programs[@]}"; do
        say "building $name $kubernetes"
        # Controllers ask the server for its version, and some refuse to work with none.
        build "$work/$name" "k8s.io/kubernetes/cmd/$name" -X "k8s.io/component-base/version.gitVersion=v$kubernetes"
        keep "$work/$name" "$name"
    done
}

# A program of a module with its own replacements is built in a copy of that module.
rollouts_controller() {
    local work=$1
    say "building rollouts-controller $rollouts"
    cp -r "$(module_file "github.com/argoproj/argo-rollouts@v$rollouts" Dir)" "$work/rollouts"
    chmod -R u+w "$work/rollouts"
    cd "$work/rollouts"
    build "$work/rollouts-controller" ./cmd/rollouts-controller
    keep "$work/rollouts-controller" rollouts-controller
}

# plain WORK NAME PACKAGE@VERSION
plain() {
    say "building $2 ${3##*@}"
    (cd "$1" && GOBIN=$1 go_proxied install -trimpath -ldflags '-s -w' "$3")
    keep "$1/$2" "$2"
}

definitions() {
    local work=$1 part=$1/crds
    mkdir -p "$part"
    cp "$(module_file "github.com/argoproj/argo-rollouts@v$rollouts" Dir)"/manifests/crds/*-crd.yaml "$part/"
    cp "$(module_file "github.com/fluxcd/flagger@v$flagger" Dir)/artifacts/flagger/crd.yaml" "$part/flagger-crd.yaml"
    chmod -R u+w,a+r "$part"
    mv -T "$part" "$crds"
}

schemas() {
    local work=$1 part=$1/schemas
    python3 -m venv "$work/venv" || die "Python cannot make a venv. Remedy: install python3-venv."
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$kubernetes_validate" pyyaml >&2
    "$work/venv/bin/python" "$here/schemas.py" "${kubernetes%.*}" "$part" "$crds"/*.yaml
    mv -T "$part" "$schemas"
}

fetch() {
    local work
    need python3 jq flock
    command -v go >/dev/null || die "\`go\` is not on PATH. Remedy: install Go 1.24 or newer from https://go.dev/dl."
    mkdir -p "$root"
    exec 9>"$root/lock"
    flock 9
    work=$(mktemp -d "$root/part.XXXXXX")
    # Go's copies are read-only folders.
    trap "$(printf 'chmod -R u+w %q && rm -rf %q' "$work" "$work")" EXIT
    [ -x "$bin/kubeconform" ] || plain "$work" kubeconform "github.com/yannh/kubeconform/cmd/kubeconform@v$kubeconform"
    [ -d "$crds" ] || definitions "$work"
    [ -x "$bin/kwok" ] || plain "$work" kwok "sigs.k8s.io/kwok/cmd/kwok@v$kwok"
    [ -x "$bin/flagger" ] || plain "$work" flagger "github.com/fluxcd/flagger/cmd/flagger@v$flagger"
    [ -x "$bin/rollouts-controller" ] || (rollouts_controller "$work")
    [ -x "$bin/kube-scheduler" ] || (control_plane "$work")
    [ -d "$schemas" ] || schemas "$work"
}

case "${1:-} $#" in
"fetch 1") fetch ;;
"bin 1") printf '%s\n' "$bin" ;;
"crds 1") printf '%s\n' "$crds" ;;
"schemas 1") printf '%s\n' "$schemas" ;;
*) usage ;;
esac
