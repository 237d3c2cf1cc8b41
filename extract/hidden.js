// What is hidden, by computed style. Asking the style of every element costs a
// third of the reading, so a large table asks only the elements that some rule
// of the page could hide; where a style sheet cannot be read, all are asked.

/** Below so many elements all are asked: reading the style sheets would cost more. */
const ASK_ALL = 400;

/** Always suspects: hidden by attribute, by their own style, or by the browser. */
const SUSPECTS = '[hidden],[style*="display" i],[style*="visibility" i],dialog,[popover]';

/** What hidingSelectors gave for which rules. */
const hiding = { rules: null, found: null };

/** The rules of the page as far as they are told apart here: its sheets, and how many rules each has. */
const rulesNow = () => [...styleSheets(document), ...(document.adoptedStyleSheets ?? [])].flatMap((sheet) => [sheet, sheet.disabled ? -1 : sheet.cssRules.length]);

/**
 * Selectors of the page's rules that hide; null where that cannot be known. A grid
 * is read many times, and its rules do not change meanwhile.
 */
function hidingSelectors() {
  let rules;
  try {
    rules = rulesNow();
  } catch {
    return null; // a sheet of another site
  }
  if (rules.length !== hiding.rules?.length || rules.some((r, i) => r !== hiding.rules[i])) {
    Object.assign(hiding, { rules, found: lookForHiding() });
  }
  return hiding.found;
}

function lookForHiding() {
  const found = [SUSPECTS];
  let known = true;
  const visit = (rules, nested) => {
    for (const rule of rules) {
      if (rule instanceof CSSKeyframesRule) continue;
      const style = rule.style;
      if (style && rule.selectorText) {
        const display = style.display;
        const visibility = style.visibility;
        if (display === 'none' || display.includes('(') || (visibility !== '' && visibility !== 'visible')) {
          if (nested) known = false;
          found.push(rule.selectorText);
        }
      }
      if (rule.styleSheet) visit(rule.styleSheet.cssRules, nested);
      if (rule.cssRules && rule.cssRules.length > 0) visit(rule.cssRules, nested || Boolean(rule.selectorText));
    }
  };
  try {
    for (const sheet of [...styleSheets(document), ...(document.adoptedStyleSheets ?? [])]) {
      if (!sheet.disabled) visit(sheet.cssRules, false);
    }
  } catch {
    return null; // a sheet of another site
  }
  return known ? found.join(',') : null;
}

const OFF = /(^|;)\s*display\s*:\s*none\b/i;

/** "none" for an element that is not displayed, "unseen" for visibility hidden, else "". */
function askHidden(el) {
  if (inComment(el)) return hasAttribute(el, 'hidden') || OFF.test(attribute(el, 'style') ?? '') ? 'none' : '';
  const style = getComputedStyle(el);
  if (style.display === 'none') return 'none';
  return style.visibility === 'visible' ? '' : 'unseen';
}

/**
 * A function that says of the elements below root whether they are hidden. A
 * root that is itself invisible was asked for by name: it is read as if shown,
 * but for parts that are not displayed.
 * @returns {(el: Element, unsure?: boolean) => string} unsure: a parent is unseen, so ask
 */
function eyesFor(root) {
  if (inComment(root)) return askHidden;
  let suspects = null;
  let blind = null; // what a rule could have made invisible is asked; it costs the styles of all
  if (!shadows.any && elementsBelow(root).length > ASK_ALL) { // shadow trees have rules of their own
    const css = hidingSelectors();
    try {
      if (css !== null) {
        suspects = new Set(find(root, css));
        if (closest(root, css) === null) blind = false;
      }
    } catch {
      suspects = null;
    }
  }
  blind ??= askHidden(root) === 'unseen';
  return (el, unsure = false) => {
    if (suspects !== null && !unsure && !suspects.has(el)) return '';
    const hidden = askHidden(el);
    return blind && hidden === 'unseen' ? '' : hidden;
  };
}

/** True when an element and all around it are displayed. */
const displayed = (el) => checkVisibility(el);
