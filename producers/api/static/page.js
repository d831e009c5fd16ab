// Fetches the changing part of the page every two seconds while somebody looks at it.
const root = document.documentElement.dataset.root; // a path of a proxy, or empty
const live = document.getElementById("live");
const pulse = document.getElementById("pulse");
let shown = "";

async function refresh() {
  if (!document.hidden) {
    const text = await fetchLive();
    pulse.className = text === null ? "pulse stale" : "pulse";
    pulse.title = text === null ? "no answer; what is shown is old" : "up to date";
    if (text !== null && text !== shown) { update(shown = text); }
  }
  setTimeout(refresh, 2000);
}

async function fetchLive() {
  try {
    const answer = await fetch(`${root}/live`, { credentials: "same-origin" });
    if (answer.status === 401) { location.href = `${root}/login`; }
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

// Pictures that are shown already are moved over, so that nothing flickers.
function update(html) {
  const next = document.createElement("main");
  next.innerHTML = html;
  const old = new Map([...live.querySelectorAll("img")].map((img) => [img.getAttribute("src"), img]));
  for (const img of next.querySelectorAll("img")) {
    const same = old.get(img.getAttribute("src"));
    if (same) { img.replaceWith(same); old.delete(img.getAttribute("src")); }
  }
  live.replaceChildren(...next.childNodes);
}

setTimeout(refresh, 2000);
