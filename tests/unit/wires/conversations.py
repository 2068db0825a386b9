"""Conversations to test writers with, as Hypothesis strategies and one by hand that has something of everything."""

from hypothesis import strategies as st

from tierwise.core.conversation import (
    Conversation,
    File,
    Format,
    Image,
    Reasoning,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

EVERYTHING = Conversation(
    turns=(
        Turn(role="system", blocks=(Text(text="Be brief.", cache=True),), path="messages[0]"),
        Turn(role="user", blocks=(Text(text="What is this?"), Image(data=PIXEL, media_type="image/png"))),
        Turn(
            role="assistant",
            blocks=(
                Thinking(text="hm", seal=Seal(wire="messages", data="sig", origin="there")),
                Text(text="Let me look."),
                ToolUse(id="call_1", name="look", arguments='{"city": "Köln"}'),
                ToolUse(id="call_2", name="look"),
            ),
            path="messages[2]",
        ),
        Turn(
            role="user",
            blocks=(
                ToolResult(
                    id="call_1", name="look", content=(Text(text="rain"), Image(url="https://example.com/a.png"))
                ),
                ToolResult(id="call_2", name="look", content=(Text(text="no such city"),), error=True),
                Text(text="And now?"),
                File(name="a.pdf", data="JVBERi0=", media_type="application/pdf"),
            ),
            path="messages[3]",
        ),
    ),
    tools=(Tool(name="look", description="Look out", parameters=SCHEMA, strict=True),),
    tool_choice=ToolChoice(mode="named", name="look"),
    parallel_tools=False,
    format=Format(kind="schema", schema=SCHEMA, name="place"),
    reasoning=Reasoning(effort="high", visible=True),
    max_output_tokens=100,
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    stop=("END",),
    seed=7,
    n=2,
    logprobs=True,
    top_logprobs=3,
    frequency_penalty=0.1,
    presence_penalty=0.2,
    logit_bias={"50256": -100.0},
    user="u-1",
    verbosity="low",
    spelled={"stop": "stop_sequences"},
    foreign=("container",),
)

WORDS = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
NAMES = st.from_regex(r"[a-z][a-z_]{0,10}", fullmatch=True)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Make plain conversations with tools: what every wire can express."""
    turns = []
    if draw(st.booleans()):
        turns.append(Turn(role="system", blocks=(Text(text=draw(WORDS)),)))
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    for number in range(draw(st.integers(1, 4))):
        turns.append(Turn(role="user", blocks=(Text(text=draw(WORDS)),)))
        if draw(st.booleans()):
            uses = tuple(
                ToolUse(id=f"call_{number}_{place}", name=draw(st.sampled_from(names)), arguments='{"a": 1}')
                for place in range(draw(st.integers(1, 3)))
            )
            results = tuple(ToolResult(id=use.id, name=use.name, content=(Text(text=draw(WORDS)),)) for use in uses)
            turns += [Turn(role="assistant", blocks=uses), Turn(role="user", blocks=results)]
        turns.append(Turn(role="assistant", blocks=(Text(text=draw(WORDS)),)))
    turns.append(Turn(role="user", blocks=(Text(text=draw(WORDS)),)))
    return Conversation(
        turns=tuple(turns),
        tools=tuple(Tool(name=name, parameters=SCHEMA) for name in names),
        tool_choice=draw(st.sampled_from([None, ToolChoice(mode="auto"), ToolChoice(mode="required")])),
        max_output_tokens=draw(st.integers(1, 1000)),
        temperature=draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
    )
