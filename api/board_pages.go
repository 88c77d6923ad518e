package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"waybill/api/board"
)

// boardPath is where the board is. Its own addresses are below.
const boardPath = "/board/"

// componentStyle is the hash of the only style that the board's component library adds to a page (usePress of
// react-aria). The test of the board in a browser fails when the library changes it.
const componentStyle = "'sha256-38RhXrc7EdReTKsOm23ZPOCUgniTUUcjky8QOOrQx6o='"

// boardHeaders are the headers of the board. Its scripts may call this server alone, and no text becomes a script.
var boardHeaders = headersFor(nil, "connect-src 'self'", "img-src 'self'", "script-src 'self'",
	"style-src 'self' "+componentStyle, "require-trusted-types-for 'script'", "trusted-types 'none'")

// serveBoard serves the files of the board, and its page for every other address below it: the page reads the address.
func serveBoard(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, boardPath)
	file, ok := board.Get(name)
	if !ok && strings.HasPrefix(name, "assets/") {
		serveProblem(r.Context(), w, noSuchPath())
		return
	}
	if !ok {
		file, _ = board.Get(board.Page)
	}
	boardHeaders.guard(w)
	header := w.Header()
	header.Set("Permissions-Policy", "geolocation=(self)") // a driver may share where they are
	header.Set("Content-Type", file.MediaType)
	header.Set("Vary", "Accept-Encoding")
	text := file.Text
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		text = file.Gzipped
	}
	sum := sha256.Sum256(text)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(text)
}
