// How is a model's Markdown shown so that it can do nothing? As elements that are made here and text that is only text.
//
// No HTML is read, no picture is loaded, no address is followed before it was clicked and shown. Every character of the
// source is looked at a fixed number of times for each level of nesting, and levels and elements are bounded; what is
// over a bound is shown as plain text. Invariant: nothing of the text becomes a name, an attribute or a script.

const MOST_CHARACTERS = 400_000;
const MOST_ELEMENTS = 20_000;
const MOST_LEVELS = 8;
const MOST_MARKS = 24;
const MOST_COLUMNS = 64;
const MOST_ADDRESS = 2048;

/** Return the text as elements. */
export function render(text) {
  const whole = String(text ?? "");
  const page = new Page();
  const fragment = document.createDocumentFragment();
  page.blocks(whole.slice(0, MOST_CHARACTERS).split(/\r\n|\r|\n/), fragment, 0);
  if (whole.length > MOST_CHARACTERS) page.plain(whole.slice(MOST_CHARACTERS), fragment);
  return fragment;
}

const HEADING = /^ {0,3}(#{1,6})(?=[ \t]|$)/;
const QUOTED = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}|\t)(?=\S)/;
const CODE = /^(?: {4}|\t)/;
const BLANK = /^[ \t]*$/;

// The fence that a line begins, read by hand: an expression for it would go back over long lines again and again.
function fence(line) {
  const begin = line.search(/[^ ]/);
  const mark = line[begin];
  if (begin < 0 || begin > 3 || (mark !== "`" && mark !== "~")) return null;
  let end = begin;
  while (line[end] === mark) end += 1;
  const told = line.slice(end).trim();
  return end - begin < 3 || (mark === "`" && told.includes("`")) ? null : { mark: line.slice(begin, end), told };
}

function isRule(line) {
  if (line.length > 200) return false;
  const marks = line.replace(/[ \t]/g, "");
  return marks.length > 2 && "-*_".includes(marks[0]) && [...marks].every((mark) => mark === marks[0]);
}

function isDivider(line) {
  return line !== undefined && line.length < 2000 && line.includes("-") && line.includes("|") && /^[ \t|:-]+$/.test(line);
}

function begins(line, next) {
  return BLANK.test(line) || fence(line) !== null || HEADING.test(line) || QUOTED.test(line) || ITEM.test(line)
    || isRule(line) || (line.includes("|") && isDivider(next));
}

class Page {
  constructor() { this.left = MOST_ELEMENTS; }

  make(name, parent, shape) {
    this.left -= 1;
    const made = document.createElement(name);
    if (shape) made.className = shape;
    parent.append(made);
    return made;
  }

  plain(text, parent) {
    if (text) this.make("p", parent, "md-plain").textContent = text;
  }

  blocks(lines, parent, level) {
    let at = 0;
    while (at < lines.length) {
      if (this.left <= 0 || level > MOST_LEVELS) return this.plain(lines.slice(at).join("\n"), parent);
      at = this.block(lines, at, parent, level);
    }
  }

  // Make the block that begins at a line, and return where the next one does.
  block(lines, at, parent, level) {
    const line = lines[at];
    if (BLANK.test(line)) return at + 1;
    const fenced = fence(line);
    if (fenced) return this.fenced(lines, at, fenced, parent);
    const found = HEADING.exec(line);
    if (found) {
      this.inline(line.slice(found[0].length).trim(), this.make(`h${Math.min(6, found[1].length + 2)}`, parent));
      return at + 1;
    }
    if (isRule(line)) { this.make("hr", parent); return at + 1; }
    if (QUOTED.test(line)) return this.quoted(lines, at, parent, level);
    if (ITEM.test(line)) return this.list(lines, at, parent, level);
    if (CODE.test(line)) return this.indented(lines, at, parent);
    if (line.includes("|") && isDivider(lines[at + 1])) return this.table(lines, at, parent);
    let end = at + 1;
    while (end < lines.length && !begins(lines[end], lines[end + 1])) end += 1;
    this.inline(lines.slice(at, end).map((one) => one.trim()).join("\n"), this.make("p", parent));
    return end;
  }

