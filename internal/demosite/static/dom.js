/** An element with attributes and children. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A value as the page shows it; the twin of show in table.go. */
export function show(value, format) {
  if (value === null) return "–";
  switch (format) {
    case "thousands":
      return value.toLocaleString("en-US");
    case "fixed1":
      return value.toFixed(1);
    case "fixed2":
      return value.toFixed(2);
    case "pct3":
      return value.toFixed(3).replace(/^0/, "");
  }
  return String(value);
}
