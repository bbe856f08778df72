#!/usr/bin/env bash
# Installs Debian packages, if what they give is missing: "decoders" for what the
# demo reads its symbols with, "all" for what the tests use besides.
set -euo pipefail

missing=()
# need PROBE PACKAGE…: the packages are missing if the probe fails.
need() {
  local probe=$1
  shift
  eval "$probe" >/dev/null 2>&1 || missing+=("$@")
}

need "command -v zbarimg" zbar-tools
need "command -v dmtxread" dmtx-utils
need "command -v pdftoppm" poppler-utils
if [ "${1:-all}" = all ]; then
  need "command -v gcc" gcc libc6-dev # the race detector
  need "command -v xmllint" libxml2-utils
  need "command -v qpdf" qpdf
  need "command -v chromium" chromium # the office's pages
  # SOAP stacks that are not ours. Debian's python, whatever is first in PATH.
  need "/usr/bin/python3 -c 'import zeep'" python3-zeep
  need "php -r 'new ReflectionClass(\"SoapClient\");'" php-cli php-soap
fi
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
