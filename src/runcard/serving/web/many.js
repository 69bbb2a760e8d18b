// A table of rows: sent as it is, and what comes back beside it.
const SHOWN_ROWS = 20, NAMED = 8, SHARE = "probability_";
const answers = document.querySelector("#answers"), told = document.querySelector("#many-status");
let batches = 0;

function save(link, text) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
}
// Spreadsheets of half the world write semicolons; the service reads what the model's training read.
function separatorOf(text) {
  const end = text.search(/[\r\n]|$/), header = text.slice(0, end);
  const count = separator => (parseCsv(header, separator)[0] ?? []).filter(name => Object.hasOwn(model.kinds, name)).length;
  return [model.separator, ",", ";", "\t"].reduce((best, other) => count(other) > count(best) ? other : best);
}
const oddOf = cell => Object.keys(model.kinds).filter(name => `, ${cell}, `.includes(`, ${name}, `));

function sayOdd(header, rows) {
  const place = header.indexOf("unusual"), odd = rows.filter(row => row[place]);
  if (!odd.length) return "None is unusual.";
  const counts = new Map();
  for (const row of odd) for (const name of oddOf(row[place])) counts.set(name, (counts.get(name) ?? 0) + 1);
  const fields = [...counts].sort((one, other) => other[1] - one[1]).map(([name, count]) => `${name} in ${count}`);
  if (fields.length > NAMED) fields.splice(NAMED, Infinity, `and ${fields.length - NAMED} more fields`);
  return `${odd.length} ${odd.length === 1 ? "is" : "are"} unusual, by a value that is missing or that training never saw: ${fields.join(", ")}.`;
}
function showTable(header, rows, given) {
  const [names, ...lines] = given;
  const scroll = add(answers, "div", undefined, "scroll"), table = add(scroll, "table");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "The first rows and their answers");
  const places = Object.fromEntries(header.map((name, place) => [name, place]));
  const share = row => row[places[SHARE + row[places.prediction]]];
  const top = add(add(table, "thead"), "tr");
  const heads = ["row", "prediction", ...(target.classes.length ? ["probability"] : []), "unusual"];
  for (const name of heads) add(top, "th", name).scope = "col";
  for (const name of names) Object.assign(add(top, "th", name, "theirs"), { scope: "col" });
  const body = add(table, "tbody");
  rows.slice(0, SHOWN_ROWS).forEach((row, at) => {
    const line = add(body, "tr"), odd = oddOf(row[places.unusual]);
    add(line, "td", String(at + 1), "n");
    add(line, "td", target.classes.length ? row[places.prediction] : plain(+row[places.prediction]), target.classes.length ? "" : "n");
    if (target.classes.length) add(line, "td", percent(+share(row)), "n");
    add(line, "td", row[places.unusual], odd.length ? "odd" : "");
    names.forEach((name, place) => add(line, "td", lines[at]?.[place] ?? "", odd.includes(name) ? "odd" : "theirs"));
  });
}
function offerFiles(text, said, given, separator, name) {
  const parent = add(answers, "p", undefined, "buttons");
  const link = add(parent, "a", "Save the answers", "button");
  link.id = "save";
  link.download = name.replace(/\.[^.]*$/, "") + "-answers.csv";
  const runs = table => table.some(row => row.some(isFormula));
  save(link, runs(said) ? writeCsv(withoutFormulas(said), ",") : text);
  const both = add(parent, "a", "Save rows and answers", "button");
  both.id = "save-both";
  both.download = name.replace(/\.[^.]*$/, "") + "-answered.csv";
  // As the rows were separated; a column of theirs that is called as one of the answers is would stand there twice.
  const rows = parseCsv(given, separator);
  const kept = rows[0].map((_, place) => place).filter(place => !said[0].includes(rows[0][place]));
  const whole = rows.map((row, at) => [...kept.map(place => row[place] ?? ""), ...(said[at] ?? [])]);
  if (rows.length === said.length) save(both, writeCsv(withoutFormulas(whole), separator));
  else both.remove();
  if (runs(said) || runs(whole)) add(answers, "p", "Texts that a spreadsheet would run as formulas have ' before them in saved files.", "quiet");
}
async function answerCsv(file, name) {
  const mine = ++batches;
  answers.replaceChildren();
  told.className = "";
  told.textContent = "Answering …";
  try {
    const given = await file.text(), separator = separatorOf(given);
    const body = separator === model.separator ? file : writeCsv(parseCsv(given, separator), model.separator);
    const text = await ask("predict/batch", body, "text/csv");
    if (mine !== batches) return;
    const said = parseCsv(text, ","), [header, ...rows] = said;
    const some = rows.length > SHOWN_ROWS ? ` The first ${SHOWN_ROWS} are shown.` : "";
    told.textContent = `${rows.length} ${rows.length === 1 ? "row" : "rows"} answered. ${sayOdd(header, rows)}${some}`;
    offerFiles(text, said, given, separator, name);
    showTable(header, rows, parseCsv(given, separator, SHOWN_ROWS + 1));
  } catch (trouble) {
    if (mine !== batches) return;
    told.className = "wrong";
    told.textContent = trouble.message;
  }
}

const drop = document.querySelector("#drop");
if (drop) {
  const example = csvOf(rows), file = document.querySelector("#file");
  save(document.querySelector("#example-csv"), example);
  document.querySelector("#try").addEventListener("click", () => answerCsv(new Blob([example]), "example.csv"));
  file.addEventListener("change", () => { if (file.files.length) answerCsv(file.files[0], file.files[0].name); });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    drop.addEventListener(kind, event => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    });
  drop.addEventListener("drop", event => {
    const [dropped] = event.dataTransfer.files;
    if (dropped) answerCsv(dropped, dropped.name);
  });
}