  code(text, parent, told) {
    const place = this.make("div", parent, "md-code");
    if (told) this.make("span", place, "md-told").textContent = told.slice(0, 40);
    const pre = this.make("pre", place);
    pre.tabIndex = 0;
    this.make("code", pre).textContent = text;
  }

  fenced(lines, at, { mark, told }, parent) {
    let end = at + 1;
    const ends = (line) => {
      const bare = line.trim();
      return bare.length >= mark.length && bare[0] === mark[0] && bare.length < 200 && [...bare].every((one) => one === mark[0]);
    };
    while (end < lines.length && !ends(lines[end])) end += 1;
    this.code(lines.slice(at + 1, end).join("\n"), parent, told);
    return end + 1;
  }

  indented(lines, at, parent) {
    let end = at;
    while (end < lines.length && CODE.test(lines[end])) end += 1;
    this.code(lines.slice(at, end).map((line) => line.replace(CODE, "")).join("\n"), parent);
    return end;
  }

  quoted(lines, at, parent, level) {
    let end = at;
    while (end < lines.length && QUOTED.test(lines[end])) end += 1;
    this.blocks(lines.slice(at, end).map((line) => line.replace(QUOTED, "")), this.make("blockquote", parent), level + 1);
    return end;
  }

  list(lines, at, parent, level) {
    const first = ITEM.exec(lines[at])[2];
    const numbered = first.length > 1;
    const list = this.make(numbered ? "ol" : "ul", parent);
    if (numbered) list.start = Number.parseInt(first, 10);
    let end = at;
    while (end < lines.length && this.left > 0) {
      const found = ITEM.exec(lines[end]);
      if (!found || found[2].length > 1 !== numbered || isRule(lines[end])) break;
      const deep = found[0].length;
      const own = [lines[end].slice(deep)];
      for (end += 1; end < lines.length; end += 1) {
        const line = lines[end];
        const inside = line.search(/[^ \t]/) >= Math.min(deep, 2) || line.startsWith("\t");
        if (BLANK.test(line)) {
          const next = lines[end + 1];
          if (next === undefined || BLANK.test(next) || !/^(?: {2,}|\t)/.test(next)) break;
          own.push("");
        } else if (inside) own.push(line.startsWith("\t") ? line.slice(1) : line.slice(Math.min(deep, line.search(/[^ ]/))));
        else if (begins(line, lines[end + 1])) break;
        else own.push(line);
      }
      this.item(own, this.make("li", list), level);
      // Items may stand apart: one blank line between them does not end the list.
      if (end + 1 < lines.length && BLANK.test(lines[end]) && ITEM.test(lines[end + 1])) end += 1;
    }
    return end;
  }

  // An item of one paragraph is a line, not a paragraph with its distances.
  item(lines, parent, level) {
    if (lines.every((line, at) => at === 0 || !begins(line, lines[at + 1])) && !begins(lines[0], lines[1])) {
      this.inline(lines.map((line) => line.trim()).join("\n"), parent);
    } else this.blocks(lines, parent, level + 1);
  }

  table(lines, at, parent) {
    const place = this.make("div", parent, "scroll");
    place.tabIndex = 0;
    const table = this.make("table", place);
    const head = this.make("tr", this.make("thead", table));
    const names = cells(lines[at]);
    for (const name of names) this.inline(name, this.make("th", head));
    const body = this.make("tbody", table);
    let end = at + 2;
    for (; end < lines.length && lines[end].includes("|") && !BLANK.test(lines[end]) && this.left > 0; end += 1) {
      const row = this.make("tr", body);
      for (const cell of cells(lines[end]).slice(0, names.length)) this.inline(cell, this.make("td", row));
    }
    return end;
  }

