package farm

// Outcome is how a page ended: a closed set of words, the same in SQL, messages,
// JSON and metrics. All but ok make a run's exit code 1; empty does not where
// the recipe says min_rows: 0.
type Outcome string

// The outcomes.
const (
	OK              Outcome = "ok"
	Empty           Outcome = "empty"            // fewer rows than min_rows, and none at all
	Incomplete      Outcome = "incomplete"       // rows are missing, or it is not proven that none are
	Timeout         Outcome = "timeout"          // not ready by its deadline
	Unreachable     Outcome = "unreachable"      // no HTTP answer: name, connection, TLS
	HTTPError       Outcome = "http_error"       // an HTTP status of 400 or more
	Blocked         Outcome = "blocked"          // an access denied page, a captcha
	SignedOut       Outcome = "signed_out"       // a login page instead of the table
	RobotsDenied    Outcome = "robots_denied"    // robots.txt says no, or could not be had
	RefusedAddress  Outcome = "refused_address"  // a private address that network.allow_private does not name
	NotHTML         Outcome = "not_html"         // a download, a picture, a PDF
	ScriptError     Outcome = "script_error"     // the page's own script failed and the table is not there
	SelectorMissing Outcome = "selector_missing" // a selector or column of the recipe matches nothing
	BadValue        Outcome = "bad_value"        // an empty key, an unusable value
	DuplicateKey    Outcome = "duplicate_key"    // rows with one key and other values
	BrowserCrashed  Outcome = "browser_crashed"
	TooLarge        Outcome = "too_large"
	StoreFailed     Outcome = "store_failed" // the database refused the rows
	Cancelled       Outcome = "cancelled"
)

// Outcomes lists the whole set in the order of the documentation.
func Outcomes() []Outcome {
	return []Outcome{
		OK, Empty, Incomplete, Timeout, Unreachable, HTTPError, Blocked, SignedOut, RobotsDenied, RefusedAddress,
		NotHTML, ScriptError, SelectorMissing, BadValue, DuplicateKey, BrowserCrashed, TooLarge, StoreFailed, Cancelled,
	}
}
