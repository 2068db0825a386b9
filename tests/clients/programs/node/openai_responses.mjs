// openai for Node, on Responses.

import { DESCRIPTION, PARAMETERS, QUESTION, WORDS, giveAccount, lookUp, told } from "./account.mjs";

// set-up
import OpenAI from "openai";
const client = new OpenAI({ baseURL: "http://127.0.0.1:7373/v1", apiKey: "unused" });
// set-up ends

const tools = [{ type: "function", name: "look_up", description: DESCRIPTION, parameters: PARAMETERS }];
const asked = { model: "auto", input: WORDS };

const whole = (body) => client.responses.create(body);
const streamed = (body) => client.responses.stream(body).finalResponse();
const counted = (answer) => told(answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens);

// Ask, carry out what the model calls, and ask again until it answers.
async function converse(ask) {
  const input = [{ role: "user", content: QUESTION }];
  let [read, written] = [0, 0];
  for (;;) {
    const answer = await ask({ model: "auto", input, tools });
    read += answer.usage.input_tokens;
    written += answer.usage.output_tokens;
    const calls = answer.output.filter((item) => item.type === "function_call");
    if (!calls.length) return told(answer.output_text, read, written);
    input.push(...answer.output);
    for (const call of calls) {
      const output = lookUp(JSON.parse(call.arguments));
      input.push({ type: "function_call_output", call_id: call.call_id, output });
    }
  }
}

await giveAccount({
  plain: async () => counted(await whole(asked)),
  stream: async () => counted(await streamed(asked)),
  tools: () => converse(whole),
  tools_stream: () => converse(streamed),
});
