#!/bin/sh
# Draw docs/images/report.png: the head of reports/report.html as Chromium shows it. Usage: sh docs/draw_report.sh
set -eu
cd "$(dirname "$0")/.."
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
    --hide-scrollbars --user-data-dir="$profile" --window-size=1180,1180 \
    --screenshot=docs/images/report.png "file://$PWD/reports/report.html"
