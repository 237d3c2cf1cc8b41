// Signs that the page is not the one meant: a login form, a captcha, a refusal.

const CAPTCHA = 'iframe[src*="captcha" i],iframe[src*="challenges.cloudflare.com"],.g-recaptcha,.h-captcha,.cf-turnstile,#challenge-form,#cf-challenge-running,#px-captcha';
const DENIED = /^(access denied|403 forbidden|forbidden|attention required|just a moment|are you a (human|robot)|pardon our interruption|robot check|security check|request blocked|you have been blocked|too many requests)/i;

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
