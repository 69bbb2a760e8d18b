// What an answer hangs on: effects of fields, and within a field of its cells or words.
const MOST_EFFECTS = 10;
const FOR = "80, 150, 255", AGAINST = "255, 140, 40"; // --for and --against, to be seen on black and on white

// What is smaller is drawn small, be it the largest there is: in shares, or in the target's unit.
const LEAST = target.classes.length ? 0.05 : (target.high - target.low) / 100 || Number.MIN_VALUE;
const strongest = effects => effects.reduce((most, effect) => Math.max(most, Math.abs(effect)), LEAST);

const effectText = effect => {
  const text = target.classes.length ? (100 * Math.abs(effect)).toFixed(1) : plain(+Math.abs(effect).toPrecision(3));
  return (+text === 0 ? "" : effect < 0 ? "−" : "+") + text;
};
const valueText = given => given === null ? "unknown" : typeof given === "number" ? plain(given) : typeof given === "object" ? "" : String(given).slice(0, 40);

function effectBars(parent, effects) {
  const sorted = [...effects].sort((one, other) => Math.abs(other[1]) - Math.abs(one[1])).slice(0, MOST_EFFECTS);
  const most = strongest(sorted.map(one => one[1])), bars = add(parent, "div", undefined, "bars");
  for (const [name, effect] of sorted) {
    const line = add(bars, "div", undefined, "bar effect"), size = 50 * Math.abs(effect) / most;
    add(line, "span", name);
    const drawn = add(add(line, "span", undefined, "track"), "i", undefined, effect < 0 ? "against" : "");
    drawn.style.left = (effect < 0 ? 50 - size : 50) + "%";
    drawn.style.width = size + "%";
    add(line, "b", effectText(effect));
  }
  if (effects.length > MOST_EFFECTS) add(parent, "p", `The ${MOST_EFFECTS} largest of ${effects.length}.`, "quiet");
}
function showHeat(parent, cells, across, picture) {
  const columns = cells[0].length, most = strongest(cells.flat());
  const figure = add(parent, "figure"), canvas = add(figure, "canvas", undefined, picture ? "" : "grid");
  canvas.width = picture ? 320 : 24 * columns;
  canvas.height = picture ? Math.round(320 * picture.height / picture.width) : 24 * cells.length;
  const pen = canvas.getContext("2d"), width = canvas.width / columns, height = canvas.height / cells.length;
  pen.imageSmoothingEnabled = false;
  if (picture) {
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 0.5; // for a tint to be seen on what is white
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 1;
  }
  cells.forEach((line, y) => line.forEach((effect, x) => {
    pen.fillStyle = `rgba(${effect < 0 ? AGAINST : FOR}, ${0.8 * Math.abs(effect) / most})`;
    pen.fillRect(x * width, y * height, width, height);
  }));
  const [y, x] = cells.flatMap((line, y) => line.map((effect, x) => [y, x, effect])).reduce((one, other) => other[2] > one[2] ? other : one);
  const caption = add(figure, "figcaption", across(y + 1, x + 1, cells.length, columns), "quiet");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Heat map. " + caption.textContent);
}
const OF_KINDS = {
  image(parent, said, given, input) {
    showHeat(parent, said.cells, (y, x, high, wide) => `Speaks most for the answer: row ${y} of ${high}, column ${x} of ${wide}.`, input);
  },
  sequence(parent, said) {
    const turned = said.cells[0].map((_, channel) => said.cells.map(step => step[channel]));
    const told = (y, x, high, wide) => `Steps from left to right, channels from top to bottom. Speaks most for the answer: step ${x} of ${wide}, channel ${y} of ${high}.`;
    showHeat(parent, turned, told, null);
  },
  vector(parent, said, given) {
    const count = said.cells.length, whole = count === given.length;
    const edge = at => Math.round(at * given.length / count);
    effectBars(parent, said.cells.map((effect, at) => [whole ? `number ${at + 1}` : `numbers ${edge(at) + 1} to ${edge(at + 1)}`, effect]));
  },
  text(parent, said, given) {
    // Places count characters as Python does; a JavaScript text counts some of them as two.
    const letters = Array.from(given), most = strongest(said.words.map(word => word.effect)), line = add(parent, "p", undefined, "words");
    let at = 0;
    for (const { start, end, effect } of said.words) {
      line.append(letters.slice(at, start).join(""));
      const word = add(line, "mark", letters.slice(start, end).join(""));
      word.style.backgroundColor = `rgba(${effect < 0 ? AGAINST : FOR}, ${0.6 * Math.abs(effect) / most})`;
      word.title = effectText(effect);
      at = end;
    }
    line.append(letters.slice(at).join(""));
    effectBars(parent, said.words.map(word => [letters.slice(word.start, word.end).join(""), word.effect]));
  },
};

function showWhy(parent, said, row) {
  const what = "class" in said ? said.class : target.name;
  add(parent, "h3", "What this answer hangs on");
  const key = add(parent, "p", undefined, "quiet");
  add(key, "span", "class" in said ? "for " + what : "raises " + what, "key");
  add(key, "span", "class" in said ? "against it" : "lowers it", "key against");
  const barred = said.fields.length > 1 || !said.fields[0].cells?.[0].length;
  if ("class" in said && barred) key.append("; in percentage points");
  if (said.fields.length > 1) effectBars(parent, said.fields.map(one => [[one.field, valueText(row[one.field])].filter(Boolean).join(" = "), one.effect]));
  if ("class" in said && said.fields.every(one => Math.abs(one.effect) < 0.0005)) add(parent, "p", "No field by itself changes it by as much as 0.1.", "quiet");
  for (const one of said.fields) {
    const input = inputs.find(each => each.dataset.name === one.field);
    if (row[one.field] === null || !(one.cells || one.words?.length)) continue;
    if (said.fields.length > 1) add(parent, "h3", one.field);
    OF_KINDS[model.kinds[one.field]](parent, one, row[one.field], input);
  }
  add(parent, "p", said.method, "quiet");
}
async function explain(parent, body, mine) {
  try {
    const said = JSON.parse(await ask("explain", body));
    if (mine !== asked) return;
    parent.replaceChildren();
    showWhy(parent, said, JSON.parse(body));
  } catch (trouble) {
    if (mine === asked) parent.replaceChildren(Object.assign(document.createElement("p"), { className: "wrong", textContent: "No explanation: " + trouble.message }));
  }
}
// For a table at once; else it takes so long that it is left to be asked for.
function offerWhy(body, mine) {
  const parent = add(out, "div", undefined, "why");
  if (model.table) return void explain(parent, body, mine);
  const button = add(parent, "button", "Explain");
  button.type = "button";
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Explaining …";
    parent.tabIndex = -1;
    await explain(parent, body, mine);
    parent.focus();
  });
}
