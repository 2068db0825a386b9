// How is a model asked from a page? Through the gateway's own address for chats, as any client does, and read as it comes.

const token = document.querySelector('meta[name="tierwise-token"]')?.content ?? "";

/** What the gateway said instead of an answer; `code` and `status` are its own. */
export class Refused extends Error {
  constructor(message, { code = "", status = 0, decision = "" } = {}) {
    super(message);
    Object.assign(this, { code, status, decision });
  }
}

/** Send JSON under the page's token and return the response; Refused for everything but success. */
export async function post(path, body, signal) {
  const headers = { "content-type": "application/json", "x-tierwise-token": token };
  const sent = { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body), signal };
  const response = await fetch(`/ui/v1/${path}`, sent).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refused("The gateway does not answer.", { code: "no_gateway" });
  });
  if (response.ok) return response;
  const decision = response.headers.get("x-tierwise-decision") ?? "";
  const told = await response.json().catch(() => ({}));
  const error = told.error ?? {};
  throw new Refused(error.message ?? `The gateway answers ${response.status}.`, { code: error.code, status: response.status, decision });
}

/** Ask, and call `heard` with each piece of text. Returns what is known at the end: head, texts, times, usage. */
export async function ask(body, { signal, opened, heard }) {
  const began = performance.now();
  const response = await post("chat/completions", body, signal);
  const found = { head: head(response), text: "", thinking: "", finish: null, usage: null, firstMs: null, wholeMs: null };
  opened(found);
  const take = (event) => {
    if (event.error) throw new Refused(event.error.message ?? "The stream broke off.", { code: event.error.code, decision: found.head.decision });
    if (event.usage) found.usage = event.usage;
    const choice = event.choices?.[0];
    const delta = choice?.delta ?? choice?.message ?? {};
    found.finish = choice?.finish_reason ?? found.finish;
    found.thinking += delta.reasoning_content ?? delta.reasoning ?? "";
    const piece = `${delta.content ?? ""}${delta.refusal ?? ""}`;
    if (!piece) return;
    found.firstMs ??= performance.now() - began;
    found.text += piece;
    heard(found);
  };
  if (response.headers.get("content-type")?.startsWith("application/json")) take(await response.json());
  else if (!(await events(response.body, take))) {
    throw new Refused("The stream ended before the answer did.", { code: "broken_off", decision: found.head.decision });
  }
  found.wholeMs = performance.now() - began;
  return found;
}

/** Return the record of a call once it is written, null where it does not come within ten seconds. */
export async function record(ident, signal) {
  for (let wait = 50; wait < 6000; wait *= 2) {
    const response = await fetch(`/ui/v1/decisions/${ident}`, { signal }).catch(() => null);
    const found = response?.ok ? await response.json() : null;
    if (found && found.outcome !== "pending") return found;
    await new Promise((done) => { setTimeout(done, wait); });
  }
  return null;
}

function head(response) {
  const names = ["decision", "tier", "endpoint", "model", "attempts", "reason", "dropped", "gate"];
  return Object.fromEntries(names.map((name) => [name, response.headers.get(`x-tierwise-${name}`) ?? ""]));
}

// Read server-sent events; true where the last one was the wire's end.
async function events(stream, take) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines.filter((one) => one.startsWith("data:"))) {
        const data = line.slice(5).trim();
        if (data === "[DONE]") return true;
        take(JSON.parse(data));
      }
    }
  } catch (error) {
    if (error instanceof Refused || error.name === "AbortError") throw error;
    throw new Refused("The connection to the gateway broke off.", { code: "broken_off" });
  } finally {
    reader.cancel().catch(() => {});
  }
}