  // Put marked text into an element: pieces first, then which marks belong together, then the elements.
  inline(text, parent) {
    const pieces = new Marks(text).pieces();
    const open = [parent];
    for (const [at, piece] of pieces.entries()) {
      const place = open[open.length - 1];
      if (this.left <= 0) return parent.append(pieces.slice(at).map((one) => one.text).join(""));
      if (!piece.role) place.append(piece.text);
      else if (piece.role === "code") this.make("code", place).textContent = piece.text;
      else if (piece.role === "open") {
        let inner = place;
        for (const name of piece.tags) inner = this.make(name, inner, name === "span" ? "md-link" : "");
        open.push(inner);
      } else if (open.length > 1) {
        open.pop();
        if (piece.address !== undefined) this.address(piece.address, open[open.length - 1], piece.picture);
      }
    }
  }

  address(address, parent, picture) {
    const url = picture ? null : webAddress(address);
    if (!url) {
      if (address) parent.append(picture ? ` [picture, not loaded: ${address}]` : ` (${address})`);
      return;
    }
    const button = this.make("button", parent, "md-address");
    button.type = "button";
    button.textContent = address;
    button.title = "Show where this leads, before it is opened";
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.className = "md-open";
      link.href = url.href;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      link.textContent = `Open ${url.href} in a new tab`;
      button.replaceWith(link);
      link.focus();
    });
  }
}

