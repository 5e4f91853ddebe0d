#!/usr/bin/env bash
# Installs what the checks and tests need and this machine lacks; what is there is left alone.
#   setup.sh          everything but `cluster` and `prometheus3`
#   setup.sh lint     what `make lint` needs: rustfmt, clippy, a C compiler, cargo-deny
#   setup.sh servers  what real servers need: Prometheus with promtool, Alertmanager, VictoriaMetrics, python3
#   setup.sh search   what real search nodes need: Java, Maven, and Elasticsearch and OpenSearch themselves
#   setup.sh cluster  what a real Kubernetes control plane needs: etcd, kubectl, and what is built from Go modules;
#                     a part of its own, since a cold build takes 15 to 20 minutes
#   setup.sh prometheus3  servers, and Prometheus 3 built from Go modules; a part of its own, since it needs Go
# Debian packages are installed as root or through `sudo -n`; else the command to type is named and the script fails.
# Debian's packages bring services that listen on 9090, 9093 and 8428: here they are neither started nor enabled.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

deny_version=0.20.2
services=(prometheus prometheus-alertmanager victoria-metrics etcd-server)

# "program package...": the program that must be on PATH, and what brings it.
compiler_programs=("cc gcc libc6-dev")
server_programs=("python3 python3" "prometheus prometheus" "promtool prometheus" "victoria-metrics victoria-metrics" "prometheus-alertmanager prometheus-alertmanager")
search_programs=("python3 python3" "java default-jre-headless" "mvn maven")
cluster_programs=("python3 python3" "etcd etcd-server" "kubectl kubernetes-client" "jq jq" "openssl openssl")

has() { command -v "$1" >/dev/null 2>&1; }

toolchain() {
    has cargo || die "cargo is not on PATH. Remedy: install Rust from https://rustup.rs, then open a new shell."
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 ||
        die "rustfmt or clippy is missing. Remedy: \`rustup component add rustfmt clippy\`."
}

# A newer cargo-deny is as good; an older one may not know the keys of deny.toml.
cargo_deny() {
    local found
    found=$(cargo deny --version 2>/dev/null | cut -d' ' -f2) || true
    if [ -n "$found" ] && printf '%s\n' "$deny_version" "$found" | sort -V -C; then return; fi
    say "installing cargo-deny $deny_version (a minute or two, once)"
    # Unoptimised it compiles in a sixth of the time, and checks in three seconds.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 cargo install cargo-deny --locked --version "$deny_version" --debug ||
        die "cargo-deny could not be installed. Remedy: \`cargo install cargo-deny --locked --version $deny_version\` where crates.io can be reached."
}

# missing_packages "PROGRAM PACKAGE..."...: the packages of those programs that are not on PATH.
missing_packages() {
    local entry program packages
    for entry in "$@"; do
        read -r program packages <<<"$entry"
        has "$program" || printf '%s\n' $packages
    done | sort -u
}

programs() {
    local wanted missing entry
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    mapfile -t wanted <<<"$missing"
    has apt-get || die "missing here: ${wanted[*]} (names of Debian packages), and there is no apt-get. Remedy: put their programs on PATH."
    say "installing ${wanted[*]}"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo -n)
        has sudo && sudo -n true 2>/dev/null ||
            die "missing here: ${wanted[*]}, and installing needs root. Remedy: \`sudo bash ${BASH_SOURCE[0]} --install-as-root ${wanted[*]}\`."
    fi
    "${as_root[@]}" bash "${BASH_SOURCE[0]}" --install-as-root "${wanted[@]}"
    for entry in "$@"; do
        has "${entry%% *}" || die "\`${entry%% *}\` is still not on PATH after its package was installed. Remedy: add its folder to PATH."
    done
}

# While packages are unpacked, /usr/sbin/policy-rc.d forbids starting services; a file that is already there is kept.
install_as_root() {
    local policy=/usr/sbin/policy-rc.d package fresh=()
    for package in "$@"; do
        if [[ " ${services[*]} " == *" $package "* ]] && ! dpkg -s "$package" >/dev/null 2>&1; then fresh+=("$package"); fi
    done
    if [ ! -e "$policy" ]; then
        trap "rm -f $policy" EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    local options=(-q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    apt-get "${options[@]}" update >&2 || say "apt-get update failed; trying with the package lists at hand"
    apt-get "${options[@]}" install -y --no-install-recommends "$@" >&2 ||
        die "apt-get could not install $*. Remedy: \`sudo apt-get install --no-install-recommends $*\` and read its error."
    for package in "${fresh[@]}"; do leave_service_off "$package"; done
}

leave_service_off() {
    if [ -d /run/systemd/system ]; then systemctl stop "$1" >&2 || true; fi
    update-rc.d "$1" disable >&2 || say "the service $1 may start at the next boot; \`systemctl disable $1\` prevents it"
}

search_nodes() {
    programs "${search_programs[@]}"
    bash "$tools/search-node.sh" fetch
}

cluster() {
    programs "${cluster_programs[@]}"
    bash "$tools/../cluster/programs.sh" fetch
}

case "${1:-all}" in
all)
    toolchain
    programs "${compiler_programs[@]}" "${server_programs[@]}"
    search_nodes
    cargo_deny
    ;;
lint)
    toolchain
    programs "${compiler_programs[@]}"
    cargo_deny
    ;;
servers) programs "${server_programs[@]}" ;;
search) search_nodes ;;
cluster) cluster ;;
prometheus3)
    programs "${server_programs[@]}" "jq jq"
    bash "$tools/prometheus3.sh" fetch
    ;;
--install-as-root)
    shift
    install_as_root "$@"
    ;;
*) die "unknown part \`$1\`. Parts: all, lint, servers, search, cluster, prometheus3." ;;
esac
