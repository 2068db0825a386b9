// openai for Node, on Chat Completions.

import { DESCRIPTION, PARAMETERS, QUESTION, WORDS, giveAccount, lookUp, told } from "./account.mjs";

// set-up
import OpenAI from "openai";
const client = new OpenAI({ baseURL: "http://127.0.0.1:7373/v1", apiKey: "unused" });
// set-up ends

const tools = [{ type: "function", function: { name: "look_up", description: DESCRIPTION, parameters: PARAMETERS } }];
const asked = { model: "auto", messages: [{ role: "user", content: WORDS }] };

const whole = (body) => client.chat.completions.create(body);
const streamed = (body) =>
  client.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion();
const counted = (answer) =>
  told(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens);

// Ask, carry out what the model calls, and ask again until it answers.
async function converse(ask) {
  const messages = [{ role: "user", content: QUESTION }];
  let [read, written] = [0, 0];
  for (;;) {
    const { choices, usage } = await ask({ model: "auto", messages, tools });
    read += usage.prompt_tokens;
    written += usage.completion_tokens;
    const { message } = choices[0];
    if (!message.tool_calls?.length) return told(message.content, read, written);
    messages.push(message);
    for (const call of message.tool_calls) {
      const content = lookUp(JSON.parse(call.function.arguments));
      messages.push({ role: "tool", tool_call_id: call.id, content });
    }
  }
}

await giveAccount({
  plain: async () => counted(await whole(asked)),
  stream: async () => counted(await streamed(asked)),
  tools: () => converse(whole),
  tools_stream: () => converse(streamed),
});
