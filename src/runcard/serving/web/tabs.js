// Three ways to ask, one shown at a time; by keyboard the arrows go from one to the next.
const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
}
for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", event => {
    const last = tabs.length - 1;
    const to = { ArrowRight: place < last ? place + 1 : 0, ArrowLeft: place ? place - 1 : last, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(tabs[to]);
    tabs[to].focus();
  });
}
document.querySelector("#to-api")?.addEventListener("click", event => {
  event.preventDefault();
  choose(tabs[2]);
  tabs[2].focus();
});
