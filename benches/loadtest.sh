#!/usr/bin/env bash
# One run of `bouncer loadtest` against `bouncer serve` on this machine: its text on the terminal, its report as
# benches/loadtest.html, and of that the latencies and the time line as benches/loadtest.svg.
#   benches/loadtest.sh [OPTIONS OF loadtest ...]        default: --rate 10000 --duration 30s
# BOUNCER=FILE takes that program instead of building one.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- --rate 10000 --duration 30s

work=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || { kill "$server" && wait "$server" || true; } 2>/dev/null
    rm -rf "$work"
}
trap stop EXIT

bouncer=${BOUNCER:-${CARGO_TARGET_DIR:-target}/release/bouncer}
[ -n "${BOUNCER:-}" ] || cargo build --locked --quiet --release
mkdir -p "$work/secrets/openai"
(umask 077 && head -c 24 /dev/urandom | base64 >"$work/secrets/openai/api_key")
openssl ecparam -name prime256v1 -genkey -noout -out "$work/key.pem"
# A free port for the callers' keys: both have to know it beforehand.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/bouncer.yaml" <<YAML
listen: {grpc: 127.0.0.1:0}
callers:
  jwt: [{issuer: "http://127.0.0.1:$port", audiences: [loadtest]}]
mfa: {amr: [mfa], max_age: 8h}
providers:
  - {provider: openai, auth_type: api_key, credential_ref: openai, mfa_required: true, match: {cluster: [openai]}}
YAML
"$bouncer" serve --config "$work/bouncer.yaml" 2>"$work/log" &
server=$!
address=
for _ in $(seq 100); do
    address=$(sed -n 's/.*listening service="grpc" address="\([^"]*\)".*/\1/p' "$work/log")
    [ -z "$address" ] || break
    kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done

status=0
"$bouncer" loadtest "$address" --cluster openai --jwks-listen "127.0.0.1:$port" --key "$work/key.pem" --pid "$server" \
    --report benches/loadtest.html "$@" || status=$?
# A page that shows pictures does not show HTML.
python3 - benches/loadtest.html benches/loadtest.svg <<'PYTHON'
import re
import sys

page = open(sys.argv[1], encoding="utf-8").read()
style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
charts = re.findall(r'<svg viewBox="0 0 560 308"[^>]*aria-label="([^"]*)"[^>]*>(.*?)</svg>', page, re.S)
chosen = [chart for chart in charts if chart[0].startswith(("Latency by", "Histogram", "Rate over", "Latency over"))]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1136 {340 * ((len(chosen) + 1) // 2)}" font-family="sans-serif">')
    file.write(f"<style>{style}</style>")
    file.write('<rect width="100%" height="100%" style="fill: var(--card)"/>')
    for place, (title, chart) in enumerate(chosen):
        x, y = place % 2 * 576, place // 2 * 340
        file.write(f'<g transform="translate({x} {y})"><text x="8" y="18" class="note">{title}</text>')
        file.write(f'<svg x="0" y="26" width="560" height="308" viewBox="0 0 560 308">{chart}</svg></g>')
    file.write("</svg>\n")
PYTHON
exit "$status"
