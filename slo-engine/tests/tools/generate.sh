#!/usr/bin/env bash
# Writes the committed files that the program generates; --check changes nothing and exits 1 when one is out of date.
# A new generated file is one more line in the list.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$tools/../../.."

# FILE COMMAND...: the file's content is what `slo-engine COMMAND...` prints.
list() {
    cat <<'LIST'
docs/schema/service.v1.json schema
docs/openapi.json openapi
LIST
}

case "$*" in
"") check= ;;
--check) check=yes ;;
*) die "unknown argument \`$*\`. Usage: generate.sh [--check]." ;;
esac

# The binaries that tests and demo build too, so that nothing is compiled twice.
cargo build --workspace --bins --locked
engine=$(target_directory)/debug/slo-engine
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
stale=0

while read -r file arguments; do
    # The arguments are words of the list above.
    # shellcheck disable=SC2086
    "$engine" $arguments >"$fresh/out" </dev/null || die "\`slo-engine $arguments\` failed, so $file was not generated."
    [ -s "$fresh/out" ] || die "\`slo-engine $arguments\` printed nothing, so $file was not generated."
    if cmp -s "$fresh/out" "$file"; then continue; fi
    if [ -n "$check" ]; then
        say "$file is not what \`slo-engine $arguments\` prints:"
        diff -uN --label committed --label generated "$file" "$fresh/out" | head -n 40 >&2 || true
        stale=$((stale + 1))
    else
        mkdir -p "$(dirname "$file")"
        cat "$fresh/out" >"$file"
        say "wrote $file"
    fi
done < <(list)

[ "$stale" = 0 ] || die "$stale generated file(s) are out of date. Remedy: \`make generate\`, then commit the difference."
