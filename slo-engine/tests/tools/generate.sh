#!/usr/bin/env bash
# Writes the committed files that the program generates; --check changes nothing and exits 1 when one is out of date.
# A new generated file is one more line in the list.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$tools/../../.."

# FILE COMMAND...: the file's content is what COMMAND... prints.
list() {
    cat <<'LIST'
docs/schema/service.v1.json engine schema
docs/openapi.json engine openapi
docs/schema/policy.v1.json engine schema --kind policy
docs/schema/calendar.v1.json engine schema --kind calendar
docs/schema/exclusion.v1.json engine schema --kind exclusion
docs/reference.md reference
LIST
}

engine() {
    "$bin/slo-engine" "$@"
}

# Commands with their help, and the configuration.
reference() {
    cat <<'TEXT'
# Reference

Written by `make generate`; changes belong in the programs.

- The HTTP API: [openapi.json](openapi.json), as a page at `/docs` of a running server.
- SLO files: [schema/service.v1.json](schema/service.v1.json). Policies: [schema/policy.v1.json](schema/policy.v1.json). Calendars: [schema/calendar.v1.json](schema/calendar.v1.json). Exclusions: [schema/exclusion.v1.json](schema/exclusion.v1.json). An editor that knows JSON Schema completes and checks them.
- What the numbers mean: [concepts.md](concepts.md). What to do when something fails: [operations.md](operations.md).

## Exit codes
| code | `slo-engine` | `budget-gate` |
|---|---|---|
| 0 | done; `decide`: go | go: the verdict is allow or warn |
| 1 | a finding or an error, told on stderr; `decide --replay`: a verdict would have been another | the engine declines (explain, override, approve, deployed, watch); verify: nothing is proven |
| 2 | wrong usage | wrong usage |
| 20 | `decide`: the deploy is refused | the deploy is refused; watch: roll back; verify: a refusal is proven |
| 30 | `decide`: not known | not known, or no answer that can be relied on |

## Configuration
TEXT
    printf '```yaml\n%s\n```\n' "$(engine config)"
    local name
    for name in serve validate budget decide explain backfill backup restore "audit verify" "audit head" \
        "token create" "token list" "token revoke" doctor demo config schema openapi completions; do
        printf '\n## slo-engine %s\n```\n%s\n```\n' "$name" "$(engine $name --help | sed 's/ *$//')"
    done
    for name in check peek explain override approve deployed watch verify; do
        printf '\n## budget-gate %s\n```\n%s\n```\n' "$name" "$("$bin/budget-gate" $name --help | sed 's/ *$//')"
    done
}

case "$*" in
"") check= ;;
--check) check=yes ;;
*) die "unknown argument \`$*\`. Usage: generate.sh [--check]." ;;
esac

# The binaries that tests and demo build too, so that nothing is compiled twice.
cargo build --workspace --bins --locked
bin=$(target_directory)/debug
# Help shows the values of variables that are set, and is as wide as the terminal.
unset HEADROOM_URL HEADROOM_TOKEN HEADROOM_CONFIG
export COLUMNS=100
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
stale=0

while read -r file arguments; do
    # The arguments are words of the list above.
    # shellcheck disable=SC2086
    $arguments >"$fresh/out" </dev/null || die "\`$arguments\` failed, so $file was not generated."
    [ -s "$fresh/out" ] || die "\`$arguments\` printed nothing, so $file was not generated."
    if cmp -s "$fresh/out" "$file"; then continue; fi
    if [ -n "$check" ]; then
        say "$file is not what \`$arguments\` prints:"
        diff -uN --label committed --label generated "$file" "$fresh/out" | head -n 40 >&2 || true
        stale=$((stale + 1))
    else
        mkdir -p "$(dirname "$file")"
        cat "$fresh/out" >"$file"
        say "wrote $file"
    fi
done < <(list)

[ "$stale" = 0 ] || die "$stale generated file(s) are out of date. Remedy: \`make generate\`, then commit the difference."
