// @anthropic-ai/sdk.

import { DESCRIPTION, PARAMETERS, QUESTION, WORDS, giveAccount, lookUp, told } from "./account.mjs";

// set-up
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: "http://127.0.0.1:7373", apiKey: "unused" });
// set-up ends

const tools = [{ name: "look_up", description: DESCRIPTION, input_schema: PARAMETERS }];
const asked = { model: "auto", max_tokens: 1000, messages: [{ role: "user", content: WORDS }] };

const whole = (body) => client.messages.create(body);
const streamed = (body) => client.messages.stream(body).finalMessage();
const textOf = (answer) => answer.content.map((block) => block.text ?? "").join("");
// What was cached stands beside the input on this wire.
const readBy = ({ usage }) =>
  usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
const counted = (answer) => told(textOf(answer), readBy(answer), answer.usage.output_tokens);

// Ask, carry out what the model calls, and ask again until it answers.
async function converse(ask) {
  const messages = [{ role: "user", content: QUESTION }];
  let [read, written] = [0, 0];
  for (;;) {
    const answer = await ask({ ...asked, messages, tools });
    read += readBy(answer);
    written += answer.usage.output_tokens;
    const calls = answer.content.filter((block) => block.type === "tool_use");
    if (!calls.length) return told(textOf(answer), read, written);
    messages.push({ role: "assistant", content: answer.content });
    const content = calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: lookUp(c.input) }));
    messages.push({ role: "user", content });
  }
}

await giveAccount({
  plain: async () => counted(await whole(asked)),
  stream: async () => counted(await streamed(asked)),
  tools: () => converse(whole),
  tools_stream: () => converse(streamed),
});
