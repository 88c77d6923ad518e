package api

import "strings"

// ReadFeed reads a body whose first record is not the feed's first, but the one at that
// position. It gives how many were right before what is wrong.
func ReadFeed(body string, lines bool, at int) (right int, err error) {
	r := newFeedReader(strings.NewReader(body), lines)
	r.at = at
	for _, err := range r.records {
		if err != nil {
			return right, err
		}
		right++
	}
	return right, nil
}

// ParseTime is parseTime.
var ParseTime = parseTime
