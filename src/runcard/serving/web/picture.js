// An image is drawn white on black; a pixel's share of white is its share of the range seen in training.
const cleared = new WeakSet(), sent = new WeakMap();

function blank(canvas) {
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  cleared.add(canvas);
  sent.delete(canvas);
}
function show(canvas, pixels) {
  const planes = canvas.dataset.channels === "1" ? [pixels] : pixels;
  const low = +canvas.dataset.low, range = +canvas.dataset.high - low || 1;
  const pen = canvas.getContext("2d"), picture = pen.createImageData(canvas.width, canvas.height);
  for (let at = 0; at < canvas.width * canvas.height; at++) {
    const y = Math.floor(at / canvas.width), x = at % canvas.width;
    for (let c = 0; c < 3; c++) picture.data[at * 4 + c] = 255 * (planes[c % planes.length][y][x] - low) / range;
    picture.data[at * 4 + 3] = 255;
  }
  pen.putImageData(picture, 0, 0);
  cleared.delete(canvas);
  sent.set(canvas, pixels);
}
function read(canvas) {
  if (cleared.has(canvas)) return null;
  if (sent.has(canvas)) return sent.get(canvas);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const low = +canvas.dataset.low, range = +canvas.dataset.high - low;
  const plane = c => Array.from({ length: canvas.height }, (_, y) =>
    Array.from({ length: canvas.width }, (_, x) => low + range * data[(y * canvas.width + x) * 4 + c] / 255));
  const count = +canvas.dataset.channels;
  return count === 1 ? plane(0) : Array.from({ length: count }, (_, c) => plane(c));
}
// In the canvas's own pixels.
function dot(canvas, x, y) {
  const pen = canvas.getContext("2d"), size = canvas.width / 12;
  const glow = pen.createRadialGradient(x, y, size / 2, x, y, size * 1.6);
  glow.addColorStop(0, "rgba(255,255,255,.9)");
  glow.addColorStop(1, "rgba(255,255,255,0)");
  pen.fillStyle = glow;
  pen.fillRect(x - 2 * size, y - 2 * size, 4 * size, 4 * size);
  cleared.delete(canvas);
  sent.delete(canvas);
}
function byPointer(canvas) {
  const draw = event => {
    const box = canvas.getBoundingClientRect();
    dot(canvas, (event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height);
  };
  canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); draw(event); });
  canvas.addEventListener("pointermove", event => { if (event.buttons) draw(event); });
}
function byKeyboard(canvas) {
  const mark = canvas.parentElement.querySelector(".pen");
  const at = { x: canvas.width / 2, y: canvas.height / 2 };
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", event => {
    const way = ways[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    if (way) {
      at.x = Math.min(canvas.width, Math.max(0, at.x + way[0] * canvas.width / 16));
      at.y = Math.min(canvas.height, Math.max(0, at.y + way[1] * canvas.height / 16));
    }
    if (!way || event.shiftKey) dot(canvas, at.x, at.y);
    mark.hidden = false;
    mark.style.left = 100 * at.x / canvas.width + "%";
    mark.style.top = 100 * at.y / canvas.height + "%";
  });
  for (const kind of ["blur", "pointerdown"]) canvas.addEventListener(kind, () => { mark.hidden = true; });
}
function fromFile(canvas, input) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    blank(canvas);
    const reader = new FileReader();
    reader.onload = () => {
      // The file itself is sent: the service judges its size, and nothing is scaled on the way.
      const picture = new Image();
      picture.onload = () => { canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height); };
      picture.src = reader.result;
      cleared.delete(canvas);
      sent.set(canvas, reader.result);
    };
    reader.readAsDataURL(file);
  });
}
for (const canvas of document.querySelectorAll("canvas[data-name]")) {
  blank(canvas);
  byPointer(canvas);
  byKeyboard(canvas);
  fromFile(canvas, canvas.closest("fieldset").querySelector("input[type=file]"));
}
