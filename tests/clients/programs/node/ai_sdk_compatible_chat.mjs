// Vercel AI SDK with @ai-sdk/openai-compatible.

import { giveAccountOf } from "./account_ai_sdk.mjs";

// set-up
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
const tierwise = createOpenAICompatible({ name: "tierwise", baseURL: "http://127.0.0.1:7373/v1", includeUsage: true });
// set-up ends

await giveAccountOf(tierwise("auto"));
