# llm, on the wire that its YAML names. $1 is the step.
set -eu
look_up='
def look_up(place: str) -> str:
    "What is the weather there?"
    return f"sunny in {place}"
'
case $1 in
plain) llm -m tierwise --no-stream "one two three" ;;
stream) llm -m tierwise "one two three" ;;
tools) llm -m tierwise --no-stream --functions "$look_up" "please look_up the weather" ;;
tools_stream) llm -m tierwise --functions "$look_up" "please look_up the weather" ;;
esac >&2
llm logs list --count 0 --json
