// Vercel AI SDK with @ai-sdk/anthropic.

import { giveAccountOf } from "./account_ai_sdk.mjs";

// set-up
import { createAnthropic } from "@ai-sdk/anthropic";
const anthropic = createAnthropic({ baseURL: "http://127.0.0.1:7373/v1", apiKey: "unused" });
// set-up ends

await giveAccountOf(anthropic("auto"));
