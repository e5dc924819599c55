#!/usr/bin/env bash
# Draws where the CPU of a warm request goes: perf's samples of `bouncer serve` while it decides, as benches/flamegraph.svg.
#   benches/flamegraph.sh [SECONDS]
# Needs perf; installs inferno into target/tools. The binary is the one that the benches measure: stacks are unwound by its tables.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-15}
tools=target/tools
svg=benches/flamegraph.svg

command -v perf >/dev/null || { echo "perf is not installed" >&2; exit 1; }
[ -x "$tools/bin/inferno-flamegraph" ] || cargo install --locked --quiet inferno --root "$tools"

work=$(mktemp -d)
log=$work/log
bench=
stop() {
    # Its group: cargo does not end the program that it runs.
    [ -z "$bench" ] || kill -- -"$bench" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT

cargo bench --locked --quiet --bench hotpath --no-run
# A group of its own, to be ended as a whole.
set -m
# One lane, driven until perf has what it wants; the bench says which process the server is.
cargo bench --locked --quiet --bench hotpath -- --hold 2>"$log" &
bench=$!
set +m
pid=
for _ in $(seq 1200); do
    pid=$(sed -n 's/^holding \([0-9]*\)$/\1/p' "$log")
    [ -z "$pid" ] || break
    kill -0 "$bench" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
[ -n "$pid" ] || { cat "$log" >&2; exit 1; }
perf record --quiet -e cpu-clock -F 997 --call-graph dwarf,65528 --pid "$pid" --output "$work/perf.data" -- sleep "$seconds" ||
    { echo "perf may not look into the server, which is not dumpable: run as root, or with CAP_PERFMON or CAP_SYS_PTRACE" >&2; exit 1; }
# perf keeps 64 KiB of a stack, and what lies below the connection's task is longer: that is left out.
perf script --no-inline --input "$work/perf.data" 2>/dev/null |
    "$tools/bin/inferno-collapse-perf" --kernel \
        --skip-after 'bouncer::serve::worker::serve::{{closure}}' \
        --skip-after '<hyper::proto::h2::server::H2Stream<F,B,Ex> as core::future::future::Future>::poll' >"$work/stacks" 2>/dev/null
"$tools/bin/inferno-flamegraph" --title "bouncer: a warm ext_proc request over TCP" --countname ns --minwidth 0.3 --width 1200 \
    <"$work/stacks" >"$svg"
echo "$svg: $(wc -c <"$svg") bytes, $(awk '{n += $NF} END {printf "%.1f", n / 1e9}' "$work/stacks") s of CPU"
