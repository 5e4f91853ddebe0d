#!/usr/bin/env bash
# Runs the built demo: once to the end of its story, then once for each way of being ended. It must leave nothing.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$(target_directory)
# Programs of a folder of its own are told from those of another demo on this machine.
room=$(mktemp -d "$target/demo.XXXXXX")
trap 'rm -rf "$room"' EXIT
for program in slo-engine budget-gate shop-catalog shop-load; do ln "$target/debug/$program" "$room/"; done
export TMPDIR=$room/tmp
mkdir "$TMPDIR"

# Processes that have this room in their command line and are no zombies.
running() { ps -eo stat=,args= | awk -v room="$room/" '$1 !~ /^Z/ && index($0, room) && !/awk -v/'; }

# Fails when something is left after WAY, waiting for at most three seconds: nothing_left WAY
nothing_left() {
    for _ in $(seq 30); do
        if [ -z "$(running)$(ls -A "$TMPDIR")" ]; then return; fi
        sleep 0.1
    done
    die "after $1 the demo left: $(running; ls -A "$TMPDIR")"
}

"$room/slo-engine" demo --once
nothing_left "its end"

"$room/slo-engine" demo | head -n 4 >/dev/null
nothing_left "its reader's end"

# By a signal, early and late: the exit code says which, and what was started is gone when the demo is.
for way in INT:130 HUP:129 TERM:143 KILL:137; do
    for seconds in 0.5 1.5 4; do
        "$room/slo-engine" demo >"$room/said" 2>&1 &
        demo=$! code=0
        sleep "$seconds"
        kill -s "${way%:*}" "$demo"
        wait "$demo" || code=$?
        [ "$code" = "${way#*:}" ] || die "SIG${way%:*} after $seconds s: exit code $code: $(tail -n 3 "$room/said")"
        [ "$way" = KILL:137 ] || [ -z "$(running)$(ls -A "$TMPDIR")" ] || die "SIG${way%:*} after $seconds s left: $(running; ls -A "$TMPDIR")"
        nothing_left "SIG${way%:*} after $seconds s"
    done
done
say "the demo leaves nothing, however it ends"
