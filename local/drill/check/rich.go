package check

import "encoding/json"

// checkRich checks that the content of a text which refers to something is JSON. Nothing tells a plain text from JSON but the mark.
func (c *checker) checkRich(where string, row entryRow, content []byte) {
	var said struct{ Text string }
	if row.Rich && content != nil && json.Unmarshal(content, &said) != nil {
		c.problem(Unreadable, "MESSAGES "+where, "is marked as JSON and is a text")
	}
}
