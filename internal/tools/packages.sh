#!/usr/bin/env bash
# Installs the Debian packages that tests and demo use, if any is missing.
set -euo pipefail

declare -A package=(
  [gcc]="gcc libc6-dev"
  [zbarimg]=zbar-tools
  [dmtxread]=dmtx-utils
  [xmllint]=libxml2-utils
  [pdftoppm]=poppler-utils
  [qpdf]=qpdf
)
missing=()
for command in "${!package[@]}"; do
  # One entry may name two packages, so this is split on purpose.
  # shellcheck disable=SC2206
  command -v "$command" >/dev/null || missing+=(${package[$command]})
done
[ ${#missing[@]} -eq 0 ] && exit 0

command -v apt-get >/dev/null || {
  echo "These Debian packages are needed, and there is no apt-get here: ${missing[*]}" >&2
  exit 1
}
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
