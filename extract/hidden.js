// What is hidden, and what scrolls, by computed style. Asking for a style makes the
// browser compute those of the whole page, and asking every element costs a third of
// the reading; so only elements are asked that some rule of the page could hide, or
// make scroll. Where a style sheet cannot be read, all are asked.

/** Below so many elements all are asked: reading the style sheets would cost more. */
const ASK_ALL = 400;

/** What a rule may do to an element: the elements that it may be done to without one, and whether a style does it. */
const EFFECTS = {
  hide: {
    always: '[hidden],[style*="display" i],[style*="visibility" i],dialog,[popover]',
    by: ({ display, visibility }) => display === 'none' || display.includes('(') || (visibility !== '' && visibility !== 'visible'),
  },
  scroll: {
    always: '[style*="overflow" i],dialog,[popover]',
    by: (style) => /auto|scroll|overlay|inherit|revert|\(/.test(style.overflow + style.overflowX + style.overflowY + style.overflowBlock + style.overflowInline),
  },
};

/** Selectors of what may be hidden or scrolled, as far as they were looked for in these rules. */
const styles = { rules: null, found: {} };

/** The rules of the page as far as they are told apart here: its sheets, and how many rules each has. */
const rulesNow = () => [...styleSheets(document), ...(document.adoptedStyleSheets ?? [])].flatMap((sheet) => [sheet, sheet.disabled ? -1 : sheet.cssRules.length]);

/**
 * Selectors of what may be hidden or scrolled; null where that cannot be known. A grid
 * is read many times, and its rules do not change meanwhile.
 */
function suspectsOf(effect) {
  try {
    const rules = rulesNow();
    if (rules.length !== styles.rules?.length || rules.some((r, i) => r !== styles.rules[i])) Object.assign(styles, { rules, found: {} });
    if (!(effect in styles.found)) styles.found[effect] = lookIntoRules(EFFECTS[effect]);
    return styles.found[effect];
  } catch {
    return null; // a sheet of another site
  }
}

function lookIntoRules({ always, by }) {
  const found = [always];
  let known = true;
  const visit = (rules, nested) => {
    for (const rule of rules) {
      if (rule instanceof CSSKeyframesRule) continue;
      if (rule.style && rule.selectorText && by(rule.style)) {
        if (nested) known = false;
        found.push(rule.selectorText);
      }
      if (rule.styleSheet) visit(rule.styleSheet.cssRules, nested);
      if (rule.cssRules && rule.cssRules.length > 0) visit(rule.cssRules, nested || Boolean(rule.selectorText));
    }
  };
  for (const sheet of [...styleSheets(document), ...(document.adoptedStyleSheets ?? [])]) {
    if (!sheet.disabled) visit(sheet.cssRules, false);
  }
  return known ? found.join(',') : null;
}

/** False for an element that no rule makes scroll. */
function mayScroll(el) {
  if (shadows.any) return true; // shadow trees have rules of their own
  const css = suspectsOf('scroll');
  try {
    return css === null || matches(el, css);
  } catch {
    return true; // a selector that holds only where it stands
  }
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
    const css = suspectsOf('hide');
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
