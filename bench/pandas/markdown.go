package main

import (
	"fmt"
	"strings"
)

// markdown is the result for people to read.
func (c *comparison) markdown(version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# tabfarm beside pandas.read_html

Made by `+"`make compare-pandas`"+`: the documents of bench/pandas/documents and
pages of the demo site as drawn, read by tabfarm in Chrome and by pandas %s
(lxml), compared as text: header, rows and foot, before either gives types.

%d documents: %d read alike, %d differ, each by a rule that is named below.

Read alike: %s.
`, version, len(c.equal)+len(c.explained)+len(c.unexpected), len(c.equal), len(c.explained), strings.Join(c.equal, ", "))
	for _, problem := range c.unexpected {
		fmt.Fprintf(&b, "\n**Unexplained:** %s\n", strings.ReplaceAll(problem, "\n", "\n    "))
	}
	b.WriteString("\nIn the readings | stands between cells and = below the header.\n")
	for _, d := range c.explained {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\npandas:\n\n%s\ntabfarm:\n\n%s", d.document, d.rule, indented(d.theirs), indented(d.ours))
	}
	return b.String()
}

// indented is a text as a block of code; characters that show nothing are named.
func indented(text string) string {
	text = strings.NewReplacer("\u200b", `\u200b`, "\u00ad", `\u00ad`, "\u00a0", `\u00a0`).Replace(text)
	if text == "" {
		text = "(no table)"
	}
	var b strings.Builder
	for _, line := range strings.Split(text, "\n") {
		b.WriteString(strings.TrimRight("    "+line, " ") + "\n")
	}
	return b.String()
}
