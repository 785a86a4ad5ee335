// Files dropped into the page, one after another, with what became of each.
import { $, ask, el } from "./dom.js";

if (location.hash.startsWith("#token=")) {
  sessionStorage.setItem("lexiscope-token", location.hash.slice(7));
  history.replaceState(null, "", location.pathname);
}

// On the document: Gradio draws the tab when it is opened, and a file may be dropped at once.
export function startAdding(done) {
  document.addEventListener("change", (event) => event.target.id === "lx-files" && send([...event.target.files], done));
  document.addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length || !$("lx-drop")?.offsetParent) return; // anywhere, while the tab is open
    event.preventDefault();
    send(files, done);
  });
  document.addEventListener("keydown", (event) => event.target.id === "lx-drop" && event.key === "Enter" && $("lx-files").click());
}

async function send(files, done) {
  const bar = $("lx-progress"), token = sessionStorage.getItem("lexiscope-token");
  Object.assign(bar, { hidden: false, max: files.length, value: 0 });
  let added = 0;
  for (const file of files) {
    const form = new FormData();
    form.append("files", file);
    $("lx-added").textContent = `${file.name} …`;
    try {
      const answer = await ask("/documents", { method: "POST", body: form, headers: token ? { authorization: `Bearer ${token}` } : {} });
      added += 1;
      $("lx-list").append(el("li", { class: "lx-good" }, `${file.name}: ${answer.added ? "added" : "was there already"}`));
    } catch (error) {
      $("lx-list").append(el("li", { class: "lx-error" }, `${file.name}: ${error.message.replace(`${file.name}: `, "")}`));
    }
    bar.value += 1;
  }
  bar.hidden = true;
  $("lx-added").textContent = `${added} of ${files.length} files are in the index.`;
  $("lx-files").value = "";
  done();
}
