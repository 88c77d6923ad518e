package rules

import "cmp"

var blindOverwrite = &Rule{
	ID: "blind-overwrite", Severity: Error,
	Summary: "A write replaces columns without testing what was there.",
	Moot:    changedRow,
	check:   checkBlindOverwrite,
}

func checkBlindOverwrite(c *check) {
	for _, w := range c.query.Writes {
		if cause(w) == c.rule.ID {
			set := overwritten(w)
			c.overwrite(w, columns(w.Table(), set)+" "+areOverwritten(set)+"; "+c.finds(w)+".",
				"Two concurrent calls of "+cmp.Or(c.query.Name, "it")+
					" both succeed, and one of the two writes is lost.")
		}
	}
}
