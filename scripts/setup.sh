#!/usr/bin/env bash
# Sees to the programs that tabfarm and its tests need, and installs what is missing.
#
#   scripts/setup.sh [browser] [postgres] [node] [cc] [network] [pandas]     default: browser postgres
#
# Debian and Ubuntu: through apt-get, as root or with sudo. Without either, and on
# other systems, it prints what to install and exits 3. What is there already,
# wherever it came from, is left as it is; nothing is asked on standard input but
# sudo's password at a terminal.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# have_part NAME: is that part of the set-up there?
have_part() {
  local name
  case "$1" in
  browser)
    [ -n "${TABFARM_BROWSER_PATH:-}" ] && have "$TABFARM_BROWSER_PATH" && return 0
    for name in chromium-headless-shell chrome-headless-shell headless-shell headless_shell \
      chromium chromium-browser google-chrome google-chrome-stable chrome \
      "/Applications/Chromium.app/Contents/MacOS/Chromium" \
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
      have "$name" && return 0
    done
    return 1
    ;;
  postgres)
    have initdb && have postgres && return 0
    for name in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
      [ -x "$name/initdb" ] && [ -x "$name/postgres" ] && return 0
    done
    return 1
    ;;
  node) have node && have npm ;;
  cc) have cc || have gcc || have clang ;;
  network) have ip || [ "$(uname -s)" != Linux ] ;; # the test that needs it is left out elsewhere
  pandas) # Debian's is in /usr/bin, whatever stands before it in PATH
    for name in python3 /usr/bin/python3; do
      have "$name" && "$name" -c 'import pandas, lxml' 2>/dev/null && return 0
    done
    return 1
    ;;
  *)
    say "setup: unknown part $1; the parts are browser, postgres, node, cc, network and pandas"
    exit 2
    ;;
  esac
}

# packages_of PART: Debian packages, the best one first where there is a choice (a|b).
packages_of() {
  case "$1" in
  browser) echo "chromium-headless-shell|chromium|chromium-browser fonts-dejavu-core" ;;
  postgres) echo "postgresql" ;;
  node) echo "nodejs npm" ;;
  cc) echo "gcc libc6-dev" ;;
  network) echo "iproute2" ;;
  pandas) echo "python3-pandas python3-lxml" ;;
  esac
}

# candidate PACKAGE: can apt install it, by the lists that it has now?
# (No pipe into grep -q: it leaves early, and pipefail makes a failure of that.)
candidate() {
  [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}

# choose A|B|C: the first that apt can install; A where it can install none.
choose() {
  local all=$1 name
  for name in ${all//|/ }; do
    if candidate "$name"; then
      echo "$name"
      return
    fi
  done
  echo "${all%%|*}"
}

as_root=()
apt() {
  "${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

install_with_apt() {
  local part package packages=() updated=no
  # The lists of a fresh machine or image are empty: then nothing is a candidate.
  for part in "$@"; do
    for package in $(packages_of "$part"); do
      if [ "$updated" = no ] && ! candidate "${package%%|*}"; then
        apt update
        updated=yes
      fi
      packages+=("$(choose "$package")")
    done
  done
  say "setup: apt-get install ${packages[*]}"
  if ! apt install --no-install-recommends "${packages[@]}"; then
    # Lists that are too old name versions that the archive no longer has.
    [ "$updated" = no ] || return 1
    apt update
    apt install --no-install-recommends "${packages[@]}"
  fi
}

# tell PARTS: what a person has to install by hand; ends with exit code 3.
tell() {
  local part package packages=()
  if have apt-get; then
    for part in "$@"; do
      for package in $(packages_of "$part"); do packages+=("$(choose "$package")"); done
    done
    say "setup: missing: $*. As root:"
    say "  apt-get update && apt-get install -y ${packages[*]}"
  elif [ "$(uname -s)" = Darwin ]; then
    say "setup: missing: $*. With Homebrew (https://brew.sh):"
    for part in "$@"; do
      case "$part" in
      browser) say "  brew install --cask chromium        (Google Chrome does as well: brew install --cask google-chrome)" ;;
      postgres) say "  brew install postgresql@17" ;;
      node) say "  brew install node" ;;
      cc) say "  xcode-select --install" ;;
      pandas) say "  brew install python && pip3 install pandas lxml" ;;
      esac
    done
  else
    say "setup: missing: $*. Install with this system's package manager:"
    for part in "$@"; do
      case "$part" in
      browser) say "  Chromium or Chrome, version 140 or newer" ;;
      postgres) say "  PostgreSQL server programs, version 15 or newer (initdb, postgres)" ;;
      node) say "  Node.js 18 or newer with npm (tests only)" ;;
      cc) say "  a C compiler (the race detector only)" ;;
      pandas) say "  pandas and lxml for python3 (make compare-pandas only)" ;;
      esac
    done
  fi
  exit 3
}

[ $# -gt 0 ] || set -- browser postgres
missing=()
for part in "$@"; do
  have_part "$part" || missing+=("$part")
done
[ ${#missing[@]} -gt 0 ] || exit 0

have apt-get || tell "${missing[@]}"
if [ "$(id -u)" != 0 ]; then
  # At a terminal sudo may ask for a password; elsewhere it must not.
  if have sudo && { sudo -n true 2>/dev/null || { [ -t 0 ] && say "setup: sudo is needed to install: ${missing[*]}" && sudo -v; }; }; then
    as_root=(sudo -n)
  else
    tell "${missing[@]}"
  fi
fi
install_with_apt "${missing[@]}" || tell "${missing[@]}"
for part in "${missing[@]}"; do
  have_part "$part" || tell "$part"
done
