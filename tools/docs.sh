#!/usr/bin/env bash
# Makes the documentation's pages in site/, in an environment of their own; a link that leads nowhere
# is an error.
#
#   tools/docs.sh          site/index.html
#   tools/docs.sh serve    on this machine, made anew at every change
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

set_up_docs
cd "$ROOT"
if [ "${1:-build}" = serve ]; then
    exec "$ROOT/.venv-docs/bin/mkdocs" serve
fi
"$ROOT/.venv-docs/bin/mkdocs" build --strict --clean
say "$ROOT/site/index.html"
