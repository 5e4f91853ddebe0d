#!/usr/bin/env bash
# The house rules that no compiler and no lint checks. Prints every breach with its place; exit 1 when there is one.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$tools/../../.."

max_lines=500
breaches=$(mktemp) tests=$(mktemp)
trap 'rm -f "$breaches" "$tests"' EXIT

breach() { printf '%s\n' "$*" | tee -a "$breaches" >&2; }

# Files of the repository whose name matches one of the patterns: files NAME_PATTERN...
files() {
    local pattern names=()
    for pattern in "$@"; do names+=(-o -name "$pattern"); done
    find . \( -name target -o -name .git -o -name node_modules \) -prune -o -type f \( "${names[@]:1}" \) -print | sed 's|^\./||' | sort
}

# Files and folders of the modules declared by `#[cfg(test)] mod name;`.
test_modules() {
    files '*.rs' | xargs -r -d '\n' awk '
        FNR == 1 { folder = FILENAME; if (!sub(/\/(lib|main)\.rs$/, "", folder)) sub(/\.rs$/, "", folder) }
        /^#\[cfg\((all\()?test/ { marked = 1; next }
        marked && /^(pub(\([a-z]+\))? )?mod [a-z0-9_]+;/ { sub(/;.*/, ""); print folder "/" $NF ".rs"; print folder "/" $NF "/" }
        !/^#\[/ { marked = 0 }
    '
}

# Rust files that are not tests themselves.
rust_sources() {
    files '*.rs' | grep -vE '(^|/)(tests|benches)/|(^|/|_)tests?\.rs$' | { grep -vFf "$tests" || true; }
}

# Prints `LINE_NUMBER:TEXT` of a file's lines outside its items under `#[cfg(test)]`; rustfmt ends such an item with a
# `}` in the first column.
without_tests() {
    awk '
        /^#\[cfg\((all\()?test/ { marked = 1; next }
        marked && !/^#\[/ && /\{$/ { inside = 1 }
        marked && !/^#\[/ { marked = 0; if (!inside) next }
        inside { if (/^}/) inside = 0; next }
        { print NR ":" $0 }
    ' "$1"
}

check_lengths() {
    local file lines
    while read -r file; do
        lines=$(without_tests "$file" | wc -l)
        [ "$lines" -le "$max_lines" ] ||
            breach "$file: $lines lines without its tests, $max_lines is the limit. Remedy: split it by noun."
    done < <(rust_sources)
}

# Comments may show `unwrap()` in an example; code may not call it.
check_unwraps() {
    local file line
    while read -r file; do
        while read -r line; do
            breach "$file:${line%%:*}: unwrap() outside tests. Remedy: return an error, or expect(\"why this cannot fail\")."
        done < <(without_tests "$file" | grep -vE '^[0-9]+:[[:space:]]*//' | grep -F '.unwrap()' || true)
    done < <(rust_sources)
}

check_markers() {
    local hit
    while read -r hit; do
        breach "$hit"$'\n''    Remedy: do it, or open an issue and write down the reason instead of the marker.'
    done < <(files '*.rs' '*.sh' '*.py' '*.toml' '*.yaml' '*.yml' '*.sql' '*.html' '*.md' '*.slotest' Makefile |
        xargs -r -d '\n' grep -HnE '\b(TO''DO|FIX''ME|XX''X)\b' || true)
}

check_scripts() {
    local file
    while read -r file; do
        bash -n "$file" || breach "$file: bash cannot parse it."
    done < <({ files '*.sh'; ls .ci/run; })
}

# law PACKAGE EDGES FORBIDDEN... [-- ARGUMENTS...]: nothing in PACKAGE's tree is named FORBIDDEN.
law() {
    local package=$1 edges=$2 forbidden=() tree name
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        forbidden+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    tree=$(cargo tree --locked --quiet --package "$package" --edges "$edges" --target all --prefix none --format '{p}' "$@" |
        cut -d' ' -f1 | sort -u)
    for name in "${forbidden[@]}"; do
        if grep -qx -- "$name" <<<"$tree"; then
            breach "$package depends on $name, which the crate graph forbids." \
                "\`cargo tree --package $package --target all $* --invert $name\` shows the way."
        fi
    done
}

check_graph() {
    local io=(tokio axum reqwest sqlx) manifest package
    law slo-core normal,build "${io[@]}" budget-gate slo-engine -- --all-features
    law budget-gate normal,build "${io[@]}" slo-engine -- --no-default-features
    law budget-gate normal,build slo-engine -- --all-features
    law slo-source-elastic normal,build slo-engine budget-gate axum sqlx -- --all-features
    for manifest in shop/*/Cargo.toml; do
        [ -e "$manifest" ] || continue
        package=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$manifest" | head -n 1)
        law "$package" normal,build,dev slo-core budget-gate slo-engine slo-source-elastic -- --all-features
    done
}

{ echo /no/such/file; test_modules; } >"$tests"
check_lengths
check_unwraps
check_markers
check_scripts
check_graph
if [ -s "$breaches" ]; then die "the house rules above are broken (slo-engine/tests/tools/house.sh)"; fi
