// The lowest contrast of all text that is seen, and that text; a ratio as of WCAG 2, 1 to 21.
const parsed = text => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return { r, g, b, a };
};
const over = (top, below) => {
  const mixed = name => top[name] * top.a + below[name] * (1 - top.a);
  return { r: mixed("r"), g: mixed("g"), b: mixed("b"), a: 1 };
};
const luminance = ({ r, g, b }) => {
  const linear = [r, g, b].map(value => value / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const behind = node => {
  if (!node) return { r: 255, g: 255, b: 255, a: 1 };
  const own = parsed(getComputedStyle(node).backgroundColor);
  return own.a === 1 ? own : over(own, behind(node.parentElement));
};
const contrast = node => {
  const back = behind(node), one = luminance(over(parsed(getComputedStyle(node).color), back)), other = luminance(back);
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
};
for (const animation of document.getAnimations()) animation.finish();
const own = node => [...node.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim());
const seen = [...document.body.querySelectorAll("*")].filter(node => node.checkVisibility() && (own(node) || node.matches("input, select, textarea")));
const found = seen.map(node => [contrast(node), node.textContent.trim().slice(0, 60) || node.value]);
return found.reduce((one, other) => other[0] < one[0] ? other : one);
