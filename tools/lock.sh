#!/bin/sh
# Rewrite requirements.lock from pyproject.toml. Needs uv (`pip install uv`).
# torch and its CUDA companions stay out: their builds differ by machine, so the Makefile installs the pinned torch after the lock.
set -eu
cd "$(dirname "$0")/.."
skip=""
for name in torch triton $(uv pip compile pyproject.toml --extra train --universal --python-version 3.11 --no-header --no-annotate -q \
    | grep -oE '^(nvidia|cuda)-[a-z0-9-]+' | sort -u); do
    skip="$skip --no-emit-package $name"
done
# shellcheck disable=SC2086
UV_CUSTOM_COMPILE_COMMAND="tools/lock.sh" uv pip compile pyproject.toml --extra train --extra 7z --extra dev \
    --universal --python-version 3.11 --generate-hashes $skip -q -o requirements.lock "$@"
