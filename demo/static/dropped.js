// The picture in Gradio's component, however it came there: dropped, chosen, pasted or taken.
import { baseName } from "./dom.js";

let gone = null; // an address that counts no more, though Gradio may still show it for a moment

export function shownPicture() {
  const address = document.querySelector("#lx-image img[src]:not([src=''])")?.src ?? null;
  if (address === null) gone = null; // the same file may be dropped again
  return address === gone ? null : address;
}

export function takeAway() {
  gone = shownPicture();
  document.querySelector('#lx-image button[aria-label="Remove Image"]')?.click();
}

// A drawing stands in the page as a data: address, which names no file.
export function nameOf(address) {
  if (/^(data|blob):/.test(address)) return "The picture";
  try { return decodeURIComponent(baseName(address)); } catch { return baseName(address); }
}

export async function base64(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${nameOf(address)}: the server has it no more; drop it again.`);
  const blob = await response.blob();
  return await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).split(",")[1] ?? "");
    reader.onerror = () => failed(new Error("The picture cannot be read by this browser."));
    reader.readAsDataURL(blob);
  });
}

// Gradio takes pictures over its own box and by its own button only: here, from anywhere on the search tab.
// Elsewhere a browser would leave the page for the file.
export function startDropping() {
  const visible = () => document.querySelector("#lx-image")?.offsetParent && !document.querySelector("dialog[open]");
  const holds = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => holds(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (event.defaultPrevented || !holds(event)) return;
    event.preventDefault();
    if (visible()) give(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length || event.defaultPrevented || !visible()) return;
    event.preventDefault();
    give(files);
  });
}

function give(files) {
  const input = document.querySelector("#lx-image input[type=file]");
  const one = new DataTransfer();
  if (!input || !files.length) return;
  one.items.add(files[0]);
  input.files = one.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}
