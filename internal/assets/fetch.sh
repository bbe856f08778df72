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
# What the office's pages are made of: style, icons, fonts, htmx. The scripts of
# bootstrap-italia are not taken: no page needs them.
put dist/css/bootstrap-italia.min.css bootstrap-italia.min.css
put dist/svg/sprites.svg sprites.svg
put dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-regular.woff2 TitilliumWeb-Regular.woff2
put dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-700.woff2 TitilliumWeb-Bold.woff2
put dist/fonts/Roboto_Mono/roboto-mono-v13-latin-ext_latin-regular.woff2 RobotoMono-Regular.woff2
install -m 0644 node_modules/htmx.org/dist/htmx.min.js dist/htmx.min.js
install -m 0644 node_modules/htmx.org/LICENSE dist/htmx.LICENSE
# The package's own licence. The fonts name theirs inside (name table, entry
# 14): SIL OFL 1.1 for Titillium Web, Apache 2.0 for Roboto Mono.
put LICENSE bootstrap-italia.LICENSE

# axe-core stays in node_modules: only the test of the pages runs it.
