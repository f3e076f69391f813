#!/bin/sh
# Makes a clean clone ready: bun, the dependencies, then the programs named as arguments.
# Needs npm, or bun itself; no root, no Docker. All of it goes to .tools/ and node_modules/.
# What is there already is not fetched again, and then nothing here uses the network.
set -eu
cd "$(dirname "$0")/.."

bun_version=1.4.5
# The integrity the npm registry gives for each platform's package of bun 1.4.5.
linux_x64='sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g=='
linux_x64_baseline='sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA=='
linux_aarch64='sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg=='
darwin_aarch64='sha512-4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ=='
darwin_x64='sha512-qkLPMGHZM9NI6CeHTWwVezzmlo6cC4Ta7yUAjYIWXS366qQcOlcp75t2uZyiuVRBMPS0h9qE0tCcvCHGaFqjJg=='

lock=.tools/.lock-bootstrap
work=

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 3; }

tidy() { rm -rf ${work:+"$work"} "$lock"; }

# One process at a time fetches; the lock of a process that is gone is taken away.
take_lock() {
  waited_s=0
  until mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/owner" 2>/dev/null) || owner=
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$lock"; continue; fi
    if [ -z "$owner" ] && [ "$waited_s" -ge 10 ]; then rm -rf "$lock"; continue; fi
    [ "$waited_s" -lt 600 ] || fail "process $owner has held $lock for 10 minutes"
    [ "$waited_s" -gt 0 ] || say "waiting for process ${owner:-another} to finish the same"
    sleep 1
    waited_s=$((waited_s + 1))
  done
  trap tidy EXIT
  trap 'exit 130' INT TERM
  echo $$ >"$lock/owner"
}

# True for a bun of the same major version that is not older than ours.
is_usable() {
  found=$("$1" --version 2>/dev/null) || return 1
  [ "${found%%.*}" = "${bun_version%%.*}" ] || return 1
  [ "$(printf '%s\n%s\n' "$bun_version" "$found" | sort -V | head -n 1)" = "$bun_version" ]
}

# Sets `package` and `integrity` for this machine.
choose_package() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64)
      if grep -q avx2 /proc/cpuinfo; then
        package=@oven/bun-linux-x64 integrity=$linux_x64
      else
        package=@oven/bun-linux-x64-baseline integrity=$linux_x64_baseline
      fi ;;
    Linux-aarch64 | Linux-arm64) package=@oven/bun-linux-aarch64 integrity=$linux_aarch64 ;;
    Darwin-arm64) package=@oven/bun-darwin-aarch64 integrity=$darwin_aarch64 ;;
    Darwin-x86_64) package=@oven/bun-darwin-x64 integrity=$darwin_x64 ;;
    *) fail "no bun $bun_version is known for $(uname -s) $(uname -m); install bun and run again" ;;
  esac
}

# npm runs no install scripts unless it is told to; the platform's package needs none.
fetch_bun() {
  command -v npm >/dev/null || fail "neither bun $bun_version or newer nor npm is on the PATH; install one of them"
  choose_package
  say "bun: fetching $package $bun_version from npm (50 MB)"
  work=$(mktemp -d .tools/.new-bun-XXXXXX)
  npm pack "$package@$bun_version" --silent --pack-destination "$work" >/dev/null ||
    fail "npm could not fetch $package@$bun_version"
  archive=$(ls "$work"/*.tgz)
  actual=$(node -e '
    const { createHash } = require("node:crypto");
    const { readFileSync } = require("node:fs");
    const sum = createHash("sha512").update(readFileSync(process.argv[1])).digest("base64");
    console.log(`sha512-${sum}`);' "$archive")
  [ "$actual" = "$integrity" ] || fail "the checksum of $package is $actual, not the pinned $integrity"
  tar -xzf "$archive" -C "$work"
  chmod +x "$work/package/bin/bun"
  is_usable "$work/package/bin/bun" || fail "the bun of $package does not run on this machine"
  rm -rf .tools/bun
  mv "$work/package" .tools/bun
}

# .tools/bin/bun is the bun every target of the Makefile uses.
has_bun() { is_usable .tools/bin/bun; }

provide_bun() {
  if is_usable bun; then
    ln -sf "$(command -v bun)" .tools/bin/bun
    return
  fi
  is_usable .tools/bun/bin/bun || fetch_bun
  ln -sf ../bun/bin/bun .tools/bin/bun
}

# The lock file is kept beside what it installed; equal files mean nothing is to be done.
has_dependencies() { cmp -s bun.lock node_modules/.installed.lock; }

provide_dependencies() {
  say "dependencies: bun install --frozen-lockfile"
  if ! .tools/bin/bun install --frozen-lockfile >.tools/install.log 2>&1; then
    cat .tools/install.log >&2
    fail "bun could not install the dependencies"
  fi
  cp bun.lock node_modules/.installed.lock
}

mkdir -p .tools/bin
if ! has_bun || ! has_dependencies; then
  take_lock
  has_bun || provide_bun
  has_dependencies || provide_dependencies
  tidy
  trap - EXIT INT TERM
fi
[ $# -eq 0 ] || .tools/bin/bun deploy/tools.ts "$@" >&2
