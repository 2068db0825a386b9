// Vercel AI SDK with @ai-sdk/openai, on Chat Completions.

import { giveAccountOf } from "./account_ai_sdk.mjs";

// set-up
import { createOpenAI } from "@ai-sdk/openai";
const openai = createOpenAI({ baseURL: "http://127.0.0.1:7373/v1", apiKey: "unused" });
// set-up ends

await giveAccountOf(openai.chat("auto"));
