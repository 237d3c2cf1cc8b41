// Signs that the page is not the one meant: a login form, a captcha, a refusal, a
// question for consent that stands before the page.

const CAPTCHA = 'iframe[src*="captcha" i],iframe[src*="challenges.cloudflare.com"],.g-recaptcha,.h-captcha,.cf-turnstile,#challenge-form,#cf-challenge-running,#px-captcha';
const DENIED = /^(access denied|403 forbidden|forbidden|attention required|just a moment|are you a (human|robot)|pardon our interruption|robot check|security check|request blocked|you have been blocked|too many requests)/i;

// What asks for consent says so, and has a button that gives it. Where it stands
// in a frame of its own, the frame says so.
const CONSENT_WORDS = /(cookie|consent|your privacy|privatsph|datenschutz|zustimmung|einwilligung|toestemming|privacidad|confidentialit)/i;
const CONSENT_FRAMES = 'iframe[src*="consent" i],iframe[src*="cookie" i],iframe[title*="consent" i],iframe[title*="cookie" i],iframe[id^="sp_message" i]';
const ACCEPT_WORDS = /^(i )?(accept|agree|allow|consent|got it|okay|ok$|yes,|(alle )?akzeptieren|alles? (akzeptieren|annehmen)|zustimmen|ich stimme|einverstanden|(tout )?accepter|j.accepte|d.accord|acepta|permitir|accett|akkoord|(alles )?accepteren)/i;
/** A question for consent has no more than this many characters; what holds it and more is the page. */
const LONGEST_QUESTION = 3000;
/** Beside a question for consent alone a page says no more than this many characters. */
const LITTLE_ELSE = 500;

/** True for what covers the middle of the window, or is all that the page says. */
function standsBefore(box) {
  const said = textOf(box, askHidden).length;
  if (said > LONGEST_QUESTION) return false;
  const middle = elementAt(innerWidth / 2, innerHeight / 2);
  if (middle !== null && contains(box, middle)) return true;
  return localName(box) !== 'iframe' && textOf(documentElement(document), askHidden).length - said < LITTLE_ELSE;
}

/**
 * The wall that asks for consent before a page shows its tables: a selector of
 * the button that gives it, "" where a frame holds that; null for no wall. A
 * banner on a page that shows a table is none.
 */
function consentWall() {
  if (shownTables().some((el) => find(el, 'tr,[role="row"]').some(isDataLine))) return null;
  if (find(document, CONSENT_FRAMES).some((frame) => displayed(frame) && standsBefore(frame))) return '';
  const gives = (c) => wordsOn(c).concat(fold(attribute(c, 'value') ?? '')).some((w) => ACCEPT_WORDS.test(w));
  for (const button of find(document, 'button,a,[role="button"],input[type="submit" i],input[type="button" i]')) {
    if (!displayed(button) || !gives(button)) continue;
    let box = parentElement(button);
    while (box !== null && !CONSENT_WORDS.test(box.textContent)) box = parentElement(box);
    if (box !== null && standsBefore(box)) return selectorOf(button);
  }
  return null;
}

/** The signs of the page as it stands. */
function signsOf() {
  const signs = [];
  const seen = (css) => find(document, css).some(displayed);
  if (seen('input[type="password" i]')) signs.push('password');
  if (seen(CAPTCHA)) signs.push('captcha');
  const heading = findOne(document, 'h1');
  if (DENIED.test(fold(documentTitle(document))) || (heading && DENIED.test(fold(heading.textContent)))) signs.push('denied');
  if (spinnerIn(document)) signs.push('spinner');
  return signs;
}
