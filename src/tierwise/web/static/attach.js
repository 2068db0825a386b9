// What may go with a prompt? Pictures, texts and PDF, told apart by their first bytes, as parts of a chat's message.

const KINDS = [
  { begins: [0x89, 0x50, 0x4e, 0x47], type: "image/png" },
  { begins: [0xff, 0xd8, 0xff], type: "image/jpeg" },
  { begins: [0x47, 0x49, 0x46, 0x38], type: "image/gif" },
  { begins: [0x52, 0x49, 0x46, 0x46], then: [0x57, 0x45, 0x42, 0x50], type: "image/webp" },
  { begins: [0x25, 0x50, 0x44, 0x46, 0x2d], type: "application/pdf" },
];

/** Read a file: its part, its size, and the capability that a model needs for it. Throws an Error with words for people. */
export async function attached(file, mostBytes) {
  if (file.size * 1.34 > mostBytes) throw new Error(`${file.name} has ${size(file.size)}; the gateway reads at most ${size(mostBytes)} a request`);
  if (!file.size) throw new Error(`${file.name} is empty`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const is = (marks, at = 0) => marks.every((mark, place) => bytes[at + place] === mark);
  const kind = KINDS.find((one) => is(one.begins) && (!one.then || is(one.then, 8)));
  const about = { name: file.name, bytes: file.size, told: `${file.name}, ${kind?.type ?? "text"}, ${size(file.size)}` };
  if (!kind) return { ...about, needs: null, part: { type: "text", text: `File ${file.name}:\n\n${words(bytes, file.name)}` } };
  const data = await dataUrl(bytes, kind.type);
  if (kind.type === "application/pdf") return { ...about, needs: "files", part: { type: "file", file: { filename: file.name, file_data: data } } };
  return { ...about, needs: "images", part: { type: "image_url", image_url: { url: data } } };
}

/** Write a size. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function words(bytes, name) {
  let text = null;
  try { text = new TextDecoder("utf-8", { fatal: true }).decode(bytes); } catch { /* told below */ }
  if (text === null || text.includes("\0")) throw new Error(`${name} is no PNG, JPEG, WebP or GIF picture, no PDF, and no text in UTF-8`);
  return text;
}

function dataUrl(bytes, type) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.addEventListener("error", () => failed(new Error("the file cannot be read")));
    reader.readAsDataURL(new Blob([bytes], { type }));
  });
}
