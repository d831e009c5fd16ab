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

// Only what changed is changed: focus, selection and scrolling stay where they are, and no picture flickers.
function update(html) {
  const next = document.createElement("main");
  next.innerHTML = html;
  writeClocks(next);
  Idiomorph.morph(live, next.childNodes, { morphStyle: "innerHTML" });
}

// Times in the zone of who looks.
function writeClocks(within) {
  const today = new Date().toDateString();
  for (const clock of within.querySelectorAll("time .clock")) {
    const at = new Date(clock.parentElement.dateTime);
    clock.textContent = at.toDateString() === today ? at.toLocaleTimeString() : at.toLocaleString();
  }
}

writeClocks(document);
if (live) { setTimeout(refresh, 2000); }
