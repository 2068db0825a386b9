// The steps that all models of the Vercel AI SDK take alike; the set-up is in the program that hands its model in.

import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { DESCRIPTION, PARAMETERS, QUESTION, WORDS, giveAccount, lookUp, told } from "./account.mjs";

const tools = {
  look_up: tool({ description: DESCRIPTION, inputSchema: jsonSchema(PARAMETERS), execute: async (input) => lookUp(input) }),
};

export async function giveAccountOf(model) {
  const whole = async (asked) => {
    const { text, totalUsage } = await generateText({ model, maxRetries: 0, ...asked });
    return told(text, totalUsage.inputTokens, totalUsage.outputTokens);
  };
  const streamed = async (asked) => {
    let failed;
    const onError = ({ error }) => (failed = error);
    const result = streamText({ model, maxRetries: 0, onError, ...asked });
    await result.consumeStream();
    if (failed) throw failed;
    const { inputTokens, outputTokens } = await result.totalUsage;
    return told(await result.text, inputTokens, outputTokens);
  };
  const withTools = { prompt: QUESTION, tools, stopWhen: isStepCount(4) };
  await giveAccount({
    plain: () => whole({ prompt: WORDS }),
    stream: () => streamed({ prompt: WORDS }),
    tools: () => whole(withTools),
    tools_stream: () => streamed(withTools),
  });
}