function webAddress(text) {
  if (text.length > MOST_ADDRESS || !/^https?:\/\//i.test(text)) return null;
  try {
    const url = new URL(text);
    return (url.protocol === "http:" || url.protocol === "https:") && !url.username && !url.password ? url : null;
  } catch { return null; }
}

function cells(line) {
  const found = [];
  let text = "";
  const bare = line.trim();
  for (let at = bare.startsWith("|") ? 1 : 0; at < bare.length; at += 1) {
    if (bare[at] === "\\" && bare[at + 1] === "|") { text += "|"; at += 1; }
    else if (bare[at] === "|") { found.push(text.trim()); text = ""; }
    else text += bare[at];
    if (found.length >= MOST_COLUMNS) return found;
  }
  if (text.trim()) found.push(text.trim());
  return found;
}

const WORD = /[\p{L}\p{N}]/u;
const TAGS = { "*": { 1: ["em"], 2: ["strong"], 3: ["strong", "em"] }, _: { 1: ["em"], 2: ["strong"], 3: ["strong", "em"] }, "~": { 2: ["s"] } };

// The pieces of one text: plain, code, and marks that open or close. A mark whose partner is missing stays plain.
class Marks {
  constructor(text) {
    this.text = text;
    this.found = [];
    this.plain = "";
    this.open = []; // marks of emphasis that wait, with how many brackets were open
    this.waiting = new Map(); // how many of each kind wait
    this.brackets = [];
    this.ticks = this.runs();
  }

  // Where runs of so many backticks begin, so that a partner is found without searching.
  runs() {
    const found = new Map();
    for (let at = this.text.indexOf("`"); at >= 0; at = this.text.indexOf("`", at)) {
      let end = at;
      while (this.text[end] === "`") end += 1;
      if (!found.has(end - at)) found.set(end - at, { places: [], next: 0 });
      found.get(end - at).places.push(at);
      at = end;
    }
    return found;
  }

  flush() {
    if (this.plain) this.found.push({ text: this.plain });
    this.plain = "";
  }

  put(piece) {
    this.flush();
    this.found.push(piece);
    return this.found.length - 1;
  }

  pieces() {
    let at = 0;
    while (at < this.text.length) at = this.step(at);
    this.flush();
    return this.found;
  }

  step(at) {
    const text = this.text;
    const mark = text[at];
    if (mark === "\\" && at + 1 < text.length && /[!-/:-@[-`{-~]/.test(text[at + 1])) {
      this.plain += text[at + 1];
      return at + 2;
    }
    if (mark === "`") return this.code(at);
    if (mark === "*" || mark === "_" || mark === "~") return this.emphasis(at, mark);
    if ((mark === "[" || (mark === "!" && text[at + 1] === "[")) && this.brackets.length < MOST_MARKS) {
      const picture = mark === "!";
      const place = this.put({ text: picture ? "![" : "[" });
      this.brackets.push({ place, picture, below: this.open.length });
      return at + (picture ? 2 : 1);
    }
    if (mark === "]" && this.brackets.length) return this.bracket(at);
    let end = at + 1;
    while (end < text.length && !"\\`*_~[]!".includes(text[end])) end += 1;
    this.plain += text.slice(at, end);
    return end;
  }

  code(at) {
    let end = at;
    while (this.text[end] === "`") end += 1;
    const same = this.ticks.get(end - at);
    while (same.places[same.next] <= at) same.next += 1;
    const partner = same.places[same.next];
    if (partner === undefined) {
      this.plain += this.text.slice(at, end);
      return end;
    }
    this.put({ role: "code", text: this.text.slice(end, partner).replaceAll("\n", " ") });
    return partner + (end - at);
  }

  emphasis(at, mark) {
    const text = this.text;
    let end = at;
    while (text[end] === mark) end += 1;
    const tags = TAGS[mark][end - at];
    const before = text[at - 1] ?? " ";
    const after = text[end] ?? " ";
    const inWord = mark === "_" && WORD.test(before) && WORD.test(after);
    const kind = `${mark}${end - at}`;
    if (tags && !inWord && !/\s/.test(before) && this.waiting.get(kind)) {
      let last;
      do {
        last = this.open.pop();
        this.waiting.set(last.kind, this.waiting.get(last.kind) - 1);
      } while (last.kind !== kind);
      // A bracket that was opened inside of it can have no partner outside.
      while (this.brackets.length && this.brackets[this.brackets.length - 1].place > last.place) this.brackets.pop();
      Object.assign(this.found[last.place], { role: "open", tags });
      this.put({ role: "close", text: text.slice(at, end) });
    } else if (tags && !inWord && !/\s/.test(after) && this.open.length < MOST_MARKS) {
      this.open.push({ kind, place: this.put({ text: text.slice(at, end) }) });
      this.waiting.set(kind, (this.waiting.get(kind) ?? 0) + 1);
    } else this.plain += text.slice(at, end);
    return end;
  }

  // A bracket closes: with an address behind it, all between is a link or a picture.
  bracket(at) {
    const { place, picture, below } = this.brackets.pop();
    const found = this.destination(at + 1);
    if (!found) {
      this.plain += "]";
      return at + 1;
    }
    while (this.open.length > below) {
      const { kind } = this.open.pop();
      this.waiting.set(kind, this.waiting.get(kind) - 1);
    }
    Object.assign(this.found[place], { role: "open", tags: ["span"] });
    this.put({ role: "close", text: "]", address: found.address, picture });
    return found.end;
  }

  // Read "(address "title")" at a place. It stops at the next bracket, so no character is read twice for two brackets.
  destination(at) {
    const text = this.text;
    if (text[at] !== "(") return null;
    let end = at + 1;
    let deep = 0;
    while (end < text.length && !/[\s<>[\]"`\\]/.test(text[end])) {
      if (text[end] === "(") deep += 1;
      if (text[end] === ")") {
        if (deep === 0) break;
        deep -= 1;
      }
      end += 1;
    }
    const address = text.slice(at + 1, end);
    if (text[end] === " " && text[end + 1] === '"') {
      end += 2;
      while (end < text.length && !'"[]'.includes(text[end])) end += 1;
      if (text[end] === '"') end += 1;
    }
    return text[end] === ")" && address ? { address, end: end + 1 } : null;
  }
}
