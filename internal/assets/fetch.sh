#!/bin/sh
# Fetches what package assets embeds into dist, as package-lock.json pins it.
# Called by "make assets".
set -eu
cd "$(dirname "$0")"

# No script of any package runs: only files are wanted.
npm ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error

from=node_modules/bootstrap-italia
put() { install -m 0644 "$from/$1" "dist/$2"; }

put dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-regular.ttf TitilliumWeb-Regular.ttf
put dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-700.ttf TitilliumWeb-Bold.ttf
put dist/fonts/Roboto_Mono/roboto-mono-v13-latin-ext_latin-regular.ttf RobotoMono-Regular.ttf
put dist/fonts/Roboto_Mono/roboto-mono-v13-latin-ext_latin-700.ttf RobotoMono-Bold.ttf
# The package's own licence. The fonts name theirs inside (name table, entry
# 14): SIL OFL 1.1 for Titillium Web, Apache 2.0 for Roboto Mono.
put LICENSE bootstrap-italia.LICENSE
