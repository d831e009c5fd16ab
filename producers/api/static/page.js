// Fetches the changing part of the page every two seconds while somebody looks at it.
const live = document.getElementById("live");
const pulse = document.getElementById("pulse");

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/live", { credentials: "same-origin" });
      if (answer.status === 401) { location.href = "/login"; return; }
      if (answer.ok) { update(await answer.text()); }
      pulse.className = answer.ok ? "pulse" : "pulse stale";
    } catch { pulse.className = "pulse stale"; }
  }
  setTimeout(refresh, 2000);
}

// Pictures that are shown already are moved over, so that nothing flickers.
function update(html) {
  const next = document.createElement("main");
  next.innerHTML = html;
  const shown = new Map([...live.querySelectorAll("img")].map((img) => [img.getAttribute("src"), img]));
  for (const img of next.querySelectorAll("img")) {
    const old = shown.get(img.getAttribute("src"));
    if (old) { img.replaceWith(old); }
  }
  live.replaceChildren(...next.childNodes);
}

setTimeout(refresh, 2000);
