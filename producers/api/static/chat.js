// A conversation with /v1/chat/completions. It lives in this page alone; closing it, or Stop, cancels what is asked.
const root = document.documentElement.dataset.root; // a path of a proxy, or empty
const model = document.querySelector("main").dataset.model;
const [list, form, question, picture, key, stop, send] =
  ["messages", "ask", "question", "picture", "key", "stop", "send"].map((id) => document.getElementById(id));
let messages = [];
let asking = null; // aborts what is under way

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!asking && question.value.trim()) { ask(); }
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
stop.addEventListener("click", () => asking?.abort());
document.getElementById("clear").addEventListener("click", () => {
  asking?.abort();
  messages = [];
  list.replaceChildren();
  question.focus();
});

async function ask() {
  const text = question.value.trim();
  const file = picture.files[0];
  const asked = messages; // a new conversation that begins meanwhile is another list
  const controller = (asking = new AbortController());
  show("user", file ? `${text}\n[${file.name}]` : text);
  const answer = show("assistant", "");
  setBusy(true);
  const told = { role: "user", content: text };
  try {
    if (file) {
      const image = { type: "image_url", image_url: { url: await readDataUrl(file) } };
      told.content = [{ type: "text", text }, image];
    }
    let whole = "";
    for await (const piece of answers([...asked, told], controller.signal)) {
      whole += piece;
      answer.textContent = whole;
      answer.scrollIntoView({ block: "nearest" });
    }
    asked.push(told, { role: "assistant", content: whole });
    question.value = "";
    picture.value = "";
  } catch (error) {
    const item = answer.parentElement;
    item.append(make("p", "error", error.name === "AbortError" ? "stopped" : error.message));
  } finally {
    if (asking === controller) {
      asking = null;
      setBusy(false);
      question.focus();
    }
  }
}

// The texts of a streamed answer. Throws an error whose message is what the server says.
async function* answers(asked, signal) {
  const response = await fetch(`${root}/v1/chat/completions`, {
    method: "POST",
    headers: { "Authorization": `Bearer ${key.value.trim()}`, "Content-Type": "application/json" },
    body: JSON.stringify({ model, messages: asked, stream: true }),
    credentials: "omit",
    signal,
  });
  if (!response.ok) {
    throw new Error((await response.json().catch(() => null))?.error?.message ?? `HTTP ${response.status}`);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) { throw new Error("the connection was lost; ask again"); }
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (event === "data: [DONE]") { return; }
      if (!event.startsWith("data: ")) { continue; } // nothing is said for a while
      const chunk = JSON.parse(event.slice(6));
      if (chunk.error) { throw new Error(chunk.error.message); }
      yield chunk.choices[0]?.delta.content ?? "";
    }
  }
}

function readDataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}

function show(role, text) {
  const item = make("div", role);
  const said = make("div", "said", text);
  item.append(make("span", "unseen", role === "user" ? "You:" : `${model}:`), said);
  list.append(item);
  return said;
}

function make(name, className, text = "") {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

function setBusy(busy) {
  stop.hidden = !busy;
  send.disabled = busy;
  list.setAttribute("aria-busy", String(busy)); // read out once it is whole
}
