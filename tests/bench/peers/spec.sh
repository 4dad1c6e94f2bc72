# Node looks for its packages beside the script that it runs.
prepare() { :; }
backup() { node "$NODE_PACKAGES/spec-pipeline.mjs"; }
