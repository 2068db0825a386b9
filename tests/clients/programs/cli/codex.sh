# Codex, on Responses. $1 is the step, $2 what to do.
codex exec --skip-git-repo-check --json "$2"
