# opencode, on Chat Completions. $1 is the step, $2 what to do.
opencode run --format json "$2"
