package api

import (
	"mime"
	"strconv"
	"strings"
)

// accepted returns the offered media type that an Accept header prefers, the first of equals, or "" if it
// accepts none. Without the header, everything is accepted. Of the ranges that match a type, the most
// specific counts (RFC 9110).
func accepted(header string, offered ...string) (best string) {
	if strings.TrimSpace(header) == "" {
		return offered[0]
	}
	bestWeight := 0.0
	for _, mediaType := range offered {
		if w := weightOf(header, mediaType); w > bestWeight {
			best, bestWeight = mediaType, w
		}
	}
	return best
}

// weightOf returns the weight that an Accept header gives a media type, 0 if it does not accept it.
func weightOf(header, mediaType string) (weight float64) {
	kind, _, _ := strings.Cut(mediaType, "/")
	precise := -1
	for item := range strings.SplitSeq(header, ",") {
		name, parameters, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		at := map[string]int{"*/*": 0, kind + "/*": 1, mediaType: 2}
		specific, matches := at[name]
		if !matches || specific < precise {
			continue
		}
		w := 1.0
		if q, ok := parameters["q"]; ok {
			if w, err = strconv.ParseFloat(q, 64); err != nil || w < 0 || w > 1 {
				continue
			}
		}
		precise, weight = specific, w
	}
	return weight
}
