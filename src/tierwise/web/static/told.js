// How is it told on a page what a call was, cost and met? As elements with text; knows no page.

/** Make an element with text and children. */
export function made(name, text = "", shape = "", ...children) {
  const node = document.createElement(name);
  if (text !== "") node.textContent = text;
  if (shape) node.className = shape;
  node.append(...children);
  return node;
}
export function button(text, act, shape = "quiet") {
  const node = made("button", text, shape);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}
export function link(text, address) {
  const node = made("a", text);
  node.href = address;
  return node;
}
export function took(ms) { return ms === null ? "–" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`; }
export function usd(amount) {
  if (amount === null || amount === undefined) return "–";
  const value = Number(amount);
  if (value === 0) return "$0";
  return `$${value >= 1 ? value.toFixed(2) : Number(value.toPrecision(3)).toFixed(12).replace(/0+$/, "")}`;
}

// What to do about an error, by the gateway's own code; what is not here says it itself.
const ADVICE = {
  model_not_found: "The model is not there any more. Load the page again, or see Models.",
  policy_denied: "A rule keeps this label from every model that was meant. See the decision, and the policy's page.",
  label_not_allowed: "Your key may not carry this label.",
  model_not_allowed: "Your key may not use this model.",
  scope_missing: "Your key may look, but not call. Make one with both scopes: tierwise keys create NAME --scope admin --scope call",
  price_unknown: "A model outside needs a price before budgets let it be asked: set it in tierwise.toml.",
  unsupported_capability: "No model that was meant can do this. Ask another one, or take the file away.",
  context_length_exceeded: "Shorten the prompt or the file, or ask a model with a longer context.",
  request_too_large: "Send a smaller file, or raise max_body_bytes in [server].",
  insufficient_quota: "A budget is spent: tierwise budget shows which.",
  rate_limit_exceeded: "Wait a moment and send again.",
  quality_gate: "The answer was withheld by the workflow's gates. The decision says which.",
  queued_for_review: "A person is to look first: tierwise review --calls",
  upstream_unauthorized: "The endpoint refuses its key: tierwise doctor says which.",
  upstream_unavailable: "The endpoint does not answer. Is it running? tierwise doctor looks.",
  upstream_timeout: "The endpoint took too long. Send again, or ask for fewer tokens.",
  no_compliant_backend: "Nobody who may serve this is there now. See Models.",
  no_model_available: "Nobody who may serve this is there now. See Models.",
  pages_denied: "Load the page again.",
  no_gateway: "Is tierwise serve still running?",
  broken_off: "What came stands above. Send again.",
};

export function trouble(error) {
  const box = made("div", "", "notice bad");
  box.append(made("p", error.message));
  if (ADVICE[error.code]) box.append(made("p", ADVICE[error.code], "play-advice"));
  if (error.code) box.append(made("p", `${error.status || ""} ${error.code}`.trim(), "soft small"));
  if (error.decision) box.append(made("p", "", "", link("The whole decision", `/ui/decisions/${encodeURIComponent(error.decision)}`)));
  return box;
}

export function escalations(attempts) {
  const list = made("ol", "", "small");
  for (const one of attempts) {
    const gate = one.gate && one.gate.verdict === "fail" ? `, gate ${one.gate.name} failed` : "";
    list.append(made("li", `${one.model}: ${one.verdict || "no word"}${one.error ? `, ${one.error}` : ""}${gate}, ${took(one.duration_ms)}, ${usd(one.cost_usd)}`));
  }
  return made("details", "", "", made("summary", `${attempts.length} models were asked`), list);
}

/** Return a decision without a call as a table; `tiers` are their names for people. */
export function decided(decision, tiers) {
  const table = made("table");
  const head = made("tr");
  for (const name of ["model", "tier", "considered", "expected cost"]) {
    const cell = made("th", name, name === "expected cost" ? "n" : "");
    cell.scope = "col";
    head.append(cell);
  }
  table.append(made("thead", "", "", head));
  const rows = made("tbody");
  for (const one of [...decision.candidates].sort((a, b) => (a.score ?? 1e9) - (b.score ?? 1e9))) {
    const name = made("th", one.model);
    name.scope = "row";
    const why = one.allowed ? (one.score === null ? "yes" : `place ${one.score + 1}`) : `no: ${one.excluded_by}`;
    rows.append(made("tr", "", one.model === decision.chosen ? "chosen" : "", name, made("td", tiers[one.tier]),
      made("td", "", "", made("span", why), made("span", ` ${one.reason}`, "soft small")), made("td", usd(one.expected_cost_usd), "n")));
  }
  table.append(rows);
  const place = made("div", "", "scroll", table);
  place.tabIndex = 0;
  place.setAttribute("role", "region");
  place.setAttribute("aria-label", "Who would be asked");
  return made("div", "", "", made("p", decision.chosen ? `${decision.chosen} would be asked first: ${decision.reason}` : `Nobody could be asked: ${decision.error ?? decision.reason}`), place);
}
