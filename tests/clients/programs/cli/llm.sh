# llm, on Chat Completions. $1 is the step.
# set-up
llm keys set openai --value unused
# llm -m tierwise "your prompt"
# set-up ends
look_up='def look_up(place: str) -> str: return f"sunny in {place}"'
case $1 in
plain) llm -m tierwise --json --no-stream "one two three" ;;
stream) llm -m tierwise --json "one two three" ;;
tools) llm -m tierwise --json --no-stream --functions "$look_up" "please look_up the weather" ;;
tools_stream) llm -m tierwise --json --functions "$look_up" "please look_up the weather" ;;
esac
