# Claude Code, on Messages. $1 is the step.
# set-up
export ANTHROPIC_BASE_URL=http://127.0.0.1:7373 ANTHROPIC_AUTH_TOKEN=unused
export ANTHROPIC_MODEL=auto ANTHROPIC_DEFAULT_HAIKU_MODEL=auto
# set-up ends
claude --print --output-format json "$2"
